#pragma once
/*
 * A job's own folder on this machine, where it keeps rows: nobody else may see it, and one process at a time works in it,
 * which a lock shows that goes with the process.
 */
#include "util/error.h"

#include <stdbool.h>

struct job_folder {
    char *path;
    const char *kind; /* of job, for messages: "match" */
    int fd, lock;
};

/* Makes the folder, those above it too, and takes the lock. *ret_busy: another process has it. */
int job_folder_open(
    const char *path, const char *kind, struct job_folder *ret_folder, bool *ret_busy, struct error *err);
/* Of one that is open, or all zero but for fd and lock, which are -1. */
void job_folder_done(struct job_folder *f);
/* errno, in words that say what to do; returns -1. what: "writing the file x". */
int job_folder_fail(const struct job_folder *f, const char *what, struct error *err);

/* The name of the file that is locked. */
#define JOB_FOLDER_LOCK "lock"

/* Makes a folder in it, 0700, its path in *ret_path, a new string. What there was of that name is removed, or kept. */
int job_folder_make(
    const struct job_folder *f, const char *name, bool keep, char **ret_path, struct error *err);
/* Removes it, with all that is in it. */
void job_folder_remove(const char *path);
