#pragma once
/*
 * A source delivers entries to its stream and takes back what was stored. Redis Streams and named pipes are
 * the two there are; the rest of the code cannot tell them apart. Adding one is a file and a line in
 * source.c's table.
 *
 * The rules: a source delivers only while sink->room() is positive, and no more than it says; it keeps every
 * entry until it is acknowledged; what was not acknowledged is delivered again after a restart. The stream
 * acknowledges after the commit, in any order. A source lives on the event loop, never blocks, heals by
 * itself, and raises a health condition (subject "stream NAME") while it cannot read.
 */
#include "stream/entry.h"
#include "util/error.h"

#include <stdint.h>

struct cJSON;
struct config;
struct config_stream;
struct event_base;
struct health;
struct resolver;
struct source;

/* What the stream gives its source. */
struct source_sink {
    size_t (*room)(void *stream); /* entries it takes now; 0: stop reading until resume */
    void (*deliver)(void *stream, const struct entry *entry); /* copies what it keeps */
    void (*flush)(void *stream);                              /* a burst is over: write what has come */
};

/* What a source knows, for status and reconcile. -1 where it does not know. */
struct source_report {
    int64_t lag; /* entries waiting upstream or in the spool, not delivered yet. FIFO: bytes / mean frame */
    int64_t pending;      /* delivered by the upstream to some consumer of ours, not acknowledged */
    int64_t acknowledged; /* the upstream's own count of entries that left it for good, by its own books */
    int64_t spool_bytes;  /* FIFO: bytes spooled and not yet acknowledged */
    int64_t claimed;      /* Redis: entries taken over from dead consumers since start */
    bool connected;       /* Redis: connected and in the group. FIFO: the pipe is open */
};

/* Everything a source is made with; borrowed for the source's life, but config only during make. */
struct source_setup {
    struct event_base *base;
    struct resolver *resolver;
    struct health *health;
    const struct config *config;
    const struct config_stream *stream;
    const struct source_sink *sink;
    void *sink_arg;
};

struct source_ops {
    const char *scheme; /* of the URL */
    /* Without touching anything: are the URL and the settings usable? */
    int (*check)(const struct config_stream *stream, struct error *err);
    /* Connects once, blocking at most a few seconds, for `ingestctl doctor`: what was found, in words, in
     * ret_said (a new string), or -1 and why. */
    int (*probe)(
        const struct config *config, const struct config_stream *stream, char **ret_said, struct error *err);
    int (*make)(const struct source_setup *setup, struct source **ret_source, struct error *err);
    void (*start)(struct source *source); /* deliver; may be called again after stop */
    void (*stop)(
        struct source *source); /* deliver no more; what must go on upstream goes on (a pipe is drained) */
    void (*resume)(struct source *source); /* there is room again */
    void (*ack)(struct source *source, const struct entry_id *ids, size_t n);
    size_t (*unsent_acks)(const struct source *source); /* acknowledgements not yet known upstream */
    void (*report)(struct source *source, struct source_report *ret);
    void (*label)(const struct source *source, char *out, size_t size); /* "redis claim/ingestd" */
    /* Or NULL: the stream is gone for good, so nothing need be kept for a restart (a descriptor that the service
     * manager holds). Comes before free. */
    void (*leave)(struct source *source);
    void (*free)(struct source *source);
};

/* The first member of every source's own struct. */
struct source {
    const struct source_ops *ops;
};

/* The operations for a URL's scheme; NULL and a message that names the known schemes. */
const struct source_ops *source_for_url(const char *url, struct error *err);

extern const struct source_ops source_redis;
extern const struct source_ops source_fifo;
