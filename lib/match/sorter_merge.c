/*
 * All runs are merged at once where what is in their buffers is no more than the share and the memory allow. Where it would
 * be, some are merged into one beforehand, of which there is always a cheapest choice: those that lie next to each other, so
 * that records of one key stay in order, and are small for how many they are. The runs of the beginning are small, because
 * few rows were known then, so that this costs little. What is merged is written behind, and the old is left where it is:
 * what was saved stays true.
 */
#include "match/sorter_inside.h"

#define RUNS_AT_ONCE 256
#define SLOT_LEAST   4096 /* bytes to read a run with */

/* ---- several runs as one ---- */

static bool is_before(const struct sorter_merge *m, size_t a, size_t b)
{
    const struct sorter_leaf *x = &m->leaves[a], *y = &m->leaves[b];
    if (x->at_end || y->at_end)
        return !x->at_end;
    if (x->prefix != y->prefix)
        return x->prefix < y->prefix;
    int order = slice_order(x->reader.key, y->reader.key);
    return order ? order < 0 : a < b;
}

static int advance_leaf(struct sorter_leaf *leaf, struct error *err)
{
    int got = run_next(&leaf->reader, err);
    leaf->at_end = got == 0;
    if (got > 0)
        leaf->prefix = sorter_prefix(leaf->reader.key);
    return got < 0 ? -1 : 0;
}

/* The winner among the leaves below the node, whose loser stays there. */
static size_t play(struct sorter_merge *m, size_t node)
{
    if (node >= m->n)
        return node - m->n;
    size_t a = play(m, 2 * node), b = play(m, 2 * node + 1);
    bool a_wins = is_before(m, a, b);
    m->tree[node] = a_wins ? b : a;
    return a_wins ? a : b;
}

static void replay(struct sorter_merge *m)
{
    size_t winner = m->tree[0];
    for (size_t node = (winner + m->n) / 2; node > 0; node /= 2) {
        size_t other = m->tree[node];
        if (!is_before(m, other, winner))
            continue;
        m->tree[node] = winner;
        winner = other;
    }
    m->tree[0] = winner;
}

static int next_of(struct sorter_merge *m, struct slice *ret_key, struct slice *ret_value, struct error *err)
{
    if (m->n == 0)
        return 0;
    struct sorter_leaf *first = &m->leaves[m->tree[0]];
    if (m->begun && !first->at_end) {
        if (advance_leaf(first, err) < 0)
            return -1;
        replay(m);
        first = &m->leaves[m->tree[0]];
    }
    m->begun = true;
    if (first->at_end)
        return 0;
    *ret_key = first->reader.key;
    *ret_value = first->reader.value;
    return 1;
}

void sorter_end_merge(struct sorter *s)
{
    struct sorter_merge *m = &s->merge;
    for (size_t i = 0; i < m->n; i++)
        run_reader_done(&m->leaves[i].reader);
    free(m->leaves);
    free(m->tree);
    *m = (struct sorter_merge){0};
}

/* ---- what goes into memory ---- */

/* Rows that may be held. */
static int64_t most_held(const struct sorter *s)
{
    return s->share ? share_part(s->share, s->part) : INT64_MAX;
}

static size_t memory_to_read(const struct sorter *s)
{
    return s->memory - s->memory / 16;
}

static size_t memory_of(const struct run *run)
{
    return (size_t)MAX(run->most, SLOT_LEAST);
}

/* How many of the runs from `first` on can be read at once, two at least; ret_bytes: of memory they need. */
static size_t count_fitting(const struct sorter *s, size_t first, size_t n, int64_t held, size_t *ret_bytes)
{
    size_t bytes = 0, i = 0, most = (size_t)MAX(MIN(held, RUNS_AT_ONCE), 2);
    for (n = MIN(n, most); i < n; i++) {
        size_t more = memory_of(&s->runs[first + i]);
        if (i >= 2 && bytes + more > memory_to_read(s))
            break;
        bytes += more;
    }
    *ret_bytes = bytes;
    return i;
}

