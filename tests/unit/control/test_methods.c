/* Methods, their parameters, and the interface's text. */
#include "../util/suite.h"
#include "control/call.h"
#include "control/interface.h"
#include "control/methods.h"
#include "fake_daemon.h"
#include "fake_intake.h"
#include "fake_scheduler.h"

#include <cjson/cJSON.h>

static struct fake_daemon the_daemon;

static void set_up(void)
{
    fake_daemon_init(&the_daemon);
}

static void tear_down(void)
{
    fake_daemon_done(&the_daemon);
}

static void keep(void *owner, char *message, bool last)
{
    char **kept = owner;
    ck_assert(last);
    ck_assert_ptr_null(*kept);
    *kept = message;
}

/* The answer to one call of io.ingestd, as a new string. */
static char *ask(const char *method, const char *parameters)
{
    _cleanup_free_ char *text =
        xasprintf("{\"method\":\"%s\",\"parameters\":%s}", method, parameters ? parameters : "{}");
    struct varlink_call message;
    char *answer = NULL;
    ck_assert_int_eq(varlink_call_parse(text, strlen(text), &message, NULL), 0);
    struct peer peer = {.uid = 1000, .pid = 77};
    methods_run(call_new(&the_daemon.control, &peer, &message, keep, &answer));
    ck_assert_ptr_nonnull(answer);
    return answer;
}

static void expect(const char *method, const char *parameters, const char *wanted)
{
    _cleanup_free_ char *answer = ask(method, parameters);
    ck_assert_str_eq(answer, wanted);
}

static const struct {
    const char *method, *parameters, *wrong;
} refused[] = {
    {"Ping", "{\"x\":1}", "x"},
    {"DeadList", "{\"stream\":7}", "stream"},
    {"DeadList", "{\"limit\":0}", "limit"},
    {"DeadList", "{\"limit\":1001}", "limit"},
    {"DeadList", "{\"limit\":1.5}", "limit"},
    {"DeadList", "{\"limit\":\"9\"}", "limit"},
    {"DeadList", "{\"after\":-1}", "after"},
    {"DeadList", "{\"after\":1e300}", "after"},
    {"DeadList", "{\"state\":\"alive\"}", "state"},
    {"DeadList", "{\"reason\":\"bad luck\"}", "reason"},
    {"DeadList", "{\"Stream\":\"claim\"}", "Stream"},
    {"DeadList", "{\"\":1}", ""},
    {"DeadShow", "{}", "id"},
    {"DeadShow", "{\"id\":null}", "id"},
    {"DeadShow", "{\"id\":9007199254740994}", "id"},
    {"DeadShow", "{\"id\":7,\"id\":\"8\"}", "id"},
    {"DeadReplay", "{}", "id"},
    {"DeadDrop", "{\"reason\":\"wrong_type\"}", "id"},
    {"Pause", "{}", "stream"},
    {"Pause", "{\"stream\":{}}", "stream"},
    {"Jobs", "{\"job\":\"revenue\"}", "job"},
    {"Runs", "{\"id\":0}", "id"},
    {"Runs", "{\"limit\":1001}", "limit"},
    {"Runs", "{\"before\":\"9\"}", "before"},
    {"Runs", "{\"status\":\"over\"}", "status"},
    {"Runs", "{\"status\":\"Done\"}", "status"},
    {"RunJob", "{}", "job"},
    {"RunJob", "{\"job\":\"revenue\",\"at\":7}", "at"},
    {"RunJob", "{\"job\":\"revenue\",\"at\":\"\"}", "at"},
    {"RunJob", "{\"job\":\"revenue\",\"at\":\"2026-01-02T03:04:05\"}", "at"},
    {"RunJob", "{\"job\":\"revenue\",\"at\":\"2026-02-31T00:00:00Z\"}", "at"},
    {"RunJob", "{\"job\":\"revenue\",\"at\":\"1970-01-01T00:00:00Z\"}", "at"},
    {"RunJob", "{\"job\":\"revenue\",\"dry_run\":1}", "dry_run"},
    {"RunJob", "{\"job\":\"revenue\",\"dry_run\":\"true\"}", "dry_run"},
    {"RunJob", "{\"job\":\"revenue\",\"dry_run\":false,\"dry_run\":[]}", "dry_run"},
    {"RunCancel", "{}", "id"},
    {"RunCancel", "{\"id\":-1}", "id"},
    {"PauseJob", "{\"stream\":\"claim\"}", "stream"},
    {"ResumeJob", "{\"job\":null}", "job"},
    {"Backfill", "{\"job\":\"revenue\",\"from\":\"2026-01-01T00:00:00Z\"}", "to"},
    {"Backfill", "{\"job\":\"revenue\",\"to\":\"2026-01-01T00:00:00Z\"}", "from"},
    {"Backfill",
        "{\"job\":\"revenue\",\"from\":\"2026-01-01T00:00:00Z\",\"to\":\"2026-01-01T01:00:00+01:00\"}", "to"},
    {"BackfillProgress",
        "{\"job\":\"nope\",\"from\":\"2026-01-02T00:00:00Z\",\"to\":\"2026-01-01T00:00:00Z\"}", "to"},
};

