/* What Redis itself says about our group: XINFO GROUPS, every two seconds. */
#include "stream/redis_inside.h"
#include "stream/redis_reply.h"

/* A group that was never read from lags by everything there is. */
static void on_length(void *owner, redisReply *reply, size_t tag)
{
    struct redis_source *s = owner;
    s->asking = false;
    s->lag = redis_is(reply, REDIS_REPLY_INTEGER) ? reply->integer : -1;
}

static void ask_length(struct redis_source *s)
{
    const char *argv[] = {"XLEN", s->target.key};
    s->asking = redis_link_send(s->clerk, on_length, 0, N_ELEMENTS(argv), argv, NULL);
}

static void on_groups(void *owner, redisReply *reply, size_t tag)
{
    struct redis_source *s = owner;
    struct redis_group g = {.pending = -1, .lag = -1, .entries_read = -1};
    s->asking = false;
    enum redis_fault fault = redis_fault_of(reply);
    /* Not to be told is no reason not to work. */
    if (fault != REDIS_NO_GROUP && fault != REDIS_DENIED && redis_is_refused(s->clerk, "XINFO GROUPS", reply))
        return;
    bool found = redis_group_find(reply, s->group, &g);
    s->pending = g.pending;
    s->acknowledged = g.entries_read >= 0 && g.pending >= 0 ? g.entries_read - g.pending : -1;
    if (found && g.lag < 0 && g.at_start)
        ask_length(s); /* Redis 6, or entries were deleted from within the stream */
    else
        s->lag = g.lag;
}

void redis_ask_report(struct redis_source *s)
{
    const char *argv[] = {"XINFO", "GROUPS", s->target.key};
    if (!s->asking)
        s->asking = redis_link_send(s->clerk, on_groups, 0, N_ELEMENTS(argv), argv, NULL);
}
