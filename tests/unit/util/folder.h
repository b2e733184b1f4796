#pragma once
/*
 * Folders for tests. They lie in one of the runner's, which goes with all that is in it when the last test has ended: a
 * test that fails never comes to its own end, and shall leave nothing behind.
 */
#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER_MAX 48

/* Tests are children of the runner, and may be of several files: they find its folder in their environment. */
#define RUNNERS_FOLDER "INGEST_TESTS"

/* An empty folder. */
static inline void new_folder(char ret_path[FOLDER_MAX])
{
    snprintf(ret_path, FOLDER_MAX, "%s/XXXXXX", getenv(RUNNERS_FOLDER));
    ck_assert_ptr_nonnull(mkdtemp(ret_path));
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static inline void remove_folder(const char *path)
{
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The runner's own; for remove_folder() in the end. */
static inline void make_runners_folder(char ret_path[FOLDER_MAX])
{
    strcpy(ret_path, "/tmp/ingest-tests-XXXXXX");
    if (!mkdtemp(ret_path) || chmod(ret_path, 0711) < 0) { /* some tests become another user */
        perror(ret_path);
        exit(EXIT_FAILURE);
    }
    setenv(RUNNERS_FOLDER, ret_path, 1);
}
