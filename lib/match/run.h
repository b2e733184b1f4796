#pragma once
/*
 * What sorters and spills have in common: a file of ours, runs of records in it, and what writes and reads those through one
 * buffer each. A record is the lengths of its key and its value, 4 bytes each, and both. What is read back is not trusted:
 * lengths that cannot be are a failure that names the file.
 *
 * Records in a buffer, also those that are partly in it, are held (share.h).
 */
#include "match/share.h"
#include "util/buffer.h"
#include "util/error.h"

#include <sys/types.h>

#define RUN_HEAD   8                  /* bytes before a record's key */
#define RECORD_MAX (64 * 1024 * 1024) /* bytes of key and value */

struct run_file {
    char *path;
    int fd;
    bool keep; /* else it is removed in the end */
};

/* Anew, whatever was there. */
int run_file_make(struct run_file *f, const char *path, bool keep, struct error *err);
int run_file_open(struct run_file *f, const char *path, bool keep, int64_t *ret_size, struct error *err);
/* One that was not opened has fd -1 or path NULL. */
void run_file_done(struct run_file *f);
int run_file_cut(const struct run_file *f, int64_t size, struct error *err);
int run_file_sync(const struct run_file *f, struct error *err);
/* Says that the file is damaged, and what to do. -1. */
int run_file_damaged(const struct run_file *f, const char *what, struct error *err);

struct run {
    int64_t at, n_bytes; /* where in the file */
    int64_t records;
    int64_t least, most; /* bytes of the smallest and of the largest */
};

struct run_writer {
    const struct run_file *file;
    int64_t at; /* where the buffer goes in the file */
    char *p;
    size_t n, cap;
    struct match_share *share; /* NULL: what is in the buffer is held elsewhere, or not counted */
    int64_t held, most_held;   /* most_held 0: nothing stays in the buffer */
};

void run_writer_init(struct run_writer *w, const struct run_file *file, int64_t at, size_t memory);
void run_writer_done(struct run_writer *w);
/* A run that begins with what is put next. */
struct run run_begin(const struct run_writer *w);
int run_put(struct run_writer *w, struct run *run, struct slice key, struct slice value, struct error *err);
/* All of it is in the file. */
int run_flush(struct run_writer *w, struct error *err);

struct run_reader {
    const struct run_file *file;
    struct match_share *share; /* or NULL */
    struct run run;
    int64_t at, left; /* of the file: what is not in the buffer; of the run: records after the one at hand */
    size_t window;    /* bytes to read at once: never more records than may be held */
    struct buffer buffer;
    size_t pos;              /* in the buffer, of the record at hand, or of the next */
    size_t size;             /* of the record at hand; 0: none */
    int64_t held;            /* records in the buffer */
    struct slice key, value; /* of the record at hand */
};

/* records: how many may be held, at least 1; memory: bytes of the buffer, but a record larger than that fits too. */
void run_reader_init(struct run_reader *r, const struct run_file *file, const struct run *run,
    struct match_share *share, int64_t records, size_t memory);
void run_reader_done(struct run_reader *r);
/* 1 and r->key and r->value, valid until the next call; 0 at the end; -1. */
int run_next(struct run_reader *r, struct error *err);
