#include "../util/suite.h"
#include "stream/frame.h"

#include <endian.h>

#define MAX_ENTRY  1000
#define MAX_LENGTH 100000

static struct buffer in;
static struct frame_reader r;

static void setup(void)
{
    frame_reader_init(&r, MAX_ENTRY, MAX_LENGTH);
}

static void teardown(void)
{
    frame_reader_done(&r);
    buffer_done(&in);
}

static void put_length(uint64_t n)
{
    static const char zeros[FRAME_LENGTH_SIZE - 8];
    buffer_put(&in, zeros, sizeof(zeros));
    buffer_put_u64(&in, n);
}

static void put_frame(const char *body)
{
    put_length(strlen(body));
    buffer_put_string(&in, body);
}

/* Feeds from *at on in pieces of `step` bytes until a frame is complete or the bytes are out. */
static struct frame feed(size_t *at, size_t step)
{
    struct frame f = {0};
    while (*at < in.n && !f.complete)
        *at += frame_reader_feed(&r, in.p + *at, MIN(step, in.n - *at), &f);
    return f;
}

static void expect(struct frame f, enum reason reason, const char *payload)
{
    ck_assert(f.complete);
    ck_assert_int_eq(f.reason, reason);
    ck_assert_uint_eq(f.payload.n, strlen(payload));
    ck_assert_mem_eq(f.payload.p, payload, f.payload.n);
}

static const size_t steps[] = {1, 2, 3, 31, 32, 33, 50, 1 << 20};

START_TEST(frames_come_whole_in_pieces_of_any_size)
{
    put_frame("{\"id\": 1}");
    put_frame("x");
    put_frame("the third");
    size_t at = 0;
    expect(feed(&at, steps[_i]), REASON_NONE, "{\"id\": 1}");
    expect(feed(&at, steps[_i]), REASON_NONE, "x");
    ck_assert(frame_reader_is_idle(&r));
    expect(feed(&at, steps[_i]), REASON_NONE, "the third");
    ck_assert_uint_eq(at, in.n);
    struct frame f;
    frame_reader_end(&r, &f);
    ck_assert(!f.complete);
}
END_TEST

START_TEST(a_frame_in_one_piece_is_not_copied)
{
    put_frame("body");
    size_t at = 0;
    struct frame f = feed(&at, in.n);
    ck_assert_ptr_eq(f.payload.p, in.p + FRAME_LENGTH_SIZE);
}
END_TEST

START_TEST(length_zero_is_an_entry)
{
    put_frame("");
    put_frame("next");
    size_t at = 0;
    expect(feed(&at, steps[_i]), REASON_EMPTY, "");
    expect(feed(&at, steps[_i]), REASON_NONE, "next");
}
END_TEST

START_TEST(a_large_frame_is_passed_over_with_its_beginning)
{
    char *large = xcalloc(90001, 1);
    memset(large, 'L', 90000);
    put_frame(large);
    put_frame("next");
    size_t at = 0;
    struct frame f = feed(&at, steps[_i]);
    ck_assert(f.complete);
    ck_assert_int_eq(f.reason, REASON_TOO_LARGE);
    ck_assert_uint_eq(f.size, 90000);
    ck_assert_uint_eq(f.payload.n, FRAME_KEPT);
    ck_assert_mem_eq(f.payload.p, large, FRAME_KEPT);
    expect(feed(&at, steps[_i]), REASON_NONE, "next");
    free(large);
}
END_TEST

START_TEST(a_frame_of_max_entry_is_whole_and_one_more_is_not)
{
    char body[MAX_ENTRY + 2] = {0};
    memset(body, 'a', MAX_ENTRY);
    put_frame(body);
    body[MAX_ENTRY] = 'b';
    put_frame(body);
    size_t at = 0;
    struct frame f = feed(&at, steps[_i]);
    ck_assert_int_eq(f.reason, REASON_NONE);
    ck_assert_uint_eq(f.payload.n, MAX_ENTRY);
    f = feed(&at, steps[_i]);
    ck_assert_int_eq(f.reason, REASON_TOO_LARGE);
    ck_assert_uint_eq(f.payload.n, MAX_ENTRY + 1);
}
END_TEST

START_TEST(a_length_that_cannot_be_true_loses_the_framing_until_the_end)
{
    put_length(MAX_LENGTH + 1);
    put_frame("never seen");
    size_t at = 0;
    struct frame f = feed(&at, steps[_i]);
    ck_assert(!f.complete);
    ck_assert(frame_reader_is_lost(&r));
    frame_reader_end(&r, &f);
    ck_assert(f.complete);
    ck_assert_int_eq(f.reason, REASON_BAD_FRAME);
    ck_assert_uint_eq(f.size, in.n);
    ck_assert_uint_eq(f.payload.n, in.n);
    ck_assert_mem_eq(f.payload.p, in.p, in.n);
    ck_assert(frame_reader_is_idle(&r));
    buffer_reset(&in, 0);
    put_frame("after");
    at = 0;
    expect(feed(&at, steps[_i]), REASON_NONE, "after");
}
END_TEST

