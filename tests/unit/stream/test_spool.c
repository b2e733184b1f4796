#include "../util/suite.h"
#include "stream/spool_files.h"
#include "stream/unacked.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#define HEADER sizeof(struct chunk_header)

static char folder[FOLDER_MAX];
static int pipe_fds[2];
static struct spool *s;
static struct spool_limits limits;
static struct error err;

static void reopen(void)
{
    spool_free(TAKE(s));
    ck_assert_msg(spool_open(folder, &limits, &s, &err) == 0, "%s", err.text);
}

static void setup(void)
{
    new_folder(folder);
    ck_assert_int_eq(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
    limits = (struct spool_limits){.max_bytes = 1 << 20, .segment_size = 8192};
    reopen();
}

static void teardown(void)
{
    spool_free(TAKE(s));
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    remove_folder(folder);
}

static void spool_bytes(const char *bytes, size_t n)
{
    ck_assert_int_eq(write(pipe_fds[1], bytes, n), (ssize_t)n);
    enum spool_took took;
    do
        took = spool_take(s, pipe_fds[0], 1 << 20, &err);
    while (took == SPOOL_TOOK_BYTES);
    ck_assert_int_eq(took, SPOOL_TOOK_NOTHING);
}

static void spool_text(const char *text)
{
    spool_bytes(text, strlen(text));
}

/* All that is there from a position on: bytes as they are, '^' opened, '|' cut, '?' missing. */
static char *read_from(uint64_t position)
{
    struct buffer out = {0};
    struct spool_cursor *c = spool_cursor_new(s, position);
    struct spool_piece piece;
    for (spool_cursor_next(c, &piece); piece.kind != PIECE_END; spool_cursor_next(c, &piece)) {
        ck_assert_int_ne(piece.kind, PIECE_FAILED);
        ck_assert_uint_gt(piece.size, 0);
        buffer_put(&out, piece.bytes.p, piece.bytes.n);
        if (piece.kind != PIECE_BYTES)
            buffer_put(&out, &"??^|?"[piece.kind], 1);
        spool_cursor_advance(c, piece.size);
    }
    ck_assert_uint_eq(spool_cursor_position(c), spool_end(s));
    spool_cursor_free(c);
    buffer_string(&out);
    return out.p;
}

static void expect_from(uint64_t position, const char *text)
{
    char *got = read_from(position);
    ck_assert_str_eq(got, text);
    free(got);
}

static size_t n_files(void)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; (e = readdir(dir));)
        n += strstr(e->d_name, ".spool") != NULL;
    closedir(dir);
    return n;
}

static int open_file(const char *name, int flags)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static int open_segment_file(uint64_t start, int flags)
{
    char name[SEGMENT_NAME_SIZE];
    return open_file(segment_name(start, name), flags);
}

START_TEST(bytes_and_marks_come_back_in_order)
{
    limits.no_splice = _i;
    reopen();
    ck_assert_int_eq(spool_put_mark(s, SPOOL_OPENED, &err), 0);
    spool_text("one");
    spool_text("two");
    ck_assert_int_eq(spool_put_mark(s, SPOOL_CUT, &err), 0);
    expect_from(0, "^onetwo|");
    reopen();
    expect_from(0, "^onetwo|");
    spool_text("three");
    expect_from(0, "^onetwo|three");
}
END_TEST

START_TEST(nothing_and_the_end_are_told_apart)
{
    limits.no_splice = _i;
    reopen();
    ck_assert_int_eq(spool_take(s, pipe_fds[0], 100, &err), SPOOL_TOOK_NOTHING);
    close(pipe_fds[1]);
    ck_assert_int_eq(spool_take(s, pipe_fds[0], 100, &err), SPOOL_TOOK_END);
    ck_assert_uint_eq(spool_end(s), 0);
}
END_TEST

START_TEST(it_rolls_over_and_reads_across)
{
    struct buffer all = {0};
    limits.no_splice = _i;
    reopen();
    for (int i = 0; i < 40; i++) {
        char text[1200];
        memset(text, 'a' + i % 26, sizeof(text));
        spool_bytes(text, sizeof(text));
        buffer_put(&all, text, sizeof(text));
    }
    ck_assert_uint_gt(n_files(), 5);
    expect_from(0, buffer_string(&all));
    reopen();
    expect_from(0, buffer_string(&all));
    buffer_done(&all);
}
END_TEST

START_TEST(a_cursor_begins_anywhere)
{
    spool_text("0123456789");
    spool_text("abcdef");
    reopen();
    expect_from(HEADER + 4, "456789abcdef");
    expect_from(HEADER + 10, "abcdef");
    expect_from(2 * HEADER + 10, "abcdef");
    expect_from(2 * HEADER + 16, "");
}
END_TEST

