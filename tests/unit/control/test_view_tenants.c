/* All tenants in one table, also those that did not answer. */
#include "view_tenants.h"

#include "../util/suite.h"

#include <cjson/cJSON.h>

static char *shown(void view(struct buffer *to, const cJSON *answer, bool color), const char *text)
{
    _cleanup_buffer_ struct buffer out = {0};
    cJSON *json = cJSON_Parse(text);
    ck_assert_ptr_nonnull(json);
    view(&out, json, false);
    cJSON_Delete(json);
    return xstrdup(buffer_string(&out));
}

START_TEST(jobs)
{
    _cleanup_free_ char *text = shown(view_tenants_jobs,
        "{\"tenants\": ["
        "{\"tenant\": \"north\", \"jobs\": [{\"name\": \"omop\", \"kind\": \"harmonize\", \"state\": "
        "\"failing\","
        " \"schedule\": \"every 1d\", \"why\": \"no \\u001b[2J lake\", \"next\": []},"
        " {\"name\": \"q\", \"kind\": \"query\", \"state\": \"idle\", \"next\": []}]},"
        "{\"tenant\": \"south\", \"error\": \"cannot reach\\u001b[2J the daemon\"},"
        "{\"tenant\": \"west\", \"jobs\": []}]}");
    ck_assert_str_eq(text,
        "TENANT  job   kind       schedule  state    last success  next\n"
        "north   omop  harmonize  every 1d  failing  never         -\n"
        "  ! no ?[2J lake\n"
        "  → see ingestctl --tenant north runs omop; when it is mended: ingestctl --tenant north run omop\n"
        "north   q     query      by hand   idle     never         -\n"
        "south   ! cannot reach?[2J the daemon\n"
        "west    no job is configured\n");
}
END_TEST

START_TEST(status)
{
    _cleanup_free_ char *text =
        shown(view_tenants_status, "{\"tenants\": ["
                                   "{\"tenant\": \"north\", \"state\": \"HEALTHY\", \"uptime_s\": 60, "
                                   "\"version\": \"0.1.0\", \"streams\": "
                                   "[{}],"
                                   " \"jobs\": [{\"state\": \"idle\"}], \"conditions\": []},"
                                   "{\"tenant\": \"south\", \"error\": \"gone\"},"
                                   "{\"tenant\": \"west\", \"state\": \"DEGRADED\", \"uptime_s\": 5, "
                                   "\"version\": \"0.1.0\", \"streams\": [],"
                                   " \"jobs\": [{\"state\": \"failing\"}, {\"state\": \"retrying\"}, {}],"
                                   " \"conditions\": [{\"subject\": \"a\\u001bb\", \"what\": \"is wrong\", "
                                   "\"severity\": \"degraded\"}]}]}");
    ck_assert_str_eq(text, "TENANT  state     up     streams  jobs  failing  version\n"
                           "north   HEALTHY   1m 0s        1     1        0  0.1.0\n"
                           "south   ! gone\n"
                           "west    DEGRADED  5s           0     3        2  0.1.0\n"
                           "  ! a?b: is wrong\n");
}
END_TEST

START_TEST(nobody)
{
    _cleanup_free_ char *no_jobs = shown(view_tenants_jobs, "{\"tenants\": []}");
    _cleanup_free_ char *no_status = shown(view_tenants_status, "{}");
    ck_assert_str_eq(no_jobs, "there is no tenant\n");
    ck_assert_str_eq(no_status, "there is no tenant\n");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {jobs, status, nobody};
    return run_tests("control-view_tenants", tests, N_ELEMENTS(tests));
}
