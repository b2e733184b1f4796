#include "../util/suite.h"
#include "match/spill.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char folder[FOLDER_MAX], path[FOLDER_MAX + 16];
static struct match_share share;
static struct spill_options options;
static struct spill *s;
static struct error err;

static void setup(void)
{
    new_folder(folder);
    snprintf(path, sizeof(path), "%s/results", folder);
    share = (struct match_share){.fraction = 0.1};
    options = (struct spill_options){.path = path, .memory = 8192, .share = &share, .part = 0.5};
    ck_assert_msg(spill_open(&options, &s, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    spill_free(s);
    ck_assert_int_eq(share.held, 0);
    ck_assert_int_lt(access(path, F_OK), 0);
    remove_folder(folder);
}

/* The i-th record: now and then one larger than the buffer. */
static struct slice record(size_t i)
{
    static char bytes[30000];
    size_t n = i % 500 == 499 ? 20000 + i % 100 : i * 7 % 300;
    for (size_t at = 0; at < n; at++)
        bytes[at] = (char)(i + at * 3);
    return (struct slice){bytes, n};
}

static void put(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        share.rows++;
        ck_assert_msg(spill_put(s, record(i), &err) == 0, "%s", err.text);
        ck_assert_int_le(share.held, share_part(&share, options.part));
    }
}

static void expect(size_t n)
{
    struct slice got;
    ck_assert_int_eq(spill_rewind(s, &err), 0);
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(spill_next(s, &got, &err) == 1, "%s", err.text);
        ck_assert(slice_equal(got, record(i)));
        ck_assert_int_ge(share.held, 1);
    }
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(spill_next(s, &got, &err), 0);
    ck_assert_int_eq(share.held, 0);
    ck_assert_int_le(share.peak, share_part(&share, options.part));
}

START_TEST(records_come_as_they_were_put)
{
    static const size_t counts[] = {0, 1, 2, 19, 200, 1000, 20000};
    put(counts[_i]);
    expect(counts[_i]);
    expect(counts[_i]);
}
END_TEST

START_TEST(it_is_read_from_the_beginning_again)
{
    struct slice got;
    ck_assert_int_lt(spill_next(s, &got, &err), 0);
    put(2000);
    ck_assert_int_eq(spill_rewind(s, &err), 0);
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(spill_next(s, &got, &err), 1);
    expect(2000);
    ck_assert_int_lt(spill_put(s, record(1), &err), 0);
}
END_TEST

START_TEST(a_file_that_is_cut_is_an_error)
{
    struct slice got;
    struct stat st;
    put(1000);
    ck_assert_int_eq(spill_rewind(s, &err), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(truncate(path, st.st_size - 3), 0);
    int rc = 1;
    while (rc > 0)
        rc = spill_next(s, &got, &err);
    ck_assert_int_lt(rc, 0);
    ck_assert_msg(strstr(err.text, path) && strstr(err.text, "damaged"), "%s", err.text);
}
END_TEST

START_TEST(a_file_that_may_not_grow_is_named)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < 10000; i++) {
        share.rows++;
        rc = spill_put(s, record(i), &err);
    }
    limit.rlim_cur = before;
    setrlimit(RLIMIT_FSIZE, &limit);
    ck_assert_int_lt(rc, 0);
    ck_assert_msg(strstr(err.text, path) && strstr(err.text, "too large"), "%s", err.text);
    ck_assert_ptr_nonnull(strstr(err.text, "raise that limit"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {it_is_read_from_the_beginning_again, a_file_that_is_cut_is_an_error,
        a_file_that_may_not_grow_is_named};
    Suite *suite = suite_create("spill");
    TCase *spill = add_case(suite, "spill", setup, teardown);
    add_tests(spill, tests, N_ELEMENTS(tests));
    tcase_add_loop_test(spill, records_come_as_they_were_put, 0, 7);
    return run_suite(suite);
}
