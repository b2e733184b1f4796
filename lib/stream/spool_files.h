#pragma once
/* The spool's own view of its folder: what spool.c writes and spool_cursor.c reads. Not for anyone else. */
#include "stream/spool.h"

#define CHUNK_MAGIC 0x53504c31u /* "SPL1" */
#define CHUNK_DATA  1           /* and the values of enum spool_mark */

/* Numbers are in the machine's own order: a spool never leaves its machine. */
struct chunk_header {
    uint32_t magic;
    uint32_t kind;
    uint64_t length; /* of the bytes behind it */
    int64_t received_us;
    uint64_t check; /* of the fields before it */
};
_Static_assert(sizeof(struct chunk_header) == 32, "the file's format");

struct segment {
    uint64_t start, end; /* positions; the file is named after start and holds end - start bytes */
};

struct spool {
    char *folder;
    int folder_fd; /* holds the lock */
    struct spool_limits limits;

    struct segment *segments; /* by position */
    size_t n_segments;
    int fd;        /* the last segment while it is written to, else -1 */
    uint64_t room; /* bytes of it that may be used */
    uint64_t end;  /* of the log */

    size_t n_headless; /* bytes behind the end that still need their header */
    int64_t headless_us;
    struct buffer stash; /* without splice: bytes read from the pipe and not written yet */

    int acked_fd, pipe_fd;
    uint64_t epoch, acked, n_acked, acked_sequence;
    struct pipe_identity pipe;
};

#define SEGMENT_NAME_SIZE 32
const char *segment_name(uint64_t start, char out[SEGMENT_NAME_SIZE]);

uint64_t chunk_check(const struct chunk_header *h);

/* A small file of fixed records, each with a check, written in place. */
struct record {
    uint64_t values[3];
    uint64_t check;
};
bool record_read(int fd, unsigned slot, struct record *ret);
bool record_write(int fd, unsigned slot, const uint64_t values[3]);

/* Opens the small files and reads the position, the count, the epoch and the pipe. */
int account_open(struct spool *s, struct error *err);
void account_close(struct spool *s);
/* Writes the position and the count; a torn write leaves the ones before. */
void account_put_acked(struct spool *s);
