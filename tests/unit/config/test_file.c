#include "../util/suite.h"
#include "parse.h"

#include <sys/stat.h>

static char folder[FOLDER_MAX];

static void make_folder(void)
{
    new_folder(folder);
}

static void drop_folder(void)
{
    _cleanup_free_ char *path = xasprintf("%s/f", folder);
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static char *write_file(const char *bytes, size_t n, mode_t mode)
{
    char *path = xasprintf("%s/f", folder);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
    return path;
}

static void expect_unread(const char *path, const char *words)
{
    struct config *c = NULL;
    struct config_problems problems = {0};
    ck_assert_int_eq(config_read(path, &c, &problems), -1);
    ck_assert_ptr_null(c);
    ck_assert_uint_eq(problems.n, 1);
    ck_assert_int_eq(problems.list[0].line, 0);
    ck_assert_msg(strstr(problems.list[0].text, words) != NULL, "%s", problems.list[0].text);
    config_problems_done(&problems);
}

START_TEST(what_is_no_file_is_refused)
{
    expect_unread("/nonexistent/ingestd.yaml", "No such file");
    expect_unread("/", "a folder");
    expect_unread("/dev/zero", "a pipe or device");
    _cleanup_free_ char *pipe = xasprintf("%s/f", folder);
    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    expect_unread(pipe, "a pipe or device");
}
END_TEST

START_TEST(an_empty_file_and_a_huge_one_are_refused)
{
    _cleanup_free_ char *path = write_file("", 0, 0600);
    expect_unread(path, "the file is empty");
    ck_assert_int_eq(truncate(path, INT64_C(1) << 40), 0);
    expect_unread(path, "too large");
}
END_TEST

START_TEST(an_unreadable_file_is_refused)
{
    _cleanup_free_ char *path = write_file("name: x\n", 8, 0);
    if (geteuid() == 0) { /* root reads everything */
        ck_assert_int_eq(chmod(folder, 0755), 0);
        ck_assert_int_eq(seteuid(65534), 0);
    }
    expect_unread(path, "Permission denied");
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(a_good_file_is_read)
{
    _cleanup_free_ char *path = write_file(MINIMAL, strlen(MINIMAL), 0644);
    struct config *c = NULL;
    struct config_problems problems = {0};
    ck_assert_int_eq(config_read(path, &c, &problems), 0);
    ck_assert_str_eq(c->path, path);
    ck_assert_uint_eq(c->n_streams, 1);
    config_free(c);
}
END_TEST

static void expect_secret(const char *bytes, size_t n, const char *wanted)
{
    struct error err;
    _cleanup_free_ char *secret = NULL;
    _cleanup_free_ char *path = write_file(bytes, n, 0640);
    ck_assert_msg(config_read_secret(path, &secret, &err) == 0, "%s", err.text);
    ck_assert_str_eq(secret, wanted);
}

static void expect_no_secret(const char *path, const char *words)
{
    struct error err;
    char *secret = NULL;
    ck_assert_int_eq(config_read_secret(path, &secret, &err), -1);
    ck_assert_ptr_null(secret);
    ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, path) != NULL, "%s", err.text);
}

START_TEST(a_secret_is_the_first_line)
{
    expect_secret("best", 4, "best");
    expect_secret("best\n", 5, "best");
    expect_secret("best\r\nmore\n", 11, "best");
    expect_secret(" b\xc3\xa9st \n", 8, " b\xc3\xa9st ");
}
END_TEST

START_TEST(a_bad_secret_is_refused)
{
    struct error err;
    char *secret = NULL;
    static const char nul[] = "be\0st\n";
    expect_no_secret("/nonexistent/password", "No such file");
    expect_no_secret("/", "is not a file");
    ck_assert_int_eq(config_read_secret("/nonexistent", &secret, NULL), -1);
    for (mode_t open_to_all = 1; open_to_all <= 4; open_to_all <<= 1) {
        _cleanup_free_ char *path = write_file("best\n", 5, 0600 | open_to_all);
        expect_no_secret(path, "chmod o-rwx");
    }
    _cleanup_free_ char *path = write_file("", 0, 0600);
    expect_no_secret(path, "is empty");
    free(write_file("\nbest\n", 6, 0600));
    expect_no_secret(path, "is empty");
    free(write_file(nul, sizeof(nul) - 1, 0600));
    expect_no_secret(path, "not text");
    ck_assert_int_eq(config_read_secret(path, &secret, &err), -1);
    ck_assert_ptr_null(strstr(err.text, "be"));
    char large[5000];
    memset(large, 'x', sizeof(large));
    free(write_file(large, sizeof(large), 0600));
    expect_no_secret(path, "too long");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_no_secret(path, "is not a file");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_is_no_file_is_refused, an_empty_file_and_a_huge_one_are_refused,
        an_unreadable_file_is_refused, a_good_file_is_read, a_secret_is_the_first_line,
        a_bad_secret_is_refused};
    return run_staged("config-file", make_folder, drop_folder, tests, N_ELEMENTS(tests));
}