START_TEST(wrong_parameters_are_named)
{
    _cleanup_free_ char *method = xasprintf("io.ingestd.%s", refused[_i].method);
    _cleanup_free_ char *wanted = xasprintf(
        "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"%s\"}}",
        refused[_i].wrong);
    expect(method, refused[_i].parameters, wanted);
    ck_assert_str_eq(fake_asked, "");
    ck_assert_str_eq(fake_ordered, "");
}
END_TEST

START_TEST(a_text_too_long_is_refused)
{
    char name[300] = "";
    memset(name, 'x', sizeof(name) - 1);
    _cleanup_free_ char *parameters = xasprintf("{\"stream\":\"%s\"}", name);
    _cleanup_free_ char *answer = ask("io.ingestd.Pause", parameters);
    ck_assert_ptr_nonnull(strstr(answer, "InvalidParameter"));
}
END_TEST

static const char *const unknown[] = {"", ".", "Ping", "io.ingestd", "io.ingestd.", ".Ping",
    "io.ingestd.ping", "io.ingestd.Ping.", "org.varlink.service.Ping", "io.ingestd.GetInfo"};

START_TEST(an_unknown_method_is_an_error)
{
    _cleanup_free_ char *answer = ask(unknown[_i], NULL);
    ck_assert(strstr(answer, "MethodNotFound") || strstr(answer, "InterfaceNotFound"));
}
END_TEST

START_TEST(filters_reach_the_intake)
{
    free(ask("io.ingestd.DeadList", "{\"stream\":\"claim\",\"state\":\"parked\",\"reason\":\"no_parent\"}"));
    ck_assert_str_eq(fake_asked, "list id=0 stream=claim reason=no_parent state=parked");
    free(ask("io.ingestd.DeadReplay", "{\"id\":9007199254740991,\"stream\":null}"));
    ck_assert_str_eq(fake_asked, "replay id=9007199254740991 stream=- reason=- state=-");
    expect("io.ingestd.DeadDrop", "{\"stream\":\"claim\",\"reason\":\"wrong_type\"}",
        "{\"parameters\":{\"dropped\":1}}");
    ck_assert_str_eq(fake_asked, "drop id=0 stream=claim reason=wrong_type state=-");
}
END_TEST

START_TEST(streams_are_paused_and_resumed)
{
    expect("io.ingestd.Pause", "{\"stream\":\"diagnose\"}", "{\"parameters\":{}}");
    ck_assert_int_eq(fake_report(1)->state, STREAM_PAUSED);
    expect("io.ingestd.Resume", "{\"stream\":\"diagnose\"}", "{\"parameters\":{}}");
    ck_assert_int_eq(fake_report(1)->state, STREAM_RUNNING);
    expect("io.ingestd.Pause", "{\"stream\":\"nope\"}",
        "{\"error\":\"io.ingestd.NoSuchStream\",\"parameters\":{\"stream\":\"nope\"}}");
}
END_TEST

#define SPAN "\"from\":\"2026-01-01T00:00:00Z\",\"to\":\"2026-01-02T01:00:00+01:00\""

