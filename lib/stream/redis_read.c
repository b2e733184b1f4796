/*
 * Reading: the group is made, then our own pending entries are read page by page, then new ones; and beside
 * that, the pending entries of consumers that died are claimed. All of it ends in redis_go_on(), which gives
 * the stream what it has room for and asks for more when there is room left. What the stream cannot take yet
 * is held: at most the rest of one reply of the reader, the one it was asked for meanwhile, and one of the
 * clerk.
 */
#include "stream/redis_inside.h"
#include "stream/redis_reply.h"
#include "util/log.h"

#include <event2/event.h>
#include <inttypes.h>

#define CLAIM_COUNT_MAX 256

static void hold(struct redis_source *s, redisReply *entries, bool claimed)
{
    struct redis_held *h = xnew(struct redis_held);
    *h = (struct redis_held){.entries = entries, .claimed = claimed};
    if (s->held)
        s->held_last->next = h;
    else
        s->held = h;
    s->held_last = h;
    s->n_held += entries->elements;
}

static void drop_first(struct redis_source *s)
{
    struct redis_held *h = s->held;
    s->n_held -= h->entries->elements - h->at;
    s->held = h->next;
    freeReplyObject(h->entries);
    free(h);
}

/* What is dropped here stays pending under our name, and is read again. */
void redis_drop_held(struct redis_source *s)
{
    while (s->held && !s->delivering)
        drop_first(s);
}

bool redis_may_repeat(const struct redis_source *s)
{
    return s->held || (s->reading && s->phase == PHASE_OWN);
}

/* How many entries to ask for next, and how long their reply may become. One alone may be as long as it is:
 * the link cuts what is longer than max_entry. */
static size_t count_for(struct redis_source *s, struct redis_link *link, size_t count_max)
{
    size_t room = s->sink->room(s->sink_arg);
    if (room <= s->n_held)
        return 0;
    size_t count = MIN(room - s->n_held, count_max);
    count = MIN(count, READ_BYTES / MAX(s->mean_entry, (size_t)1));
    if (s->careful || count == 0)
        count = 1;
    redis_link_limit(link, count == 1 ? 0 : READ_BYTES + READ_BYTES_SLACK);
    return count;
}

static void learn_size(struct redis_source *s, const struct redis_link *link, size_t n)
{
    if (n > 0)
        s->mean_entry = (3 * s->mean_entry + redis_link_reply_bytes(link) / n) / 4;
}

/* -- the group ------------------------------------------------------------------------------------------- */

/* The group did not exist: it is the first start, or somebody removed the group, the stream or everything.
 * What we know of the old one is void: an entry that the new one delivers is taken again even where its id is
 * in the stream's hands, since it may be another entry. */
static void group_is_new(struct redis_source *s)
{
    s->epoch++;
    redis_acks_forget(s);
    redis_drop_held(s);
    redis_acks_settle(s);
    log_notice("redis", ABOUT_STREAM(s->name),
        "made the consumer group \"%s\" at the beginning of the Redis stream \"%s\"", s->group,
        s->target.key);
}

static void on_group(void *owner, redisReply *reply, size_t tag)
{
    struct redis_source *s = owner;
    if (redis_fault_of(reply) != REDIS_BUSY_GROUP) {
        if (redis_is_refused(s->reader, "XGROUP CREATE", reply))
            return;
        group_is_new(s);
    }
    s->phase = PHASE_OWN;
    s->own_after = (struct entry_id){0};
    redis_go_on(s);
}

void redis_make_group(struct redis_source *s)
{
    const char *argv[] = {"XGROUP", "CREATE", s->target.key, s->group, "0", "MKSTREAM"};
    s->phase = PHASE_GROUP;
    redis_link_limit(s->reader, 0);
    redis_link_send(s->reader, on_group, 0, N_ELEMENTS(argv), argv, NULL);
}

/* -- reading --------------------------------------------------------------------------------------------- */