START_TEST(a_header_that_was_never_written_is_a_chunk_to_the_end)
{
    spool_text("first");
    uint64_t at = spool_end(s);
    spool_text("second");
    static const char zeros[HEADER];
    int fd = open_segment_file(0, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, zeros, HEADER, (off_t)at), HEADER);
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1234, .tv_nsec = 5000}};
    ck_assert_int_eq(futimens(fd, times), 0);
    close(fd);
    reopen();
    expect_from(0, "firstsecond");
    struct spool_cursor *c = spool_cursor_new(s, at);
    struct spool_piece piece;
    spool_cursor_next(c, &piece);
    ck_assert_int_eq(piece.received_us, 1234000005);
    spool_cursor_free(c);
    spool_text("third");
    expect_from(0, "firstsecondthird");
}
END_TEST

START_TEST(the_account_survives_and_frees_segments)
{
    uint64_t ends[20];
    char text[1500];
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < N_ELEMENTS(ends); i++) {
        spool_bytes(text, sizeof(text));
        ends[i] = spool_end(s);
    }
    size_t before = n_files();
    spool_ack(s, ends[10], 11);
    ck_assert_uint_lt(n_files(), before);
    uint64_t epoch = spool_epoch(s);
    reopen();
    ck_assert_uint_eq(spool_acked(s), ends[10]);
    ck_assert_uint_eq(spool_n_acked(s), 11);
    ck_assert_uint_eq(spool_epoch(s), epoch);
    spool_ack(s, ends[19], 9);
    reopen();
    ck_assert_uint_eq(n_files(), 0);
    ck_assert_uint_eq(spool_end(s), ends[19]);
    ck_assert_uint_eq(spool_n_acked(s), 20);
    spool_text("more");
    expect_from(ends[19], "more");
}
END_TEST

START_TEST(a_torn_account_falls_back_to_the_one_before)
{
    spool_text("first");
    uint64_t first = spool_end(s);
    spool_text("second");
    spool_ack(s, first, 1);
    spool_ack(s, spool_end(s), 1);
    int fd = open_file("acked", O_RDWR);
    struct record records[2];
    ck_assert_int_eq(pread(fd, records, sizeof(records), 0), sizeof(records));
    size_t newest = records[1].values[2] > records[0].values[2];
    ck_assert_int_eq(pwrite(fd, "torn", 4, (off_t)(newest * sizeof(records[0]) + 2)), 4);
    close(fd);
    reopen();
    ck_assert_uint_eq(spool_acked(s), first);
    ck_assert_uint_eq(spool_n_acked(s), 1);
    expect_from(spool_acked(s), "second");
}
END_TEST

START_TEST(the_account_is_never_before_the_first_segment_even_when_torn)
{
    char text[1500];
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < 20; i++)
        spool_bytes(text, sizeof(text));
    spool_ack(s, spool_end(s) - 100, 19);
    int fd = open_file("acked", O_RDWR);
    ck_assert_int_eq(pwrite(fd, "torn", 4, (off_t)(_i * sizeof(struct record))), 4);
    close(fd);
    reopen();
    ck_assert_uint_ge(spool_acked(s), s->segments[0].start);
}
END_TEST

START_TEST(an_account_of_garbage_means_all_over_again)
{
    spool_text("first");
    spool_ack(s, spool_end(s), 1);
    int fd = open_file("acked", O_WRONLY | O_TRUNC);
    ck_assert_int_eq(
        write(fd, "not an account at all, but quite some bytes of it, more than two records", 70), 70);
    close(fd);
    uint64_t epoch = spool_epoch(s);
    reopen();
    ck_assert_uint_eq(spool_acked(s), 0);
    ck_assert_uint_eq(spool_epoch(s), epoch);
    expect_from(0, "first");
}
END_TEST

