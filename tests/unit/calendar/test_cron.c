#include "../util/suite.h"
#include "calendar/cron.h"
#include "moment.h"

static struct cron parse(const char *text)
{
    struct cron c;
    struct error err;
    ck_assert_msg(cron_parse(text, &c, &err) == 0, "%s: %s", text, err.text);
    return c;
}

/* The values of a field, as "0 15 30 45". */
static const char *values(uint64_t bits, char out[256])
{
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < 64; i++)
        if (bits >> i & 1)
            n += (size_t)snprintf(out + n, 256 - n, n ? " %d" : "%d", i);
    return out;
}

START_TEST(fields_hold)
{
    static const struct {
        const char *line;
        const char *minutes, *hours, *days, *months, *weekdays;
    } list[] = {
        {"0 0 1 1 1", "0", "0", "1", "1", "1"},
        {"59 23 31 12 6", "59", "23", "31", "12", "6"},
        {"*/15 */6 */10 */4 */2", "0 15 30 45", "0 6 12 18", "1 11 21 31", "1 5 9", "0 2 4 6"},
        {"10-40/10 8-17/3 1-7 jan-mar mon-fri", "10 20 30 40", "8 11 14 17", "1 2 3 4 5 6 7", "1 2 3",
            "1 2 3 4 5"},
        {"5,1,3,3 0,12 1,15-17,31 JAN,Jul,12 Sun,SAT", "1 3 5", "0 12", "1 15 16 17 31", "1 7 12", "0 6"},
        {" 007\t\t08 09 01  7\n", "7", "8", "9", "1", "0"},
        {"0 0 1 1 5-7", "0", "0", "1", "1", "0 5 6"},
        {"0 0 1 1 fri-sun", "0", "0", "1", "1", "0 5 6"},
        {"0 0 1 1 sun-tue", "0", "0", "1", "1", "0 1 2"},
        {"0 0 1 1 sun-sun", "0", "0", "1", "1", "0"},
        {"0 0 1 1 0-7", "0", "0", "1", "1", "0 1 2 3 4 5 6"},
        {"0 0 1 1 */7", "0", "0", "1", "1", "0"},
        {"0-59/59 */23 1-31/30 */12 1-6/5", "0 59", "0 23", "1 31", "1", "1 6"},
        {"0 0 1-5,10-20/5 1 1", "0", "0", "1 2 3 4 5 10 15 20", "1", "1"},
    };
    char out[256];
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct cron c = parse(list[i].line);
        ck_assert_str_eq(values(c.minutes, out), list[i].minutes);
        ck_assert_str_eq(values(c.hours, out), list[i].hours);
        ck_assert_str_eq(values(c.days, out), list[i].days);
        ck_assert_str_eq(values(c.months, out), list[i].months);
        ck_assert_str_eq(values(c.weekdays, out), list[i].weekdays);
    }
}
END_TEST

START_TEST(stars_mean_more_than_their_values)
{
    static const struct {
        const char *line;
        bool by_instant, either_day;
    } list[] = {{"0 0 * * *", false, false}, {"* 0 * * *", true, false}, {"0 * * * *", true, false},
        {"*/5 3 * * *", true, false}, {"0-59 0-23 * * *", false, false}, {"0,* 0 * * *", false, false},
        {"0 0 1 * 1", false, true}, {"0 0 1 * *", false, false}, {"0 0 * * 1", false, false},
        {"0 0 */2 * 1", false, false}, {"0 0 1 * */2", false, false}, {"0 0 1-31 * 0-6", false, true}};
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct cron c = parse(list[i].line);
        ck_assert_msg(c.by_instant == list[i].by_instant, "%s", list[i].line);
        ck_assert_msg(c.either_day == list[i].either_day, "%s", list[i].line);
    }
}
END_TEST

#define TEN  "1,1,1,1,1,1,1,1,1,1,"
#define FULL TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

