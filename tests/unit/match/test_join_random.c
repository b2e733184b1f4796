/*
 * Small random sides, joined, and by a model that does what docs/match.md says, for each row by looking at all the others:
 * nothing of it is sorted by key, nor merged.
 */
#include "people.h"

#include <time.h>

#define MOST 24

struct fate {
    bool free; /* nothing has become of it yet */
    bool ambiguous;
};

struct model {
    const struct people *sides; /* two */
    size_t n_ties;
    struct fate fates[2][MOST];
    struct lines lines;
};

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* Of one side those that are free, have the key of p, and agree with it in the tie-breaks. */
static size_t find_agreeing(
    const struct model *m, int side, const struct person *p, const bool *agree, size_t ret[MOST])
{
    size_t n = 0;
    for (size_t i = 0; i < m->sides[side].n; i++) {
        const struct person *q = &m->sides[side].list[i];
        bool all = m->fates[side][i].free && same(p->key, q->key);
        for (size_t t = 0; t < m->n_ties; t++)
            all = all && (!agree[t] || same(p->ties[t], q->ties[t]));
        if (all)
            ret[n++] = i;
    }
    return n;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_ambiguous(
    struct model *m, int side, size_t i, const char *reason, const size_t *others, size_t n)
{
    const char *ids[MOST], *id = m->sides[side].list[i].id;
    _cleanup_buffer_ struct buffer line = {0};
    for (size_t k = 0; k < n; k++)
        ids[k] = m->sides[!side].list[others[k]].id;
    qsort(ids, n, sizeof(*ids), compare_ids);
    buffer_printf(&line, "ambiguous %s %s %s of %zu:", reason, side ? "-" : id, side ? id : "-", n);
    for (size_t k = 0; k < MIN(n, (size_t)10); k++)
        buffer_printf(&line, " %s", ids[k]);
    lines_add(&m->lines, buffer_string(&line));
}

static void name_level(const struct model *m, const bool *agree, const char *none, struct buffer *ret)
{
    ret->n = 0;
    for (size_t t = 0; t < m->n_ties; t++)
        if (agree[t])
            buffer_printf(ret, "%s%s", ret->n ? "+" : "", tie_names[t]);
    if (ret->n == 0)
        buffer_put_string(ret, none);
}

/* Those who agree with this left row in a level. */
static void settle(struct model *m, size_t at, const bool *agree, const char *none)
{
    size_t found[2][MOST], n[2];
    _cleanup_buffer_ struct buffer reason = {0};
    for (int side = 0; side < 2; side++)
        n[side] = find_agreeing(m, side, &m->sides[0].list[at], agree, found[side]);
    if (n[0] == 0 || n[1] == 0)
        return;
    if (n[0] == 1 && n[1] == 1) {
        name_level(m, agree, none, &reason);
        _cleanup_free_ char *line = xasprintf("matched %s %s %s", buffer_string(&reason),
            m->sides[0].list[found[0][0]].id, m->sides[1].list[found[1][0]].id);
        lines_add(&m->lines, line);
    }
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < n[side]; i++) {
            m->fates[side][found[side][i]].free = false;
            if (n[0] + n[1] == 2)
                continue;
            m->fates[side][found[side][i]].ambiguous = true;
            name_level(m, agree, "keys", &reason);
            add_ambiguous(m, side, found[side][i], buffer_string(&reason), found[!side], n[!side]);
        }
}

/* All levels, from "all agree" to "none does": the first tie-break is told before those behind it. */
static void settle_levels(struct model *m, bool *agree, size_t told)
{
    if (told < m->n_ties) {
        agree[told] = true;
        settle_levels(m, agree, told + 1);
        agree[told] = false;
        settle_levels(m, agree, told + 1);
        return;
    }
    for (size_t i = 0; i < m->sides[0].n; i++)
        if (m->fates[0][i].free && m->sides[0].list[i].key)
            settle(m, i, agree, "elimination");
}

static void add_left_over(struct model *m, int side, size_t i)
{
    const struct person *p = &m->sides[side].list[i];
    size_t ambiguous[MOST], n = 0, others = 0;
    for (size_t k = 0; k < m->sides[!side].n; k++) {
        const struct person *q = &m->sides[!side].list[k];
        if (q->dropped || !same(p->key, q->key))
            continue;
        others++;
        if (m->fates[!side][k].ambiguous)
            ambiguous[n++] = k;
    }
    if (n) {
        add_ambiguous(m, side, i, "left_over", ambiguous, n);
        return;
    }
    const char *reason = !p->key ? "no_key" : others ? "taken" : "no_counterpart";
    _cleanup_free_ char *line = xasprintf(
        "%s %s %s %s", side ? "right_only" : "left_only", reason, side ? "-" : p->id, side ? p->id : "-");
    lines_add(&m->lines, line);
}

