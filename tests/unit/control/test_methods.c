/* Methods, their parameters, and the interface's text. */
#include "control/call.h"
#include "control/interface.h"
#include "control/methods.h"
#include "fake_daemon.h"
#include "fake_intake.h"

#include <check.h>
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
};

START_TEST(wrong_parameters_are_named)
{
    _cleanup_free_ char *method = xasprintf("io.ingestd.%s", refused[_i].method);
    _cleanup_free_ char *wanted = xasprintf(
        "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"%s\"}}",
        refused[_i].wrong);
    expect(method, refused[_i].parameters, wanted);
    ck_assert_str_eq(fake_asked, "");
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
    static const char *const asked[] = {"Status", "Streams", "DeadList", "Reconcile"};
    health_raise(the_daemon.control.health, "postgres", "away", SEVERITY_NOTE, "wait", "away");
    for (size_t i = 0; i < N_ELEMENTS(asked); i++) {
        _cleanup_free_ char *method = xasprintf("io.ingestd.%s", asked[i]);
        _cleanup_free_ char *answer = ask(method, NULL);
        cJSON *message = cJSON_Parse(answer);
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
    TCase *tc = tcase_create("methods");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, wrong_parameters_are_named, 0, N_ELEMENTS(refused));
    tcase_add_test(tc, a_text_too_long_is_refused);
    tcase_add_loop_test(tc, an_unknown_method_is_an_error, 0, N_ELEMENTS(unknown));
    tcase_add_test(tc, filters_reach_the_intake);
    tcase_add_test(tc, streams_are_paused_and_resumed);
    tcase_add_test(tc, a_reload_says_its_note_or_its_problems);
    tcase_add_test(tc, an_upgrade_is_not_implemented);
    tcase_add_test(tc, the_interface_describes_every_method);
    tcase_add_test(tc, the_interface_describes_every_answer);
    tcase_add_test(tc, introspection_answers);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
