/* What a person sees of jobs and runs, and what a person may type as a time. */
#include "../util/suite.h"
#include "bar.h"
#include "control/status.h"
#include "fake_daemon.h"
#include "fake_scheduler.h"
#include "grid.h"
#include "moment.h"
#include "util/clock.h"
#include "view.h"
#include "view_jobs.h"
#include "view_runs.h"

#include <cjson/cJSON.h>
#include <time.h>

typedef void view_fn(struct buffer *to, const cJSON *json, bool color);

static void set_zone(const char *name)
{
    setenv("TZ", name, 1);
    tzset();
}

static void expect(view_fn *view, const char *json, const char *wanted)
{
    cJSON *parsed = cJSON_Parse(json);
    ck_assert_msg(parsed != NULL, "%s", json);
    _cleanup_buffer_ struct buffer text = {0};
    view(&text, parsed, false);
    cJSON_Delete(parsed);
    ck_assert_str_eq(buffer_string(&text), wanted);
}

/* So many seconds from now (and a half, lest the clock steps on), as the daemon writes it. */
static char *from_now(int64_t seconds)
{
    static char out[8][40];
    static int i;
    char *to = out[i++ % 8];
    clock_format_utc(
        clock_wall_us() + seconds * US_PER_SEC + (seconds > 0 ? 1 : -1) * US_PER_SEC / 2, to, 40);
    return to;
}

/* The daemon's own answer over the fake scheduler. */
static char *jobs_answer(void)
{
    struct fake_daemon d;
    fake_daemon_init(&d);
    cJSON *answer = cJSON_CreateObject();
    status_add_jobs(answer, &d.control);
    char *text = cJSON_PrintUnformatted(answer);
    cJSON_Delete(answer);
    fake_daemon_done(&d);
    return text;
}

START_TEST(jobs_are_a_table)
{
    _cleanup_free_ char *answer = jobs_answer();
    expect(view_jobs, answer,
        "job      kind    schedule                          state         last success                  "
        "next\n"
        "revenue  rollup  every 10m                         idle          2026-01-02 03:10:01 (1.1s)    "
        "2026-01-02 03:20 now, 03:30, 03:40\n"
        "nightly  query   30 2 * * mon-fri (Europe/Berlin)  failing       never                         "
        "2026-01-03 01:30 now, 2026-01-04 01:30\n"
        "  ! nightly.sql: line 3: relation \"visits\" does not exist\n"
        "  → see ingestctl runs nightly; when it is mended: ingestctl run nightly\n"
        "adhoc    query   by hand                           running 3/10  2026-01-02 02:00:00 (0.0 ms)  -\n"
        "office-a@host leads (this daemon), 1 worker here at work\n");
}
END_TEST

START_TEST(who_leads_is_said)
{
    expect(view_jobs,
        "{\"jobs\":[{\"name\":\"j\",\"state\":\"paused\",\"next\":[]}],\"leader\":null,\"leads\":false,"
        "\"workers\":0}",
        "job  kind  schedule  state   last success  next\n"
        "j          by hand   paused  never         -\n"
        "no daemon leads now: nothing is started until one does\n");
    expect(view_jobs_in_short,
        "{\"jobs\":[{\"name\":\"j\",\"state\":\"idle\"}],\"leader\":null,\"leads\":false}",
        "jobs  schedule  state  last success  next\n"
        "  j   by hand   idle   never         -\n"
        "  no daemon leads now: nothing is started until one does\n");
    expect(view_jobs,
        "{\"jobs\":[{\"name\":\"j\",\"state\":\"idle\"}],\"leader\":\"b@h\\u001b[2J\",\"workers\":2}",
        "job  kind  schedule  state  last success  next\n"
        "j          by hand   idle   never         -\n"
        "b@h?[2J leads, 2 workers here at work\n");
    expect(view_jobs, "{\"jobs\":[]}", "no job is configured\n");
}
END_TEST

/* Its schedule goes on, and nothing comes of it. */
START_TEST(a_paused_job_is_due_when_it_is_resumed)
{
    static const char json[] = "{\"jobs\":[{\"name\":\"j\",\"schedule\":\"every 10m\",\"state\":\"paused\","
                               "\"next\":[\"2026-01-02T03:00:00.000Z\"]}],\"leader\":\"a@h\"}";
    expect(view_jobs, json,
        "job  kind  schedule   state   last success  next\n"
        "j          every 10m  paused  never         when resumed\n"
        "a@h leads, 0 workers here at work\n");
    expect(view_jobs_in_short, json,
        "jobs  schedule   state   last success  next\n"
        "  j   every 10m  paused  never         when resumed\n");
}
END_TEST

