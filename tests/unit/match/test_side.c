/* A side, from a source that hands out a list: what is staged, what is told, and what another process goes on with. */
#include "../util/suite.h"
#include "match/side.h"

#include <cjson/cJSON.h>
#include <pthread.h>

#define N_CELLS 5 /* staged: id, two tie-breaks, two carried */

static const char *const columns[] = {"id", "first", "last", "city", "kind", "seen"};
#define N_COLUMNS N_ELEMENTS(columns)

/* ---- a source ---- */

struct list {
    struct source source; /* first */
    size_t at, n, fail_at;
    /* Writes the i-th row's cells; a reason makes it one that cannot be taken. */
    const char *(*row)(size_t i, char cells[N_COLUMNS][64], bool null[N_COLUMNS]);
    char text[N_COLUMNS][64], raw[64];
    struct source_cell cells[N_COLUMNS];
};

static int list_next(struct source *s, struct source_row *ret_row, struct source_fault *fault)
{
    struct list *l = (struct list *)s;
    bool null[N_COLUMNS] = {0};
    if (l->at == l->fail_at)
        return error_set(&fault->error, "the list broke off");
    if (l->at == l->n)
        return 0;
    memset(l->text, 0x5A, sizeof(l->text)); /* what was lent before is gone */
    const char *reason = l->row(l->at++, l->text, null);
    for (size_t i = 0; i < N_COLUMNS; i++)
        l->cells[i] = (struct source_cell){null[i] ? NULL : l->text[i], null[i] ? 0 : strlen(l->text[i])};
    *ret_row = (struct source_row){.line = (int64_t)l->at, .n_cells = N_COLUMNS, .cells = l->cells};
    if (reason)
        *ret_row = (struct source_row){.line = (int64_t)l->at,
            .n_cells = 1,
            .cells = l->cells,
            .reason = reason,
            .raw = l->text[0],
            .n_raw = strlen(l->text[0])};
    return 1;
}

static const char *list_raw(struct source *s, size_t *ret_n)
{
    struct list *l = (struct list *)s;
    snprintf(l->raw, sizeof(l->raw), "as row %zu stood", l->at);
    *ret_n = strlen(l->raw);
    return l->raw;
}

static const struct source_driver list_driver = {.next = list_next, .raw = list_raw};

static struct list list_of(size_t n, const char *(*row)(size_t, char[N_COLUMNS][64], bool[N_COLUMNS]))
{
    return (struct list){
        .source = {&list_driver, columns, N_COLUMNS}, .n = n, .fail_at = SIZE_MAX, .row = row};
}

/* ---- the stage ---- */

/* What the side asks and tells. */
struct told {
    struct list *list;
    size_t page; /* rows; 0: it cannot be gone on with */
    char *saved;
    size_t n_saves, fail_save;
    int64_t progress, fail_progress;
};

static char folder[FOLDER_MAX];
static struct side_options options;
static struct told told;
static struct match_side *s;
static struct error err;

static int64_t position(void *arg)
{
    struct told *t = arg;
    return t->page && t->list->at % t->page == 0 ? (int64_t)t->list->at : -1;
}

static int save(void *arg, struct cJSON *saved, struct error *why)
{
    struct told *t = arg;
    free(t->saved);
    t->saved = cJSON_PrintUnformatted(saved);
    cJSON_Delete(saved);
    return ++t->n_saves == t->fail_save ? error_set(why, "it cannot be saved") : 0;
}

static int progress(void *arg, int64_t rows, struct error *why)
{
    struct told *t = arg;
    ck_assert_int_ge(rows, t->progress);
    t->progress = rows;
    return rows == t->fail_progress ? error_set(why, "given up") : 0;
}

static const struct side_rule keys[] = {
    {"last", NORMAL_TRIM | NORMAL_CASE}, {"first", NORMAL_TRIM | NORMAL_CASE}};
static const struct side_rule ties[] = {{"city", NORMAL_CASE}, {"kind", NORMAL_UNDERSCORE | NORMAL_TRIM}};
static const char *const carried[] = {"city", "id"};

