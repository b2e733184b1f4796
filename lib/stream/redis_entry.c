/* A reply's entry becomes a delivered entry: [id, [name, value, name, value, …]], or [id, nil] when it was
 * removed from the stream while it was pending. */
#include "stream/reason.h"
#include "stream/redis_inside.h"
#include "stream/redis_reply.h"
#include "stream/redis_wire.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define PAYLOAD_FIELD "data"

static struct slice slice_of(const redisReply *string)
{
    return (struct slice){string->str, string->len};
}

/* The id's first part is milliseconds, but a publisher may choose it freely. */
static int64_t time_of(struct entry_id id)
{
    uint64_t ms = MIN(id.hi, (uint64_t)(INT64_MAX / US_PER_MS));
    return (int64_t)ms * US_PER_MS;
}

static void note_removed(struct redis_source *s)
{
    char count[28];
    s->n_removed++;
    health_raise(s->health, s->subject, "removed", SEVERITY_NOTE,
        "let the publisher trim the stream (XTRIM, MAXLEN, XDEL) less, so that nothing goes before it is "
        "stored",
        "%s entries were removed from the Redis stream before they could be read; ingestctl dead list names "
        "them",
        text_count(s->n_removed, count));
}

static void too_large(struct redis_source *s, struct entry *e, struct slice kept, uint64_t size)
{
    e->shape = ENTRY_BROKEN;
    e->broken = REASON_TOO_LARGE;
    e->payload = (struct slice){kept.p, MIN(kept.n, REDIS_KEPT_OF_LONG)};
    e->size = size;
}

/* The beginning of a large set of fields, as "name=value" lines. */
static struct slice beginning_of(struct redis_source *s, const redisReply *fields)
{
    buffer_reset(&s->cut, 0);
    for (size_t i = 0; i + 1 < fields->elements && s->cut.n < REDIS_KEPT_OF_LONG; i += 2)
        for (size_t k = 0; k < 2; k++) {
            struct slice part = slice_of(fields->element[i + k]);
            buffer_put(&s->cut, part.p, MIN(part.n, REDIS_KEPT_OF_LONG));
            buffer_put(&s->cut, k ? "\n" : "=", 1);
        }
    return (struct slice){s->cut.p, s->cut.n};
}

static void shape_fields(struct redis_source *s, const redisReply *fields, struct entry *e)
{
    size_t n = fields->elements / 2;
    if (n > s->n_fields_room) {
        s->fields = xrealloc(s->fields, n, sizeof(*s->fields));
        s->n_fields_room = n;
    }
    uint64_t size = 0;
    for (size_t i = 0; i < n; i++) {
        const redisReply *name = fields->element[2 * i], *value = fields->element[2 * i + 1];
        s->fields[i] = (struct entry_field){slice_of(name), slice_of(value)};
        size += redis_string_size(name) + redis_string_size(value);
    }
    if (size > s->max_entry) {
        too_large(s, e, beginning_of(s, fields), size);
        return;
    }
    e->shape = ENTRY_FIELDS;
    e->fields = s->fields;
    e->n_fields = n;
}

static void shape(struct redis_source *s, const redisReply *fields, struct entry *e)
{
    if (fields->elements != 2 || !slice_is(slice_of(fields->element[0]), PAYLOAD_FIELD)) {
        shape_fields(s, fields, e);
        return;
    }
    const redisReply *payload = fields->element[1];
    uint64_t size = redis_string_size(payload);
    e->shape = ENTRY_JSON;
    e->payload = slice_of(payload);
    if (size > s->max_entry)
        too_large(s, e, slice_of(payload), size);
}

static bool are_fields(const redisReply *r)
{
    if (!redis_is_array(r, 2) || r->elements % 2 != 0)
        return false;
    for (size_t i = 0; i < r->elements; i++)
        if (!redis_is(r->element[i], REDIS_REPLY_STRING))
            return false;
    return true;
}

/* Known and of this incarnation of the group: the stream has it, or it is stored and being acknowledged. */
static bool is_under_way(const struct redis_source *s, struct entry_id id)
{
    const struct outstanding_slot *slot = outstanding_find(&s->outstanding, id);
    return slot && slot->epoch == s->epoch;
}

static void put_in_hand(struct redis_source *s, struct entry_id id)
{
    struct outstanding_slot *slot = outstanding_find(&s->outstanding, id);
    if (!slot)
        slot = outstanding_add(&s->outstanding, id, s->epoch);
    slot->epoch = s->epoch;
    slot->in_hand++;
}

/* Nothing is left of it to store, but that it was there is on record: no entry goes in silence. */
void redis_deliver_removed(struct redis_source *s, struct entry_id id)
{
    if (is_under_way(s, id))
        return;
    put_in_hand(s, id);
    note_removed(s);
    const struct entry e = {
        .id = id, .received_us = time_of(id), .shape = ENTRY_BROKEN, .broken = REASON_REMOVED};
    s->sink->deliver(s->sink_arg, &e);
}

static void deliver(struct redis_source *s, struct entry_id id, const redisReply *fields)
{
    put_in_hand(s, id);
    struct entry e = {.id = id, .received_us = time_of(id)};
    shape(s, fields, &e);
    s->sink->deliver(s->sink_arg, &e);
    if (s->careful > 0)
        s->careful--;
}

enum redis_taken redis_take(struct redis_source *s, const redisReply *item, bool claimed)
{
    struct entry_id id;
    if (claimed && redis_is(item, REDIS_REPLY_NIL)) { /* XAUTOCLAIM of Redis 6.2, of a removed entry */
        note_removed(s);                              /* Redis 6.2 does not even say which */
        return TAKEN;
    }
    if (!redis_is_array(item, 2) || !redis_id_parse(item->element[0], &id))
        return TAKEN_NONSENSE;
    if (is_under_way(s, id))
        return TAKEN;
    const redisReply *fields = item->element[1];
    if (redis_is(fields, REDIS_REPLY_NIL)) {
        if (s->sink->room(s->sink_arg) == 0)
            return TAKEN_NOT;
        redis_deliver_removed(s, id);
        return TAKEN;
    }
    if (!are_fields(fields))
        return TAKEN_NONSENSE;
    if (s->sink->room(s->sink_arg) == 0)
        return TAKEN_NOT;
    deliver(s, id, fields);
    s->claimed += claimed;
    return TAKEN;
}