static int merge(struct sorter *s, size_t first, size_t n, int64_t held, struct error *err)
{
    struct sorter_merge *m = &s->merge;
    size_t bytes, memory = memory_to_read(s);
    sorter_end_merge(s);
    if (n == 0)
        return 0;
    count_fitting(s, first, n, held, &bytes);
    size_t extra = memory > bytes ? (memory - bytes) / n : 0;
    m->leaves = xcalloc(n, sizeof(*m->leaves));
    m->tree = xcalloc(n, sizeof(*m->tree));
    for (m->n = 0; m->n < n; m->n++) {
        struct run *run = &s->runs[first + m->n];
        run_reader_init(&m->leaves[m->n].reader, &s->file, run, s->share, MAX(held / (int64_t)n, 1),
            memory_of(run) + extra);
    }
    for (size_t i = 0; i < n; i++)
        if (advance_leaf(&m->leaves[i], err) < 0)
            return -1;
    m->tree[0] = play(m, 1);
    return 0;
}

/* ---- merging beforehand ---- */

static int merge_into_one(struct sorter *s, size_t first, size_t n, int64_t held, struct error *err)
{
    struct run run = run_begin(&s->writer);
    struct slice key, value;
    if (merge(s, first, n, held, err) < 0)
        return -1;
    int got;
    while ((got = next_of(&s->merge, &key, &value, err)) > 0)
        if (run_put(&s->writer, &run, key, value, err) < 0)
            return -1;
    sorter_end_merge(s);
    if (got < 0 || run_flush(&s->writer, err) < 0)
        return -1;
    s->runs[first] = run;
    s->n_runs -= n - 1;
    memmove(&s->runs[first + 1], &s->runs[first + n], (s->n_runs - first - 1) * sizeof(*s->runs));
    s->has_last_key = false;
    return 0;
}

/* Of those next to each other, at most n, the ones that cost the least bytes for each run there is less. */
static size_t choose(const struct sorter *s, size_t n, int64_t held, size_t *ret_n)
{
    double best = 0;
    size_t found = 0, ignored;
    *ret_n = 0;
    for (size_t first = 0; first + 1 < s->n_runs; first++) {
        size_t many = count_fitting(s, first, MIN(n, s->n_runs - first), held, &ignored);
        double bytes = 0;
        for (size_t i = 0; i < many; i++)
            bytes += (double)s->runs[first + i].n_bytes;
        double cost = bytes / (double)(many - 1);
        if (*ret_n && cost >= best)
            continue;
        best = cost;
        found = first;
        *ret_n = many;
    }
    return found;
}

/* While runs are merged into a file, an eighth of what may be held is in the buffer it is written with. */
static int merge_some(struct sorter *s, size_t most, struct error *err)
{
    int64_t held = most_held(s), written = held / 8;
    size_t n, first = choose(s, s->n_runs - most + 1, held - written, &n);
    s->writer.share = s->share;
    s->writer.most_held = written;
    int rc = merge_into_one(s, first, n, held - written, err);
    s->writer.share = NULL;
    s->writer.most_held = INT64_MAX;
    return rc;
}

int sorter_thin(struct sorter *s, size_t n_runs, struct error *err)
{
    while (s->n_runs > n_runs)
        if (merge_some(s, n_runs, err) < 0)
            return -1;
    return 0;
}

/* ---- reading ---- */

int sorter_begin_merge(struct sorter *s, struct error *err)
{
    size_t ignored;
    int64_t held = most_held(s);
    for (;;) {
        size_t fit = count_fitting(s, 0, s->n_runs, held, &ignored);
        if (fit == s->n_runs)
            return merge(s, 0, s->n_runs, held, err);
        if (sorter_thin(s, fit, err) < 0)
            return -1;
    }
}

int sorter_next(struct sorter *s, struct slice *ret_key, struct slice *ret_value, struct error *err)
{
    if (!s->reading)
        return error_set(err, "cannot read %s: it was not begun, or failed before", s->file.path);
    int got = next_of(&s->merge, ret_key, ret_value, err);
    if (got < 0) {
        s->reading = false;
        sorter_end_merge(s);
    }
    return got;
}