START_TEST(a_spool_that_lost_everything_has_a_new_epoch)
{
    spool_text("first");
    spool_ack(s, spool_end(s), 1);
    uint64_t epoch = spool_epoch(s);
    spool_free(TAKE(s));
    char path[128], name[SEGMENT_NAME_SIZE];
    snprintf(path, sizeof(path), "%s/acked", folder);
    ck_assert_int_eq(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/%s", folder, segment_name(0, name));
    ck_assert_int_eq(unlink(path), 0);
    reopen();
    ck_assert_uint_ne(spool_epoch(s), epoch);
}
END_TEST

/* Three segments with a known text each; returns the start of the second. */
static uint64_t make_three(uint64_t *ret_third)
{
    uint64_t starts[3];
    for (int i = 0; i < 3; i++) {
        starts[i] = spool_end(s);
        spool_text(i == 0 ? "one" : i == 1 ? "two" : "three");
        reopen();
    }
    *ret_third = starts[2];
    return starts[1];
}

START_TEST(a_missing_segment_is_told)
{
    uint64_t third, second = make_three(&third);
    char path[128], name[SEGMENT_NAME_SIZE];
    snprintf(path, sizeof(path), "%s/%s", folder, segment_name(second, name));
    ck_assert_int_eq(unlink(path), 0);
    reopen();
    expect_from(0, "one?three");
}
END_TEST

START_TEST(a_segment_that_vanishes_while_open_is_told)
{
    uint64_t third, second = make_three(&third);
    char path[128], name[SEGMENT_NAME_SIZE];
    snprintf(path, sizeof(path), "%s/%s", folder, segment_name(second, name));
    ck_assert_int_eq(unlink(path), 0);
    expect_from(0, "one?three");
}
END_TEST

START_TEST(a_damaged_header_costs_its_segment_alone)
{
    uint64_t third, second = make_three(&third);
    int fd = open_segment_file(second, O_RDWR);
    unsigned char byte;
    ck_assert_int_eq(pread(fd, &byte, 1, _i), 1);
    byte ^= 0xff;
    ck_assert_int_eq(pwrite(fd, &byte, 1, _i), 1);
    close(fd);
    reopen();
    expect_from(0, "one?three");
}
END_TEST

START_TEST(a_truncated_segment_is_told)
{
    uint64_t third, second = make_three(&third);
    int fd = open_segment_file(second, O_WRONLY);
    ck_assert_int_eq(ftruncate(fd, _i), 0);
    close(fd);
    reopen();
    char *got = read_from(0);
    ck_assert_ptr_nonnull(strstr(got, "one?"));
    ck_assert_ptr_nonnull(strstr(got, "?three"));
    free(got);
}
END_TEST

START_TEST(a_full_spool_takes_nothing_until_segments_are_free)
{
    char text[3000];
    memset(text, 'x', sizeof(text));
    limits.max_bytes = 4 * 8192;
    limits.no_splice = _i;
    reopen();
    enum spool_took took = SPOOL_TOOK_BYTES;
    size_t written = 0;
    while (took != SPOOL_BLOCKED) {
        ck_assert_int_eq(write(pipe_fds[1], text, sizeof(text)), sizeof(text));
        written += sizeof(text);
        took = spool_take(s, pipe_fds[0], 1 << 20, &err);
    }
    ck_assert_uint_le(spool_disk_bytes(s), limits.max_bytes);
    ck_assert_ptr_nonnull(strstr(err.text, "limit of 32.0 KB"));
    /* A mark finds its place all the same. */
    ck_assert_int_eq(spool_put_mark(s, SPOOL_CUT, &err), 0);
    ck_assert_int_eq(spool_take(s, pipe_fds[0], 1 << 20, &err), SPOOL_BLOCKED);
    struct error again;
    spool_ack(s, s->segments[0].end, 1);
    while ((took = spool_take(s, pipe_fds[0], 1 << 20, &again)) == SPOOL_TOOK_BYTES)
        continue;
    ck_assert_int_eq(took, SPOOL_TOOK_NOTHING);
    size_t got = 0;
    struct spool_cursor *c = spool_cursor_new(s, 0);
    struct spool_piece piece;
    for (spool_cursor_next(c, &piece); piece.kind != PIECE_END; spool_cursor_next(c, &piece)) {
        got += piece.bytes.n;
        spool_cursor_advance(c, piece.size);
    }
    spool_cursor_free(c);
    ck_assert_uint_gt(got, written - 8192);
    ck_assert_uint_lt(got, written);
}
END_TEST

START_TEST(everything_acked_leaves_no_lock_on_a_full_spool)
{
    char text[1000];
    memset(text, 'x', sizeof(text));
    limits.max_bytes = (uint64_t)_i * 8192;
    reopen();
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(write(pipe_fds[1], text, sizeof(text)), sizeof(text));
        enum spool_took took;
        do
            took = spool_take(s, pipe_fds[0], 1 << 20, &err);
        while (took == SPOOL_TOOK_BYTES);
        spool_ack(s, spool_end(s), 1);
    }
    ck_assert_int_ne(spool_take(s, pipe_fds[0], 1 << 20, &err), SPOOL_BLOCKED);
    ck_assert_int_eq(spool_take(s, pipe_fds[0], 1 << 20, &err), SPOOL_TOOK_NOTHING);
    ck_assert_uint_le(spool_disk_bytes(s), limits.max_bytes);
}
END_TEST

