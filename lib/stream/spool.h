#pragma once
/*
 * The spool of one named pipe: its bytes on disk, from the moment they left the pipe until the entries made
 * of them are acknowledged. How and why: the essay in spool.c. A position is an offset in the log of all
 * bytes and marks ever spooled; it grows for ever and names the same byte after every restart.
 */
#include "util/buffer.h"
#include "util/error.h"

struct spool;
struct spool_cursor;

struct spool_limits {
    uint64_t max_bytes;    /* on disk */
    uint64_t segment_size; /* of one file; 0: chosen from max_bytes, at most 4 MB */
    bool no_splice;        /* for tests: as where the file system refuses splice(2) */
};

/* A pipe's identity: device, inode, and when it was made, since inode numbers are used again. */
struct pipe_identity {
    uint64_t device, inode, born_ns;
};

enum spool_mark {
    SPOOL_OPENED = 2, /* the bytes behind it are another pipe's */
    SPOOL_CUT = 3,    /* the pipe was closed */
};

enum spool_took {
    SPOOL_TOOK_BYTES,
    SPOOL_TOOK_NOTHING, /* the pipe is empty */
    SPOOL_TOOK_END,     /* the pipe is empty and has no writer */
    SPOOL_BLOCKED,      /* disk or spool are full, or the disk fails: nothing was taken, try again later */
};

/* Makes the folder where it is missing and locks it: one daemon at a time. */
int spool_open(const char *folder, const struct spool_limits *limits, struct spool **ret, struct error *err);
void spool_free(struct spool *s);
DEFINE_CLEANUP(struct spool *, spool_freep, spool_free)

/* Moves at most `most` bytes from the pipe, which does not block. err is set when BLOCKED. */
enum spool_took spool_take(struct spool *s, int pipe, size_t most, struct error *err);
/* Bytes wait for the disk: spool_take() is to be called again even if the pipe has nothing new. */
bool spool_holds_bytes(const struct spool *s);
/* Puts a mark behind the bytes. -1: blocked. */
int spool_put_mark(struct spool *s, enum spool_mark mark, struct error *err);

/* The pipe whose bytes the log ends with, zero when it was cut. Kept on disk. */
struct pipe_identity spool_pipe(const struct spool *s);
void spool_set_pipe(struct spool *s, struct pipe_identity pipe);

/* Everything before the position is done, with n_entries more: it is never read again, and its space is
 * freed. */
void spool_ack(struct spool *s, uint64_t position, uint64_t n_entries);

uint64_t spool_epoch(const struct spool *s); /* when it was first made, Unix microseconds */
uint64_t spool_acked(const struct spool *s); /* position up to which all is done */
uint64_t spool_n_acked(const struct spool *s);
uint64_t spool_end(const struct spool *s); /* position behind the last byte */
uint64_t spool_disk_bytes(const struct spool *s);

enum piece_kind {
    PIECE_END,    /* nothing more for now */
    PIECE_BYTES,  /* bytes of the pipe */
    PIECE_OPENED, /* the marks */
    PIECE_CUT,
    PIECE_MISSING, /* bytes that should be here are not: a file is gone or damaged */
    PIECE_FAILED,  /* the disk fails: errno */
};

struct spool_piece {
    enum piece_kind kind;
    struct slice bytes;  /* BYTES: valid until the next call */
    uint64_t size;       /* how far to advance to pass it */
    int64_t received_us; /* BYTES: when they left the pipe; else when the mark was put */
};

/* Reads from a position on. Borrows the spool. */
struct spool_cursor *spool_cursor_new(const struct spool *s, uint64_t position);
void spool_cursor_free(struct spool_cursor *c);
DEFINE_CLEANUP(struct spool_cursor *, spool_cursor_freep, spool_cursor_free)
uint64_t spool_cursor_position(const struct spool_cursor *c);
/* What is at the position, which stays. */
void spool_cursor_next(struct spool_cursor *c, struct spool_piece *ret);
/* n: of BYTES any number of them; of another piece its size. */
void spool_cursor_advance(struct spool_cursor *c, uint64_t n);
