#include "../util/suite.h"
#include "lake/inside.h"

static struct log_state s;
static struct error err;

static void setup(void)
{
    s = (struct log_state){0};
    err.text[0] = '\0';
}

static void teardown(void)
{
    log_state_done(&s);
}

static void take(const char *text)
{
    ck_assert_msg(log_take(&s, SLICE(text), &err) == 0, "%s", err.text);
}

static void refused(const char *text, const char *words)
{
    ck_assert_msg(log_take(&s, SLICE(text), &err) < 0, "%s", text);
    ck_assert_msg(strstr(err.text, words) != NULL, "%s: %s", text, err.text);
}

START_TEST(the_newest_of_a_path_counts)
{
    take("{\"add\":{\"path\":\"a\",\"size\":1}}\n{\"add\":{\"path\":\"b\",\"size\":2}}\r\n\n");
    ck_assert_uint_eq(s.n_there, 2);
    take("{\"remove\":{\"path\":\"a\",\"deletionTimestamp\":77}}");
    ck_assert_uint_eq(s.n_there, 1);
    ck_assert_int_eq(log_find(&s, "a")->removed_ms, 77);
    take("{\"add\":{\"path\":\"a\",\"size\":3,\"stats\":\"{\\\"numRecords\\\":9007199254740993}\"}}");
    ck_assert_uint_eq(s.n_there, 2);
    ck_assert_uint_eq(s.n_files, 2);
    ck_assert(log_find(&s, "a")->there);
    ck_assert_int_eq(log_find(&s, "a")->file.size, 3);
    ck_assert_int_eq(log_find(&s, "a")->file.rows, INT64_C(9007199254740993));
    ck_assert_int_eq(log_find(&s, "b")->file.rows, -1);
    ck_assert_ptr_null(log_find(&s, "c"));
}
END_TEST

START_TEST(paths_are_decoded)
{
    take("{\"add\":{\"path\":\"x/a%20b%2Bc+d%C3%A4.parquet\",\"size\":1}}\n"
         "{\"remove\":{\"path\":\"x/a b%2Bc+d\u00e4.parquet\"}}");
    ck_assert_uint_eq(s.n_files, 1);
    const struct log_file *f = log_find(&s, "x/a b+c+d\u00e4.parquet");
    ck_assert_ptr_nonnull(f);
    _cleanup_free_ char *entry = log_encode_path(f->file.path);
    ck_assert_str_eq(entry, "x/a%20b%2Bc%2Bd%C3%A4.parquet");
}
END_TEST

START_TEST(paths_that_lead_elsewhere)
{
    static const char *const paths[] = {"", "/a", "a//b", "../a", "a/../b", "a/..", ".", "%2e%2e/a",
        "a%2F%2E%2E%2Fb", "s3://x/a", "file:///a", "a%00b", "_delta_log/a", "a%ff"};
    for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
        _cleanup_free_ char *line = xasprintf("{\"add\":{\"path\":\"%s\",\"size\":1}}", paths[i]);
        refused(line, "own folder");
    }
    refused("{\"add\":{\"size\":1}}", "no path");
    ck_assert_uint_eq(s.n_files, 0);
}
END_TEST

START_TEST(what_is_damaged_names_its_line)
{
    refused("{\"txn\":{}}\n\n{\"add\":{\"path\":\"a\"", "line 3");
    refused("{\"add\":{\"path\":\"a\",\"size\":1}} x", "damaged");
    refused("[1]", "damaged");
    refused("{\"add\":[]}", "add is no object");
    refused("{\"add\":{\"path\":\"a\",\"size\":1.5}}", "add.size is no whole number");
    refused("{\"add\":{\"path\":\"a\",\"size\":99999999999999999999}}", "whole number");
    refused("{\"add\":{\"path\":\"a\\u0000b\",\"size\":1}}", "add.path is no text");
    refused("{\"add\":{\"path\":\"\\ud800\",\"size\":1}}", "line 1");
}
END_TEST

START_TEST(what_a_table_is)
{
    take("{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
         "{\"metaData\":{\"id\":\"i\",\"name\":\"n\",\"description\":null,\"schemaString\":\"{}\","
         "\"createdTime\":5,"
         "\"configuration\":{\"delta.appendOnly\":\"TRUE\",\"other\":\"x\"}}}");
    ck_assert_int_eq(s.writer, 2);
    ck_assert(s.append_only);
    ck_assert_str_eq(s.id, "i");
    ck_assert_str_eq(s.name, "n");
    ck_assert_ptr_null(s.description);
    ck_assert_int_eq(s.created_ms, 5);
    take("{\"metaData\":{\"id\":\"j\",\"schemaString\":\"{}\"}}");
    ck_assert(!s.append_only);
    ck_assert_ptr_null(s.name);
    ck_assert(!s.others);
    take("{\"txn\":{\"appId\":\"a\",\"version\":1}}");
    ck_assert(s.others);
    refused("{\"metaData\":{\"id\":\"j\"}}", "no id, or no schemaString");
    refused("{\"metaData\":{\"id\":\"j\",\"schemaString\":\"{}\",\"configuration\":[]}}", "configuration");
    refused("{\"protocol\":{}}", "no versions");
    refused("{\"protocol\":{\"minReaderVersion\":2,\"minWriterVersion\":5}}", "2 (reader) and 5 (writer)");
    refused("{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7}}", "drop those features");
}
END_TEST

