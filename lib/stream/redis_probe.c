/* `ingestctl doctor`: one blocking look at the server, the stream and the group. Changes nothing. */
#include "config/config.h"
#include "stream/redis_inside.h"
#include "stream/redis_reply.h"
#include "util/text.h"

#include <stdarg.h>

#define PROBE_WITHIN_SEC 3

struct probe {
    redisContext *c;
    const struct redis_target *target;
    struct error *err;
};

static void context_freep(redisContext **c)
{
    if (*c)
        redisFree(*c);
}

static void replyp(redisReply **reply)
{
    freeReplyObject(*reply);
}
#define _cleanup_reply_ _cleanup_(replyp)

/* The answer, or NULL with the reason set. Without `allowed` any error is a reason. */
static redisReply *ask(struct probe *p, enum redis_fault allowed, int argc, const char **argv)
{
    redisReply *reply = redisCommandArgv(p->c, argc, argv, NULL);
    if (!reply) {
        error_set(p->err, "Redis at %s:%d: %s: %s", p->target->host, p->target->port, argv[0], p->c->errstr);
        return NULL;
    }
    enum redis_fault fault = redis_fault_of(reply);
    if (fault == REDIS_NO_FAULT || fault == allowed)
        return reply;
    const char *remedy = redis_fault_remedy(fault);
    error_set(p->err, "Redis at %s:%d: %s: %s%s%s", p->target->host, p->target->port, argv[0], reply->str,
        remedy ? "; " : "", remedy ? remedy : "");
    freeReplyObject(reply);
    return NULL;
}

static int say(struct probe *p, int argc, const char **argv)
{
    _cleanup_reply_ redisReply *reply = ask(p, REDIS_NO_FAULT, argc, argv);
    return reply ? 0 : -1;
}

static int log_in(struct probe *p)
{
    char *password = NULL;
    if (redis_target_password(p->target, &password, p->err) < 0)
        return -1;
    const char *user = p->target->user;
    const char *auth[] = {"AUTH", user ? user : password, password};
    int result = password ? say(p, user ? 3 : 2, auth) : 0;
    redis_forget(password);
    char db[16];
    snprintf(db, sizeof(db), "%d", p->target->db);
    const char *ping[] = {"PING"}, *select[] = {"SELECT", db};
    if (result < 0 || say(p, 1, ping) < 0)
        return -1;
    return p->target->db ? say(p, 2, select) : 0;
}

static void put_version(struct probe *p, struct buffer *said)
{
    const char *argv[] = {"INFO", "server"};
    _cleanup_reply_ redisReply *reply = ask(p, REDIS_DENIED, 2, argv);
    const char *at = redis_is(reply, REDIS_REPLY_STRING) ? strstr(reply->str, "redis_version:") : NULL;
    buffer_put_string(said, "Redis");
    if (at) {
        at += strlen("redis_version:");
        buffer_printf(said, " %.*s", (int)MIN(strcspn(at, "\r\n"), (size_t)32), at);
    }
    buffer_printf(said, " at %s:%d", p->target->host, p->target->port);
}

static int put_group(struct probe *p, const struct config_stream *stream, struct buffer *said)
{
    const char *argv[] = {"XINFO", "GROUPS", p->target->key};
    _cleanup_reply_ redisReply *reply = ask(p, REDIS_NO_GROUP, 3, argv);
    if (!reply)
        return -1;
    struct redis_group g;
    char count[28];
    if (redis_fault_of(reply) == REDIS_NO_GROUP) {
        buffer_printf(said, ", stream \"%s\" does not exist yet: it is made at start", p->target->key);
    } else if (!redis_group_find(reply, stream->group, &g)) {
        buffer_printf(said,
            ", stream \"%s\" without group \"%s\" yet: it is made at start, at the first entry",
            p->target->key, stream->group);
    } else {
        buffer_printf(said, ", stream \"%s\", group \"%s\"", p->target->key, stream->group);
        if (g.lag >= 0)
            buffer_printf(said, ", %s waiting", text_count((uint64_t)g.lag, count));
        if (g.pending >= 0)
            buffer_printf(said, ", %s pending", text_count((uint64_t)g.pending, count));
    }
    return 0;
}

/* A cluster answers MOVED here, which is as good: the daemon follows it. */
static int put_stream(struct probe *p, const struct config_stream *stream, struct buffer *said)
{
    const char *argv[] = {"TYPE", p->target->key};
    _cleanup_reply_ redisReply *reply = ask(p, REDIS_MOVED, 2, argv);
    if (!reply)
        return -1;
    if (reply->type == REDIS_REPLY_ERROR) {
        buffer_printf(said, ", cluster, stream \"%s\" on another node", p->target->key);
        return 0;
    }
    if (strcmp(reply->str, "stream") != 0 && strcmp(reply->str, "none") != 0)
        return error_set(p->err, "Redis at %s:%d: the key \"%s\" holds a %s and no stream; %s",
            p->target->host, p->target->port, p->target->key, reply->str,
            "correct the stream's name in `source`");
    return put_group(p, stream, said);
}

int redis_probe(
    const struct config *config, const struct config_stream *stream, char **ret_said, struct error *err)
{
    _cleanup_target_ struct redis_target target = {0};
    if (redis_target_parse(stream, &target, err) < 0)
        return -1;
    const struct timeval within = {.tv_sec = PROBE_WITHIN_SEC};
    _cleanup_(context_freep) redisContext *c = redisConnectWithTimeout(target.host, target.port, within);
    if (!c || c->err)
        return error_set(err, "cannot connect to Redis at %s:%d: %s; start it, or correct `source`",
            target.host, target.port, c ? c->errstr : "out of memory");
    redisSetTimeout(c, within);
    struct probe p = {c, &target, err};
    _cleanup_buffer_ struct buffer said = {0};
    if (log_in(&p) < 0)
        return -1;
    put_version(&p, &said);
    if (put_stream(&p, stream, &said) < 0)
        return -1;
    *ret_said = xstrdup(buffer_string(&said));
    return 0;
}