/* [[stream, [entry, …]]] -> the entries, taken out of the reply; NULL when it is none. */
static redisReply *take_entries(redisReply *reply)
{
    redisReply *stream = redis_is_array(reply, 1) ? reply->element[0] : NULL;
    if (!stream || !redis_is_array(stream, 2) || !redis_is_array(stream->element[1], 0))
        return NULL;
    return TAKE(stream->element[1]);
}

/* Our own pending entries come in pages after the last id seen; an empty page is the end. */
static bool turn_page(struct redis_source *s, const redisReply *entries)
{
    if (entries->elements == 0) {
        s->phase = PHASE_NEW;
        s->claim_due = true;
        return true;
    }
    const redisReply *last = entries->element[entries->elements - 1];
    return redis_is_array(last, 1) && redis_id_parse(last->element[0], &s->own_after);
}

static void on_read(void *owner, redisReply *reply, size_t tag)
{
    struct redis_source *s = owner;
    s->reading = false;
    if (redis_fault_of(reply) == REDIS_NO_GROUP) {
        redis_make_group(s);
        return;
    }
    if (redis_is_refused(s->reader, "XREADGROUP", reply))
        return;
    redis_works(s, s->reader);
    if (redis_is(reply, REDIS_REPLY_NIL)) { /* nothing came within BLOCK */
        redis_go_on(s);
        return;
    }
    redisReply *entries = take_entries(reply);
    if (!entries || (s->phase == PHASE_OWN && !turn_page(s, entries))) {
        freeReplyObject(entries);
        redis_link_confused(s->reader, "XREADGROUP");
        return;
    }
    learn_size(s, s->reader, entries->elements);
    hold(s, entries, false);
    if (s->phase == PHASE_NEW) {
        redis_read_more(s); /* so that Redis works on the next reply while we take in this one */
        redis_link_push(s->reader);
    }
    redis_go_on(s);
}

void redis_read_more(struct redis_source *s)
{
    if (!s->started || s->reading || s->phase < PHASE_OWN)
        return;
    if (s->phase == PHASE_OWN && s->held)
        return; /* a page is asked for when the one before is taken in: see on_acked */
    size_t count = count_for(s, s->reader, READ_COUNT_MAX);
    if (count == 0 && !redis_link_is_good(s->reader) && s->phase == PHASE_OWN)
        count = 1; /* to see whether we may read at all, even while there is no room */
    if (count == 0)
        return;
    char number[24], after[ENTRY_ID_MAX];
    snprintf(number, sizeof(number), "%zu", count);
    const char *id = s->phase == PHASE_NEW ? ">" : entry_id_to_string(s->own_after, after);
    const char *argv[] = {"XREADGROUP", "GROUP", s->group, s->consumer, "COUNT", number, "BLOCK",
        READ_BLOCK_MS, "STREAMS", s->target.key, id};
    s->reading = redis_link_send(s->reader, on_read, 0, N_ELEMENTS(argv), argv, NULL);
}

static void be_careful(struct redis_source *s)
{
    s->careful = MAX(s->careful, (size_t)READ_COUNT_MAX);
    log_notice("redis", ABOUT_STREAM(s->name),
        "entries became much larger at once; reading the next %zu one by one to stay within memory",
        s->careful);
}

void redis_read_lost(struct redis_source *s, bool too_much)
{
    s->reading = false;
    s->phase = PHASE_OFF;
    redis_drop_held(s);
    redis_acks_settle(s);
    if (too_much)
        be_careful(s);
}

/* -- claiming -------------------------------------------------------------------------------------------- */

/* Redis 7 names in a third element what was gone, and has forgotten it with that: room or not, it is taken now. */
static void take_removed(struct redis_source *s, const redisReply *reply)
{
    if (reply->elements < 3 || !redis_is_array(reply->element[2], 1))
        return;
    const redisReply *ids = reply->element[2];
    for (size_t i = 0; s->started && i < ids->elements; i++) {
        struct entry_id id;
        if (redis_id_parse(ids->element[i], &id))
            redis_deliver_removed(s, id);
    }
    s->sink->flush(s->sink_arg);
}

