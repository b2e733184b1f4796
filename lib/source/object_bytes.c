#include "source/object_bytes.h"

#include "source/csv_sniff.h"
#include "util/buffer.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>

int object_refuse(
    const char *label, struct source_fault *fault, enum object_reason reason, const char *fmt, ...)
{
    char words[sizeof(fault->error.text)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    *fault = (struct source_fault){.reason = object_reason_code(reason)};
    return error_set(&fault->error, "%.200s: %s", label, words);
}

static int take_fault(const struct object_bytes *b, const struct fetch_fault *why, struct source_fault *fault)
{
    switch (why->wrong) {
    case FETCH_CUT_OFF:
        return object_refuse(b->label, fault, OBJECT_TRUNCATED,
            "it is a gzip that is cut off: whoever made it did not finish it; have it sent again");
    case FETCH_DAMAGED:
        return object_refuse(b->label, fault, OBJECT_DAMAGED,
            "it is a damaged gzip: its data or its sum is broken; have it sent again");
    case FETCH_PACKED_TWICE:
        return object_refuse(
            b->label, fault, OBJECT_WRONG_FORMAT, "it is packed twice: have it packed once, by gzip");
    case FETCH_SOUND:
        break;
    }
    *fault = (struct source_fault){why->error, why->transient, why->changed};
    return error_prefix(&fault->error, "%.200s", b->label);
}

static ssize_t read_fetch(struct object_bytes *b, char *p, size_t n, struct source_fault *fault)
{
    struct fetch_fault why;
    ssize_t got = fetch_read(b->fetch, p, n, &why);
    return got < 0 ? take_fault(b, &why, fault) : got;
}

/* Each byte but the plainest as %XX. */
static char *url_of(const char *path)
{
    _cleanup_buffer_ struct buffer url = {0};
    buffer_put_string(&url, "file://");
    for (; *path; path++)
        if (isalnum((unsigned char)*path) || strchr("/._-", *path))
            buffer_put(&url, path, 1);
        else
            buffer_printf(&url, "%%%02X", (unsigned)(unsigned char)*path);
    return xstrdup(buffer_string(&url));
}

/* A zip is not unpacked: a workbook is one, and an object is to be one list of rows. */
static int refuse_zip(const struct object_bytes *b, const char *path, struct source_fault *fault)
{
    char magic[2] = "";
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || read(fd, magic, sizeof(magic)) != sizeof(magic) || memcmp(magic, "PK", 2) != 0)
        return 0; /* whether it can be read, fetch says */
    char next[2] = "";
    if (read(fd, next, sizeof(next)) != sizeof(next) || (unsigned char)next[0] > 8)
        return 0;
    return object_refuse(b->label, fault, OBJECT_WRONG_FORMAT,
        "it is a zip, or a workbook of an office program: have it delivered as CSV, JSON or NDJSON, packed "
        "by gzip or "
        "not at all");
}

static int peek(struct object_bytes *b, struct source_fault *fault)
{
    while (b->n < CSV_SNIFF_MIN && !b->is_ended) {
        ssize_t got = read_fetch(b, b->first + b->n, sizeof(b->first) - b->n, fault);
        if (got < 0)
            return -1;
        b->is_ended = got == 0;
        b->n += (size_t)got;
    }
    return 0;
}

int object_bytes_open(struct object_bytes *b, const char *path, const char *label, struct source_fault *fault)
{
    _cleanup_free_ char *url = url_of(path);
    enum fetch_answer answer;
    struct fetch_fault why;
    *b = (struct object_bytes){.label = label};
    if (refuse_zip(b, path, fault) < 0)
        return -1;
    if (fetch_open(url, NULL, &b->fetch, &answer, &why) < 0) {
        b->fetch = NULL;
        return take_fault(b, &why, fault);
    }
    return peek(b, fault);
}

void object_bytes_done(struct object_bytes *b)
{
    fetch_free(b->fetch);
    b->fetch = NULL;
}

ssize_t object_bytes_read(void *arg, char *p, size_t n, struct source_fault *fault)
{
    struct object_bytes *b = arg;
    if (b->at == b->n)
        return b->is_ended ? 0 : read_fetch(b, p, n, fault);
    n = MIN(n, b->n - b->at);
    memcpy(p, b->first + b->at, n);
    b->at += n;
    return (ssize_t)n;
}

void object_bytes_facts(void *arg, int64_t *ret_received, int64_t *ret_total)
{
    struct object_bytes *b = arg;
    struct fetch_facts facts;
    fetch_facts(b->fetch, &facts);
    *ret_received = facts.received;
    *ret_total = facts.total;
}
