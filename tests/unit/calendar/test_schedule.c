#include "../util/suite.h"
#include "calendar/schedule.h"
#include "moment.h"
#include "util/clock.h"

static struct schedule *parse(const char *text, const char *zone)
{
    struct schedule *s;
    struct error err;
    ck_assert_msg(schedule_parse(text, zone, &s, &err) == 0, "%s: %s", text, err.text);
    ck_assert_str_eq(schedule_text(s), text);
    return s;
}

START_TEST(intervals_are_multiples_since_1970)
{
    static const struct {
        const char *text, *at, *before, *after;
    } list[] = {
        {"every 10m", "2026-05-17 10:29", "2026-05-17 10:20", "2026-05-17 10:30"},
        {"every 10m", "2026-05-17 10:30", "2026-05-17 10:20", "2026-05-17 10:40"},
        {" Every\t1H ", "1969-12-31 23:30", "1969-12-31 23:00", "1970-01-01 00:00"},
        {"every 1s", "1970-01-01 00:00", "1969-12-31 23:59:59", "1970-01-01 00:00:01"},
        {"every 7d", "2026-05-17 10:30", "2026-05-14 00:00", "2026-05-21 00:00"},
        {"every 366d", "1970-01-01 00:00", "1968-12-31 00:00", "1971-01-02 00:00"},
        {"every 2000ms", "1970-01-01 00:00:01", "1970-01-01 00:00", "1970-01-01 00:00:02"},
    };
    char out[40];
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_(schedule_freep) struct schedule *s = parse(list[i].text, "Europe/Berlin");
        int64_t at = moment(list[i].at) * US_PER_SEC;
        ck_assert_str_eq(shown(schedule_next(s, at) / US_PER_SEC, out), list[i].after);
        ck_assert_str_eq(shown(schedule_previous(s, at) / US_PER_SEC, out), list[i].before);
    }
}
END_TEST

START_TEST(mistakes_are_told)
{
    static const struct {
        const char *text, *zone, *words;
    } list[] = {
        {"every", NULL, "every \"\" is no interval"},
        {"every 0s", NULL, "every \"0s\" is never or always"},
        {"every 0ms", NULL, "never or always"},
        {"every -10m", NULL, "every \"-10m\" is negative"},
        {"every 10", NULL, "every \"10\" is no interval"},
        {"every 10 m", NULL, "is no interval"},
        {"every 1.5h", NULL, "is no interval"},
        {"every 1h30m", NULL, "is no interval"},
        {"every 1w", NULL, "is no interval"},
        {"every day", NULL, "is no interval"},
        {"every 500ms", NULL, "is not a number of whole seconds"},
        {"every 1500ms", NULL, "is not a number of whole seconds"},
        {"every 367d", NULL, "is too long: at most 366d"},
        {"every 31622401s", NULL, "is too long"},
        {"every 99999999999999999999d", NULL, "is no interval"},
        {"every \x1b[2J", NULL, "every \"?[2J\" is no interval"},
        {"everyday", NULL, "has 1 field, not five"},
        {"10m", NULL, "write \"every 10m\""},
        {"", NULL, "is empty"},
        {"0 0 31 2 *", NULL, "never fires"},
        {"* * * * *", "Europe/Atlantis", "\"Europe/Atlantis\" is not a time zone"},
        {"* * * * *", "", "\"\" is not a time zone"},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct schedule *s = NULL;
        struct error err = {0};
        ck_assert_msg(schedule_parse(list[i].text, list[i].zone, &s, &err) == -1, "%s", list[i].text);
        ck_assert_msg(strstr(err.text, list[i].words), "%s: %s", list[i].text, err.text);
        ck_assert_ptr_null(s);
    }
}
END_TEST

