/* What a person sees: the status as text, word for word. */
#include "../util/suite.h"
#include "control/status.h"
#include "fake_daemon.h"
#include "fake_intake.h"
#include "grid.h"
#include "util/text.h"
#include "view.h"

#include <cjson/cJSON.h>

static void expect(const char *json, bool color, const char *wanted)
{
    setenv("TZ", "UTC", 1);
    cJSON *status = cJSON_Parse(json);
    ck_assert_ptr_nonnull(status);
    _cleanup_buffer_ struct buffer text = {0};
    view_status(&text, status, color);
    cJSON_Delete(status);
    ck_assert_str_eq(buffer_string(&text), wanted);
}

#define STREAM(name, source, state, rest)                                                                    \
    "{\"name\":\"" name "\",\"source\":\"" source "\",\"state\":\"" state "\"," rest "}"
#define CLAIM                                                                                                \
    STREAM("claim", "redis claim/ingestd", "running",                                                        \
        "\"rate\":0.5,\"lag\":0,\"inserted\":5412,\"duplicate\":598,\"dead\":2,\"parked\":6")

START_TEST(all_is_well)
{
    expect(
        "{\"version\":\"0.1.0\",\"name\":\"doctor-office\",\"uptime_s\":11520,\"state\":\"HEALTHY\","
        "\"streams\":[" CLAIM "," STREAM("diagnose", "fifo diagnose-pipe", "running",
            "\"rate\":12500,\"lag\":-1,\"inserted\":1234567,\"duplicate\":601,\"dead\":1,\"parked\":5") "],"
                                                                                                        "\"po"
                                                                                                        "stgr"
                                                                                                        "es\""
                                                                                                        ":{"
                                                                                                        "\"la"
                                                                                                        "bel"
                                                                                                        "\":"
                                                                                                        "\"do"
                                                                                                        "ctor"
                                                                                                        "_off"
                                                                                                        "ice@"
                                                                                                        "db\""
                                                                                                        ",\"u"
                                                                                                        "p\":"
                                                                                                        "true"
                                                                                                        ",\"f"
                                                                                                        "or_"
                                                                                                        "s\":"
                                                                                                        "1152"
                                                                                                        "0,"
                                                                                                        "\"ro"
                                                                                                        "und_"
                                                                                                        "trip"
                                                                                                        "_us"
                                                                                                        "\":"
                                                                                                        "1100"
                                                                                                        "},"
                                                                                                        "\"co"
                                                                                                        "ndit"
                                                                                                        "ions"
                                                                                                        "\":["
                                                                                                        "]}",
        false,
        "ingestd 0.1.0 · doctor-office · up 3h 12m · HEALTHY\n"
        "streams     source                   rate  lag   inserted  duplicate  dead  parked\n"
        "  claim     redis claim/ingestd     0.5/s    0      5,412        598     2       6\n"
        "  diagnose  fifo diagnose-pipe   12,500/s    -  1,234,567        601     1       5\n"
        "postgres    doctor_office@db     up 3h 12m, 1.1 ms\n");
}
END_TEST

START_TEST(what_is_wrong_is_named_with_its_remedy)
{
    expect("{\"version\":\"0.1.0\",\"name\":\"x\",\"uptime_s\":5,\"state\":\"FAILED\",\"streams\":[" STREAM(
               "claim", "redis claim/ingestd", "refused",
               "\"rate\":0,\"lag\":7") "],"
                                       "\"postgres\":{\"label\":\"a@b\",\"up\":false,\"state\":\"waiting\","
                                       "\"for_s\":61,\"why\":\"refused\"},"
                                       "\"conditions\":[{\"subject\":\"stream "
                                       "claim\",\"severity\":\"failed\",\"for_s\":184,"
                                       "\"since\":\"2026-01-02T14:02:11.000Z\",\"what\":\"no "
                                       "table\\u001b[2J\\n\\t"
                                       "claims\","
                                       "\"remedy\":\"make it\"},"
                                       "{\"subject\":\"postgres\",\"severity\":\"note\",\"for_s\":0,"
                                       "\"since\":\"\",\"what\":\"w\","
                                       "\"remedy\":\"\"}]}",
        false,
        "ingestd 0.1.0 · x · up 5s · FAILED\n"
        "streams   source                  rate  lag  inserted  duplicate  dead  parked\n"
        "  claim   redis claim/ingestd  refused    7         0          0     0       0\n"
        "postgres  a@b                  away 1m 1s\n"
        "! stream claim (failed since 2026-01-02 14:02:11, 3m 4s): no table?[2J  claims\n"
        "  → make it\n"
        "! postgres (note since ?, 0s): w\n");
}
END_TEST