START_TEST(each_upper_byte_of_the_length_must_be_zero)
{
    put_frame("body");
    in.p[_i] = 1;
    size_t at = 0;
    ck_assert(!feed(&at, in.n).complete);
    ck_assert(frame_reader_is_lost(&r));
}
END_TEST

START_TEST(what_the_end_cuts_off_is_told_with_what_came)
{
    put_frame("0123456789");
    struct frame f = {0};
    size_t n = (size_t)_i;
    for (size_t at = 0; at < n;)
        at += frame_reader_feed(&r, in.p + at, MIN((size_t)7, n - at), &f);
    ck_assert(!f.complete);
    frame_reader_end(&r, &f);
    if (n == 0) {
        ck_assert(!f.complete);
        return;
    }
    ck_assert(f.complete);
    ck_assert_int_eq(f.reason, REASON_CUT_OFF);
    size_t from = n < FRAME_LENGTH_SIZE ? 0 : FRAME_LENGTH_SIZE;
    ck_assert_uint_eq(f.size, n < FRAME_LENGTH_SIZE ? 0 : 10);
    ck_assert_uint_eq(f.payload.n, n - from);
    ck_assert_mem_eq(f.payload.p, in.p + from, n - from);
    ck_assert(frame_reader_is_idle(&r));
}
END_TEST

START_TEST(missing_bytes_lose_the_framing_and_keep_what_was_there)
{
    put_frame("0123456789");
    struct frame f;
    frame_reader_feed(&r, in.p, FRAME_LENGTH_SIZE + 4, &f);
    frame_reader_lose(&r);
    frame_reader_lose(&r);
    ck_assert(frame_reader_is_lost(&r));
    frame_reader_feed(&r, "zz", 2, &f);
    frame_reader_end(&r, &f);
    expect(f, REASON_BAD_FRAME, "0123zz");
    ck_assert_uint_eq(f.size, FRAME_LENGTH_SIZE + 4 + 2);
}
END_TEST

START_TEST(memory_follows_the_bytes_not_the_claim)
{
    frame_reader_init(&r, FRAME_LENGTH_MAX, FRAME_LENGTH_MAX);
    put_length(FRAME_LENGTH_MAX);
    buffer_put_string(&in, "only this");
    size_t at = 0;
    ck_assert(!feed(&at, 5).complete);
    ck_assert_uint_le(r.kept.cap, 4096);
}
END_TEST

START_TEST(memory_of_a_large_frame_is_given_back)
{
    size_t n = 4 << 20;
    frame_reader_init(&r, n, n);
    char *body = xcalloc(n + 1, 1);
    memset(body, 'x', n);
    put_frame(body);
    put_frame("next");
    size_t at = 0;
    struct frame f = feed(&at, 65536);
    ck_assert_uint_eq(f.payload.n, n);
    expect(feed(&at, 65536), REASON_NONE, "next");
    ck_assert_uint_le(r.kept.cap, FRAME_KEPT);
    free(body);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("frame");
    TCase *t = add_case(s, "frame", setup, teardown);
    int n = (int)N_ELEMENTS(steps);
    tcase_add_loop_test(t, frames_come_whole_in_pieces_of_any_size, 0, n);
    tcase_add_test(t, a_frame_in_one_piece_is_not_copied);
    tcase_add_loop_test(t, length_zero_is_an_entry, 0, n);
    tcase_add_loop_test(t, a_large_frame_is_passed_over_with_its_beginning, 0, n);
    tcase_add_loop_test(t, a_frame_of_max_entry_is_whole_and_one_more_is_not, 0, n);
    tcase_add_loop_test(t, a_length_that_cannot_be_true_loses_the_framing_until_the_end, 0, n);
    tcase_add_loop_test(t, each_upper_byte_of_the_length_must_be_zero, 0, FRAME_LENGTH_SIZE - 8);
    tcase_add_loop_test(t, what_the_end_cuts_off_is_told_with_what_came, 0, FRAME_LENGTH_SIZE + 10);
    tcase_add_test(t, missing_bytes_lose_the_framing_and_keep_what_was_there);
    tcase_add_test(t, memory_follows_the_bytes_not_the_claim);
    tcase_add_test(t, memory_of_a_large_frame_is_given_back);
    return run_suite(s);
}
