#pragma once
/*
 * Where the rows of JSON begin and end, before anybody reads them as JSON: the lines of NDJSON, or the elements of an array,
 * found by its brackets and quotes alone. So a row that is no JSON, is nested too deep or is too long harms itself only. What
 * is in memory is a row, and some kilobytes.
 */
#include "source/object_bytes.h"
#include "util/buffer.h"

struct object_frame {
    struct object_bytes *bytes;
    bool is_array;
    size_t row_max;

    struct buffer in;   /* what was read */
    size_t at, scanned; /* of it: where the element begins, and how far it was looked at */
    bool is_over;       /* no more bytes come */
    int64_t line;       /* of `scanned` */

    /* Of the element under way. */
    int64_t begin_line;
    bool is_long;
    struct buffer kept; /* of one that is too long: its beginning, as much as raw text takes */

    /* Of an array. */
    enum { BEFORE_ARRAY, BEFORE_FIRST, BEFORE_NEXT, BEHIND_ARRAY } place;
    bool in_string, is_escaped,
        is_closed; /* closed: a string, object or array of the outermost level has ended */
    unsigned depth, deepest;
    uint64_t objects; /* a bit a level, the innermost lowest: is it an object? Of the deepest 64 */
};

struct object_element {
    struct slice text; /* valid until the next; of one that is too long its beginning */
    int64_t line;      /* where it begins */
    bool is_long;      /* than row_max */
    bool is_last;      /* of lines: no line end is behind it */
};

void object_frame_init(struct object_frame *f, struct object_bytes *bytes, bool is_array, size_t row_max);
void object_frame_done(struct object_frame *f);
/* 1; 0 at the end, when all bytes were read; -1: they cannot be read, or nobody can tell what follows. Blank lines are
 * passed over. */
int object_frame_next(struct object_frame *f, struct object_element *ret, struct source_fault *fault);
