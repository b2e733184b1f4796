/* What a match found, as it is shown: time and matches first, the account, rows, the table. */
#include "view_match.h"
#include "view_runs.h"

#include "../util/suite.h"

#include <cjson/cJSON.h>

static const char stats[] =
    "{\"elapsed_us\": 4249000, \"report_date\": \"2017-02-02\", \"matched\": 151677, \"written\": 1000321,"
    " \"replaced\": 0, \"resumed\": null, \"contested\": 12,"
    " \"left\": {\"name\": \"ours\", \"rows\": 1000000, \"users\": 999999, \"duplicates\": 1, \"rejected\": "
    "0,"
    "  \"matched\": 151677, \"ambiguous\": 20, \"only\": 848302, \"active\": 1234, \"no_key\": 7, "
    "\"no_date\": 0, \"future_dates\": 1525, \"held_share\": 0.034},"
    " \"right\": {\"name\": \"ven\\u001b[2Jdor\", \"rows\": 152000, \"duplicates\": 0, \"rejected\": 3,"
    "  \"matched\": 151677, \"ambiguous\": 20, \"only\": 300, \"active\": 99, \"pages\": 152, \"requests\": "
    "153, \"again\": 1, \"held_share\": 0.0211},"
    " \"seconds\": {\"read\": 3.14, \"join\": 0.8, \"load\": 0.3},"
    " \"notes\": [\"5 dates of ours are after the report date\"],"
    " \"sample\": [{\"outcome\": \"matched\", \"score\": 0.5, \"ours_active\": true, \"raw\": null},"
    "  {\"ours_id\": \"a\\u007fb\"}],"
    " \"ddl\": \"CREATE TABLE t (\\n  a text\\u001b\\n)\", \"peak_bytes\": 1048576}";

static char *shown(const char *text)
{
    _cleanup_buffer_ struct buffer out = {0};
    cJSON *json = cJSON_Parse(text);
    ck_assert_ptr_nonnull(json);
    view_match(&out, json, false);
    cJSON_Delete(json);
    return xstrdup(buffer_string(&out));
}

START_TEST(all_of_it)
{
    _cleanup_free_ char *text = shown(stats);
    ck_assert_str_eq(text,
        "Elapsed Time: 4.2 s\n"
        "Total Matches: 151,677\n"
        "side             rows  matched  ambiguous     only  rejected  duplicates  active\n"
        "ours        1,000,000  151,677         20  848,302         0           1   1,234\n"
        "ven?[2Jdor    152,000  151,677         20      300         3           0      99\n"
        "at most 3.4 % of ours and 2.1 % of ven?[2Jdor in memory at once\n"
        "1,000,321 rows written for 2017-02-02, in place of 0; read in 3.1 s, joined in "
        "0.8 s, loaded in 0.3 s\n"
        "  · ours: 7 have no key, 1,525 were active after the report date\n"
        "  · ven?[2Jdor: 152 pages, 153 requests, 1 of them again\n"
        "  · 5 dates of ours are after the report date\n"
        "Sample:\n"
        "{\"outcome\":\"matched\",\"score\":0.5,\"ours_active\":true,\"raw\":null}\n"
        "{\"ours_id\":\"a?b\"}\n"
        "CREATE TABLE t (\n"
        "  a text?\n"
        ")\n");
}
END_TEST

START_TEST(what_is_no_match_is_not_shown)
{
    static const char *const others[] = {
        "{}", "{\"dumps\": []}", "{\"rows\": 5, \"matched\": 1}", "{\"left\": {}, \"right\": 1}"};
    for (size_t i = 0; i < N_ELEMENTS(others); i++) {
        cJSON *json = cJSON_Parse(others[i]);
        _cleanup_free_ char *text = shown(others[i]);
        ck_assert_str_eq(text, "");
        ck_assert(!view_match_has(json, "matched") && !view_match_has(json, "left"));
        cJSON_Delete(json);
    }
}
END_TEST

START_TEST(one_that_went_on)
{
    _cleanup_free_ char *text =
        shown("{\"left\": {\"name\": \"a\"}, \"right\": {\"name\": \"b\"}, \"resumed\": \"loading\"}");
    ck_assert_ptr_nonnull(
        strstr(text, "an earlier run had died; this one went on where it was, while loading"));
    ck_assert_ptr_null(strstr(text, "Sample:"));
    _cleanup_free_ char *dry = shown("{\"left\": {}, \"right\": {}, \"dry_run\": true}");
    ck_assert_msg(!strstr(dry, "written") && strstr(dry, "read in 0.0 s"), "%s", dry);
}
END_TEST

/* Nothing is said twice where the rest of the statistics is shown. */
START_TEST(with_what_else_a_run_counted)
{
    _cleanup_buffer_ struct buffer out = {0};
    cJSON *run = cJSON_CreateObject();
    cJSON_AddItemToObject(run, "stats", cJSON_Parse(stats));
    view_run_stats(&out, run, false);
    const char *text = buffer_string(&out);
    ck_assert_int_eq(strncmp(text, "Elapsed Time: 4.2 s\nTotal Matches: 151,677\n", 43), 0);
    ck_assert_msg(strstr(text, "memory at most  1.0 MB") && strstr(text, "contested"), "%s", text);
    ck_assert_msg(!strstr(text, "\"name\"") && !strstr(text, "ddl"), "%s", text);
    ck_assert_ptr_null(strstr(strstr(text, "Total Matches") + 1, "Total Matches"));
    cJSON_Delete(run);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        all_of_it, what_is_no_match_is_not_shown, one_that_went_on, with_what_else_a_run_counted};
    return run_tests("view-match", tests, N_ELEMENTS(tests));
}