/* A log that grows without end is refused before our memory is. */
START_TEST(there_is_a_limit)
{
    if (under_valgrind()) /* a quarter of a minute */
        return;
    _cleanup_buffer_ struct buffer line = {0};
    char stats[65536];
    memset(stats, 'x', sizeof(stats) - 1);
    stats[sizeof(stats) - 1] = '\0';
    int r = 0, i;
    for (i = 0; r == 0 && i < 1100; i++) {
        line.n = 0;
        buffer_printf(&line, "{\"add\":{\"path\":\"f%d\",\"size\":1,\"stats\":\"%s\"}}", i, stats);
        r = log_take(&s, (struct slice){line.p, line.n}, &err);
    }
    ck_assert_int_lt(r, 0);
    ck_assert_int_gt(i, 900);
    ck_assert_ptr_nonnull(strstr(err.text, "compact"));
}
END_TEST

/* The same file added again and again costs nothing. */
START_TEST(what_is_replaced_does_not_count)
{
    char stats[65536];
    memset(stats, 'x', sizeof(stats) - 1);
    stats[sizeof(stats) - 1] = '\0';
    _cleanup_free_ char *line = xasprintf("{\"add\":{\"path\":\"f\",\"size\":1,\"stats\":\"%s\"}}", stats);
    for (size_t i = 0; i < fewer(1100); i++)
        take(line);
    ck_assert_uint_eq(s.n_files, 1);
}
END_TEST

static void schema_is(const char *json, const char *expected)
{
    struct lake_columns c = {0};
    _cleanup_buffer_ struct buffer got = {0};
    if (lake_schema_read(json, &c, &err) < 0)
        buffer_put_string(&got, err.text);
    for (size_t i = 0; i < c.n; i++)
        buffer_printf(
            &got, "%s %s%s;", c.list[i].name, c.list[i].type, c.list[i].required ? " required" : "");
    ck_assert_msg(strstr(buffer_string(&got), expected) != NULL, "%s", buffer_string(&got));
    lake_columns_done(&c);
}

#define FIELD(name, type, more) "{\"name\":\"" name "\",\"type\":" type more "}"

START_TEST(schemas)
{
    schema_is(
        "{\"fields\":[" FIELD("a", "\"long\"", ",\"nullable\":false") "," FIELD("b", "\"decimal(38,10)\"",
            "") "," FIELD("c", "\"timestamp\"", ",\"metadata\":{\"comment\":\"x\"}") "]}",
        "a BIGINT required;b DECIMAL(38,10);c TIMESTAMP WITH TIME ZONE;");
    schema_is("no json", "no JSON");
    schema_is("{}", "no list");
    schema_is("{\"fields\":[5]}", "no name");
    schema_is("{\"fields\":[" FIELD("a", "\"decimal(39,1)\"", "") "]}", "decimal(39,1)");
    schema_is("{\"fields\":[" FIELD("a", "\"decimal(5,6)\"", "") "]}", "does not know");
    schema_is("{\"fields\":[" FIELD("a", "\"decimal(5,2) x\"", "") "]}", "does not know");
    schema_is("{\"fields\":[" FIELD("a", "{\"type\":\"struct\",\"fields\":[]}", "") "]}", "struct");
    schema_is("{\"fields\":[" FIELD("a", "\"long\"", ",\"metadata\":{\"delta.invariants\":\"x\"}") "]}",
        "invariant");
    schema_is("{\"fields\":[" FIELD("a", "\"long\"", "") "," FIELD("A", "\"long\"", "") "]}", "twice");
}
END_TEST

/* What others wrote of a column stays as it is. */
START_TEST(a_schema_grows)
{
    struct lake_columns more = {0};
    lake_columns_add(&more, "n\"ew", "DECIMAL(5,2)", false);
    lake_columns_add(&more, "t", "TIMESTAMP WITH TIME ZONE", false);
    _cleanup_free_ char *schema = lake_schema_add(
        "{\"type\":\"struct\",\"fields\":[" FIELD("a", "\"long\"", ",\"metadata\":{\"comment\":\"x\"}") "]}",
        &more);
    ck_assert_ptr_nonnull(strstr(schema, "\"comment\":\"x\""));
    schema_is(schema, "a BIGINT;n\"ew DECIMAL(5,2);t TIMESTAMP WITH TIME ZONE;");
    _cleanup_free_ char *first = lake_schema_add(NULL, &more);
    schema_is(first, "n\"ew DECIMAL(5,2);t TIMESTAMP");
    lake_columns_done(&more);
}
END_TEST

START_TEST(names_with_versions)
{
    const char *rest;
    ck_assert_int_eq(lake_key_version("00000000000000000012.json", &rest), 12);
    ck_assert_str_eq(rest, ".json");
    ck_assert_int_lt(lake_key_version("12.json", &rest), 0);
    ck_assert_int_lt(lake_key_version("000000000000000000012.json", &rest), 0);
    ck_assert_int_lt(lake_key_version("99999999999999999999.json", &rest), 0);
    ck_assert_int_lt(lake_key_version("_last_checkpoint", &rest), 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_newest_of_a_path_counts, paths_are_decoded, paths_that_lead_elsewhere,
        what_is_damaged_names_its_line, what_a_table_is, there_is_a_limit, what_is_replaced_does_not_count,
        schemas, a_schema_grows, names_with_versions};
    return run_staged("lake log", setup, teardown, tests, N_ELEMENTS(tests));
}