START_TEST(why_postgres_is_away_is_said_once)
{
    expect("{\"version\":\"1\",\"name\":\"x\",\"uptime_s\":0,\"state\":\"HEALTHY\",\"streams\":[],"
           "\"postgres\":{\"label\":\"a@b\",\"state\":\"waiting\",\"for_s\":1,\"why\":\"refused\"},"
           "\"conditions\":[]}",
        false,
        "ingestd 1 · x · up 0s · HEALTHY\n"
        "streams   none is configured\n"
        "postgres  a@b  away 1s: refused\n");
}
END_TEST

START_TEST(colours_change_no_column)
{
    expect("{\"version\":\"1\",\"name\":\"x\",\"uptime_s\":0,\"state\":\"HEALTHY\",\"streams\":[],"
           "\"postgres\":{\"label\":\"a@b\",\"up\":true,\"for_s\":1},\"conditions\":[]}",
        true,
        "ingestd 1 · \033[1mx\033[0m · up 0s · \033[1;32mHEALTHY\033[0m\n"
        "streams   none is configured\n"
        "postgres  a@b  up 1s\n");
}
END_TEST

START_TEST(an_empty_answer_harms_nobody)
{
    cJSON *empty = cJSON_CreateObject();
    _cleanup_buffer_ struct buffer text = {0};
    view_status(&text, empty, false);
    view_streams(&text, NULL, false);
    ck_assert(!view_is_healthy(empty));
    ck_assert_uint_gt(text.n, 0);
    cJSON_Delete(empty);
}
END_TEST

START_TEST(cells_are_as_wide_as_their_characters)
{
    _cleanup_(grid_freep) struct grid *g = grid_new("lrl", false);
    grid_cell(g, PLAIN, "äöü");
    grid_cell(g, PLAIN, "1");
    grid_row(g);
    grid_cell(g, PLAIN, "a");
    grid_cell(g, PLAIN, "%d", 1000);
    grid_rest(g, PLAIN, "\033[31m\xc2\x9b");
    _cleanup_buffer_ struct buffer text = {0};
    grid_write(g, &text);
    ck_assert_str_eq(buffer_string(&text), "äöü     1\na    1000  ?[31m??\n");
}
END_TEST

/* The builder's own part: the words of others may be anything. */
START_TEST(the_status_is_utf8_whatever_the_words)
{
    struct fake_daemon d;
    fake_daemon_init(&d);
    char what[600];
    memset(what, 'a', sizeof(what));
    for (size_t i = 1; i + 1 < sizeof(what); i += 2)
        memcpy(what + i, "é", 2);
    what[sizeof(what) - 1] = '\0';
    health_raise(d.control.health, "long", "x", SEVERITY_NOTE, NULL, "%s", what); /* cut inside an é */
    health_raise(d.control.health, "latin1", "x", SEVERITY_DEGRADED, "\xe9t\xe9", "%s", "caf\xe9 ferm\xe9");
    cJSON *status = status_build(&d.control);
    _cleanup_free_ char *text = cJSON_PrintUnformatted(status);
    ck_assert(text_is_utf8(text, strlen(text)));
    ck_assert_ptr_nonnull(strstr(text, "caf? ferm?"));
    ck_assert_ptr_nonnull(strstr(text, "aéé"));
    cJSON_Delete(status);
    fake_daemon_done(&d);
}
END_TEST

START_TEST(the_state_is_that_of_the_gravest_condition)
{
    struct fake_daemon d;
    fake_daemon_init(&d);
    struct health *h = d.control.health;
    ck_assert_str_eq(status_state(&d.control), "HEALTHY");
    health_raise(h, "a", "x", SEVERITY_NOTE, NULL, "a note");
    ck_assert_str_eq(status_state(&d.control), "HEALTHY");
    health_raise(h, "b", "x", SEVERITY_DEGRADED, NULL, "worse");
    ck_assert_str_eq(status_state(&d.control), "DEGRADED");
    health_raise(h, "c", "x", SEVERITY_FAILED, NULL, "worst");
    ck_assert_str_eq(status_state(&d.control), "FAILED");
    d.stopping = true;
    ck_assert_str_eq(status_state(&d.control), "STOPPING");
    fake_daemon_done(&d);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        all_is_well,
        what_is_wrong_is_named_with_its_remedy,
        why_postgres_is_away_is_said_once,
        colours_change_no_column,
        an_empty_answer_harms_nobody,
        cells_are_as_wide_as_their_characters,
        the_status_is_utf8_whatever_the_words,
        the_state_is_that_of_the_gravest_condition,
    };
    return run_tests("view", tests, N_ELEMENTS(tests));
}
