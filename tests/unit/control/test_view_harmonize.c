/* What a harmonize did, as it is shown: stages, sources, tables, what was quarantined, notes. */
#include "view_harmonize.h"
#include "view_runs.h"

#include "../util/suite.h"

#include <cjson/cJSON.h>

#define STAGES                                                                                               \
    "\"stages\": [{\"name\": \"extract\", \"outcome\": \"done\", \"rows\": 0, \"bytes\": 41200000, \"us\": " \
    "2100000,"                                                                                               \
    " \"attempts\": 1, \"error\": \"\"}, {\"name\": \"load\", \"outcome\": \"again\", \"rows\": 0, "         \
    "\"bytes\": 0,"                                                                                          \
    " \"us\": 12000, \"attempts\": 1, \"error\": \"5\\u001b03\"}],"

static const char stats[] =
    "{\"elapsed_us\": 4249000, " STAGES
    " \"sources\": [{\"name\": \"sites\", \"rows\": 1000, \"bytes\": 2048, \"rejected\": 0, \"full\": true},"
    "  {\"name\": \"files\", \"rows\": 10, \"bytes\": 100, \"rejected\": 1, \"objects\": 3, \"refused\": 1}],"
    " \"tables\": [{\"name\": \"provider\", \"version\": 1200, \"inserted\": 900, \"updated\": 5, "
    "\"unchanged\": 4,"
    "   \"rows\": 1500000}, {\"name\": \"quarantine\", \"version\": -1, \"inserted\": 0, \"updated\": 0,"
    "   \"unchanged\": 0, \"rows\": 0}],"
    " \"staged\": 1010, \"quarantined\": 12, \"repaired\": 30, \"published\": 7, \"nothing_new\": false,"
    " \"quarantine\": [{\"table\": \"provider\", \"reason\": \"missing_name\", \"kind\": \"rejected\", "
    "\"rows\": 12}],"
    " \"notes\": [\"a note\\u0007\"], \"peak_bytes\": 1048576}";

static char *shown(const char *text)
{
    _cleanup_buffer_ struct buffer out = {0};
    cJSON *json = cJSON_Parse(text);
    ck_assert_ptr_nonnull(json);
    view_harmonize(&out, json, false);
    cJSON_Delete(json);
    return xstrdup(buffer_string(&out));
}

START_TEST(all_of_it)
{
    _cleanup_free_ char *text = shown(stats);
    ck_assert_str_eq(text,
        "Elapsed Time: 4.2 s\n"
        "stage    rows    bytes   took  attempts  outcome\n"
        "extract     0  39.3 MB   2.1s         1  done\n"
        "load        0      0 B  12 ms         1  again: 5?03\n"
        "source   rows   bytes  rejected  objects  refused\n"
        "sites   1,000  2.0 KB         0                    all of it\n"
        "files      10   100 B         1        3        1  what is new\n"
        "table       inserted  updated  unchanged       rows  version\n"
        "provider         900        5          4  1,500,000    1,200\n"
        "quarantine         0        0          0          0     none\n"
        "1,010 rows staged, 12 quarantined, 30 repaired; published as number 7\n"
        "reason        table     rows  what became of them\n"
        "missing_name  provider    12  rejected\n"
        "What each reason means stands in docs/bad-data.md, each row in the lake's table quarantine\n"
        "  · a note?\n");
}
END_TEST

START_TEST(a_dry_run)
{
    _cleanup_free_ char *text =
        shown("{" STAGES " \"sources\": [], \"tables\": [], \"dry_run\": true, \"published\": 7,"
              " \"sample\": [{\"reason\": \"x\\u007f\", \"line\": 3}]}");
    ck_assert_ptr_nonnull(strstr(text, "0 rows staged, 0 quarantined, 0 repaired\n"));
    ck_assert_ptr_nonnull(strstr(text, "Sample of the quarantine:\n{\"reason\":\"x?\",\"line\":3}\n"));
    ck_assert_ptr_null(strstr(text, "published"));
    ck_assert_ptr_null(strstr(text, "source"));
}
END_TEST

START_TEST(what_is_no_harmonize_is_not_shown)
{
    _cleanup_free_ char *text = shown("{\"elapsed_us\": 1, \"stages\": [], \"notes\": [\"x\"]}");
    ck_assert_str_eq(text, "");
}
END_TEST

/* What is not a harmonize's own is still a line of the run. */
START_TEST(in_a_run)
{
    _cleanup_buffer_ struct buffer out = {0};
    _cleanup_free_ char *run = xasprintf("{\"stats\": %s}", stats);
    cJSON *json = cJSON_Parse(run);
    view_run_stats(&out, json, false);
    cJSON_Delete(json);
    const char *text = buffer_string(&out);
    ck_assert_ptr_nonnull(strstr(text, "Elapsed Time: 4.2 s\n"));
    ck_assert_ptr_nonnull(strstr(text, "memory at most"));
    ck_assert_ptr_null(strstr(text, "repaired   "));
    ck_assert_ptr_null(strstr(text, "elapsed  "));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {all_of_it, a_dry_run, what_is_no_harmonize_is_not_shown, in_a_run};
    return run_tests("view_harmonize", tests, N_ELEMENTS(tests));
}