START_TEST(one_job_is_a_block)
{
    _cleanup_free_ char *json = xasprintf(
        "{\"name\":\"r\",\"kind\":\"rollup\",\"schedule\":\"every "
        "10m\",\"time_zone\":\"UTC\",\"state\":\"retrying\","
        "\"why\":\"no table\",\"since\":\"2026-01-02T03:10:00.000Z\",\"next\":[\"%s\"],\"running\":9,"
        "\"running_since\":\"%s\",\"progress\":{\"stage\":\"compute\",\"unit\":\"windows\",\"done\":3,"
        "\"total\":-1},"
        "\"last_success\":\"2026-01-02T03:00:00.000Z\",\"last_duration_us\":1500000,"
        "\"last_window_end\":\"2026-01-02T03:00:00.000Z\",\"last_lateness_us\":12000,\"last_failure\":null,"
        "\"succeeded\":1000,\"failed\":1,\"skipped\":0,\"failed_in_a_row\":1,\"waiting\":2}",
        from_now(90), from_now(-61));
    _cleanup_buffer_ struct buffer text = {0};
    cJSON *job = cJSON_Parse(json);
    view_job(&text, job, false);
    cJSON_Delete(job);
    static const char *const lines[] = {"r\n", "  state            retrying since 2026-01-02 03:10:00\n",
        "  ! no table\n", "  → it is tried again by itself; see ingestctl runs r\n", " in 1m 30s\n",
        "  running          run 9, for 1m 1s\n", "  progress         compute, 3 windows\n",
        "  last success     2026-01-02 03:00:00 (1.5s)\n", "  computed up to   2026-01-02 03:00:00\n",
        "  started late by  12 ms\n", "  succeeded        1,000\n", "  waiting          2\n"};
    for (size_t i = 0; i < N_ELEMENTS(lines); i++)
        ck_assert_msg(strstr(buffer_string(&text), lines[i]), "no %s in %s", lines[i], buffer_string(&text));
    ck_assert_ptr_null(strstr(buffer_string(&text), "last failure"));
}
END_TEST

START_TEST(the_status_has_a_block_of_jobs)
{
    _cleanup_free_ char *json = xasprintf(
        "{\"version\":\"1\",\"name\":\"x\",\"uptime_s\":0,\"state\":\"HEALTHY\",\"streams\":[],\"jobs\":["
        "{\"name\":\"revenue\",\"schedule\":\"every 10m\",\"state\":\"idle\",\"last_success\":\"%s\","
        "\"last_window_end\":\"2026-01-02T03:10:00.000Z\",\"next\":[\"%s\"]},"
        "{\"name\":\"nightly\",\"schedule\":\"30 2 * * "
        "*\",\"time_zone\":\"Europe/Berlin\",\"state\":\"failing\","
        "\"why\":\"not said here\",\"last_success\":null,\"next\":[]}],"
        "\"postgres\":{\"label\":\"a@b\",\"up\":true,\"for_s\":1},\"conditions\":[]}",
        from_now(-130), from_now(470));
    expect(view_status, json,
        "ingestd 1 · x · up 0s · HEALTHY\n"
        "streams   none is configured\n"
        "jobs       schedule                    state    last success                           next\n"
        "  revenue  every 10m                   idle     2m 10s ago, up to 2026-01-02 03:10:00  in 7m 50s\n"
        "  nightly  30 2 * * * (Europe/Berlin)  failing  never                                  -\n"
        "postgres  a@b  up 1s\n");
}
END_TEST

