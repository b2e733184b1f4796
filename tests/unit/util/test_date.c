/* Days of the calendar, and names with a date in them. */
#include "suite.h"
#include "util/date.h"

START_TEST(what_is_a_date)
{
    static const char *const good[] = {"2016-02-29", "1000-01-01", "9998-12-31"};
    static const char *const bad[] = {"", "2016", "2016-02", "2015-02-29", "2016-13-01", "2016-00-01",
        "2016-1-01", "20160201", "2016-02-01 ", "2016-02-01T", "0999-12-31", "9999-01-01", "2016-02-0x",
        "-016-02-01"};
    for (size_t i = 0; i < N_ELEMENTS(good); i++)
        ck_assert_msg(date_is_good(good[i]), "%s", good[i]);
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        ck_assert_msg(!date_is_good(bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(the_day_of_a_time)
{
    char day[DATE_SIZE];
    date_of_time(INT64_C(1767323045678000), day);
    ck_assert_str_eq(day, "2026-01-02");
    date_of_time(-1, day);
    ck_assert_str_eq(day, "1969-12-31");
}
END_TEST

START_TEST(the_next)
{
    static const struct {
        const char *from, *day, *month;
    } list[] = {
        {"2016-02-28", "2016-02-29", "2016-03-01"},
        {"2016-02-29", "2016-03-01", "2016-03-01"},
        {"2015-12-31", "2016-01-01", "2016-01-01"},
        {"2016-01-31", "2016-02-01", "2016-02-01"},
        {"2016-02-01", "2016-02-02", "2016-03-01"},
        {"2016-11-30", "2016-12-01", "2016-12-01"},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        char day[DATE_SIZE], month[DATE_SIZE];
        memcpy(day, list[i].from, DATE_SIZE);
        memcpy(month, list[i].from, DATE_SIZE);
        date_next(day, DATE_DAY);
        date_next(month, DATE_MONTH);
        ck_assert_str_eq(day, list[i].day);
        ck_assert_str_eq(month, list[i].month);
    }
}
END_TEST

START_TEST(patterns)
{
    ck_assert_int_eq(date_pattern("https://h/a%20b%dc.csv"), DATE_PATTERN_NONE);
    ck_assert_int_eq(date_pattern("https://h/%Y.csv"), DATE_PATTERN_BROKEN);
    ck_assert_int_eq(date_pattern("https://h/%Y%d.csv"), DATE_PATTERN_BROKEN);
    ck_assert_int_eq(date_pattern("https://h/%m/%Y"), DATE_PATTERN_MONTHS);
    ck_assert_int_eq(date_pattern("https://h/%m/%Y/%d"), DATE_PATTERN_DAYS);
    ck_assert_int_eq(date_pattern("https://h/%Y%m%d00.csv"), DATE_PATTERN_DAYS);
    _cleanup_free_ char *url = date_fill("https://h/a%20b/%Y/%m-%d/%Y%m%d%", "2016-02-07");
    ck_assert_str_eq(url, "https://h/a%20b/2016/02-07/20160207%");
}
END_TEST

START_TEST(escapes_of_a_url)
{
    /* "дамп", and a "ß" that no date stands beside */
    ck_assert_int_eq(date_pattern("https://h/%d0%b4%d0%b0%d0%bc%d0%bf.csv"), DATE_PATTERN_NONE);
    ck_assert_int_eq(date_pattern("https://h/stra%dfe-%m.csv"), DATE_PATTERN_NONE);
    static const char months[] = "https://h/%d0%B4%d1%8f/%Y-%m.csv", cut[] = "https://h/%Y%m%d1%";
    ck_assert_int_eq(date_pattern(months), DATE_PATTERN_MONTHS);
    ck_assert_int_eq(date_pattern(cut), DATE_PATTERN_DAYS);
    _cleanup_free_ char *month = date_fill(months, "2016-02-07");
    ck_assert_str_eq(month, "https://h/%d0%B4%d1%8f/2016-02.csv");
    _cleanup_free_ char *day = date_fill("https://h/%d0%b4%Y%m%d00%d%20%d0%bf", "2016-02-07");
    ck_assert_str_eq(day, "https://h/%d0%b4201602070007%20%d0%bf");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_is_a_date, the_day_of_a_time, the_next, patterns, escapes_of_a_url};
    return run_tests("date", tests, N_ELEMENTS(tests));
}
