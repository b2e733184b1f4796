#include "outlet.h"

#include "util/url.h"

#include <hiredis/hiredis.h>

struct redis_outlet {
    redisContext *c;
    size_t pipeline; /* most commands before their replies are awaited */
    size_t n_queued;
    bool as_fields;
};

static int check_reply(struct redis_outlet *r, redisReply *reply, const char *what, struct error *err)
{
    int rc = 0;
    if (!reply)
        rc = error_set(err, "redis: %s: %s", what, r->c->errstr);
    else if (reply->type == REDIS_REPLY_ERROR)
        rc = error_set(err, "redis: %s: %s", what, reply->str);
    if (reply)
        freeReplyObject(reply);
    return rc;
}

static int log_in(struct redis_outlet *r, const struct url *u, struct error *err)
{
    if (u->password && u->user && u->user[0]) {
        if (check_reply(r, redisCommand(r->c, "AUTH %s %s", u->user, u->password), "AUTH", err) < 0)
            return -1;
    } else if (u->password) {
        if (check_reply(r, redisCommand(r->c, "AUTH %s", u->password), "AUTH", err) < 0)
            return -1;
    }
    int db = atoi(u->path + (u->path[0] == '/'));
    return db ? check_reply(r, redisCommand(r->c, "SELECT %d", db), "SELECT", err) : 0;
}

int redis_outlet_open(
    const char *url, size_t pipeline, bool as_fields, struct redis_outlet **ret, struct error *err)
{
    _cleanup_url_ struct url u = {0};
    if (url_parse(url, &u, err) < 0)
        return -1;
    struct redis_outlet *r = xnew(struct redis_outlet);
    r->pipeline = pipeline;
    r->as_fields = as_fields;
    const char *host = u.host ? u.host : "127.0.0.1";
    int port = u.port ? u.port : 6379;
    r->c = redisConnectWithTimeout(host, port, (struct timeval){.tv_sec = 5});
    int rc = 0;
    if (!r->c || r->c->err)
        rc = error_set(err, "redis at %s:%d: %s", host, port, r->c ? r->c->errstr : "out of memory");
    else
        rc = log_in(r, &u, err);
    if (rc < 0) {
        if (r->c)
            redisFree(r->c);
        free(r);
        return -1;
    }
    *ret = r;
    return 0;
}

int redis_outlet_flush(struct redis_outlet *r, struct error *err)
{
    int rc = 0;
    for (; r->n_queued > 0; r->n_queued--) {
        void *reply = NULL;
        if (redisGetReply(r->c, &reply) != REDIS_OK) {
            r->n_queued = 0;
            return error_set(err, "redis: %s", r->c->errstr);
        }
        if (check_reply(r, reply, "XADD", rc == 0 ? err : NULL) < 0)
            rc = -1;
    }
    return rc;
}

bool redis_outlet_close(struct redis_outlet *r, struct error *err)
{
    if (!r)
        return true;
    bool well = redis_outlet_flush(r, err) == 0;
    redisFree(r->c);
    free(r);
    return well;
}

int redis_outlet_send(struct redis_outlet *r, const struct event *e, struct error *err)
{
    const char *argv[3 + 2 * EVENT_MAX_FIELDS] = {"XADD", e->stream, "*"};
    size_t lengths[N_ELEMENTS(argv)] = {4, strlen(e->stream), 1};
    int n = 3;
    if (r->as_fields && e->n_fields > 0) {
        for (size_t i = 0; i < e->n_fields; i++) {
            argv[n] = e->fields[i].name;
            lengths[n++] = strlen(e->fields[i].name);
            argv[n] = e->fields[i].value;
            lengths[n++] = strlen(e->fields[i].value);
        }
    } else {
        argv[n] = e->no_data ? "something" : "data";
        lengths[n] = strlen(argv[n]);
        n++;
        argv[n] = e->payload.n ? e->payload.p : "";
        lengths[n++] = e->payload.n;
    }
    if (redisAppendCommandArgv(r->c, n, argv, lengths) != REDIS_OK)
        return error_set(err, "redis: %s", r->c->errstr);
    return ++r->n_queued >= r->pipeline ? redis_outlet_flush(r, err) : 0;
}