static void setup(void)
{
    new_folder(folder);
    told = (struct told){.fail_progress = -1};
    options = (struct side_options){.folder = folder,
        .name = "ours",
        .fraction = 0.1,
        .memory = 1 << 20,
        .id = "id",
        .active = "seen",
        .report_day = 17200, /* 2017-02-03 */
        .active_days = 30,
        .keys = keys,
        .n_keys = 2,
        .tie_breaks = ties,
        .n_tie_breaks = 2,
        .columns = carried,
        .n_columns = 2,
        .position = position,
        .save = save,
        .progress = progress,
        .arg = &told};
    ck_assert_msg(side_open(&options, &s, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    char path[FOLDER_MAX + 16];
    side_discard(s);
    snprintf(path, sizeof(path), "%s/ours-rows", folder);
    ck_assert_int_lt(access(path, F_OK), 0);
    ck_assert_int_eq(rmdir(folder), 0); /* nothing is left in it */
    free(told.saved);
}

static void begin_anew(void)
{
    side_discard(TAKE(s));
    told.progress = 0;
    ck_assert_msg(side_open(&options, &s, &err) == 0, "%s", err.text);
}

static int read_list(struct list *list)
{
    struct source_fault fault = {0};
    told.list = list;
    int rc = side_read(s, &list->source, &fault);
    err = fault.error;
    return rc;
}

static void read_all(struct list *list)
{
    ck_assert_msg(read_list(list) == 0, "%s", err.text);
    ck_assert_msg(side_find_duplicates(s, &err) == 0, "%s", err.text);
}

static void expect_counts(int64_t users, int64_t duplicates, int64_t rejected)
{
    struct side_counts counts;
    side_counts(s, &counts);
    ck_assert_int_eq(counts.users, users);
    ck_assert_int_eq(counts.duplicates, duplicates);
    ck_assert_int_eq(counts.rejected, rejected);
    ck_assert_int_eq(counts.rows, users + duplicates + rejected);
}

static void put_key(struct buffer *out, struct slice key)
{
    for (size_t i = 0; i < key.n; i++)
        if ((unsigned char)key.p[i] < ' ')
            buffer_printf(out, "<%d>", key.p[i]);
        else
            buffer_put(out, &key.p[i], 1);
}

/* "KEY NUMBER ACTIVITY cell cell …", a line for each row that stands. The caller frees it. */
static char *staged(void)
{
    struct buffer out = {0};
    struct join_side join;
    struct slice key, value;
    struct source_cell cells[N_CELLS];
    struct match_row row;
    int got;
    side_join(s, &join);
    ck_assert_uint_eq(join.n_cells, N_CELLS);
    ck_assert_msg(sorter_rewind(join.rows, &err) == 0, "%s", err.text);
    while ((got = sorter_next(join.rows, &key, &value, &err)) > 0) {
        ck_assert(match_row_get(value, N_CELLS, cells, &row));
        if (join.is_dropped(join.arg, row.number))
            continue;
        put_key(&out, key);
        buffer_printf(&out, " %d %d", (int)row.number, (int)row.activity);
        for (size_t i = 0; i < N_CELLS; i++)
            buffer_printf(&out, " %.*s", cells[i].p ? (int)cells[i].n : 4, cells[i].p ? cells[i].p : "NULL");
        buffer_put_string(&out, "\n");
    }
    ck_assert_int_eq(got, 0);
    buffer_string(&out);
    return out.p;
}

static void expect_staged(const char *lines)
{
    char *got = staged();
    ck_assert_str_eq(got, lines);
    free(got);
}

static char *rejects(void)
{
    struct buffer out = {0};
    const char *reason;
    struct slice raw;
    int got;
    while ((got = side_next_reject(s, &reason, &raw, &err)) > 0)
        buffer_printf(&out, "%s: %.*s\n", reason, (int)raw.n, raw.p);
    ck_assert_int_eq(got, 0);
    ck_assert_int_eq(side_next_reject(s, &reason, &raw, &err), 0);
    buffer_string(&out);
    return out.p;
}

/* ---- rows ---- */

static const char *const few[][N_COLUMNS] = {
    {"1", "Ann", " SMITH", "Rome", "family_medicine", "2017-02-03"},
    {"2", "ann", "Smith ", NULL, "_", "2017-01-04T10:00:00"},
    {"3", "", "Smith", "  ", NULL, "2017-01-03"},
    {"4", NULL, "Smith", "Oslo", "x", NULL},
    {"2", "Bob", "Smith", "Oslo", "x", "never"},
    {NULL, "Bob", "Smith", "Oslo", "x", ""},
    {"", "Bob", "Smith", "Oslo", "x", ""},
    {"!bad_encoding", NULL, NULL, NULL, NULL, NULL},
    {"10", "Bob", "Smith", "Oslo", "x", "2017-02-04"},
    {"2", "Zoe", "Smith", "Oslo", "x", ""},
    {"!too_long", NULL, NULL, NULL, NULL, NULL},
};

static const char *few_row(size_t n, char cells[N_COLUMNS][64], bool null[N_COLUMNS])
{
    for (size_t i = 0; i < N_COLUMNS; i++) {
        null[i] = !few[n][i];
        snprintf(cells[i], 64, "%s", few[n][i] ? few[n][i] : "");
    }
    return cells[0][0] == '!' ? few[n][0] + 1 : NULL;
}

static size_t many(void)
{
    return under_valgrind() ? 8000 : 20000;
}

/* Few names, ids that come again, and a reject now and then; the same for one i always. */
static const char *many_row(size_t i, char cells[N_COLUMNS][64], bool null[N_COLUMNS])
{
    size_t x = (i * 2654435761U) >> 5;
    snprintf(cells[0], 64, "id-%zu", i % 97 == 96 ? i / 2 : i);
    snprintf(cells[1], 64, "First%zu", x % 50);
    snprintf(cells[2], 64, "Last%zu", x % 71);
    snprintf(cells[3], 64, "City %zu", x % 5);
    snprintf(cells[4], 64, "kind_%zu", x % 3);
    snprintf(cells[5], 64, "2017-01-%02zu", 1 + x % 31);
    null[3] = x % 11 == 0;
    null[0] = i % 501 == 500;
    if (i % 301 != 300)
        return NULL;
    snprintf(cells[0], 64, "!%zu", i);
    return "bad_encoding";
}

/* ---- tests ---- */

START_TEST(rows_are_staged_by_their_keys)
{
    struct list list = list_of(N_ELEMENTS(few), few_row);
    read_all(&list);
    expect_counts(5, 2, 4);
    expect_staged("<0> 2 1 3 NULL NULL    3\n"
                  "<0> 3 2 4 oslo x Oslo 4\n"
                  "<1>smith<0>ann 0 0 1 rome family medicine Rome 1\n"
                  "<1>smith<0>ann 1 0 2 NULL NULL NULL 2\n"
                  "<1>smith<0>bob 8 3 10 oslo x Oslo 10\n");
    char *got = rejects();
    ck_assert_str_eq(got, "bad_encoding: !bad_encoding\n"
                          "too_long: !too_long\n"
                          "null_key: as row 6 stood\n"
                          "null_key: as row 7 stood\n");
    free(got);
    ck_assert_int_eq(told.progress, N_ELEMENTS(few));
    ck_assert_uint_eq(told.n_saves, 1);
}
END_TEST

START_TEST(an_empty_source_is_an_empty_side)
{
    struct list list = list_of(0, few_row);
    read_all(&list);
    expect_counts(0, 0, 0);
    expect_staged("");
    char *got = rejects();
    ck_assert_str_eq(got, "");
    free(got);
}
END_TEST

START_TEST(without_a_date_nobody_was_active)
{
    options.active = NULL;
    options.position = NULL;
    options.n_tie_breaks = 0;
    options.n_columns = N_CELLS - 1;
    options.columns = columns;
    begin_anew();
    struct list list = list_of(1, few_row);
    read_all(&list);
    expect_staged("<1>smith<0>ann 0 2 1 1 Ann  SMITH Rome\n");
}
END_TEST

START_TEST(duplicates_are_found_again)
{
    struct list list = list_of(N_ELEMENTS(few), few_row);
    read_all(&list);
    ck_assert_int_eq(side_find_duplicates(s, &err), 0);
    expect_counts(5, 2, 4);
}
END_TEST

START_TEST(a_column_that_is_missing_is_named)
{
    static const struct side_rule wrong[] = {{"first", 0}, {"frist", 0}};
    struct list list = list_of(1, few_row);
    const struct side_options good = options;
    for (int i = 0; i < 5; i++) {
        const char *const uses[] = {
            "the id", "the date of activity", "a match key", "a tie-break", "a column to carry"};
        options = good;
        options.id = i == 0 ? "frist" : good.id;
        options.active = i == 1 ? "frist" : good.active;
        options.keys = i == 2 ? wrong : good.keys;
        options.tie_breaks = i == 3 ? wrong : good.tie_breaks;
        options.columns = i == 4 ? (const char *const[]){"id", "frist"} : good.columns;
        begin_anew();
        ck_assert_int_lt(read_list(&list), 0);
        char words[256];
        snprintf(words, sizeof(words),
            "it has no column frist (%s), did you mean first?; there are: id, first, last, city, kind, "
            "seen",
            uses[i]);
        ck_assert_str_eq(err.text, words);
    }
    options.id = "nothing like it";
    list.source.n_columns = 0;
    ck_assert_int_lt(read_list(&list), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "there is none"));
}
END_TEST

START_TEST(few_rows_are_held)
{
    static const size_t counts[] = {200, 1000, 20000};
    struct list list = list_of(counts[_i], many_row);
    told.page = 100;
    read_all(&list);
    free(staged());
    free(rejects());
    const struct match_share *share = side_share(s);
    ck_assert_int_eq(share->rows, (int64_t)counts[_i]);
    ck_assert_int_eq(share->held, 0);
    ck_assert_int_ge(share->peak, 3);
    ck_assert_int_le(share->peak, (int64_t)counts[_i] / 20); /* the other half is the join's */
}
END_TEST

START_TEST(it_is_saved_now_and_then)
{
    struct list list = list_of(20000, many_row);
    told.page = 500;
    read_all(&list);
    ck_assert_uint_gt(told.n_saves, 5);
    ck_assert_uint_le(told.n_saves, 41);
}
END_TEST

static void resume(struct list *list)
{
    int64_t from;
    side_free(TAKE(s));
    cJSON *saved = cJSON_Parse(told.saved);
    ck_assert_msg(side_resume(&options, saved, &s, &from, &err) == 0, "%s", err.text);
    cJSON_Delete(saved);
    if (from < 0)
        ck_assert_ptr_null(list);
    else
        list->at = (size_t)from;
    told.progress = 0;
}

/* With `again`, what came last comes again: those are duplicates, so nothing else changes. */
static char *read_in_parts(size_t again)
{
    struct list list = list_of(many(), many_row);
    told.page = 100;
    for (size_t at = 3050; at < list.n; at += 3000) {
        list.fail_at = at;
        ck_assert_int_lt(read_list(&list), 0);
        ck_assert_str_eq(err.text, "the list broke off");
        resume(&list);
        ck_assert_uint_gt(list.at, at * 3 / 4 - 300);
        list.at -= again;
    }
    list.fail_at = SIZE_MAX;
    ck_assert_msg(read_list(&list) == 0, "%s", err.text);
    resume(NULL);
    ck_assert_msg(side_find_duplicates(s, &err) == 0, "%s", err.text);
    return staged();
}

START_TEST(it_goes_on_from_what_was_saved)
{
    struct side_counts whole, parts;
    struct list list = list_of(many(), many_row);
    read_all(&list);
    side_counts(s, &whole);
    char *one = staged(), *bad = rejects();
    begin_anew();
    char *other = read_in_parts(0), *as_bad = rejects();
    side_counts(s, &parts);
    ck_assert_mem_eq(&whole, &parts, sizeof(whole));
    ck_assert(strcmp(one, other) == 0);
    ck_assert_str_eq(bad, as_bad);
    ck_assert_int_gt(whole.duplicates, (int64_t)many() / 250);
    ck_assert_int_gt(whole.rejected, (int64_t)many() / 250);
    ck_assert_int_le(side_share(s)->peak, (int64_t)many() / 20);
    free(one);
    free(bad);
    free(other);
    free(as_bad);
}
END_TEST

START_TEST(what_comes_again_is_a_duplicate)
{
    struct side_counts whole, parts;
    struct list list = list_of(many(), many_row);
    read_all(&list);
    side_counts(s, &whole);
    begin_anew();
    free(read_in_parts(90));
    side_counts(s, &parts);
    ck_assert_int_eq(parts.users, whole.users);
    ck_assert_int_eq(parts.rejected, whole.rejected);
    ck_assert_int_eq(parts.rows, whole.rows + (int64_t)(many() - 50) / 3000 * 90);
    ck_assert_int_eq(parts.rows, parts.users + parts.duplicates + parts.rejected);
    ck_assert(!side_has_gap(s));
}
END_TEST

static const char *single_row(size_t at, char text[N_COLUMNS][64], bool null[N_COLUMNS])
{
    for (size_t i = 0; i < N_COLUMNS; i++)
        snprintf(text[i], sizeof(text[i]), "%zu", at);
    return NULL;
}

/* Twice broken off; so many rows come again each time, and so many are never seen. */
static bool has_gap(size_t again, size_t lost)
{
    struct list list = list_of(9000, single_row);
    begin_anew();
    told.page = 100;
    for (list.fail_at = 3050; list.fail_at < 9000; list.fail_at += 3000) {
        ck_assert_int_lt(read_list(&list), 0);
        resume(&list);
        list.at += list.fail_at > 6000 ? lost : 0;
        list.at -= again;
    }
    list.fail_at = SIZE_MAX;
    ck_assert_msg(read_list(&list) == 0, "%s", err.text);
    resume(NULL);
    ck_assert_msg(side_find_duplicates(s, &err) == 0, "%s", err.text);
    return side_has_gap(s);
}

START_TEST(where_it_goes_on_a_row_is_known)
{
    ck_assert(!has_gap(100, 0));
    ck_assert(!has_gap(1, 0));
    ck_assert(!has_gap(100, 99));
    ck_assert(has_gap(0, 0));
    ck_assert(has_gap(100, 100));
}
END_TEST

START_TEST(whoever_saves_or_is_told_may_end_it)
{
    struct list list = list_of(20000, many_row);
    told.page = 100;
    told.fail_save = 3;
    ck_assert_int_lt(read_list(&list), 0);
    ck_assert_str_eq(err.text, "it cannot be saved");
    told.fail_save = 0;
    told.fail_progress = (int64_t)(list.at / 64 + 10) * 64;
    ck_assert_int_lt(read_list(&list), 0);
    ck_assert_str_eq(err.text, "given up");
}
END_TEST

static void refuse(const char *text)
{
    struct match_side *other;
    int64_t from;
    cJSON *saved = cJSON_Parse(text);
    err.text[0] = '\0';
    ck_assert_int_lt(side_resume(&options, saved, &other, &from, &err), 0);
    cJSON_Delete(saved);
    ck_assert_msg(strstr(err.text, "damaged") && strstr(err.text, folder), "%s", err.text);
}

START_TEST(what_was_saved_may_be_damaged)
{
    static const char *const members[] = {"read", "rows", "held_peak", "ids", "rejects"};
    struct list list = list_of(N_ELEMENTS(few), few_row);
    read_all(&list);
    for (size_t i = 0; i < N_ELEMENTS(members); i++) {
        cJSON *saved = cJSON_Parse(told.saved);
        cJSON_DeleteItemFromObject(saved, members[i]);
        char *text = cJSON_PrintUnformatted(saved);
        refuse(text);
        cJSON_Delete(saved);
        free(text);
    }
    refuse("[]");
    refuse("not json");
    refuse("{\"position\": -3}");
    refuse("{\"position\": \"x\"}");
}
END_TEST

static void *read_a_side(void *arg)
{
    struct match_side *side = arg;
    struct list list = list_of(5000, many_row);
    struct source_fault fault = {0};
    if (side_read(side, &list.source, &fault) < 0 || side_find_duplicates(side, &fault.error) < 0)
        return NULL;
    return side;
}

static int save_nowhere(void *arg, struct cJSON *saved, struct error *why)
{
    cJSON_Delete(saved);
    return 0;
}

START_TEST(two_are_read_at_once)
{
    struct match_side *sides[2];
    pthread_t threads[2];
    struct side_counts counts[2];
    options.position = NULL;
    options.progress = NULL;
    options.save = save_nowhere;
    for (size_t i = 0; i < 2; i++) {
        options.name = i ? "right" : "left";
        ck_assert_int_eq(side_open(&options, &sides[i], &err), 0);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_a_side, sides[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        void *done;
        pthread_join(threads[i], &done);
        ck_assert_ptr_eq(done, sides[i]);
        side_counts(sides[i], &counts[i]);
        side_discard(sides[i]);
    }
    ck_assert_mem_eq(&counts[0], &counts[1], sizeof(counts[0]));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {rows_are_staged_by_their_keys, an_empty_source_is_an_empty_side,
        without_a_date_nobody_was_active, duplicates_are_found_again, a_column_that_is_missing_is_named,
        it_is_saved_now_and_then, it_goes_on_from_what_was_saved, what_comes_again_is_a_duplicate,
        where_it_goes_on_a_row_is_known, whoever_saves_or_is_told_may_end_it, what_was_saved_may_be_damaged,
        two_are_read_at_once};
    Suite *suite = suite_create("side");
    TCase *side = add_case(suite, "side", setup, teardown);
    add_tests(side, tests, N_ELEMENTS(tests));
    tcase_add_loop_test(side, few_rows_are_held, 0, under_valgrind() ? 2 : 3);
    return run_suite(suite);
}