START_TEST(runs_are_a_table)
{
    expect(view_runs,
        "[{\"id\":1044,\"job\":\"revenue\",\"scheduled_for\":\"2026-01-02T03:10:00.000Z\","
        "\"window_start\":\"2026-01-02T03:00:00.000Z\",\"window_end\":\"2026-01-02T03:10:00.000Z\","
        "\"cause\":\"catch-up\",\"status\":\"done\",\"attempt\":1,\"dry_run\":true,\"duration_us\":1150000,"
        "\"lateness_us\":12000,\"error\":null},"
        "{\"id\":7,\"job\":\"n\",\"scheduled_for\":\"2026-01-01T23:50:00.000Z\","
        "\"window_start\":\"2026-01-01T23:50:00.000Z\",\"window_end\":\"2026-01-02T00:00:00.000Z\","
        "\"cause\":\"manual\",\"status\":\"waiting\",\"attempt\":2,\"not_before\":\"2999-01-01T00:00:00."
        "000Z\","
        "\"error\":\"no\\u001b table\"},"
        "{\"id\":6,\"job\":\"n\",\"scheduled_for\":\"2026-01-01T23:50:00.000Z\",\"window_start\":null,"
        "\"cause\":\"manual\",\"status\":\"failed\",\"attempt\":2,\"error\":\"bad\"}]",
        " run  job      for                                         cause     status      try  took   late\n"
        "1044  revenue  2026-01-02 03:00:00 to 03:10:00             catch-up  done (dry)    1  1.1s  12 ms\n"
        "   7  n        2026-01-01 23:50:00 to 2026-01-02 00:00:00  manual    waiting       2               "
        "not before 2999-01-01 00:00:00: no? table\n"
        "   6  n        2026-01-01 23:50:00                         manual    failed        2               "
        "bad\n");
}
END_TEST

START_TEST(progress_is_in_its_unit)
{
    static const struct {
        const char *json, *words;
    } cases[] = {
        {"{\"unit\":\"bytes\",\"done\":1048576,\"total\":2097152}", "1.0 MB of 2.0 MB"},
        {"{\"unit\":\"rows\",\"done\":1200,\"total\":-1}", "1,200 rows"},
        {"{\"unit\":\"windows\",\"done\":3,\"total\":10}", "3 of 10 windows"},
        {"{\"unit\":\"\",\"done\":0}", ""},
    };
    char words[96];
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        cJSON *progress = cJSON_Parse(cases[i].json);
        ck_assert_str_eq(view_progress(progress, words), cases[i].words);
        cJSON_Delete(progress);
    }
}
END_TEST

START_TEST(what_the_dumps_tell_is_told_once)
{
    expect(view_run_stats,
        "{\"stats\":{\"rows\":2,\"added\":2,\"cpu_us\":30000,\"seconds\":1.5,\"dumps\":[{\"as_of\":\"2026-01-"
        "02\","
        "\"as_of_from\":\"given\",\"source\":\"file:///a.csv\",\"rows\":2,\"added\":2,\"seconds\":1.5}]}}",
        "  processor time  30 ms\n"
        "as of       by        rows  added  changed  removed  reactivated  unchanged  rejected  took  dump\n"
        "2026-01-02  as given     2      2        0        0            0          0         0  1.5s  "
        "a.csv\n");
}
END_TEST

START_TEST(one_run_is_told_whole)
{
    expect(view_run,
        "{\"id\":42,\"job\":\"nightly\",\"scheduled_for\":\"2026-01-02T01:30:00.000Z\",\"window_start\":null,"
        "\"window_end\":null,\"cause\":\"schedule\",\"status\":\"failed\",\"attempt\":4,\"dry_run\":true,"
        "\"daemon\":\"a@h\",\"created\":\"2026-01-02T01:30:00.000Z\",\"not_before\":null,"
        "\"started\":\"2026-01-02T01:31:10.000Z\",\"finished\":\"2026-01-02T01:31:10.250Z\","
        "\"duration_us\":250000,\"lateness_us\":8000,\"stats\":{\"rows_read\":12345,\"read_us\":1100,"
        "\"peak_bytes\":2048,\"cpu_us\":30000,\"share\":0.5,\"ok\":true,\"by\":{\"a\":1},\"words\":"
        "\"x\\u001by\","
        "\"less\":-1,\"none\":null,\"_us\":3},\"error\":\"no "
        "table\",\"sqlstate\":\"42P01\",\"exit_code\":null,"
        "\"signal\":9,\"progress\":null,\"last_words\":\"one\\n\\ntwo\\u001b[2J\\n\",\"result\":null}",
        "run 42\n"
        "  job             nightly\n"
        "  status          failed (a dry run: nothing is changed), attempt 4\n"
        "  cause           schedule\n"
        "  scheduled for   2026-01-02 01:30:00\n"
        "  recorded        2026-01-02 01:30:00\n"
        "  started         2026-01-02 01:31:10\n"
        "  finished        2026-01-02 01:31:10\n"
        "  took            250 ms\n"
        "  late by         8.0 ms\n"
        "  daemon          a@h\n"
        "  rows read       12,345\n"
        "  read            1.1 ms\n"
        "  memory at most  2.0 KB\n"
        "  processor time  30 ms\n"
        "  share           0.5\n"
        "  ok              yes\n"
        "  by              {\"a\":1}\n"
        "  words           x?y\n"
        "  less            -1\n"
        "   us             3\n"
        "  error           no table\n"
        "  sqlstate        42P01\n"
        "  ended by        signal 9, Killed\n"
        "  last words\n"
        "    one\n"
        "    two?[2J\n");
}
END_TEST

