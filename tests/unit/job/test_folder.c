/* A job's own folder: made, closed to others, one process at a time; folders in it begun anew with all that was in them. */
#include "job/folder.h"

#include "../util/suite.h"

#include <sys/stat.h>

static char home[FOLDER_MAX], path[FOLDER_MAX + 32];

static void set_up(void)
{
    new_folder(home);
    snprintf(path, sizeof(path), "%s/harmonize/omop", home);
}

static struct job_folder open_it(void)
{
    struct job_folder f;
    struct error err = {""};
    bool busy = true;
    ck_assert_msg(job_folder_open(path, "harmonize", &f, &busy, &err) == 0, "%s", err.text);
    ck_assert(!busy);
    return f;
}

static bool is_there(const char *name)
{
    _cleanup_free_ char *full = xasprintf("%s/%s", path, name);
    return access(full, F_OK) == 0;
}

static void write_file(const char *name)
{
    _cleanup_free_ char *full = xasprintf("%s/%s", path, name);
    _cleanup_fclose_ FILE *f = fopen(full, "w");
    ck_assert_ptr_nonnull(f);
}

START_TEST(one_at_a_time)
{
    struct job_folder f, second;
    struct error err = {""};
    struct stat st;
    bool busy = false;
    set_up();
    f = open_it();
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0700);
    ck_assert_int_lt(job_folder_open(path, "harmonize", &second, &busy, &err), 0);
    ck_assert(busy);
    ck_assert_ptr_nonnull(strstr(err.text, "another run of this harmonize"));
    job_folder_done(&f);
    f = open_it();
    job_folder_done(&f);
}
END_TEST

START_TEST(made_anew)
{
    struct error err = {""};
    char *run = NULL, *kept = NULL;
    set_up();
    struct job_folder f = open_it();
    for (int i = 0; i < 2; i++) {
        free(run);
        free(kept);
        ck_assert_int_eq(job_folder_make(&f, "run", false, &run, &err), 0);
        ck_assert_int_eq(job_folder_make(&f, "kept", true, &kept, &err), 0);
        ck_assert(!is_there("run/in/it") && is_there("kept/file") == (i == 1));
        ck_assert_int_eq(mkdirat(f.fd, "run/in", 0700), 0);
        write_file("run/in/it");
        write_file("kept/file");
    }
    ck_assert_int_eq(symlinkat(home, f.fd, "run/in/link"), 0);
    job_folder_remove(run);
    ck_assert(!is_there("run") && is_there("kept/file"));
    ck_assert_int_eq(access(home, F_OK), 0);
    free(run);
    free(kept);
    job_folder_done(&f);
}
END_TEST

START_TEST(what_cannot_be_made)
{
    struct job_folder f;
    struct error err = {""};
    bool busy = true;
    set_up();
    snprintf(path, sizeof(path), "/proc/self/nowhere/omop");
    ck_assert_int_lt(job_folder_open(path, "harmonize", &f, &busy, &err), 0);
    ck_assert(!busy);
    ck_assert_ptr_nonnull(strstr(err.text, "/proc/self/nowhere"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {one_at_a_time, made_anew, what_cannot_be_made};
    return run_tests("folder", tests, N_ELEMENTS(tests));
}
