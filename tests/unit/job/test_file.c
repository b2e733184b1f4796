/* The SQL file: what can be run is read, what cannot is refused with the reason. */
#include "job/job.h"
#include "util/cleanup.h"

#include "../util/suite.h"

#include <errno.h>
#include <sys/stat.h>

static char folder[FOLDER_MAX];
static char *path;

static void make_folder(void)
{
    new_folder(folder);
    path = xasprintf("%s/job.sql", folder);
}

static void drop_folder(void)
{
    remove_folder(folder);
    free(path);
}

static void write_file(const char *p, size_t n)
{
    _cleanup_fclose_ FILE *f = fopen(path, "wb");
    ck_assert_uint_eq(fwrite(p, 1, n, f), n);
}

static void reads_as(const char *text, const char *expected)
{
    _cleanup_free_ char *got = NULL;
    struct error err = {""};
    write_file(text, strlen(text));
    ck_assert_msg(job_read_sql(path, &got, &err) == 0, "%s", err.text);
    ck_assert_str_eq(got, expected);
}

static void refused(const char *where, const char *words)
{
    char *got;
    struct error err = {""};
    ck_assert_int_lt(job_read_sql(where, &got, &err), 0);
    ck_assert_msg(strstr(err.text, words) && strstr(err.text, where), "%s", err.text);
}

static void text_refused(const char *p, size_t n, const char *words)
{
    write_file(p, n);
    refused(path, words);
}

START_TEST(good)
{
    reads_as("select 1;\n", "select 1;\n");
    reads_as("\xef\xbb\xbfselect '\xc3\xbc'", "select '\xc3\xbc'");
    reads_as("-- c\n/* d */ x", "-- c\n/* d */ x");
}
END_TEST

START_TEST(without_a_statement)
{
    text_refused("", 0, "is empty");
    text_refused(" \n;;", 4, "no statement");
    text_refused("-- a\n/* b\n*/ ;", 14, "no statement");
    text_refused("\xef\xbb\xbf", 3, "no statement");
}
END_TEST

START_TEST(no_text)
{
    text_refused("s\0e\0l\0", 6, "UTF-16");
    text_refused("select 1;\n\nselect '\xfc';", 22, "line 3");
    text_refused("select '\xc3", 9, "line 1");
}
END_TEST

START_TEST(too_large)
{
    enum { MAX = 4 * 1024 * 1024 };
    _cleanup_free_ char *text = xcalloc(MAX + 2, 1);
    memset(text, 'x', MAX + 1);
    text_refused(text, MAX + 1, "larger than 4 MB");
    text[MAX] = '\0';
    reads_as(text, text);
}
END_TEST

START_TEST(no_file)
{
    refused(path, "No such file");
    refused(folder, "is a folder");
    refused("/dev/zero", "no plain file");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    refused(path, "no plain file");
    if (geteuid() != 0) {
        unlink(path);
        write_file("x", 1);
        chmod(path, 0);
        refused(path, "the user that the daemon runs as");
    }
}
END_TEST

START_TEST(kinds)
{
    ck_assert_ptr_eq(job_kind_find("query"), &job_query);
    ck_assert_ptr_eq(job_kind_find("probe"), &job_probe);
    ck_assert_ptr_null(job_kind_find("Query"));
    ck_assert_ptr_null(job_kind_find(""));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {good, without_a_statement, no_text, too_large, no_file, kinds};
    return run_staged("file", make_folder, drop_folder, tests, N_ELEMENTS(tests));
}
