#include "source/object_frame.h"

#include <inttypes.h>

#define PIECE    ((size_t)64 * 1024)
#define KEPT_MAX ((size_t)SOURCE_RAW_MAX + 3) /* so that a character is cut off whole */
#define MANY     (PIECE * 4)                  /* memory above it that a long row took is given back */

void object_frame_init(struct object_frame *f, struct object_bytes *bytes, bool is_array, size_t row_max)
{
    *f = (struct object_frame){.bytes = bytes, .is_array = is_array, .row_max = row_max, .line = 1};
}

void object_frame_done(struct object_frame *f)
{
    buffer_done(&f->in);
    buffer_done(&f->kept);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* What is before the element goes; 1, 0 at the end, -1. */
static int fill(struct object_frame *f, struct source_fault *fault)
{
    if (f->is_over)
        return 0;
    if (f->at > 0) {
        buffer_drop(&f->in, f->at);
        f->scanned -= f->at;
        f->at = 0;
        if (f->in.n == 0)
            buffer_reset(&f->in, MANY);
    }
    if (!buffer_reserve(&f->in, PIECE)) {
        *fault = (struct source_fault){.transient = true};
        return error_set(&fault->error, "%.200s: there is no memory left to read it with", f->bytes->label);
    }
    ssize_t got = object_bytes_read(f->bytes, f->in.p + f->in.n, PIECE, fault);
    if (got < 0)
        return -1;
    f->is_over = got == 0;
    f->in.n += (size_t)got;
    return got > 0;
}

/* The next byte that is no blank is at `scanned`: it, or -1 at the end, -2 for a fault. */
static int skip_blanks(struct object_frame *f, struct source_fault *fault)
{
    for (;;) {
        for (; f->scanned < f->in.n; f->scanned++) {
            if (!is_blank(f->in.p[f->scanned]))
                return (unsigned char)f->in.p[f->scanned];
            f->line += f->in.p[f->scanned] == '\n';
        }
        f->at = f->scanned;
        int got = fill(f, fault);
        if (got <= 0)
            return got - 1;
    }
}

/* Of one that has become too long the beginning is kept, and what was looked at given up. */
static void shorten(struct object_frame *f)
{
    if (f->scanned - f->at <= f->row_max && !f->is_long)
        return;
    f->is_long = true;
    buffer_put(&f->kept, f->in.p + f->at, MIN(f->scanned - f->at, KEPT_MAX - f->kept.n));
    f->at = f->scanned;
}

/* ---- lines ---- */

static bool line_ends(struct object_frame *f)
{
    const char *end = f->scanned < f->in.n ? memchr(f->in.p + f->scanned, '\n', f->in.n - f->scanned) : NULL;
    f->scanned = end ? (size_t)(end - f->in.p) : f->in.n;
    return end;
}

/* ---- elements ---- */

static int broken(const struct object_frame *f, struct source_fault *fault, const char *what)
{
    return object_refuse(f->bytes->label, fault, OBJECT_DAMAGED,
        "its array of JSON is broken in line %" PRId64 ": %s; from there on nobody can tell its rows",
        f->line, what);
}

static int cut_off(const struct object_frame *f, struct source_fault *fault)
{
    return object_refuse(f->bytes->label, fault, OBJECT_TRUNCATED,
        "it ends in line %" PRId64 ", before its array of JSON does: it is cut off; have it sent again",
        f->line);
}

static const char *scan_string(struct object_frame *f, char c)
{
    if ((unsigned char)c < 0x20)
        return "a line end, or another control character, stands in a string";
    if (f->is_escaped) {
        f->is_escaped = false;
    } else if (c == '\\') {
        f->is_escaped = true;
    } else if (c == '"') {
        f->in_string = false;
        f->is_closed = f->depth == 0;
    }
    return NULL;
}

static const char *scan_close(struct object_frame *f, char c)
{
    bool is_object = f->objects & 1;
    if (f->depth + 64 > f->deepest && is_object != (c == '}'))
        return "a bracket closes what another kind of bracket opened";
    f->objects >>= 1;
    f->is_closed = --f->depth == 0;
    return NULL;
}

/* Outside of strings, and no separator of the outermost level. */
static const char *scan_plain(struct object_frame *f, char c)
{
    if (is_blank(c)) {
        f->line += c == '\n';
        return NULL;
    }
    if (f->is_closed)
        return "a comma or the array's end was expected";
    if (c == '"') {
        f->in_string = true;
    } else if (c == '{' || c == '[') {
        f->objects = f->objects << 1 | (c == '{');
        f->depth++;
        f->deepest = MAX(f->deepest, f->depth);
    } else if (c == '}' || c == ']') {
        return f->depth ? scan_close(f, c) : "a bracket closes what none opened";
    }
    return NULL;
}

/* Over the bytes of a string that mean nothing, most of all there is. */
static void skip_text(struct object_frame *f)
{
    const char *p = f->in.p + f->scanned, *end = f->in.p + f->in.n;
    while (p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\')
        p++;
    f->scanned = (size_t)(p - f->in.p);
}

/* 1: the comma or bracket behind the element is at `scanned`; 0: more is needed; -1. */
static int element_ends(struct object_frame *f, struct source_fault *fault)
{
    while (f->scanned < f->in.n) {
        if (f->in_string && !f->is_escaped)
            skip_text(f);
        if (f->scanned == f->in.n)
            break;
        char c = f->in.p[f->scanned];
        if (!f->in_string && f->depth == 0 && (c == ',' || c == ']'))
            return 1;
        const char *wrong = f->in_string ? scan_string(f, c) : scan_plain(f, c);
        if (wrong)
            return broken(f, fault, wrong);
        f->scanned++;
    }
    return 0;
}

/* To where the next element begins: 1; 0 behind the array. */
static int enter(struct object_frame *f, struct source_fault *fault)
{
    int c = skip_blanks(f, fault);
    if (c == -2)
        return -1;
    if (f->place == BEFORE_ARRAY) { /* that it is one, whoever looked at the first bytes knows */
        f->scanned++;
        f->place = BEFORE_FIRST;
        return enter(f, fault);
    }
    if (f->place == BEHIND_ARRAY)
        return c < 0 ? 0 : broken(f, fault, "something stands behind its end");
    if (c < 0)
        return cut_off(f, fault);
    if (c == ']' && f->place == BEFORE_FIRST) {
        f->scanned++;
        f->place = BEHIND_ARRAY;
        return enter(f, fault);
    }
    return c == ',' || c == ']' ? broken(f, fault, "an element is missing") : 1;
}

/* Behind the comma or bracket, or line end, that `scanned` is at. */
static void leave(struct object_frame *f)
{
    if (f->is_array)
        f->place = f->in.p[f->scanned] == ']' ? BEHIND_ARRAY : BEFORE_NEXT;
    else
        f->line++;
    f->scanned++;
}

/* ---- either ---- */

static void forget(struct object_frame *f)
{
    f->is_long = f->is_closed = f->in_string = f->is_escaped = false;
    f->depth = f->deepest = 0;
    f->kept.n = 0;
}

/* Only an array may not end here. */
static int at_end(const struct object_frame *f, struct source_fault *fault)
{
    return f->is_array ? cut_off(f, fault) : 0;
}

static int find_end(struct object_frame *f, bool *ret_is_last, struct source_fault *fault)
{
    for (;;) {
        int found = f->is_array ? element_ends(f, fault) : line_ends(f);
        if (found < 0)
            return -1;
        shorten(f);
        if (found)
            return 0;
        int got = fill(f, fault);
        if (got < 0)
            return -1;
        if (got == 0) {
            *ret_is_last = true;
            return at_end(f, fault);
        }
    }
}

static struct slice trimmed(struct object_frame *f)
{
    struct slice s = f->is_long ? (struct slice){f->kept.p, f->kept.n}
                                : (struct slice){f->in.p + f->at, f->scanned - f->at};
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

int object_frame_next(struct object_frame *f, struct object_element *ret, struct source_fault *fault)
{
    struct object_element e = {0};
    forget(f);
    int entered = f->is_array ? enter(f, fault) : skip_blanks(f, fault);
    if (f->is_array ? entered <= 0 : entered < 0)
        return f->is_array ? entered : entered + 1;
    f->at = f->scanned;
    e.line = f->line;
    if (find_end(f, &e.is_last, fault) < 0)
        return -1;
    e.text = trimmed(f);
    e.is_long = f->is_long;
    if (!e.is_last)
        leave(f);
    *ret = e;
    return 1;
}
