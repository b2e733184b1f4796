#include "../util/suite.h"
#include "calendar/zone.h"
#include "moment.h"

static struct zone *open_zone(const char *name)
{
    struct zone *z;
    struct error err;
    ck_assert_msg(zone_open(name, &z, &err) == 0, "%s", err.text);
    return z;
}

START_TEST(unknown_zones_are_refused)
{
    static const char *const bad[] = {"Europe/Atlantis", "../../../etc/passwd", "Europe/../UTC",
        "/etc/localtime", "zone.tab", "Europe", "Europe/", "posix/UTC", "right/UTC", "leapseconds",
        "Europe//Berlin", "UTC'", "tzdata.zi", "", " UTC", "CET-1CEST", ":UTC", "utc", "europe/berlin",
        "A2345678901234567890123456789012345678901234567890123456789012345"};
    struct zone *z = NULL;
    struct error err;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        ck_assert_msg(zone_open(bad[i], &z, &err) == -1, "%s", bad[i]);
        ck_assert_msg(strstr(err.text, "is not a time zone"), "%s", err.text);
        ck_assert_ptr_null(z);
    }
    ck_assert_int_eq(zone_open("Mars\x1b[31m/\xc3\xa4", &z, &err), -1);
    for (const char *p = err.text; *p; p++)
        ck_assert_msg(*p >= ' ' && *p <= '~', "%s", err.text);
}
END_TEST

START_TEST(clocks_show)
{
    static const struct {
        const char *zone, *instant, *local;
    } list[] = {
        {"UTC", "2026-03-29 01:00", "2026-03-29 01:00"},
        {"Etc/UTC", "2026-03-29 01:00", "2026-03-29 01:00"},
        {"Europe/Berlin", "2026-03-29 00:59:59", "2026-03-29 01:59:59"},
        {"Europe/Berlin", "2026-03-29 01:00", "2026-03-29 03:00"},
        {"Europe/Berlin", "2026-10-25 00:59:59", "2026-10-25 02:59:59"},
        {"Europe/Berlin", "2026-10-25 01:00", "2026-10-25 02:00"},
        {"Europe/Berlin", "2426-07-01 00:00", "2426-07-01 02:00"},
        {"Europe/Berlin", "1890-01-01 00:00", "1890-01-01 00:53:28"},
        {"Europe/Dublin", "2026-07-01 00:00", "2026-07-01 01:00"},
        {"America/New_York", "2026-03-08 07:00", "2026-03-08 03:00"},
        {"America/Nuuk", "2030-03-31 00:59", "2030-03-30 22:59"},
        {"America/Nuuk", "2030-03-31 01:00", "2030-03-31 00:00"},
        {"Australia/Lord_Howe", "2026-04-04 15:00", "2026-04-05 01:30"},
        {"Asia/Kolkata", "2026-01-01 00:00", "2026-01-01 05:30"},
        {"Pacific/Apia", "2011-12-30 09:59:59", "2011-12-29 23:59:59"},
        {"Pacific/Apia", "2011-12-30 10:00", "2011-12-31 00:00"},
        {"Africa/Casablanca", "2026-02-15 01:59", "2026-02-15 02:59"},
        {"Africa/Casablanca", "2026-02-15 02:00", "2026-02-15 02:00"},
        {"Etc/GMT+1", "2026-01-01 00:00", "2025-12-31 23:00"},
    };
    char out[40];
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_(zone_freep) struct zone *z = open_zone(list[i].zone);
        ck_assert_str_eq(zone_name(z), list[i].zone);
        ck_assert_str_eq(shown(zone_local(z, moment(list[i].instant)), out), list[i].local);
    }
}
END_TEST

START_TEST(a_clock_time_has_none_one_or_two_instants)
{
    static const struct {
        const char *zone, *local;
        int n;
        const char *instants[2];
        const char *reached;
    } list[] = {
        {"UTC", "2026-03-29 02:30", 1, {"2026-03-29 02:30"}, "2026-03-29 02:30"},
        {"Europe/Berlin", "2026-03-29 01:59:59", 1, {"2026-03-29 00:59:59"}, "2026-03-29 00:59:59"},
        {"Europe/Berlin", "2026-03-29 02:00", 0, {NULL}, "2026-03-29 01:00"},
        {"Europe/Berlin", "2026-03-29 02:59:59", 0, {NULL}, "2026-03-29 01:00"},
        {"Europe/Berlin", "2026-03-29 03:00", 1, {"2026-03-29 01:00"}, "2026-03-29 01:00"},
        {"Europe/Berlin", "2026-10-25 02:30", 2, {"2026-10-25 00:30", "2026-10-25 01:30"},
            "2026-10-25 00:30"},
        {"Europe/Berlin", "2026-10-25 03:00", 1, {"2026-10-25 02:00"}, "2026-10-25 02:00"},
        {"Pacific/Apia", "2011-12-30 12:00", 0, {NULL}, "2011-12-30 10:00"},
        {"Pacific/Kwajalein", "1969-09-30 12:00", 2, {"1969-09-30 01:00", "1969-10-01 00:00"},
            "1969-09-30 01:00"},
        {"Australia/Lord_Howe", "2026-10-04 02:15", 0, {NULL}, "2026-10-03 15:30"},
        {"Australia/Lord_Howe", "2026-04-05 01:45", 2, {"2026-04-04 14:45", "2026-04-04 15:15"},
            "2026-04-04 14:45"},
    };
    char out[40];
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_(zone_freep) struct zone *z = open_zone(list[i].zone);
        int64_t instants[2];
        ck_assert_int_eq(zone_instants(z, moment(list[i].local), instants), list[i].n);
        for (int k = 0; k < list[i].n; k++)
            ck_assert_str_eq(shown(instants[k], out), list[i].instants[k]);
        ck_assert_str_eq(shown(zone_reached(z, moment(list[i].local)), out), list[i].reached);
    }
}
END_TEST