static const struct {
    const char *method, *parameters, *ordered, *answer;
} orders[] = {
    {"RunJob", "{\"job\":\"revenue\"}", "run revenue at=0 dry_run=0 by uid 1000",
        "{\"parameters\":{\"id\":43,\"scheduled_for\":\"2026-01-02T03:10:00.000Z\","
        "\"window_start\":\"2026-01-02T03:00:00.000Z\",\"window_end\":\"2026-01-02T03:10:00.000Z\"}}"},
    {"RunJob", "{\"job\":\"adhoc\",\"at\":\"2026-01-02T03:04:05.678Z\",\"dry_run\":true}",
        "run adhoc at=1767323045678000 dry_run=1 by uid 1000", NULL},
    {"RunJob", "{\"job\":\"adhoc\",\"at\":null,\"dry_run\":null}", "run adhoc at=0 dry_run=0 by uid 1000",
        NULL},
    {"RunCancel", "{\"id\":43}", "cancel 43 by uid 1000", "{\"parameters\":{\"status\":\"cancelled\"}}"},
    {"PauseJob", "{\"job\":\"nightly\"}", "pause nightly by uid 1000", "{\"parameters\":{}}"},
    {"ResumeJob", "{\"job\":\"nightly\"}", "resume nightly by uid 1000", "{\"parameters\":{}}"},
    {"Backfill", "{\"job\":\"revenue\"," SPAN "}",
        "backfill revenue from=1767225600000000 to=1767312000000000 by uid 1000",
        "{\"parameters\":{\"runs\":144}}"},
    {"BackfillProgress", "{\"job\":\"revenue\"," SPAN "}",
        "progress revenue from=1767225600000000 to=1767312000000000",
        "{\"parameters\":{\"waiting\":143,\"running\":1,\"done\":0,\"failed\":0,\"cancelled\":0,"
        "\"skipped\":0}}"},
    {"Runs", "{}", "runs id=0 job=- status=- before=0 limit=0", NULL},
    {"Runs", "{\"job\":\"gone\",\"status\":\"failed\",\"before\":9,\"limit\":5}",
        "runs id=0 job=gone status=failed before=9 limit=5", NULL},
    {"Runs", "{\"id\":77}", "runs id=77 job=- status=- before=0 limit=0", "{\"parameters\":{\"runs\":[]}}"},
};

START_TEST(orders_reach_the_scheduler)
{
    _cleanup_free_ char *method = xasprintf("io.ingestd.%s", orders[_i].method);
    _cleanup_free_ char *answer = ask(method, orders[_i].parameters);
    ck_assert_str_eq(fake_ordered, orders[_i].ordered);
    ck_assert_msg(strstr(answer, "\"parameters\":") && !strstr(answer, "\"error\":\"io."), "%s", answer);
    if (orders[_i].answer)
        ck_assert_str_eq(answer, orders[_i].answer);
}
END_TEST

START_TEST(what_the_scheduler_cannot_do_is_said)
{
    _cleanup_free_ char *method = xasprintf("io.ingestd.%s", orders[_i].method);
    fake_why = "Postgres is away";
    expect(method, orders[_i].parameters,
        "{\"error\":\"io.ingestd.Failed\",\"parameters\":{\"why\":\"Postgres is away\"}}");
}
END_TEST

/* The scheduler answers when it can; and to nobody, where the one who asked has gone. */
START_TEST(answers_may_come_later)
{
    fake_answers_later = true;
    for (int gone = 0; gone <= 1; gone++) {
        _cleanup_free_ char *answer = NULL;
        _cleanup_free_ char *text = xasprintf(
            "{\"method\":\"io.ingestd.%s\",\"parameters\":%s}", orders[_i].method, orders[_i].parameters);
        struct varlink_call message;
        ck_assert_int_eq(varlink_call_parse(text, strlen(text), &message, NULL), 0);
        struct call *call =
            call_new(&the_daemon.control, &(struct peer){.uid = 1000}, &message, keep, &answer);
        methods_run(call);
        ck_assert_ptr_null(answer);
        if (gone)
            call_abandon(call);
        ck_assert_uint_eq(fake_answer_all(), 1);
        ck_assert_int_eq(answer != NULL, !gone);
    }
}
END_TEST

/* The last two want a span too. */
static const char *const about_a_job[] = {"RunJob", "PauseJob", "ResumeJob", "Backfill", "BackfillProgress"};

START_TEST(a_job_that_nobody_knows_is_named)
{
    static const char *const names[] = {"nope", "Revenue", "", "revenue "};
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        _cleanup_free_ char *method = xasprintf("io.ingestd.%s", about_a_job[_i]);
        _cleanup_free_ char *parameters = xasprintf("{\"job\":\"%s\"%s}", names[i], _i >= 3 ? "," SPAN : "");
        _cleanup_free_ char *wanted =
            xasprintf("{\"error\":\"io.ingestd.NoSuchJob\",\"parameters\":{\"job\":\"%s\"}}", names[i]);
        expect(method, parameters, wanted);
    }
    ck_assert_str_eq(fake_ordered, "");
}
END_TEST

