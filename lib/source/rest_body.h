#pragma once
/*
 * The body of a page, kept in memory or in a file, and read as JSON through a window: of a body in memory that is all of it,
 * of one in a file some kilobytes, which grow only as far as one value asks for. Whoever reads does not see the difference.
 */
#include "source/rest.h"
#include "util/json.h"

#define REST_SPOOL_MAX  ((int64_t)4 * 1024 * 1024 * 1024) /* of a body in a file */
#define REST_WINDOW_MIN ((size_t)64 * 1024)

enum rest_body_fault {
    REST_BODY_GOOD,
    REST_BODY_NOT_JSON,
    REST_BODY_LARGE_VALUE, /* a row, or what stands beside the rows, than REST_PAGE_MAX */
    REST_BODY_LARGE,       /* put: larger than a body may be */
    REST_BODY_FILE,        /* the file cannot be written or read: errno is in error */
};

struct rest_body {
    int fd; /* -1: in memory */
    int64_t size;
    struct buffer text;  /* the window */
    int64_t text_at;     /* where it begins in the body */
    size_t at;           /* the reader, in the window */
    size_t window, room; /* of a file: its size at first, and by now */
    struct json_reader json;
    enum rest_body_fault fault;
    const char *words; /* NOT_JSON: the rule that was broken, at rest_body_at() */
    int error;
};

void rest_body_init(struct rest_body *b);
/* From now on the body is in a file that no folder lists. 0, or -1 with errno. */
int rest_body_spool(struct rest_body *b, const char *folder);
void rest_body_done(struct rest_body *b);

/* Empty again. */
void rest_body_clear(struct rest_body *b);
/* False: b->fault says why. */
bool rest_body_put(struct rest_body *b, const void *bytes, size_t n);

/* To an offset; the readings below go on from there. What went wrong before is forgotten. */
void rest_body_go(struct rest_body *b, int64_t offset);
static inline int64_t rest_body_at(const struct rest_body *b)
{
    return b->text_at + (int64_t)b->at;
}
/* Behind a byte order mark that is next. */
void rest_body_skip_mark(struct rest_body *b);
/* The next character that is no blank, the reader before it; -1 at the end. */
int rest_body_peek(struct rest_body *b);
/* Passes over it when it is this one. */
bool rest_body_take(struct rest_body *b, char c);
/* The next value, valid until the next reading; outside: objects and arrays that are open around it. False at a fault. */
bool rest_body_value(struct rest_body *b, unsigned outside, struct json_token *ret);
/* Sets NOT_JSON; false. */
bool rest_body_refuse(struct rest_body *b, const char *words);
