/* Times as text, and back. */
#include "suite.h"
#include "util/clock.h"

START_TEST(times_are_read)
{
    static const struct {
        const char *text;
        int64_t us;
    } list[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-01-02T03:04:05.678Z", INT64_C(1767323045678000)},
        {"2026-01-02t03:04:05.678z", INT64_C(1767323045678000)},
        {"2026-01-02 03:04:05Z", INT64_C(1767323045000000)},
        {"2026-01-02T03:04:05.6Z", INT64_C(1767323045600000)},
        {"2026-01-02T03:04:05.1234567899Z", INT64_C(1767323045123456)},
        {"2026-01-02T05:04:05+02:00", INT64_C(1767323045000000)},
        {"2026-01-01T21:34:05-05:30", INT64_C(1767323045000000)},
        {"2026-01-02T03:04:05-00:00", INT64_C(1767323045000000)},
        {"1969-12-31T23:59:59.999Z", -1000},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000000)},
        {"0001-01-01T00:00:00Z", INT64_C(-62135596800000000)},
        {"9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999)},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        int64_t us = 7;
        ck_assert_msg(clock_parse_utc(list[i].text, &us) == 0, "%s", list[i].text);
        ck_assert_msg(us == list[i].us, "%s: %lld", list[i].text, (long long)us);
    }
}
END_TEST

START_TEST(what_is_no_time_is_refused)
{
    static const char *const list[] = {"", "Z", "now", "2026-01-02", "2026-01-02T03:04:05",
        "2026-01-02T03:04Z", "2026-1-2T03:04:05Z", "2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-02-31T00:00:00Z", "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "-2026-01-01T00:00:00Z",
        "+026-01-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00+0200",
        "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+02:60", "2026-01-01T00:00:00+02:0",
        "2026-01-01T00:00:00+2:00", "2026-01-01T00:00:00+", "2026-01-01T00:00:00 Z", " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z ", "2026-01-01T00:00:00ZZ", "2026-01-01_00:00:00Z", "2026/01/01T00:00:00Z",
        "2026-01-01T 0:00:00Z", "2026-01-01T00:00:00\xe2\x80\x8bZ", "99999999999999999999"};
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        int64_t us = 7;
        ck_assert_msg(clock_parse_utc(list[i], &us) == -1, "%s", list[i]);
        ck_assert_int_eq(us, 7);
    }
}
END_TEST

START_TEST(what_was_written_is_read)
{
    char text[40];
    /* From the year 1000: before, strftime does not fill with zeros. */
    for (int64_t us = INT64_C(-30610224000000000); us < INT64_C(253402300799000000);
         us += INT64_C(7777777777777000)) {
        int64_t back = 0;
        clock_format_utc(us, text, sizeof(text));
        ck_assert_msg(clock_parse_utc(text, &back) == 0 && back == us, "%s", text);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {times_are_read, what_is_no_time_is_refused, what_was_written_is_read};
    return run_tests("clock", tests, N_ELEMENTS(tests));
}
