/* Rows as bytes and back. */
#include "../util/suite.h"
#include "match/row.h"

static void expect_same_row(const struct match_row *a, const struct match_row *b)
{
    ck_assert_int_eq(a->number, b->number);
    ck_assert_int_eq(a->activity, b->activity);
    ck_assert_uint_eq(a->n_cells, b->n_cells);
    for (size_t i = 0; i < a->n_cells; i++) {
        ck_assert_int_eq(!a->cells[i].p, !b->cells[i].p);
        ck_assert_uint_eq(a->cells[i].n, b->cells[i].n);
        if (a->cells[i].n)
            ck_assert_mem_eq(a->cells[i].p, b->cells[i].p, a->cells[i].n);
    }
}

START_TEST(what_is_put_comes_back)
{
    static const int64_t numbers[] = {0, 1, 127, 128, 16383, 16384, INT64_C(1) << 40, INT64_MAX};
    static const size_t lengths[] = {0, 1, 126, 127, 128, 16382, 16383, 100000};
    _cleanup_free_ char *text = xcalloc(1, 100000);
    memset(text, 'x', 100000);
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
        _cleanup_buffer_ struct buffer b = {0};
        struct source_cell cells[4] = {{text, lengths[i]}, {0}, {"", 0}, {"\xc3\xa9", 2}}, back[4];
        struct match_row row = {numbers[i], (enum match_activity)(i % 5), 4, cells}, got;
        buffer_put_string(&b, "before");
        ck_assert(match_row_put(&b, &row));
        ck_assert(match_row_get((struct slice){b.p + 6, b.n - 6}, 4, back, &got));
        expect_same_row(&row, &got);
    }
}
END_TEST

START_TEST(a_row_without_cells)
{
    _cleanup_buffer_ struct buffer b = {0};
    struct match_row row = {7, ACTIVITY_FUTURE, 0, NULL}, got;
    ck_assert(match_row_put(&b, &row));
    ck_assert_uint_eq(b.n, 2);
    ck_assert(match_row_get((struct slice){b.p, b.n}, 0, NULL, &got));
    expect_same_row(&row, &got);
}
END_TEST

/* Each copy is as large as it is: a byte read behind it is one that valgrind and the sanitizer see. */
static bool can_be_read(const char *p, size_t n, size_t n_cells)
{
    struct source_cell cells[8];
    struct match_row row;
    _cleanup_free_ char *copy = n ? xcalloc(1, n) : NULL;
    if (n)
        memcpy(copy, p, n);
    return match_row_get((struct slice){copy, n}, n_cells, cells, &row);
}

START_TEST(what_is_cut_or_has_more_is_no_row)
{
    _cleanup_buffer_ struct buffer b = {0};
    struct source_cell cells[3] = {{"id", 2}, {0}, {"some words", 10}};
    struct match_row row = {300, ACTIVITY_NEVER, 3, cells};
    ck_assert(match_row_put(&b, &row));
    for (size_t n = 0; n < b.n; n++)
        ck_assert(!can_be_read(b.p, n, 3));
    ck_assert(can_be_read(b.p, b.n, 3));
    ck_assert(!can_be_read(b.p, b.n, 2));
    ck_assert(!can_be_read(b.p, b.n, 4));
    buffer_put(&b, "", 1);
    ck_assert(!can_be_read(b.p, b.n, 3));
    ck_assert(can_be_read(b.p, b.n, 4)); /* one more NULL */
}
END_TEST

START_TEST(damaged_numbers)
{
    static const char endless[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", activity[] = "\x01\x05";
    static const char too_large[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x01",
                      negative[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01",
                      long_cell[] = "\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    ck_assert(!can_be_read(endless, 11, 0));
    ck_assert(!can_be_read(too_large, 11, 0));
    ck_assert(!can_be_read(negative, 11, 0));
    ck_assert(!can_be_read(activity, 2, 0));
    ck_assert(!can_be_read(long_cell, 12, 1));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_is_put_comes_back, a_row_without_cells, what_is_cut_or_has_more_is_no_row, damaged_numbers};
    return run_tests("row", tests, N_ELEMENTS(tests));
}
