/* Moments as text, in the order of time. */
#include "job/moment.h"
#include "util/clock.h"

#include "../util/suite.h"

START_TEST(there_and_back)
{
    static const struct {
        int64_t us;
        const char *text;
    } list[] = {
        {0, "1970-01-01 00:00:00"},
        {1, "1970-01-01 00:00:00.000001"},
        {100000, "1970-01-01 00:00:00.1"},
        {INT64_C(1763733598499752), "2025-11-21 13:59:58.499752"},
        {INT64_C(1763733598499750), "2025-11-21 13:59:58.49975"},
        {INT64_C(253402300799999999), "9999-12-31 23:59:59.999999"},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        char text[MOMENT_SIZE];
        int64_t us = -1;
        moment_format(list[i].us, text);
        ck_assert_str_eq(text, list[i].text);
        ck_assert(moment_parse(text, &us));
        ck_assert_int_eq(us, list[i].us);
        ck_assert(i == 0 || i == 4 || strcmp(list[i - 1].text, text) < 0);
    }
}
END_TEST

START_TEST(a_date_is_its_first_moment)
{
    int64_t us;
    ck_assert(moment_parse("1970-01-02", &us) && us == 86400 * US_PER_SEC);
    ck_assert(!moment_parse("1970-02-30", &us) && !moment_parse("", &us) && !moment_parse("now", &us));
    ck_assert(!moment_parse("1970-01-01 00:00:00+02:00", &us));
}
END_TEST

START_TEST(a_moment_after)
{
    int64_t now = clock_wall_us(), got = moment_after("2020-01-01 10:00:00.5");
    ck_assert(got >= now && got <= clock_wall_us() + 1);
    ck_assert(moment_after(NULL) >= now && moment_after("2020-01-01") >= now);
    ck_assert_int_eq(moment_after("9998-01-01 10:00:00.5"), INT64_C(253339264800500001));
    char text[MOMENT_SIZE];
    moment_format(moment_after("9998-01-01 23:59:59.999999"), text);
    ck_assert_str_eq(text, "9998-01-02 00:00:00.000001"); /* not the date */
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {there_and_back, a_date_is_its_first_moment, a_moment_after};
    return run_tests("job-moment", tests, N_ELEMENTS(tests));
}