static void settle_all(struct model *m)
{
    static const bool none[TIES_MAX];
    bool agree[TIES_MAX] = {0};
    size_t found[MOST];
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < m->sides[side].n; i++)
            m->fates[side][i].free = !m->sides[side].list[i].dropped;
    /* One row on each side match by their keys alone. */
    for (size_t i = 0; i < m->sides[0].n; i++) {
        const struct person *p = &m->sides[0].list[i];
        if (m->fates[0][i].free && find_agreeing(m, 0, p, none, found) == 1 &&
            find_agreeing(m, 1, p, none, found) == 1)
            settle(m, i, none, "keys");
    }
    settle_levels(m, agree, 0);
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < m->sides[side].n; i++)
            if (m->fates[side][i].free)
                add_left_over(m, side, i);
    lines_sort(&m->lines);
}

static int rnd(int n)
{
    return rand() % n;
}

/* Few values, so that much is equal; one begins with another. */
static const char *random_word(int n_words)
{
    static const char *const words[] = {"a", "ab", "b", "a b", "", "\xc3\xa9", "c", "abc"};
    int i = rnd(n_words + 1);
    return i ? words[i - 1] : NULL;
}

static void random_people(struct people *people, int most, int n_keys, int n_words)
{
    people->n = (size_t)rnd(most + 1);
    people->fraction = 0.1;
    for (size_t i = 0; i < people->n; i++) {
        struct person *p = &people->list[i];
        snprintf(p->id, sizeof(p->id), "%d.%zu", rnd(1000), i); /* not in the order they are put in */
        p->key = random_word(n_keys);
        p->dropped = rnd(12) == 0;
        for (size_t t = 0; t < TIES_MAX; t++)
            p->ties[t] = random_word(n_words);
    }
}

static void shuffle(struct people *people)
{
    for (size_t i = people->n; i > 1; i--) {
        size_t k = (size_t)rnd((int)i);
        struct person swap = people->list[k];
        people->list[k] = people->list[i - 1];
        people->list[i - 1] = swap;
    }
}

static size_t count_users(const struct people *people)
{
    size_t n = 0;
    for (size_t i = 0; i < people->n; i++)
        n += !people->list[i].dropped;
    return n;
}

static void join_and_compare(struct people sides[2], size_t n_ties, const struct lines *wanted)
{
    _cleanup_(lines_done) struct lines got = {0};
    struct join_counts n;
    struct error err;
    if (people_join(sides, n_ties, &got, &n, &err) < 0)
        ck_abort_msg("%s", err.text);
    lines_compare(&got, wanted);
    ck_assert_int_eq(n.matched + n.left_ambiguous + n.left_only, (int64_t)count_users(&sides[0]));
    ck_assert_int_eq(n.matched + n.right_ambiguous + n.right_only, (int64_t)count_users(&sides[1]));
}

static void random_round(void)
{
    struct person left[MOST], right[MOST];
    struct people sides[2] = {{.list = left}, {.list = right}};
    size_t n_ties = (size_t)rnd(TIES_MAX + 1);
    int n_keys = 1 + rnd(4), n_words = 1 + rnd(5), most = rnd(2) ? 6 : MOST;
    random_people(&sides[0], most, n_keys, n_words);
    random_people(&sides[1], most, n_keys, n_words);
    struct model m = {.sides = sides, .n_ties = n_ties};
    settle_all(&m);
    join_and_compare(sides, n_ties, &m.lines);
    shuffle(&sides[0]);
    shuffle(&sides[1]);
    join_and_compare(sides, n_ties, &m.lines);
    lines_done(&m.lines);
}

START_TEST(as_the_model_says)
{
    const char *given = getenv("MATCH_SEED"), *rounds = getenv("MATCH_ROUNDS");
    unsigned seed = given ? (unsigned)atoi(given) : (unsigned)time(NULL);
    printf("MATCH_SEED=%u\n", seed);
    fflush(stdout);
    srand(seed);
    for (int i = rounds ? atoi(rounds) : 150; i > 0; i--)
        random_round();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {as_the_model_says};
    return run_tests("join_random", tests, N_ELEMENTS(tests));
}