START_TEST(a_result_is_a_table)
{
    char long_value[100];
    memset(long_value, 'x', sizeof(long_value));
    long_value[sizeof(long_value) - 1] = '\0';
    _cleanup_free_ char *json =
        xasprintf("{\"result\":{\"columns\":[\"n\",{\"name\":\"name\",\"type\":\"text\"},\"m\"],\"rows\":["
                  "[1,\"a\\nb\",\"1.5\"],[200,null,\"-3e7\"],[null,\"%s\",null],[4]]}}",
            long_value);
    expect(view_run_result, json,
        "  n  name                                                              m\n"
        "  1  a b                                                             1.5\n"
        "200  -                                                              -3e7\n"
        "  -  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…     -\n"
        "  4\n");
    expect(view_run_result, "{\"result\":{\"columns\":[\"n\"],\"rows\":[]}}", "n\n");
    expect(view_run_result, "{\"result\":null}", "");
}
END_TEST

/* As many columns as a query likes, and answers of any shape. */
START_TEST(odd_answers_harm_nobody)
{
    static const char *const odd[] = {"{}", "[]", "null", "7", "\"x\"", "[[],7,null,\"x\",{}]",
        "{\"jobs\":{},\"next\":7,\"progress\":[],\"result\":{\"columns\":7,\"rows\":{}},\"stats\":[1,2]}",
        "{\"jobs\":[1,null,{}],\"result\":{\"columns\":[{},null,7],\"rows\":[1,null,[{}]]},\"last_words\":7}",
        "{\"id\":\"x\",\"scheduled_for\":\"soon\",\"window_start\":\"x\",\"signal\":12345,\"status\":7}"};
    view_fn *const views[] = {view_jobs, view_job, view_runs, view_run, view_run_result, view_run_stats,
        view_run_failure, view_jobs_in_short, view_status};
    for (size_t i = 0; i < N_ELEMENTS(odd); i++)
        for (size_t j = 0; j < N_ELEMENTS(views); j++) {
            _cleanup_buffer_ struct buffer text = {0};
            cJSON *json = cJSON_Parse(odd[i]);
            views[j](&text, json, true);
            cJSON_Delete(json);
        }
    _cleanup_buffer_ struct buffer wide = {0}, text = {0};
    buffer_put_string(&wide, "{\"result\":{\"columns\":[\"c\"");
    for (int i = 0; i < 100; i++)
        buffer_put_string(&wide, ",\"c\"");
    buffer_put_string(&wide, "],\"rows\":[[1]]}}");
    cJSON *json = cJSON_Parse(buffer_string(&wide));
    view_run_result(&text, json, false);
    cJSON_Delete(json);
    ck_assert_ptr_nonnull(strstr(buffer_string(&text), "there are more columns: --json\n"));
}
END_TEST

/* -- the bar --------------------------------------------------------------------------------------------- */

static void expect_bar(const struct bar_reading *since, const struct bar_reading *now, int64_t elapsed_us,
    int columns, const char *wanted)
{
    _cleanup_buffer_ struct buffer words = {0};
    bar_words(&words, since, now, elapsed_us, columns);
    ck_assert_str_eq(buffer_string(&words), wanted);
}

