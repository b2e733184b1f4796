/* What copy, history and sql show: rows put together, tables of any length, a sync's dumps, a key's life. */
#include "grid.h"
#include "rows.h"
#include "sheet.h"
#include "view_dumps.h"
#include "view_life.h"

#include "../util/suite.h"

#include <cjson/cJSON.h>

#define ROW(...) ((const char *const[]){__VA_ARGS__})

/* -- rows ------------------------------------------------------------------------------------------------ */

static void keep_row(void *arg, bool head, size_t n, const char *const *cells)
{
    struct buffer *to = arg;
    buffer_put_string(to, head ? "H" : "R");
    for (size_t i = 0; i < n; i++)
        buffer_printf(to, "[%s]", cells[i] ? cells[i] : "NULL");
}

static void add(struct rows *rows, const char *line)
{
    _cleanup_report_ struct report r = {0};
    ck_assert_int_eq(report_parse(line, strlen(line), &r, NULL), 0);
    rows_add(rows, &r);
}

START_TEST(rows_of_several_lines)
{
    _cleanup_buffer_ struct buffer seen = {0};
    _cleanup_rows_ struct rows rows = {.taken = keep_row, .arg = &seen};
    add(&rows, "{\"row\": {\"cells\": [\"a\", \"b\"], \"head\": true}}");
    add(&rows, "{\"row\": {\"cells\": [\"one \"], \"more\": \"cell\"}}");
    add(&rows, "{\"row\": {\"cells\": [\"and\"], \"more\": \"cell\"}}");
    add(&rows, "{\"row\": {\"cells\": [\" two\"], \"more\": \"row\"}}");
    add(&rows, "{\"row\": {\"cells\": [null]}}");
    add(&rows, "{\"row\": {\"cells\": [\"\", null]}}");
    add(&rows, "{\"row\": {\"cells\": []}}");
    ck_assert_str_eq(buffer_string(&seen), "H[a][b]R[one and two][NULL]R[][NULL]R");
}
END_TEST

/* -- tables ---------------------------------------------------------------------------------------------- */

static char *table_of(size_t n_rows, const char *const *late)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    struct sheet *s = sheet_new(f, false, 2, ROW("n", "words"));
    for (size_t i = 0; i < n_rows; i++) {
        _cleanup_free_ char *number = xasprintf("%zu", i);
        sheet_row(s, ROW(number, i % 2 ? "x" : NULL));
    }
    if (late)
        sheet_row(s, late);
    sheet_end(s);
    sheet_free(s);
    fclose(f);
    return text;
}

START_TEST(a_table_is_as_wide_as_its_first_rows)
{
    _cleanup_free_ char *none = table_of(0, NULL), *few = table_of(11, NULL);
    ck_assert_str_eq(none, "n  words\n");
    ck_assert_ptr_nonnull(strstr(few, " n  words\n 0  -\n 1  x\n"));
    ck_assert_ptr_nonnull(strstr(few, "\n10  -\n"));
    _cleanup_free_ char *many = table_of(1500, ROW("123456", "late"));
    ck_assert_ptr_nonnull(strstr(many, "\n999  x\n1000  -\n"));
    ck_assert_ptr_nonnull(strstr(many, "\n123456  late\n"));
}
END_TEST

START_TEST(a_value_can_do_no_harm)
{
    _cleanup_buffer_ struct buffer wide = {0};
    for (int i = 0; i < 100; i++)
        buffer_put_string(&wide, "\xc3\xa4");
    _cleanup_free_ char *text = table_of(0, ROW("a\nb\x1b[2J", buffer_string(&wide)));
    ck_assert(!strchr(text, '\x1b') && strstr(text, "a b?[2J") && strstr(text, "…\n"));
    ck_assert_uint_lt(strlen(text), 200);
}
END_TEST

/* -- dumps ----------------------------------------------------------------------------------------------- */

static char *dumps_of(const char *json)
{
    _cleanup_buffer_ struct buffer text = {0};
    cJSON *stats = cJSON_Parse(json);
    ck_assert_ptr_nonnull(stats);
    view_dumps(&text, stats, false);
    cJSON_Delete(stats);
    return xstrdup(buffer_string(&text));
}

#define DUMP(as_of, more)                                                                                    \
    "{\"source\": \"https://h/npi-" as_of ".csv\", \"as_of\": \"" as_of                                      \
    "\", \"as_of_from\": \"name\", \"key\": [\"a\", \"b\"], \"rows\": 1000, \"added\": 5" more "}"

