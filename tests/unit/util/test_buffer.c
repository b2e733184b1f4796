#include "suite.h"
#include "util/buffer.h"
#include "util/error.h"

START_TEST(an_empty_buffer_is_usable)
{
    _cleanup_buffer_ struct buffer b = {0};
    buffer_drop(&b, 0);
    buffer_reset(&b, 0);
    buffer_put(&b, NULL, 0);
    ck_assert(buffer_reserve(&b, 0));
    ck_assert_str_eq(buffer_string(&b), "");
    ck_assert_uint_eq(b.n, 0);
}
END_TEST

START_TEST(bytes_are_kept_in_order)
{
    _cleanup_buffer_ struct buffer b = {0};
    for (unsigned i = 0; i < 100000; i++)
        buffer_put(&b, &(unsigned char){(unsigned char)i}, 1);
    ck_assert_uint_eq(b.n, 100000);
    buffer_drop(&b, 4097);
    ck_assert_uint_eq(b.n, 100000 - 4097);
    for (unsigned i = 0; i < b.n; i++)
        if ((unsigned char)b.p[i] != (unsigned char)(i + 4097))
            ck_abort_msg("at %u", i);
    buffer_drop(&b, b.n);
    ck_assert_uint_eq(b.n, 0);
}
END_TEST

START_TEST(numbers_are_big_endian)
{
    _cleanup_buffer_ struct buffer b = {0};
    buffer_put_u16(&b, 0x0102);
    buffer_put_u32(&b, 0x03040506);
    buffer_put_u64(&b, UINT64_C(0x0708090a0b0c0d0e));
    ck_assert_uint_eq(b.n, 14);
    for (int i = 0; i < 14; i++)
        ck_assert_int_eq(b.p[i], i + 1);
}
END_TEST

START_TEST(printing_appends)
{
    _cleanup_buffer_ struct buffer b = {0};
    char large[3000];
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    buffer_put_string(&b, "a");
    buffer_printf(&b, "%d%s", 7, large);
    buffer_printf(&b, "%s", "");
    ck_assert_uint_eq(b.n, 2 + sizeof(large) - 1);
    ck_assert_uint_eq(strlen(buffer_string(&b)), b.n);
    ck_assert_int_eq(strncmp(b.p, "a7x", 3), 0);
}
END_TEST

START_TEST(too_much_is_refused_and_harms_nothing)
{
    _cleanup_buffer_ struct buffer b = {0};
    buffer_put_string(&b, "abc");
    ck_assert(!buffer_reserve(&b, SIZE_MAX));
    ck_assert(!buffer_reserve(&b, SIZE_MAX - 2)); /* larger together with what is there than a size can be */
    ck_assert_str_eq(buffer_string(&b), "abc");
}
END_TEST

START_TEST(memory_is_given_back)
{
    _cleanup_buffer_ struct buffer b = {0};
    ck_assert(buffer_reserve(&b, 100000));
    ck_assert_uint_ge(b.cap, 100000);
    buffer_reset(&b, 100000000);
    ck_assert_uint_ge(b.cap, 100000);
    buffer_reset(&b, 1000);
    ck_assert_uint_le(b.cap, 1000);
    buffer_put_string(&b, "x");
    ck_assert_str_eq(buffer_string(&b), "x");
}
END_TEST

START_TEST(slices_compare_by_bytes)
{
    ck_assert(slice_is(SLICE("abc"), "abc"));
    ck_assert(!slice_is(SLICE("abc"), "ab"));
    ck_assert(!slice_is(SLICE("ab"), "abc"));
    ck_assert(slice_equal((struct slice){"a\0b", 3}, (struct slice){"a\0b", 3}));
    ck_assert(!slice_equal((struct slice){"a\0b", 3}, (struct slice){"a\0c", 3}));
}
END_TEST

START_TEST(an_error_keeps_its_reason_behind_a_prefix)
{
    struct error err;
    char reason[480];
    memset(reason, 'x', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    ck_assert_int_eq(error_set(&err, "%s", reason), -1);
    ck_assert_int_eq(error_prefix(&err, "stream %s", "claim"), -1);
    ck_assert_int_eq(strncmp(err.text, "stream claim: xxx", 17), 0);
    ck_assert_uint_eq(strlen(err.text), strlen("stream claim: ") + strlen(reason));
    for (int i = 0; i < 40; i++)
        error_prefix(&err, "%s", reason);
    ck_assert_uint_lt(strlen(err.text), sizeof(err.text));
    ck_assert_int_eq(error_set(NULL, "x"), -1);
    ck_assert_int_eq(error_prefix(NULL, "x"), -1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {an_empty_buffer_is_usable, bytes_are_kept_in_order, numbers_are_big_endian,
        printing_appends, too_much_is_refused_and_harms_nothing, memory_is_given_back,
        slices_compare_by_bytes, an_error_keeps_its_reason_behind_a_prefix};
    return run_tests("util-buffer", tests, N_ELEMENTS(tests));
}