START_TEST(without_jobs_there_is_no_scheduler)
{
    the_daemon.control.scheduler = NULL;
    expect("io.ingestd.Jobs", NULL,
        "{\"parameters\":{\"jobs\":[],\"leader\":null,\"leads\":false,\"workers\":0}}");
    expect("io.ingestd.Runs", "{\"id\":7}", "{\"parameters\":{\"runs\":[]}}");
    for (size_t i = 0; i < N_ELEMENTS(about_a_job); i++) {
        _cleanup_free_ char *method = xasprintf("io.ingestd.%s", about_a_job[i]);
        expect(method, i >= 3 ? "{\"job\":\"revenue\"," SPAN "}" : "{\"job\":\"revenue\"}",
            "{\"error\":\"io.ingestd.NoSuchJob\",\"parameters\":{\"job\":\"revenue\"}}");
    }
    _cleanup_free_ char *cancelled = ask("io.ingestd.RunCancel", "{\"id\":7}");
    ck_assert_ptr_nonnull(strstr(cancelled, "io.ingestd.Failed"));
    _cleanup_free_ char *status = ask("io.ingestd.Status", NULL);
    ck_assert_ptr_nonnull(strstr(status, "\"jobs\":[],\"leader\":null,\"leads\":false,\"workers\":0"));
}
END_TEST

START_TEST(a_job_is_described)
{
    fake_n_jobs = 2;
    fake_leader = "";
    expect("io.ingestd.Jobs", NULL,
        "{\"parameters\":{\"jobs\":[{\"name\":\"revenue\",\"kind\":\"rollup\",\"schedule\":\"every 10m\","
        "\"time_zone\":\"Europe/"
        "Berlin\",\"state\":\"idle\",\"why\":\"\",\"since\":\"2026-01-02T03:10:00.000Z\","
        "\"next\":[\"2026-01-02T03:20:00.000Z\",\"2026-01-02T03:30:00.000Z\",\"2026-01-02T03:40:00.000Z\"],"
        "\"running\":null,\"running_since\":null,\"progress\":null,"
        "\"last_success\":\"2026-01-02T03:10:01.200Z\",\"last_window_end\":\"2026-01-02T03:10:00.000Z\","
        "\"last_duration_us\":1150000,\"last_lateness_us\":12000,\"last_failure\":null,\"succeeded\":4321,"
        "\"failed\":2,\"skipped\":1,\"failed_in_a_row\":0,\"waiting\":0},"
        "{\"name\":\"nightly\",\"kind\":\"query\",\"schedule\":\"30 2 * * mon-fri\","
        "\"time_zone\":\"Europe/Berlin\",\"state\":\"failing\","
        "\"why\":\"nightly.sql: line 3: relation \\\"visits\\\" does not exist\","
        "\"since\":\"2026-01-02T01:30:00.000Z\","
        "\"next\":[\"2026-01-03T01:30:00.000Z\",\"2026-01-04T01:30:00.000Z\"],"
        "\"running\":null,\"running_since\":null,\"progress\":null,\"last_success\":null,"
        "\"last_window_end\":null,\"last_duration_us\":null,\"last_lateness_us\":null,"
        "\"last_failure\":\"2026-01-02T01:30:00.000Z\",\"succeeded\":0,\"failed\":4,\"skipped\":0,"
        "\"failed_in_a_row\":4,\"waiting\":0}],\"leader\":null,\"leads\":true,\"workers\":1}}");
}
END_TEST

START_TEST(a_reload_says_its_note_or_its_problems)
{
    expect("io.ingestd.Reload", NULL, "{\"parameters\":{}}");
    the_daemon.reload_says = xstrdup("control needs a restart");
    expect("io.ingestd.Reload", NULL, "{\"parameters\":{\"note\":\"control needs a restart\"}}");
    free(the_daemon.reload_says);
    the_daemon.reload_says = xstrdup("f:1:2: a\nf:3:4: b\n");
    the_daemon.reload_fails = true;
    expect("io.ingestd.Reload", NULL,
        "{\"error\":\"io.ingestd.BrokenConfig\",\"parameters\":{\"problems\":[\"f:1:2: a\",\"f:3:4: b\"]}}");
}
END_TEST