START_TEST(the_latest_time_shown_does_not_go_back)
{
    _cleanup_(zone_freep) struct zone *z = open_zone("Europe/Berlin");
    char out[40];
    ck_assert_str_eq(shown(zone_latest(z, moment("2026-10-25 00:59")), out), "2026-10-25 02:59");
    ck_assert_str_eq(shown(zone_latest(z, moment("2026-10-25 01:00")), out), "2026-10-25 02:59:59");
    ck_assert_str_eq(shown(zone_latest(z, moment("2026-10-25 01:59:59")), out), "2026-10-25 02:59:59");
    ck_assert_str_eq(shown(zone_latest(z, moment("2026-10-25 02:00")), out), "2026-10-25 03:00");
}
END_TEST

/* Many years there and back, so that what is kept is thrown out and looked up again. */
START_TEST(what_is_kept_is_kept_right)
{
    _cleanup_(zone_freep) struct zone *z = open_zone("America/New_York");
    for (int round = 0; round < 3; round++)
        for (int year = 1976; year < 2100; year++) {
            char text[64];
            snprintf(text, sizeof(text), "%d-01-15 12:00", round == 1 ? 4075 - year : year);
            ck_assert_int_eq(moment(text) - zone_local(z, moment(text)), 5 * 3600);
        }
}
END_TEST

START_TEST(spans_meet_and_hold)
{
    _cleanup_(zone_freep) struct zone *z = open_zone("Africa/Casablanca");
    int64_t at = moment("2000-01-01 00:00"), end = moment("2050-01-01 00:00");
    int changes = 0;
    for (struct zone_span span, before = zone_span_at(z, at); at < end; before = span, at = span.to) {
        span = zone_span_at(z, at);
        ck_assert(span.from <= at && at < span.to);
        ck_assert(at == moment("2000-01-01 00:00") || span.from == before.to);
        ck_assert_int_eq(zone_local(z, span.to - 1) - (span.to - 1), span.offset);
        changes += span.offset != before.offset;
    }
    ck_assert_int_gt(changes, 50); /* each Ramadan has two */
}
END_TEST

START_TEST(the_process_keeps_its_own_zone)
{
    static const char *const own[] = {"Asia/Tokyo", ":America/New_York", "", NULL};
    for (size_t i = 0; i < N_ELEMENTS(own); i++) {
        time_t when = moment("2026-07-01 00:00");
        struct tm before, after;
        if (own[i])
            setenv("TZ", own[i], 1);
        else
            unsetenv("TZ");
        tzset();
        localtime_r(&when, &before);
        _cleanup_(zone_freep) struct zone *z = open_zone("Australia/Lord_Howe");
        ck_assert_int_eq(zone_local(z, when) - when, 37800);
        localtime_r(&when, &after);
        ck_assert_int_eq(before.tm_gmtoff, after.tm_gmtoff);
        if (own[i])
            ck_assert_str_eq(getenv("TZ"), own[i]);
        else
            ck_assert_ptr_null(getenv("TZ"));
    }
}
END_TEST

START_TEST(far_times_are_harmless)
{
    static const char *const zones[] = {"UTC", "Europe/Berlin", "Pacific/Apia"};
    static const int64_t far[] = {
        INT64_MIN, INT64_MIN + 1, -INT64_C(200000000000), INT64_C(200000000000), INT64_MAX - 1, INT64_MAX};
    for (size_t i = 0; i < N_ELEMENTS(zones); i++)
        for (size_t k = 0; k < N_ELEMENTS(far); k++) {
            _cleanup_(zone_freep) struct zone *z = open_zone(zones[i]);
            int64_t instants[2], edge = far[k] < 0 ? -INT64_C(157680000000) : INT64_C(157680000000);
            ck_assert(labs(zone_local(z, far[k]) - edge) <= 86400);
            ck_assert_int_eq(zone_instants(z, far[k], instants), 1);
            ck_assert(labs(zone_reached(z, far[k]) - edge) <= 86400);
            ck_assert(labs(zone_latest(z, far[k]) - edge) <= 86400);
            ck_assert_int_lt(zone_span_at(z, far[k]).from, zone_span_at(z, far[k]).to);
        }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {unknown_zones_are_refused, clocks_show,
        a_clock_time_has_none_one_or_two_instants, the_latest_time_shown_does_not_go_back,
        what_is_kept_is_kept_right, spans_meet_and_hold, the_process_keeps_its_own_zone,
        far_times_are_harmless};
    return run_tests("zone", tests, N_ELEMENTS(tests));
}