static void on_claimed(void *owner, redisReply *reply, size_t tag)
{
    struct redis_source *s = owner;
    s->claiming = false;
    s->claim_due = false;
    enum redis_fault fault = redis_fault_of(reply);
    if (fault == REDIS_NO_GROUP)
        return; /* the reader finds out as well, and heals it */
    if (fault == REDIS_UNKNOWN || fault == REDIS_DENIED) {
        s->cannot_claim = true;
        log_warning("redis", ABOUT_STREAM(s->name),
            "cannot take over entries of consumers that died: XAUTOCLAIM: %s", reply->str);
        return;
    }
    if (redis_is_refused(s->clerk, "XAUTOCLAIM", reply))
        return;
    if (!redis_is_array(reply, 2) || !redis_is(reply->element[0], REDIS_REPLY_STRING) ||
        !redis_is_array(reply->element[1], 0)) {
        redis_link_confused(s->clerk, "XAUTOCLAIM");
        return;
    }
    snprintf(s->claim_cursor, sizeof(s->claim_cursor), "%s", reply->element[0]->str);
    s->claim_due = strcmp(s->claim_cursor, "0-0") != 0;
    take_removed(s, reply);
    learn_size(s, s->clerk, reply->element[1]->elements);
    if (s->started)
        hold(s, TAKE(reply->element[1]), true);
    redis_go_on(s);
}

void redis_claim_more(struct redis_source *s)
{
    if (!s->started || s->claiming || !s->claim_due || s->cannot_claim || s->held || s->phase != PHASE_NEW)
        return;
    size_t count = count_for(s, s->clerk, CLAIM_COUNT_MAX);
    if (count == 0)
        return;
    char number[24];
    snprintf(number, sizeof(number), "%zu", count);
    const char *argv[] = {"XAUTOCLAIM", s->target.key, s->group, s->consumer, s->claim_idle_ms,
        s->claim_cursor, "COUNT", number};
    s->claiming = redis_link_send(s->clerk, on_claimed, 0, N_ELEMENTS(argv), argv, NULL);
}

void redis_claim_lost(struct redis_source *s, bool too_much)
{
    s->claiming = false;
    if (too_much)
        be_careful(s);
}

/* -- delivering ------------------------------------------------------------------------------------------ */

/* Until all is taken, there is no room, or we are stopped from within. True when something went over. */
static bool deliver_held(struct redis_source *s)
{
    bool any = false;
    while (s->held && s->started && s->phase != PHASE_OFF) {
        struct redis_held *h = s->held;
        if (h->at == h->entries->elements) {
            drop_first(s);
            continue;
        }
        enum redis_taken taken = redis_take(s, h->entries->element[h->at], h->claimed);
        if (taken == TAKEN_NOT)
            break;
        h->at++;
        s->n_held--;
        any = true;
        if (taken == TAKEN_NONSENSE) {
            redis_link_confused(s->reader, h->claimed ? "XAUTOCLAIM" : "XREADGROUP");
            return false;
        }
    }
    return any;
}

/* The stream may call back into us from deliver and flush (acknowledge, resume, stop): that is why delivering
 * is not entered twice, and why it is tried again after a flush, which may have made room. */
void redis_go_on(struct redis_source *s)
{
    if (s->delivering)
        return;
    s->delivering = true;
    while (deliver_held(s))
        s->sink->flush(s->sink_arg);
    s->delivering = false;
    if (!s->started || s->phase < PHASE_OWN)
        redis_drop_held(s);
    redis_acks_settle(s);
    redis_acks_send(s);
    redis_claim_more(s);
    redis_read_more(s);
}