START_TEST(an_upgrade_is_not_implemented)
{
    static const char text[] = "{\"method\":\"io.ingestd.Ping\",\"upgrade\":true}";
    struct varlink_call message;
    _cleanup_free_ char *answer = NULL;
    ck_assert_int_eq(varlink_call_parse(text, sizeof(text) - 1, &message, NULL), 0);
    methods_run(call_new(&the_daemon.control, &(struct peer){0}, &message, keep, &answer));
    ck_assert_ptr_nonnull(strstr(answer, "org.varlink.service.MethodNotImplemented"));
}
END_TEST

START_TEST(the_interface_describes_every_method)
{
    const char *text = interface_find("io.ingestd")->text;
    size_t n = 0;
    for (; methods_name(n); n++) {
        _cleanup_free_ char *line = xasprintf("\nmethod %s(", methods_name(n));
        ck_assert_msg(strstr(text, line), "%s is not described", methods_name(n));
    }
    size_t described = 0;
    for (const char *at = text; (at = strstr(at, "\nmethod ")); at++)
        described++;
    ck_assert_uint_eq(described, n);
}
END_TEST

/* Every member of what we send stands in the text, spelt the same. */
static void expect_described(const cJSON *object, const char *text)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, object)
    {
        if (member->string) {
            _cleanup_free_ char *declared = xasprintf("%s:", member->string);
            ck_assert_msg(strstr(text, declared), "%s is not described", member->string);
        }
        expect_described(member, text);
    }
}

START_TEST(the_interface_describes_every_answer)
{
    static const char *const asked[] = {"Status", "Streams", "DeadList", "Reconcile", "Jobs", "Runs"};
    health_raise(the_daemon.control.health, "postgres", "away", SEVERITY_NOTE, "wait", "away");
    for (size_t i = 0; i < N_ELEMENTS(asked); i++) {
        _cleanup_free_ char *method = xasprintf("io.ingestd.%s", asked[i]);
        _cleanup_free_ char *answer = ask(method, NULL);
        cJSON *message = cJSON_Parse(answer);
        cJSON *run =
            cJSON_GetArrayItem(cJSON_GetObjectItem(cJSON_GetObjectItem(message, "parameters"), "runs"), 0);
        cJSON_DeleteItemFromObject(run, "stats"); /* these are the job's own */
        expect_described(cJSON_GetObjectItem(message, "parameters"), interface_find("io.ingestd")->text);
        cJSON_Delete(message);
    }
}
END_TEST

START_TEST(introspection_answers)
{
    expect("org.varlink.service.GetInfo", NULL,
        "{\"parameters\":{\"vendor\":\"ingestd\",\"product\":\"ingestd\",\"version\":\"" INGESTD_VERSION
        "\",\"url\":\"\",\"interfaces\":[\"org.varlink.service\",\"io.ingestd\"]}}");
    _cleanup_free_ char *answer =
        ask("org.varlink.service.GetInterfaceDescription", "{\"interface\":\"io.ingestd\"}");
    ck_assert_ptr_nonnull(strstr(answer, "interface io.ingestd"));
    expect("org.varlink.service.GetInterfaceDescription", "{\"interface\":\"x.y\"}",
        "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"x.y\"}}");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("methods");
    TCase *tc = add_case(suite, "methods", set_up, tear_down);
    tcase_add_loop_test(tc, wrong_parameters_are_named, 0, N_ELEMENTS(refused));
    tcase_add_test(tc, a_text_too_long_is_refused);
    tcase_add_loop_test(tc, an_unknown_method_is_an_error, 0, N_ELEMENTS(unknown));
    tcase_add_test(tc, filters_reach_the_intake);
    tcase_add_test(tc, streams_are_paused_and_resumed);
    tcase_add_loop_test(tc, orders_reach_the_scheduler, 0, N_ELEMENTS(orders));
    tcase_add_loop_test(tc, what_the_scheduler_cannot_do_is_said, 0, N_ELEMENTS(orders));
    tcase_add_loop_test(tc, answers_may_come_later, 0, N_ELEMENTS(orders));
    tcase_add_loop_test(tc, a_job_that_nobody_knows_is_named, 0, N_ELEMENTS(about_a_job));
    tcase_add_test(tc, without_jobs_there_is_no_scheduler);
    tcase_add_test(tc, a_job_is_described);
    tcase_add_test(tc, a_reload_says_its_note_or_its_problems);
    tcase_add_test(tc, an_upgrade_is_not_implemented);
    tcase_add_test(tc, the_interface_describes_every_method);
    tcase_add_test(tc, the_interface_describes_every_answer);
    tcase_add_test(tc, introspection_answers);
    return run_suite(suite);
}
