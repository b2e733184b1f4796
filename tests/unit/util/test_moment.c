/* Days and moments as text. */
#include "suite.h"
#include "util/moment.h"

#include "util/cleanup.h"

START_TEST(what_is_one)
{
    static const struct {
        const char *text, *read;
        enum moment_kind kind;
    } list[] = {
        {"2016-02-29", "2016-02-29", MOMENT_DAY},
        {"2016-02-29 00:00:00", "2016-02-29 00:00:00", MOMENT_TIME},
        {"2026-11-21 23:59:59.123456", "2026-11-21 23:59:59.123456", MOMENT_TIME},
        {"2026-11-21 13:45:10.120000", "2026-11-21 13:45:10.12", MOMENT_TIME},
        {"2026-11-21 13:45:10.0", "2026-11-21 13:45:10", MOMENT_TIME},
        {"2026-11-21 13:45:00.000000", "2026-11-21 13:45:00", MOMENT_TIME},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        char read[MOMENT_SIZE];
        ck_assert_int_eq(moment_read(list[i].text, read), list[i].kind);
        ck_assert_str_eq(read, list[i].read);
    }
}
END_TEST

START_TEST(what_is_none)
{
    static const char *const bad[] = {"", "2016-2-7", "2015-02-29", "2015-02-29 10:00:00",
        "2016-02-07T10:00:00", "2016-02-07 10:00", "2016-02-07 24:00:00", "2016-02-07 10:60:00",
        "2016-02-07 23:59:60", "2016-02-07 10:00:00.", "2016-02-07 10:00:00.1234567", "2016-02-07 10:00:00Z",
        "2016-02-07 10:00:00.1Z", "2016-02-07 10:00:00 ", "0999-12-31 10:00:00", "2016-02-07 1a:00:00",
        "2016-02-07 10:00:00,5"};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        char read[MOMENT_SIZE];
        ck_assert_msg(moment_read(bad[i], read) == MOMENT_NONE, "%s", bad[i]);
    }
}
END_TEST

START_TEST(what_databases_write)
{
    static const struct {
        const char *text, *day, *time;
    } list[] = {
        {"2016-02-07", "2016-02-07", "2016-02-07"},
        {"2016-02-07 00:00:00", "2016-02-07", "2016-02-07 00:00:00"},
        {"2016-02-07 00:00:00.000000", "2016-02-07", "2016-02-07 00:00:00"},
        {"2016-02-07 10:20:30.500000", "2016-02-07 10:20:30.5", "2016-02-07 10:20:30.5"},
        {"2016-02-07 10:20:30.000001", "2016-02-07 10:20:30.000001", "2016-02-07 10:20:30.000001"},
        {"", "", ""},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_free_ char *day = xstrdup(list[i].text), *time = xstrdup(list[i].text);
        moment_tidy(day, true);
        moment_tidy(time, false);
        ck_assert_str_eq(day, list[i].day);
        ck_assert_str_eq(time, list[i].time);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_is_one, what_is_none, what_databases_write};
    return run_tests("moment", tests, N_ELEMENTS(tests));
}