/* All firings after one instant and before another, in UTC, both ways. */
static const struct {
    const char *zone, *line, *from, *to;
    const char *firings[6];
} changes[] = {
    /* spring, clocks skip 02:00-03:00 */
    {"Europe/Berlin", "30 2 * * *", "2026-03-28 00:00", "2026-03-30 12:00",
        {"2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"}},
    {"Europe/Berlin", "0 2 * * *", "2026-03-28 12:00", "2026-03-29 12:00", {"2026-03-29 01:00"}},
    {"Europe/Berlin", "0 2,3 * * *", "2026-03-28 12:00", "2026-03-29 12:00", {"2026-03-29 01:00"}},
    {"Europe/Berlin", "0,30 2,3 * * *", "2026-03-28 12:00", "2026-03-29 12:00",
        {"2026-03-29 01:00", "2026-03-29 01:30"}},
    {"Europe/Berlin", "30 2 29 3 *", "2026-01-01 00:00", "2027-01-01 00:00", {"2026-03-29 01:00"}},
    {"Europe/Berlin", "*/30 2 * * *", "2026-03-28 12:00", "2026-03-30 00:15", {"2026-03-30 00:00"}},
    {"Europe/Berlin", "30 * * * *", "2026-03-29 00:00", "2026-03-29 02:00",
        {"2026-03-29 00:30", "2026-03-29 01:30"}},
    /* autumn, 02:00-03:00 comes twice */
    {"Europe/Berlin", "30 2 * * *", "2026-10-24 12:00", "2026-10-26 12:00",
        {"2026-10-25 00:30", "2026-10-26 01:30"}},
    {"Europe/Berlin", "0 3 * * *", "2026-10-24 12:00", "2026-10-25 12:00", {"2026-10-25 02:00"}},
    {"Europe/Berlin", "*/30 2 * * *", "2026-10-24 12:00", "2026-10-25 12:00",
        {"2026-10-25 00:00", "2026-10-25 00:30", "2026-10-25 01:00", "2026-10-25 01:30"}},
    {"Europe/Berlin", "30 * * * *", "2026-10-25 00:00", "2026-10-25 03:00",
        {"2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 02:30"}},
    {"America/New_York", "30 2 * * *", "2026-03-08 00:00", "2026-03-09 12:00",
        {"2026-03-08 07:00", "2026-03-09 06:30"}},
    {"America/New_York", "30 1 * * *", "2026-11-01 00:00", "2026-11-02 12:00",
        {"2026-11-01 05:30", "2026-11-02 06:30"}},
    /* half an hour */
    {"Australia/Lord_Howe", "15 2 * * *", "2026-10-03 00:00", "2026-10-04 18:00",
        {"2026-10-03 15:30", "2026-10-04 15:15"}},
    {"Australia/Lord_Howe", "45 1 * * *", "2026-04-04 00:00", "2026-04-05 18:00",
        {"2026-04-04 14:45", "2026-04-05 15:15"}},
    {"Australia/Lord_Howe", "45 * * * *", "2026-04-04 14:30", "2026-04-04 16:30",
        {"2026-04-04 14:45", "2026-04-04 15:15", "2026-04-04 16:15"}},
    /* a day that was not; and one that came twice */
    {"Pacific/Apia", "0 12 * * *", "2011-12-29 12:00", "2012-01-01 12:00",
        {"2011-12-29 22:00", "2011-12-30 10:00", "2011-12-30 22:00", "2011-12-31 22:00"}},
    {"Pacific/Apia", "0 12 30 12 *", "2011-06-01 00:00", "2012-06-01 00:00", {"2011-12-30 10:00"}},
    {"Pacific/Apia", "* * 30 12 *", "2011-12-01 00:00", "2012-01-01 00:00", {NULL}},
    {"Pacific/Kwajalein", "0 12 * * *", "1969-09-29 12:00", "1969-10-02 12:00",
        {"1969-09-30 01:00", "1969-10-02 00:00"}},
    /* at midnight */
    {"America/Sao_Paulo", "0 0 * * *", "2018-11-03 12:00", "2018-11-05 12:00",
        {"2018-11-04 03:00", "2018-11-05 02:00"}},
    {"America/Sao_Paulo", "30 23 * * *", "2018-02-17 12:00", "2018-02-19 12:00",
        {"2018-02-18 01:30", "2018-02-19 02:30"}},
    {"America/Havana", "0 0 * * *", "2026-03-07 12:00", "2026-03-09 12:00",
        {"2026-03-08 05:00", "2026-03-09 04:00"}},
    {"America/Havana", "30 0 * * *", "2026-10-31 12:00", "2026-11-02 12:00",
        {"2026-11-01 04:30", "2026-11-02 05:30"}},
    {"Asia/Beirut", "15 0 * * *", "2026-03-28 12:00", "2026-03-30 12:00",
        {"2026-03-28 22:00", "2026-03-29 21:15"}},
    {"Asia/Beirut", "15 23 * * *", "2026-10-24 12:00", "2026-10-25 22:00",
        {"2026-10-24 20:15", "2026-10-25 21:15"}},
    /* none, and backwards in a month of fasting */
    {"Asia/Kolkata", "0 0 * * sun", "2026-05-16 00:00", "2026-05-24 00:00",
        {"2026-05-16 18:30", "2026-05-23 18:30"}},
    {"Africa/Casablanca", "30 2 * * *", "2026-02-14 12:00", "2026-02-16 12:00",
        {"2026-02-15 01:30", "2026-02-16 02:30"}},
    {"Africa/Casablanca", "30 2 * * *", "2026-03-21 12:00", "2026-03-23 12:00",
        {"2026-03-22 02:00", "2026-03-23 01:30"}},
    {NULL, "30 2 29 2 *", "2096-01-01 00:00", "2109-01-01 00:00",
        {"2096-02-29 02:30", "2104-02-29 02:30", "2108-02-29 02:30"}},
    {"Europe/Berlin", "* 0-0 29 2 *", "2096-02-28 23:58:30", "2104-02-28 23:01:30",
        {"2096-02-28 23:59", "2104-02-28 23:00", "2104-02-28 23:01"}},
};