START_TEST(dumps)
{
    _cleanup_free_ char *nothing = dumps_of("{}"), *none = dumps_of("{\"dumps\": []}");
    ck_assert_str_eq(nothing, "");
    ck_assert_str_eq(none, "no dump is newer than what is loaded\n");
    _cleanup_free_ char *one =
        dumps_of("{\"dumps\": [" DUMP("2016-02-07", ", \"notes\": [\"x is new\"]") "]}");
    ck_assert_msg(strstr(one, "2016-02-07  its name  1,000      5"), "%s", one);
    ck_assert_msg(strstr(one, "npi-2016-02-07.csv, key a, b\n  · x is new\n"), "%s", one);
    ck_assert_ptr_null(strstr(one, "in all"));
    _cleanup_free_ char *two = dumps_of("{\"dumps\": [" DUMP("2016-02-07", "") ", " DUMP(
        "2016-03-13", ", \"status\": \"unchanged\"") "], \"rows\": 2000, \"not_listed\": 3}");
    ck_assert_msg(strstr(two, "in all                2,000"), "%s", two);
    ck_assert_msg(strstr(two, "(is loaded already)") && strstr(two, "3 earlier dumps"), "%s", two);
    _cleanup_free_ char *pass = dumps_of(
        "{\"dumps\": [{\"source\": \"https://h/v1/patients\", \"as_of\": \"2026-01-02 03:04:05.6\", "
        "\"as_of_from\": \"begin\", \"key\": [\"id\"], \"status\": \"unchanged\", \"pass\": \"cursor\"}]}");
    ck_assert_msg(strstr(pass, "2026-01-02 03:04:05.6  its beginning") &&
                      strstr(pass, "patients, key id (nothing changed)"),
        "%s", pass);
}
END_TEST

/* -- a life ---------------------------------------------------------------------------------------------- */

#define FIXED                                                                                                \
    "valid_from", "valid_to", "opened_by", "closed_by", "opened_dump", "opened_source", "closed_dump",       \
        "closed_source", "line"

static struct life *example(void)
{
    struct life *l = life_new();
    life_row(l, true, 12, ROW(FIXED, "NPI", "Last Name", "City"));
    life_row(l, true, 12, ROW(FIXED, "npi", "last_name", "city"));
    life_row(l, false, 12,
        ROW("2016-02-07", "2016-03-13", "added", "changed", "1", "https://h/a.csv", "2", "https://h/b.csv",
            "7", "1", "WOLF", NULL));
    life_row(l, false, 12,
        ROW("2016-03-13", "2016-04-10", "changed", "removed", "2", "https://h/b.csv", "3", NULL, "8", "1",
            "WOLFE", "RENO"));
    life_row(l, false, 12,
        ROW("2016-05-08", NULL, "reactivated", NULL, "4", "https://h/d.csv", NULL, NULL, "9", "1", "WOLFE",
            "RENO"));
    return l;
}

static cJSON *stats(void)
{
    return cJSON_Parse("{\"dataset\": \"x.npi@h\", \"key\": {\"NPI\": \"1\"}}");
}

START_TEST(a_life)
{
    _cleanup_(life_freep) struct life *l = example();
    _cleanup_buffer_ struct buffer text = {0};
    cJSON *facts = stats(), *json = life_to_json(l, facts, NULL);
    view_life(&text, json, false);
    cJSON_Delete(json);
    cJSON_Delete(facts);
    ck_assert_str_eq(buffer_string(&text), "NPI 1  of x.npi@h\n"
                                           "2016-02-07  added  a.csv, line 7\n"
                                           "      NPI        1\n"
                                           "      Last Name  WOLF\n"
                                           "2016-03-13  changed  b.csv, line 8\n"
                                           "      Last Name  WOLF → WOLFE\n"
                                           "      City       (nothing) → RENO\n"
                                           "2016-04-10  removed  dump 3\n"
                                           "2016-05-08  reactivated  d.csv, line 9\n");
}
END_TEST

START_TEST(a_life_on_a_day)
{
    static const struct {
        const char *date, *city;
    } days[] = {{"2016-02-06", NULL}, {"2016-03-13", "RENO"}, {"2016-04-09", "RENO"}, {"2016-04-10", NULL},
        {"2016-05-07", NULL}, {"2026-01-02", "RENO"}};
    _cleanup_(life_freep) struct life *l = example();
    cJSON *facts = stats();
    for (size_t i = 0; i < N_ELEMENTS(days); i++) {
        cJSON *json = life_as_of(l, facts, "City", days[i].date);
        ck_assert_msg((json != NULL) == (days[i].city != NULL), "%s", days[i].date);
        _cleanup_buffer_ struct buffer text = {0};
        if (json)
            view_life_as_of(&text, json, false);
        ck_assert(
            !json || (strstr(buffer_string(&text), "City  RENO") && !strstr(buffer_string(&text), "WOLF")));
        cJSON_Delete(json);
    }
    cJSON_Delete(facts);
}
END_TEST

START_TEST(columns_that_are_typed)
{
    const char *near;
    _cleanup_(life_freep) struct life *l = example();
    ck_assert_str_eq(life_column(l, "last_name", &near), "Last Name");
    ck_assert_str_eq(life_column(l, "city", &near), "City");
    ck_assert_ptr_null(life_column(l, "Cyty", &near));
    ck_assert_str_eq(near, "City");
    ck_assert_ptr_null(life_column(l, "valid_from", &near));
    _cleanup_(life_freep) struct life *none = life_new();
    ck_assert(life_is_empty(none) && !life_column(none, "x", &near) && !near);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {rows_of_several_lines, a_table_is_as_wide_as_its_first_rows,
        a_value_can_do_no_harm, dumps, a_life, a_life_on_a_day, columns_that_are_typed};
    return run_tests("control-view-dumps", tests, N_ELEMENTS(tests));
}
