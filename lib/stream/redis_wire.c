#include "stream/redis_wire.h"

#include "stream/redis_link.h"

#include <errno.h>
#include <event2/event.h>
#include <hiredis/sds.h>
#include <sys/socket.h>

struct redis_wire {
    redisAsyncContext *ac;
    struct event *readable, *writable;
    const struct redis_wire_events *events;
    void *owner;
    bool *gone; /* set when we are freed while hiredis works */
    uint64_t string_max;
    size_t reply_bytes, reply_max;
    uint64_t skip;     /* bytes of a cut string that are still to be dropped */
    uint64_t cut_size; /* the whole length of the string that is being cut; 0: none */
};

/* hiredis' own functions but for strings. One table for all connections: a reader may outlive its wire. */
static redisReplyObjectFunctions counting;
static void *(*plain_string)(const redisReadTask *task, char *s, size_t n);

static void *create_string(const redisReadTask *task, char *s, size_t n)
{
    struct redis_wire *w = task->privdata;
    redisReply *reply = plain_string(task, s, n);
    w->reply_bytes += n + sizeof(redisReply) + 2 * sizeof(void *);
    if (reply && w->cut_size) {
        reply->integer = (long long)w->cut_size;
        w->cut_size = 0;
    }
    return reply;
}

uint64_t redis_string_size(const redisReply *string)
{
    return string->integer > 0 ? (uint64_t)string->integer : string->len;
}

/* Length of the string whose beginning waits in the reader, and where its bytes start; false when there is
 * none. hiredis has taken the '$' then: what waits is "65536\r\n" and the bytes there are. */
static bool waiting_string(const redisReader *r, uint64_t *ret_size, size_t *ret_start)
{
    uint64_t size = 0;
    size_t i = r->pos;
    for (; i < r->len && i < r->pos + 12 && r->buf[i] >= '0' && r->buf[i] <= '9'; i++)
        size = size * 10 + (uint64_t)(r->buf[i] - '0');
    if (i == r->pos || i + 2 > r->len || r->buf[i] != '\r' || r->buf[i + 1] != '\n')
        return false;
    *ret_size = size;
    *ret_start = i + 2;
    return true;
}

/* Makes hiredis believe that the string is REDIS_KEPT_OF_LONG bytes long. The shorter length is written right
 * before its bytes; the bytes too many that are here already are cut out, those to come will be skipped. */
static void cut_long_string(struct redis_wire *w)
{
    redisReader *r = w->ac->c.reader;
    uint64_t size;
    size_t start;
    if (w->skip || !waiting_string(r, &size, &start))
        return;
    if (size <= w->string_max || size <= 2 * REDIS_KEPT_OF_LONG || r->len - start < REDIS_KEPT_OF_LONG)
        return;
    char length[16];
    size_t n_length = (size_t)snprintf(length, sizeof(length), "%zu\r\n", REDIS_KEPT_OF_LONG);
    size_t here = (size_t)MIN((uint64_t)(r->len - start), size);
    size_t cut = here - REDIS_KEPT_OF_LONG;
    memmove(r->buf + start + REDIS_KEPT_OF_LONG, r->buf + start + here, r->len - start - here);
    sdsIncrLen(r->buf, -(int)cut);
    r->len -= cut;
    r->pos = start - n_length;
    memcpy(r->buf + r->pos, length, n_length);
    w->skip = size - here;
    w->cut_size = size;
}

/* False when there is nothing to be had: end of file and errors are for hiredis to find. */
static bool skip_some(struct redis_wire *w)
{
    static char nowhere[64 * 1024];
    size_t n = (size_t)MIN(w->skip, (uint64_t)sizeof(nowhere));
    ssize_t got = recv(w->ac->c.fd, nowhere, n, MSG_DONTWAIT);
    if (got > 0)
        w->skip -= (uint64_t)got;
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct redis_wire *w = arg;
    bool gone = false;
    w->gone = &gone;
    w->events->heard(w->owner);
    if (w->skip == 0 || !skip_some(w))
        redisAsyncHandleRead(w->ac);
    if (gone)
        return;
    w->gone = NULL;
    cut_long_string(w);
    redisReader *r = w->ac->c.reader;
    if (w->reply_max && w->reply_bytes + (r->len - r->pos) > w->reply_max)
        w->events->too_much(w->owner);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    redisAsyncHandleWrite(((struct redis_wire *)arg)->ac);
}

static void add_read(void *arg)
{
    event_add(((struct redis_wire *)arg)->readable, NULL);
}

static void del_read(void *arg)
{
    event_del(((struct redis_wire *)arg)->readable);
}

static void add_write(void *arg)
{
    event_add(((struct redis_wire *)arg)->writable, NULL);
}

static void del_write(void *arg)
{
    event_del(((struct redis_wire *)arg)->writable);
}

static void cleanup(void *arg)
{
    struct redis_wire *w = arg;
    if (w->gone)
        *w->gone = true;
    event_free(w->readable);
    event_free(w->writable);
    free(w);
}

void redis_wire_attach(redisAsyncContext *ac, struct event_base *base, uint64_t string_max,
    const struct redis_wire_events *events, void *owner)
{
    struct redis_wire *w = xnew(struct redis_wire);
    *w = (struct redis_wire){.ac = ac, .events = events, .owner = owner, .string_max = string_max};
    w->readable = event_new(base, ac->c.fd, EV_READ | EV_PERSIST, on_readable, w);
    w->writable = event_new(base, ac->c.fd, EV_WRITE | EV_PERSIST, on_writable, w);
    if (!plain_string) {
        counting = *ac->c.reader->fn;
        plain_string = counting.createString;
        counting.createString = create_string;
    }
    ac->c.reader->fn = &counting;
    ac->c.reader->privdata = w;
    ac->ev.addRead = add_read;
    ac->ev.delRead = del_read;
    ac->ev.addWrite = add_write;
    ac->ev.delWrite = del_write;
    ac->ev.cleanup = cleanup;
    ac->ev.data = w;
    event_add(w->readable, NULL);
    event_add(w->writable, NULL);
}

void redis_wire_limit(redisAsyncContext *ac, size_t reply_max)
{
    ((struct redis_wire *)ac->ev.data)->reply_max = reply_max;
}

size_t redis_wire_reply_bytes(const redisAsyncContext *ac)
{
    return ((const struct redis_wire *)ac->ev.data)->reply_bytes;
}

void redis_wire_next_reply(redisAsyncContext *ac)
{
    ((struct redis_wire *)ac->ev.data)->reply_bytes = 0;
}