START_TEST(a_bar_says_how_far_and_how_long)
{
    const struct bar_reading begin = {"compute", "windows", 0, 1000}, now = {"compute", "windows", 250, 1000},
                             end = {"compute", "windows", 1000, 1000}, unknown = {"read", "rows", 2500, -1},
                             nothing = {"starting", "", 0, -1}, beyond = {"x", "rows", 30, 20};
    expect_bar(&begin, &now, 25 * US_PER_SEC, 79,
        "compute  ████████░░░░░░░░░░░░░░░░░░░░░░░░  250/1,000 windows  10/s  1m 16s left");
    expect_bar(&begin, &now, 25 * US_PER_SEC, 0, "compute: 250 of 1,000 windows, 10/s, 1m 16s left");
    expect_bar(&begin, &end, 300 * US_PER_SEC, 0, "compute: 1,000 of 1,000 windows, 3.3/s");
    expect_bar(&begin, &begin, 0, 0, "compute: 0 of 1,000 windows");
    expect_bar(&(struct bar_reading){"read", "rows", 500, -1}, &unknown, US_PER_SEC, 60,
        "read  2,500 rows  2,000/s");
    expect_bar(&nothing, &nothing, 61 * US_PER_SEC, 60, "starting  1m 1s");
    expect_bar(&beyond, &beyond, US_PER_SEC, 35, "x  ████████████████████  30/20 rows");
    expect_bar(&begin, &now, 25 * US_PER_SEC, 20, "compute  250/1,000 w");
    expect_bar(&begin, &now, 25 * US_PER_SEC, 3, "com");
    const struct bar_reading opened = {"npi.csv", "bytes", 0, 400 << 20, 0},
                             half = {"npi.csv", "bytes", 100 << 20, 400 << 20, 500000};
    expect_bar(&opened, &half, 10 * US_PER_SEC, 0,
        "npi.csv: 100.0 MB of 400.0 MB, 500,000 rows, 10.0 MB/s, 31s left");
    expect_bar(&opened, &half, 10 * US_PER_SEC, 79,
        "npi.csv  ████░░░░░░░░░░░░  100.0 MB/400.0 MB  500,000 rows  10.0 MB/s  31s left");
}
END_TEST

/* -- times that people type ------------------------------------------------------------------------------ */

START_TEST(typed_times_are_read)
{
    static const struct {
        const char *zone, *typed, *utc;
    } list[] = {
        {"UTC", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"},
        {"Europe/Berlin", "2026-01-02T03:04:05.5+02:00", "2026-01-02T01:04:05.500Z"},
        {"Europe/Berlin", "2026-01-02", "2026-01-01T23:00:00.000Z"},
        {"Europe/Berlin", "2026-07-02 03:04", "2026-07-02T01:04:00.000Z"},
        {"Europe/Berlin", "2026-07-02 03:04:05", "2026-07-02T01:04:05.000Z"},
        {"Europe/Berlin", "2026-07-02T03:04:05", "2026-07-02T01:04:05.000Z"},
        {"Europe/Berlin", "2026-10-25 02:30", "2026-10-25T00:30:00.000Z"}, /* twice: the first */
        {"Europe/Berlin", "2026-10-25 03:00", "2026-10-25T02:00:00.000Z"},
        {"Europe/Dublin", "2026-10-25 01:30", "2026-10-25T00:30:00.000Z"}, /* its winter is the other one */
        {"Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04T14:45:00.000Z"},
        {"Pacific/Apia", "2026-01-02", "2026-01-01T11:00:00.000Z"},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        char utc[40] = "";
        set_zone(list[i].zone);
        ck_assert_msg(moment_parse(list[i].typed, utc), "%s in %s", list[i].typed, list[i].zone);
        ck_assert_msg(strcmp(utc, list[i].utc) == 0, "%s in %s: %s", list[i].typed, list[i].zone, utc);
    }
}
END_TEST

START_TEST(what_is_no_time_is_refused)
{
    static const char *const list[] = {"", "now", "-10m", "10m ago", "03:04", "2026", "2026-01", "2026-02-30",
        "2026-01-02 3:04", "2026-01-02 03", "2026-01-02 03:04:", "2026-01-02 03:04:05.5", "2026-01-02 24:00",
        "2026-01-02 03:04 Z", "2026-01-02 03:04+01:00", "2026-01-02 03:04:05 +01:00", "1969-12-31",
        "1970-01-01T00:00:00Z", "2026-03-29 02:30", "2026-01-02Z", " 2026-01-02", "2026-01-02 ",
        "2026-01-02 03:04:05 and then a great deal more than anybody would ever type here"};
    set_zone("Europe/Berlin");
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        char utc[40] = "untouched";
        ck_assert_msg(!moment_parse(list[i], utc), "%s: %s", list[i], utc);
        ck_assert_str_eq(utc, "untouched");
    }
}
END_TEST

static void set_up(void)
{
    set_zone("UTC");
}

int main(void)
{
    const TTest *const tests[] = {jobs_are_a_table, who_leads_is_said, a_paused_job_is_due_when_it_is_resumed,
        one_job_is_a_block, the_status_has_a_block_of_jobs, runs_are_a_table, one_run_is_told_whole,
        what_the_dumps_tell_is_told_once, progress_is_in_its_unit, a_result_is_a_table,
        odd_answers_harm_nobody, a_bar_says_how_far_and_how_long, typed_times_are_read,
        what_is_no_time_is_refused};
    return run_staged("view_jobs", set_up, NULL, tests, N_ELEMENTS(tests));
}
