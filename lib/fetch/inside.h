#pragma once
/*
 * What the files of this room say to each other. A wire brings the bytes as they are on the server or the disk; an
 * unpacker makes of them what the caller gets. Each is a struct of functions and a file.
 */
#include "fetch/fetch.h"
#include "util/buffer.h"

#include <nettle/sha2.h>

/* Writes the fault and returns -1; what a stranger wrote in it is made printable. The first of one call stays. */
int fetch_fault_set(struct fetch_fault *fault, bool transient, const char *fmt, ...) _printf_(3, 4);
/* What was read is no more what is there. */
int fetch_fault_changed(struct fetch_fault *fault, const char *fmt, ...) _printf_(2, 3);

/* ---- a wire ---- */

struct wire;

struct wire_driver {
    /* Up to n bytes; 0 when all that was promised has come. */
    ssize_t (*read)(struct wire *w, char *p, size_t n, struct fetch_fault *fault);
    void (*free)(struct wire *w);
};

struct wire {
    const struct wire_driver *driver;
    char *label; /* the URL for messages */
    char *url;   /* the URL as it was asked for in the end, without a user and a password */
    char *name;  /* or NULL */
    char *etag, *last_modified, *content_type;
    int64_t modified_us, total, received;
    int resumed;
    struct sha256_ctx sha256;
    char sum[2 * SHA256_DIGEST_SIZE + 1]; /* "" until the end */
};

/* The options are complete: numbers have their defaults. */
int http_open(const char *url, const struct fetch_options *options, struct wire **ret_wire,
    enum fetch_answer *ret_answer, struct fetch_fault *fault);
int file_open(const char *url, const struct fetch_options *options, struct wire **ret_wire,
    enum fetch_answer *ret_answer, struct fetch_fault *fault);

void wire_init(struct wire *w, const struct wire_driver *driver, const char *url);
/* Frees what wire_init() and the driver put into it, not w. */
void wire_done(struct wire *w);
/* Reads, counts and sums up. */
ssize_t wire_read(struct wire *w, char *p, size_t n, struct fetch_fault *fault);

/* ---- a wire's bytes with a look ahead ---- */

#define INTAKE_BLOCK ((size_t)256 * 1024)

struct intake {
    struct wire *wire;
    char *block;
    size_t at, n; /* block[at … n) is still to be taken */
};

/* Up to `want` (at most a block) bytes of what comes next, without taking them; fewer only at the end. */
int intake_peek(struct intake *in, size_t want, struct slice *ret_bytes, struct fetch_fault *fault);
/* The next bytes, as many as there are at once, and takes them; none at the end. */
int intake_take(struct intake *in, struct slice *ret_bytes, struct fetch_fault *fault);

/* ---- an unpacker ---- */

struct unpacker;
struct unpacker_driver {
    ssize_t (*read)(struct unpacker *u, char *p, size_t n, struct fetch_fault *fault);
    void (*free)(struct unpacker *u);
};
struct unpacker {
    const struct unpacker_driver *driver;
    struct intake *in; /* the caller's */
    char *name;        /* of the member; or NULL */
};

struct unpacker *gzip_new(struct intake *in);
/* member: a glob, or NULL. */
struct unpacker *zip_new(struct intake *in, const char *member);

/* The words for what these bytes begin: "gzip", "zip", or NULL. */
const char *fetch_packed_as(struct slice first);
#define PACKED_MAGIC 4 /* bytes that tell it */

/* ---- fetch_list's parts ---- */

/* The next link of a page, or its <base> (*ret_is_base), decoded, a new string; NULL at the end. *at moves on. */
char *page_next_link(struct slice page, size_t *at, bool *ret_is_base);

/* False when it is no pattern: a % that is none of %Y %m %d %%, a part of a date without %Y. */
bool glob_is_sound(const char *pattern, struct error *err);
/* Whether the whole text is as the pattern says; ret_date (or NULL): "" when the pattern has none. A part that stands twice
 * must be the same twice. */
bool glob_matches(const char *pattern, const char *text, char ret_date[11]);

/* The last n_slashes + 1 parts of a path. */
const char *fetch_last_parts(const char *path, size_t n_slashes);
