#pragma once
/*
 * One connection to Redis on the event loop: it resolves, connects, logs in, notices a server that no longer
 * answers or answers too much, and comes back with backoff and jitter. What is said over it is its owner's.
 * hiredis and its hooks into libevent are seen here and in the parsing of replies, nowhere else.
 */
#include "stream/redis_target.h"
#include "util/health.h"

#include <hiredis/hiredis.h>
#include <stdint.h>

struct event_base;
struct resolver;
struct redis_link;

#define REDIS_ANSWER_WITHIN_US                                                                               \
    (5 * INT64_C(1000000))                     /* without a byte for so long, the server is stalled          \
                                                */
#define REDIS_KEPT_OF_LONG ((size_t)64 * 1024) /* what is kept of a string longer than string_max */

enum redis_link_state { LINK_OFF, LINK_WAITING, LINK_RESOLVING, LINK_CONNECTING, LINK_GREETING, LINK_UP };
const char *redis_link_state_to_string(enum redis_link_state s);

/* Why a link went down. It comes back by itself in every case. */
struct redis_loss {
    enum severity severity;
    const char *remedy; /* or NULL */
    const char *what;   /* what is wrong, in words; NULL when it is no trouble */
    bool too_much;      /* a reply was longer than redis_link_limit() allows */
};

struct redis_link_events {
    void (*up)(void *owner, struct redis_link *link); /* connected and logged in: commands may be sent */
    void (*down)(void *owner, struct redis_link *link, const struct redis_loss *loss);
    /* The cluster says that the stream lives elsewhere: the owner redirects its links there. */
    void (*moved)(void *owner, struct redis_link *link, const char *host, int port);
};

struct redis_link_setup {
    struct event_base *base;
    struct resolver *resolver;
    const struct redis_target *target; /* borrowed for the link's life */
    const struct redis_link_events *events;
    void *owner;
    const char *stream;  /* for the log; borrowed */
    const char *name;    /* "reader": for the log; borrowed */
    uint64_t string_max; /* of a longer string only the beginning is kept, whatever its length */
};

struct redis_link *redis_link_new(const struct redis_link_setup *setup);
/* Closes at once. Must not be called from within a reply. */
void redis_link_free(struct redis_link *link);

void redis_link_open(struct redis_link *link);  /* nothing when it is open already */
void redis_link_close(struct redis_link *link); /* at once; waiting replies never come, down is not called */
enum redis_link_state redis_link_state(const struct redis_link *link);
/* Its owner's word that what it is there for works; ends the backoff. Until the link goes down. */
void redis_link_confirm(struct redis_link *link);
bool redis_link_is_good(const struct redis_link *link);

/* The reply is borrowed; what it holds may be taken out by setting its place to NULL. Called once for a
 * command, or never when the link goes down first. tag is what was given to send. */
typedef void redis_reply_fn(void *owner, redisReply *reply, size_t tag);

/* False when the link is not up. lengths may be NULL: C strings then. */
bool redis_link_send(struct redis_link *link, redis_reply_fn *fn, size_t tag, int argc, const char **argv,
    const size_t *lengths);
/* Writes now what the socket takes, so that the server works while we do. */
void redis_link_push(struct redis_link *link);

/* The longest reply from here on, in bytes: a longer one takes the link down. */
void redis_link_limit(struct redis_link *link, size_t reply_max);
/* Bytes of strings in the reply that is just being given to its owner. */
size_t redis_link_reply_bytes(const struct redis_link *link);

/* Within a reply: the answer to `what` was an error that the owner cannot deal with. Takes the link down, to
 * come back later or elsewhere. */
void redis_link_refused(struct redis_link *link, const char *what, const redisReply *reply);
/* Within anything: the owner cannot make sense of what the server says. */
void redis_link_confused(struct redis_link *link, const char *what);
/* Connects to another node, now; back to the target's own when that one cannot be reached. */
void redis_link_redirect(struct redis_link *link, const char *host, int port);