START_TEST(mistakes_are_told)
{
    static const struct {
        const char *line, *words;
    } list[] = {
        {"", "is empty"},
        {" \t ", "is empty"},
        {"*", "has 1 field, not five"},
        {"* * * *", "has 4 fields, not five"},
        {"0 * * * * *", "seconds and years are not taken"},
        {"1 2 3 4 5 6 7", "has 7 fields, not five"},
        {"10m", "write \"every 10m\""},
        {"@daily", "write \"0 0 * * *\""},
        {"@HOURLY", "write \"0 * * * *\""},
        {"@weekly", "write \"0 0 * * 0\""},
        {"@reboot", "\"@reboot\" is not known"},
        {"@daily * * * *", "\"@daily\" is not taken"},
        {"60 * * * *", "minute \"60\": \"60\" is not within 0-59. It may hold 0-59"},
        {"* 24 * * *", "hour \"24\": \"24\" is not within 0-23. It may hold 0-23"},
        {"* * 0 * *", "day of month \"0\": \"0\" is not within 1-31. It may hold 1-31"},
        {"* * 32 * *", "day of month \"32\""},
        {"* * * 13 *", "month \"13\": \"13\" is not within 1-12. It may hold 1-12 or jan-dec"},
        {"* * * 0 *", "month \"0\""},
        {"* * * * 8", "day of week \"8\": \"8\" is not within 0-7. It may hold 0-7 or sun-sat"},
        {"* * * * monday", "\"monday\" is not a number or a name"},
        {"* * * feb *x", "day of week"},
        {"mon * * * *", "\"mon\" is not a number."},
        {"* * * mon *", "month \"mon\""},
        {"* * * * jan", "day of week \"jan\""},
        {"* * ? * *", "day of month \"?\""},
        {"* * L * *", "day of month \"L\""},
        {"* * * * 5#3", "day of week \"5#3\""},
        {"1,,2 * * * *", "a comma too many"},
        {",1 * * * *", "a comma too many"},
        {"1, * * * *", "a comma too many"},
        {", * * * *", "a comma too many"},
        {"*/0 * * * *", "a step of 0 goes nowhere"},
        {"*/-1 * * * *", "the step \"-1\" is not a number"},
        {"*/60 * * * *", "a step of \"60\" leaves the field at once: at most 59"},
        {"*/ * * * *", "the step \"\" is not a number"},
        {"*/5/2 * * * *", "the step \"5/2\" is not a number"},
        {"/5 * * * *", "\"\" is not a number"},
        {"5/10 * * * *", "a step needs a range: write 5-59/10"},
        {"40-10 * * * *", "the range 40-10 runs backwards: write 40-59,0-10"},
        {"* * * nov-feb *", "the range 11-2 runs backwards: write 11-12,1-2"},
        {"* * * * fri-mon", "the range 5-1 runs backwards: write 5-6,0-1"},
        {"1- * * * *", "\"\" is not a number"},
        {"-1 * * * *", "\"\" is not a number"},
        {"1-2-3 * * * *", "\"2-3\" is not a number"},
        {"*-5 * * * *", "\"*\" is not a number"},
        {"** * * * *", "\"**\" is not a number"},
        {"+1 * * * *", "\"+1\" is not a number"},
        {"1.5 * * * *", "\"1.5\" is not a number"},
        {"0x1 * * * *", "\"0x1\" is not a number"},
        {"99999999999999999999 * * * *", "is not within 0-59"},
        {"*/99999999999999999999 * * * *", "leaves the field at once"},
        {"4294967301 * * * *", "is not within 0-59"},
        {"0 0 31 2 *", "never fires: there is no day 31 in that month"},
        {"0 0 30 feb *", "never fires: there is no day 30 in that month"},
        {"0 0 30,31 2 *", "no day 30"},
        {"0 0 31 2,4,6,9,11 *", "no day 31 in these months"},
        {"0 0 31 4-6/2 */2", "no day 31 in these months"},
        {FULL FULL FULL "1 * * * *", "is too long"},
        {"\x1b[31m\x07\xc3\xa4 * * * *", "minute \"?[31m???\""},
        {"1\v2 * * * *", "\"1?2\" is not a number"},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct cron c = {.minutes = 77};
        struct error err = {0};
        ck_assert_msg(cron_parse(list[i].line, &c, &err) == -1, "%s", list[i].line);
        ck_assert_msg(strstr(err.text, list[i].words), "%s: %s", list[i].line, err.text);
        ck_assert_uint_eq(c.minutes, 77);
        for (const char *p = err.text; *p; p++)
            ck_assert_msg(*p >= ' ' && *p <= '~', "%s", err.text);
        ck_assert_uint_lt(strlen(err.text), 400); /* whole, also with a few words before it */
    }
}
END_TEST

