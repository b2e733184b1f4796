#include "../util/suite.h"
#include "stream/tally.h"

START_TEST(the_rate_is_of_whole_seconds)
{
    struct tally t;
    tally_init(&t);
    for (int second = 0; second < 30; second++) {
        for (int i = 0; i < 50; i++)
            tally_delivered(&t);
        tally_tick(&t);
    }
    ck_assert_double_eq_tol(tally_rate(&t), 50, 1e-9);
    tally_delivered(&t); /* of the second that is under way */
    ck_assert_double_eq_tol(tally_rate(&t), 50, 1e-9);
    for (int second = 0; second < TALLY_SECONDS; second++)
        tally_tick(&t);
    ck_assert_double_eq_tol(tally_rate(&t), 0, 1e-9);
    ck_assert_uint_eq(t.delivered, 30 * 50 + 1);
}
END_TEST

START_TEST(totals_are_unknown_until_they_are_read_and_then_kept)
{
    const struct outcome o = {
        .delivered = 5, .inserted = 3, .duplicate = 1, .dead = 1, .parked = 2, .dead_letters = 1};
    const struct stream_totals read = {100, 90, 5, 5, 7, 4};
    struct tally t;
    tally_init(&t);
    tally_committed(&t, &o);
    ck_assert_int_eq(t.totals.inserted, -1);
    tally_take_totals(&t, &read, 0); /* read before that commit, or with it: nobody knows */
    ck_assert_int_eq(t.totals.inserted, -1);
    tally_take_totals(&t, &read, 1);
    tally_committed(&t, &o);
    ck_assert_int_eq(t.totals.delivered, 105);
    ck_assert_int_eq(t.totals.inserted, 93);
    ck_assert_int_eq(t.totals.duplicate, 6);
    ck_assert_int_eq(t.totals.dead, 6);
    ck_assert_int_eq(t.totals.parked, 9);
    ck_assert_int_eq(t.totals.dead_letters, 5);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_rate_is_of_whole_seconds, totals_are_unknown_until_they_are_read_and_then_kept};
    return run_tests("tally", tests, N_ELEMENTS(tests));
}