START_TEST(the_folder_is_locked_and_private)
{
    struct spool *other = NULL;
    ck_assert_int_eq(spool_open(folder, &limits, &other, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "in use by another daemon"));
    char deep[128];
    snprintf(deep, sizeof(deep), "%s/a/b/c", folder);
    ck_assert_int_eq(spool_open(deep, &limits, &other, &err), 0);
    struct stat st;
    ck_assert_int_eq(stat(deep, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    spool_free(other);
    spool_text("x");
    char path[128], name[SEGMENT_NAME_SIZE];
    snprintf(path, sizeof(path), "%s/%s", folder, segment_name(0, name));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(foreign_files_are_left_alone_and_overlaps_refused)
{
    spool_text("some bytes of a segment");
    close(open_file("00000000000000000010.spool.bak", O_CREAT | O_WRONLY));
    close(open_file("notes.spool", O_CREAT | O_WRONLY));
    reopen();
    int fd = open_file("00000000000000000010.spool", O_CREAT | O_WRONLY);
    ck_assert_int_eq(write(fd, "x", 1), 1);
    close(fd);
    spool_free(TAKE(s));
    ck_assert_int_eq(spool_open(folder, &limits, &s, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "two files for position 10"));
}
END_TEST

START_TEST(the_pipe_is_remembered)
{
    spool_set_pipe(s, (struct pipe_identity){1, 2, 3});
    reopen();
    ck_assert_uint_eq(spool_pipe(s).device, 1);
    ck_assert_uint_eq(spool_pipe(s).inode, 2);
    ck_assert_uint_eq(spool_pipe(s).born_ns, 3);
}
END_TEST

START_TEST(acknowledgements_come_in_any_order)
{
    struct unacked o = {0};
    uint64_t position = 0;
    for (uint64_t i = 1; i <= 3000; i++)
        unacked_add(&o, i * 10);
    ck_assert(!unacked_mark(&o, 5));
    ck_assert(!unacked_mark(&o, 30010));
    ck_assert(unacked_mark(&o, 20));
    ck_assert(!unacked_mark(&o, 20));
    ck_assert_uint_eq(unacked_settle(&o, &position), 0);
    ck_assert(unacked_mark(&o, 10));
    ck_assert_uint_eq(unacked_settle(&o, &position), 2);
    ck_assert_uint_eq(position, 20);
    /* Round the ring's end. */
    for (uint64_t i = 3001; i <= 4097; i++)
        unacked_add(&o, i * 10);
    for (uint64_t i = 4097; i >= 3; i--)
        ck_assert(unacked_mark(&o, i * 10));
    ck_assert_uint_eq(unacked_settle(&o, &position), 4095);
    ck_assert_uint_eq(position, 40970);
    ck_assert_uint_eq(o.n, 0);
    unacked_done(&o);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spool");
    TCase *t = add_case(suite, "spool", setup, teardown);
    tcase_add_loop_test(t, bytes_and_marks_come_back_in_order, 0, 2);
    tcase_add_loop_test(t, nothing_and_the_end_are_told_apart, 0, 2);
    tcase_add_loop_test(t, it_rolls_over_and_reads_across, 0, 2);
    tcase_add_test(t, a_cursor_begins_anywhere);
    tcase_add_test(t, a_header_that_was_never_written_is_a_chunk_to_the_end);
    tcase_add_test(t, the_account_survives_and_frees_segments);
    tcase_add_test(t, a_torn_account_falls_back_to_the_one_before);
    tcase_add_loop_test(t, the_account_is_never_before_the_first_segment_even_when_torn, 0, 2);
    tcase_add_test(t, an_account_of_garbage_means_all_over_again);
    tcase_add_test(t, a_spool_that_lost_everything_has_a_new_epoch);
    tcase_add_test(t, a_missing_segment_is_told);
    tcase_add_test(t, a_segment_that_vanishes_while_open_is_told);
    tcase_add_loop_test(t, a_damaged_header_costs_its_segment_alone, 0, (int)HEADER);
    tcase_add_loop_test(t, a_truncated_segment_is_told, 0, (int)HEADER + 3);
    tcase_add_loop_test(t, a_full_spool_takes_nothing_until_segments_are_free, 0, 2);
    tcase_add_loop_test(t, everything_acked_leaves_no_lock_on_a_full_spool, 1, 3);
    tcase_add_test(t, the_folder_is_locked_and_private);
    tcase_add_test(t, foreign_files_are_left_alone_and_overlaps_refused);
    tcase_add_test(t, the_pipe_is_remembered);
    tcase_add_test(t, acknowledgements_come_in_any_order);
    return run_suite(suite);
}
