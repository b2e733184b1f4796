/*
 * A value that the window cuts is no JSON so far as it is seen. So when reading fails near the window's end, or a number
 * ends with it, the value is moved to the window's beginning, more is read behind it, and it is read again from its start:
 * of each window one row twice.
 */
#include "source/rest_body.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define TEXT_KEPT ((size_t)1 << 20) /* of a body in memory, from page to page */
#define LOOKAHEAD 16                /* the reader looks no further than a pair of \uXXXX at once */

void rest_body_init(struct rest_body *b)
{
    *b = (struct rest_body){
        .fd = -1, .window = REST_WINDOW_MIN, .room = REST_WINDOW_MIN, .json.lenient = true};
}

/* Where the file system has no files without a name, one with a name for a moment. */
static int open_named(const char *folder)
{
    _cleanup_free_ char *path = xasprintf("%s/.page-XXXXXX", folder);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

int rest_body_spool(struct rest_body *b, const char *folder)
{
    b->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (b->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
        b->fd = open_named(folder);
    return b->fd < 0 ? -1 : 0;
}

void rest_body_done(struct rest_body *b)
{
    buffer_done(&b->text);
    json_done(&b->json);
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
}

/* ---- writing ---- */

static bool fail(struct rest_body *b, enum rest_body_fault fault, int error)
{
    b->fault = fault;
    b->error = error;
    return false;
}

void rest_body_clear(struct rest_body *b)
{
    bool written = b->fd >= 0 && b->size > 0;
    buffer_reset(&b->text, b->fd >= 0 ? b->window : TEXT_KEPT);
    json_trim(&b->json, b->window);
    b->size = b->text_at = 0;
    b->at = 0;
    b->room = b->window;
    b->fault = REST_BODY_GOOD;
    if (written && ftruncate(b->fd, 0) < 0)
        fail(b, REST_BODY_FILE, errno);
}

static bool put_in_file(struct rest_body *b, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t written = pwrite(b->fd, p, n, b->size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return fail(b, REST_BODY_FILE, written < 0 ? errno : ENOSPC);
        p += written;
        n -= (size_t)written;
        b->size += written;
    }
    return true;
}

bool rest_body_put(struct rest_body *b, const void *bytes, size_t n)
{
    int64_t max = b->fd >= 0 ? REST_SPOOL_MAX : REST_PAGE_MAX;
    if (b->fault)
        return false;
    if ((int64_t)n > max - b->size || (b->fd < 0 && !buffer_reserve(&b->text, n)))
        return fail(b, REST_BODY_LARGE, 0);
    if (b->fd >= 0)
        return put_in_file(b, bytes, n);
    buffer_put(&b->text, bytes, n);
    b->size += (int64_t)n;
    return true;
}

/* ---- the window ---- */

void rest_body_go(struct rest_body *b, int64_t offset)
{
    b->fault = REST_BODY_GOOD;
    if (offset < b->text_at || offset > b->text_at + (int64_t)b->text.n) {
        b->text.n = 0;
        b->text_at = offset;
    }
    b->at = (size_t)(offset - b->text_at);
}

static bool sees_end(const struct rest_body *b)
{
    return b->text_at + (int64_t)b->text.n >= b->size;
}

/* What the reader has behind it goes; where it has all of the window before it, that grows. */
static bool make_room(struct rest_body *b)
{
    buffer_drop(&b->text, b->at);
    b->text_at += (int64_t)b->at;
    b->at = 0;
    if (b->text.n >= b->room) {
        if (b->room >= REST_PAGE_MAX)
            return fail(b, REST_BODY_LARGE_VALUE, 0);
        b->room = MIN(b->room * 2, (size_t)REST_PAGE_MAX);
    }
    return buffer_reserve(&b->text, b->room - b->text.n) || fail(b, REST_BODY_LARGE_VALUE, 0);
}

/* False at the body's end, or at a fault. */
static bool read_more(struct rest_body *b)
{
    ssize_t n;
    if (b->fault || sees_end(b) || !make_room(b))
        return false;
    do
        n = pread(b->fd, b->text.p + b->text.n, b->room - b->text.n, b->text_at + (int64_t)b->text.n);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return fail(b, REST_BODY_FILE, n < 0 ? errno : EIO);
    b->text.n += (size_t)n;
    return true;
}

/* ---- reading ---- */

void rest_body_skip_mark(struct rest_body *b)
{
    while (b->text.n - b->at < 3 && read_more(b))
        ;
    if (b->text.n - b->at >= 3 && memcmp(b->text.p + b->at, "\xef\xbb\xbf", 3) == 0)
        b->at += 3;
}

int rest_body_peek(struct rest_body *b)
{
    do {
        const char *p = b->text.p;
        size_t at = b->at, n = b->text.n;
        while (at < n && (p[at] == ' ' || p[at] == '\n' || p[at] == '\r' || p[at] == '\t'))
            at++;
        b->at = at;
        if (at < n)
            return (unsigned char)p[at];
    } while (read_more(b));
    return -1;
}

bool rest_body_take(struct rest_body *b, char c)
{
    if (rest_body_peek(b) != (unsigned char)c)
        return false;
    b->at++;
    return true;
}

bool rest_body_refuse(struct rest_body *b, const char *words)
{
    if (!b->fault)
        b->words = words;
    return b->fault ? false : fail(b, REST_BODY_NOT_JSON, 0);
}

static bool is_number_part(const char *p, const char *end)
{
    while (p < end && *p && strchr("0123456789+-.eE", *p))
        p++;
    return p == end;
}

/* What was made of the value may change when more of it is seen. */
static bool may_be_cut(const struct rest_body *b, bool is_good)
{
    const struct json_reader *j = &b->json;
    if (is_good)
        return j->p == j->end;
    return j->fault == JSON_NOT_JSON && (j->end - j->p < LOOKAHEAD || is_number_part(j->p, j->end));
}

bool rest_body_value(struct rest_body *b, unsigned outside, struct json_token *ret)
{
    bool is_good;
    rest_body_peek(b);
    do {
        struct slice seen = {b->text.p ? b->text.p + b->at : "", b->text.n - b->at};
        json_begin(&b->json, seen);
        is_good = json_part(&b->json, outside, ret);
    } while (!sees_end(b) && may_be_cut(b, is_good) && read_more(b));
    if (b->fault)
        return false;
    b->at += json_offset(&b->json);
    return is_good || rest_body_refuse(b, b->json.words);
}
