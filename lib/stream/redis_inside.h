#pragma once
/* What the files of the Redis source share; the story is told at the top of redis.c. For nobody else. */
#include "stream/outstanding.h"
#include "stream/redis_link.h"
#include "stream/source.h"

#include <hiredis/hiredis.h>

struct config_stream;
struct event;

#define READ_COUNT_MAX 1024                /* entries a reply, at most */
#define READ_BYTES     ((size_t)256 << 10) /* what a reply should be about */
#define READ_BYTES_SLACK                                                                                     \
    ((size_t)4 << 20)                     /* what it may be beyond that, before the connection is dropped    \
                                           */
#define READ_BLOCK_MS  "2000"             /* with REDIS_ANSWER_WITHIN_US: a stalled server is seen in 5 s */
#define ACKS_AT_ONCE   1000               /* ids an XACK */
#define ACKS_UNDER_WAY (8 * ACKS_AT_ONCE) /* ids sent and not answered yet */

enum redis_phase {
    PHASE_OFF,   /* not connected, or not to read */
    PHASE_GROUP, /* the group is being made */
    PHASE_OWN,   /* reading what is pending under our own name, from an earlier life or connection */
    PHASE_NEW,   /* reading what nobody has read */
};

/* Entries of one reply, as far as the stream has not taken them yet. */
struct redis_held {
    struct redis_held *next;
    redisReply *entries; /* our own */
    size_t at;           /* the next one to deliver */
    bool claimed;
};

struct redis_ids {
    struct entry_id *list;
    size_t n, cap;
};

struct redis_source {
    struct source source; /* first */
    const struct source_sink *sink;
    void *sink_arg;
    struct health *health;
    char *name, *group, *consumer;
    char subject[64];
    struct redis_target target;
    uint64_t max_entry;
    struct redis_link *reader, *clerk;
    bool started;

    /* Reading */
    enum redis_phase phase;
    bool reading;              /* an XREADGROUP is under way */
    struct entry_id own_after; /* PHASE_OWN: the last id read */
    struct redis_held *held, *held_last;
    size_t n_held; /* entries in there */
    bool delivering;
    size_t mean_entry; /* bytes, of late */
    size_t careful;    /* so many entries are still to be read one by one */
    uint32_t epoch;    /* counts the incarnations of the group; from 1 */
    struct outstanding outstanding;
    struct entry_field *fields; /* of the entry being delivered */
    size_t n_fields_room;
    struct buffer cut; /* of a FIELDS entry that is too large: its beginning */

    /* Claiming */
    struct event *claim_timer;
    char claim_cursor[ENTRY_ID_MAX];
    char claim_idle_ms[24];
    int64_t claim_every_us;
    bool claim_due, claiming, cannot_claim;

    /* Acknowledging */
    struct redis_ids acks; /* to be acknowledged; the first n_acks_sent are sent */
    size_t n_acks_sent;
    struct redis_ids settled; /* acknowledged, but a reply that may repeat them is still to be taken in */

    /* Reporting */
    struct event *report_timer;
    bool asking; /* an XINFO is under way */
    int64_t lag, pending, acknowledged, claimed;
    uint64_t n_removed; /* from the stream before we could read them */
};

/* redis_read.c */
void redis_make_group(struct redis_source *s); /* then reads on */
void redis_read_more(struct redis_source *s);
void redis_read_lost(struct redis_source *s, bool too_much);
void redis_claim_more(struct redis_source *s);
void redis_claim_lost(struct redis_source *s, bool too_much);
void redis_drop_held(struct redis_source *s);
/* Gives the stream what it has room for, then asks for more. */
void redis_go_on(struct redis_source *s);
/* A reply that is still to be taken in may hold entries that were acknowledged meanwhile. */
bool redis_may_repeat(const struct redis_source *s);

/* redis_entry.c */
enum redis_taken { TAKEN, TAKEN_NOT, TAKEN_NONSENSE };
/* Delivers one entry of a reply, unless the stream has it already. TAKEN_NOT: there is no room. */
enum redis_taken redis_take(struct redis_source *s, const redisReply *item, bool claimed);
/* Entries that were removed from the stream while they were pending: nobody can have them any more. */
void redis_deliver_removed(struct redis_source *s, struct entry_id id);

/* redis_ack.c */
void redis_ack(struct source *source, const struct entry_id *ids, size_t n);
void redis_acks_send(struct redis_source *s);
void redis_acks_lost(struct redis_source *s);   /* the clerk's connection broke: send them again */
void redis_acks_forget(struct redis_source *s); /* the group is new: it knows nothing of what it was */
void redis_acks_settle(struct redis_source *s);
void redis_ids_done(struct redis_ids *ids);

/* redis_report.c */
void redis_ask_report(struct redis_source *s);

/* redis_probe.c */
int redis_probe(
    const struct config *config, const struct config_stream *stream, char **ret_said, struct error *err);

/* The link was seen to do what it is there for: read, or acknowledge. Clears the health condition. */
void redis_works(struct redis_source *s, struct redis_link *link);
/* The reply to `what` is an error that the link deals with; true when it was one. */
bool redis_is_refused(struct redis_link *link, const char *what, const redisReply *reply);