START_TEST(clocks_change)
{
    const size_t i = (size_t)_i;
    _cleanup_(schedule_freep) struct schedule *s = parse(changes[i].line, changes[i].zone);
    int64_t from = moment(changes[i].from) * US_PER_SEC, to = moment(changes[i].to) * US_PER_SEC, at = from;
    char out[40];
    size_t n = 0;
    for (; n < N_ELEMENTS(changes[i].firings) && changes[i].firings[n]; n++) {
        at = schedule_next(s, at);
        ck_assert_str_eq(shown(at / US_PER_SEC, out), changes[i].firings[n]);
    }
    ck_assert_int_ge(schedule_next(s, at), to);
    for (at = to; n-- > 0;) {
        at = schedule_previous(s, at);
        ck_assert_str_eq(shown(at / US_PER_SEC, out), changes[i].firings[n]);
    }
    ck_assert_int_le(schedule_previous(s, at), from);
}
END_TEST

START_TEST(neither_at_nor_a_microsecond_off)
{
    static const char *const list[] = {"every 10m", "*/10 * * * *", "0-59/10 0-23 * * *"};
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_(schedule_freep) struct schedule *s = parse(list[i], NULL);
        int64_t at = moment("2026-05-17 10:30") * US_PER_SEC, ten = 600 * US_PER_SEC;
        ck_assert_int_eq(schedule_next(s, at - 1), at);
        ck_assert_int_eq(schedule_next(s, at), at + ten);
        ck_assert_int_eq(schedule_next(s, at + 1), at + ten);
        ck_assert_int_eq(schedule_previous(s, at + 1), at);
        ck_assert_int_eq(schedule_previous(s, at), at - ten);
        ck_assert_int_eq(schedule_previous(s, at - 1), at - ten);
    }
}
END_TEST

START_TEST(the_ends_of_time)
{
    static const char *const list[] = {
        "every 1s", "every 366d", "* * * * *", "0 0 29 2 *", "0 0 1 1 1", "* 0 29 2 */7"};
    static const char *const zones[] = {"UTC", "Europe/Berlin", "Pacific/Apia"};
    for (size_t i = 0; i < N_ELEMENTS(list) * N_ELEMENTS(zones); i++) {
        _cleanup_(schedule_freep) struct schedule *s = parse(list[i / 3], zones[i % 3]);
        ck_assert(schedule_next(s, INT64_MAX) == INT64_MAX);
        ck_assert(schedule_next(s, moment("2999-12-31 23:59:59") * US_PER_SEC) == INT64_MAX);
        ck_assert(schedule_previous(s, INT64_MIN) == INT64_MIN);
        ck_assert(schedule_previous(s, moment("1900-01-01 00:00") * US_PER_SEC) == INT64_MIN);
        int64_t first = schedule_next(s, INT64_MIN), last = schedule_previous(s, INT64_MAX);
        ck_assert(first >= moment("1900-01-01 00:00") * US_PER_SEC);
        ck_assert(schedule_previous(s, first) == INT64_MIN);
        ck_assert(last <= moment("2999-12-31 23:59:59") * US_PER_SEC && last > first);
        ck_assert(schedule_next(s, last) == INT64_MAX);
    }
}
END_TEST

/* It follows the instants, and its hour is always the one that is skipped. */
START_TEST(a_line_may_wait_for_ever)
{
    _cleanup_(schedule_freep) struct schedule *s = parse("*/5 2 8-14 3 */7", "America/New_York");
    ck_assert(schedule_next(s, moment("2026-01-01 00:00") * US_PER_SEC) == INT64_MAX);
    ck_assert(schedule_previous(s, moment("2026-01-01 00:00") * US_PER_SEC) <
              moment("2007-01-01 00:00") * US_PER_SEC);
}
END_TEST

START_TEST(a_year_of_minutes)
{
    _cleanup_(schedule_freep) struct schedule *s = parse("* * * * *", "Europe/Berlin");
    int64_t at = moment("2025-12-31 23:59") * US_PER_SEC, end = moment("2027-01-01 00:00") * US_PER_SEC;
    int64_t began = clock_mono_us(), n = 0;
    while ((at = schedule_next(s, at)) < end)
        n++;
    printf("a year of minutes: %.0f ms\n", (double)(clock_mono_us() - began) / 1000);
    ck_assert_int_eq(n, 365 * 1440);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {intervals_are_multiples_since_1970, mistakes_are_told,
        neither_at_nor_a_microsecond_off, the_ends_of_time, a_line_may_wait_for_ever, a_year_of_minutes};
    Suite *suite = suite_create("schedule");
    TCase *tcase = add_case(suite, "schedule", NULL, NULL);
    for (size_t i = 0; i < N_ELEMENTS(tests); i++)
        tcase_add_test(tcase, tests[i]);
    tcase_add_loop_test(tcase, clocks_change, 0, N_ELEMENTS(changes));
    return run_suite(suite);
}