START_TEST(rare_but_possible_is_taken)
{
    static const char *const list[] = {"0 0 29 2 *", "0 0 31 1,2 *", "0 0 31 2 1", "0 0 30 2 sun",
        "0 0 29-31 2 *", "0 0 30 4 *", "0 0 29 2 */7", "0 0 */31 2 *"};
    for (size_t i = 0; i < N_ELEMENTS(list); i++)
        parse(list[i]);
}
END_TEST

START_TEST(times_that_fit)
{
    static const struct {
        const char *line, *before, *at, *after;
    } list[] = {
        {"* * * * *", "2026-05-17 10:29", "2026-05-17 10:30", "2026-05-17 10:31"},
        {"* * * * *", "2026-05-17 10:30", "2026-05-17 10:30:01", "2026-05-17 10:31"},
        {"* * * * *", "1969-12-31 23:59", "1970-01-01 00:00", "1970-01-01 00:01"},
        {"* * * * *", "1969-12-31 23:58", "1969-12-31 23:58:59", "1969-12-31 23:59"},
        {"59 23 31 12 *", "2025-12-31 23:59", "2026-12-31 23:59", "2027-12-31 23:59"},
        {"0 0 1 1 *", "2025-01-01 00:00", "2026-01-01 00:00", "2027-01-01 00:00"},
        {"30 6 * * mon-fri", "2026-05-15 06:30", "2026-05-17 12:00", "2026-05-18 06:30"},
        {"0 0 29 2 *", "2096-02-29 00:00", "2097-01-01 00:00", "2104-02-29 00:00"},
        {"0 0 29 2 *", "2024-02-29 00:00", "2024-03-01 00:00", "2028-02-29 00:00"},
        {"0 0 29 2 */7", "2088-02-29 00:00", "2100-01-01 00:00", "2128-02-29 00:00"},
        {"0 0 31 * *", "2026-03-31 00:00", "2026-04-15 00:00", "2026-05-31 00:00"},
        {"0 0 13 * 5", "2026-11-13 00:00", "2026-11-14 00:00", "2026-11-20 00:00"},
        {"0 0 13 * */5", "2026-03-13 00:00", "2026-09-12 00:00", "2026-09-13 00:00"},
        {"15,45 9-17/4 * * *", "2026-05-17 17:45", "2026-05-18 09:00", "2026-05-18 09:15"},
        {"15,45 9-17/4 * * *", "2026-05-17 09:45", "2026-05-17 12:00", "2026-05-17 13:15"},
    };
    char out[40];
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct cron c = parse(list[i].line);
        ck_assert_str_eq(shown(cron_after(&c, moment(list[i].at)), out), list[i].after);
        ck_assert_str_eq(shown(cron_before(&c, moment(list[i].at)), out), list[i].before);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {fields_hold, stars_mean_more_than_their_values, mistakes_are_told,
        rare_but_possible_is_taken, times_that_fit};
    return run_tests("cron", tests, N_ELEMENTS(tests));
}
