/* However large a result is, what is kept of it is small, and it is said that it is not all. */
#include "job/query_result.h"
#include "util/text.h"

#include "../util/suite.h"

#include <cjson/cJSON.h>

static struct query_result result;
static struct db_sink sink;

static void begin(uint64_t max_rows)
{
    query_result_init(&result, max_rows);
    result.told_us = INT64_MAX / 2; /* no progress into the test's output */
    sink = query_result_sink(&result);
}

static void columns(int n, const char *name)
{
    const char **names = xcalloc((size_t)n, sizeof(*names));
    for (int i = 0; i < n; i++)
        names[i] = name;
    sink.columns(sink.arg, n, names);
    free(names);
}

static void row(int n, const char *p, size_t length)
{
    struct db_value *values = xcalloc((size_t)n, sizeof(*values));
    for (int i = 0; i < n; i++)
        values[i] = (struct db_value){p, length};
    sink.row(sink.arg, n, values);
    free(values);
}

/* The statistics as text, that must be a JSON that Postgres can keep. */
static char *end(void)
{
    cJSON *stats = query_result_stats(&result);
    char *text = cJSON_PrintUnformatted(stats);
    cJSON_Delete(stats);
    query_result_done(&result);
    ck_assert_uint_le(strlen(text), 64 * 1024);
    ck_assert(text_is_utf8(text, strlen(text)));
    ck_assert_ptr_null(strstr(text, "\\u0000"));
    return text;
}

static void ends_as(const char *expected)
{
    _cleanup_free_ char *text = end();
    ck_assert_str_eq(text, expected);
}

START_TEST(nothing)
{
    begin(20);
    sink.end(sink.arg, "DO", -1);
    ends_as("{\"statements\":1,\"rows\":0,\"statement\":[{\"tag\":\"DO\",\"rows\":0}],\"columns\":[],"
            "\"result\":[],"
            "\"truncated\":false}");
}
END_TEST

START_TEST(the_last_result_counts)
{
    begin(2);
    columns(1, "a");
    for (int i = 0; i < 3; i++)
        row(1, "1", 1);
    sink.end(sink.arg, "SELECT", 3);
    columns(2, "b");
    row(2, "x", 1);
    row(2, NULL, 0);
    sink.end(sink.arg, "SELECT", 2);
    sink.end(sink.arg, "UPDATE", 7);
    ends_as(
        "{\"statements\":3,\"rows\":12,\"statement\":[{\"tag\":\"SELECT\",\"rows\":3},{\"tag\":\"SELECT\","
        "\"rows\":2},{\"tag\":\"UPDATE\",\"rows\":7}],\"columns\":[\"b\",\"b\"],\"result\":[[\"x\",\"x\"],"
        "[null,null]],\"truncated\":false}");
}
END_TEST

START_TEST(more_rows_than_wanted)
{
    begin(0);
    columns(1, "a");
    row(1, "1", 1);
    sink.end(sink.arg, "SELECT", 1);
    ends_as(
        "{\"statements\":1,\"rows\":1,\"statement\":[{\"tag\":\"SELECT\",\"rows\":1}],\"columns\":[\"a\"],"
        "\"result\":[],\"truncated\":true}");
}
END_TEST

static void cell_is(const char *p, size_t n, const char *expected, bool truncated)
{
    begin(1);
    columns(1, "a");
    row(1, p, n);
    cJSON *stats = query_result_stats(&result);
    cJSON *cell = cJSON_GetObjectItem(stats, "result")->child->child;
    ck_assert_str_eq(cell->valuestring, expected);
    ck_assert_int_eq(cJSON_IsTrue(cJSON_GetObjectItem(stats, "truncated")), truncated);
    cJSON_Delete(stats);
    query_result_done(&result);
}

START_TEST(cells)
{
    cell_is("", 0, "", false);
    cell_is("a\0b", 3, "\\x610062", false);
    cell_is("\xff\xfe", 2, "\\xfffe", false);
    cell_is("\x1b[2J", 4, "\x1b[2J", false); /* as \u001b in the JSON */
    char text[1200], shown[1200];
    memset(text, 'x', sizeof(text));
    snprintf(shown, sizeof(shown), "%.1024s", text);
    cell_is(text, 1024, shown, false);
    snprintf(shown, sizeof(shown), "%.1024s…", text);
    cell_is(text, 1025, shown, true);
    memcpy(text + 1023, "\xc3\xbc", 2); /* would be cut in the middle */
    snprintf(shown, sizeof(shown), "%.1023s…", text);
    cell_is(text, 1100, shown, true);
}
END_TEST

START_TEST(many_bytes)
{
    begin(UINT64_MAX);
    columns(5000, "a column whose name is long enough that a hundred of them would be something to keep");
    static char bytes[5000];
    memset(bytes, 1, sizeof(bytes)); /* six bytes each in JSON */
    for (int i = 0; i < 50; i++)
        row(5000, bytes, sizeof(bytes));
    for (int i = 0; i < 5000; i++)
        sink.end(
            sink.arg, "A TAG THAT IS LONGER THAN ANY SERVER'S TAGS ARE, AND LONGER STILL", INT64_MAX / 10000);
    _cleanup_free_ char *text = end();
    ck_assert_ptr_nonnull(strstr(text, "\"statements\":5000"));
    ck_assert_ptr_nonnull(strstr(text, "\"truncated\":true"));
}
END_TEST

START_TEST(many_rows)
{
    begin(UINT64_MAX);
    columns(2, "a");
    for (int i = 0; i < 100000; i++)
        row(2, "value", 5);
    sink.end(sink.arg, "SELECT", 100000);
    cJSON *stats = query_result_stats(&result);
    ck_assert_int_gt(cJSON_GetArraySize(cJSON_GetObjectItem(stats, "result")), 1000);
    ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(stats, "truncated")));
    cJSON_Delete(stats);
    query_result_done(&result);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        nothing, the_last_result_counts, more_rows_than_wanted, cells, many_bytes, many_rows};
    return run_tests("query_result", tests, N_ELEMENTS(tests));
}
