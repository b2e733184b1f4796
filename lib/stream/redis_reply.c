#include "stream/redis_reply.h"

#include "util/buffer.h"

#include <errno.h>

/* By the first words of an error; the first that fits. */
static const struct {
    const char *words;
    enum redis_fault fault;
} faults[] = {
    {"NOGROUP", REDIS_NO_GROUP},
    {"UNBLOCKED", REDIS_NO_GROUP}, /* the stream was deleted, or the server changed its role: asking shows */
    {"ERR no such key", REDIS_NO_GROUP},
    {"BUSYGROUP", REDIS_BUSY_GROUP},
    {"MOVED", REDIS_MOVED},
    {"ASK", REDIS_TRY_LATER},
    {"LOADING", REDIS_TRY_LATER},
    {"READONLY", REDIS_TRY_LATER},
    {"MASTERDOWN", REDIS_TRY_LATER},
    {"CLUSTERDOWN", REDIS_TRY_LATER},
    {"TRYAGAIN", REDIS_TRY_LATER},
    {"NOREPLICAS", REDIS_TRY_LATER},
    {"MISCONF", REDIS_TRY_LATER},
    {"OOM", REDIS_TRY_LATER},
    {"BUSY", REDIS_TRY_LATER},
    {"ERR max number of clients", REDIS_TRY_LATER},
    {"WRONGPASS", REDIS_DENIED},
    {"NOAUTH", REDIS_DENIED},
    {"NOPERM", REDIS_DENIED},
    {"ERR AUTH", REDIS_DENIED},
    {"ERR Client sent AUTH", REDIS_DENIED},
    {"ERR invalid password", REDIS_DENIED},
    {"DENIED", REDIS_DENIED},
    {"WRONGTYPE", REDIS_WRONG_TYPE},
    {"ERR unknown command", REDIS_UNKNOWN},
    {"ERR unknown subcommand", REDIS_UNKNOWN},
};

enum redis_fault redis_fault_of(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR)
        return REDIS_NO_FAULT;
    for (size_t i = 0; i < N_ELEMENTS(faults); i++)
        if (strncmp(reply->str, faults[i].words, strlen(faults[i].words)) == 0)
            return faults[i].fault;
    return REDIS_REFUSED;
}

enum severity redis_fault_severity(enum redis_fault fault)
{
    bool passes = fault == REDIS_TRY_LATER || fault == REDIS_MOVED || fault == REDIS_NO_GROUP;
    return passes ? SEVERITY_DEGRADED : SEVERITY_FAILED;
}

const char *redis_fault_remedy(enum redis_fault fault)
{
    switch (fault) {
    case REDIS_DENIED:
        return "set the user and password of this stream (password_file), and allow that user XGROUP, "
               "XREADGROUP, XACK, XAUTOCLAIM and XINFO on the stream's key";
    case REDIS_WRONG_TYPE:
        return "the key holds something that is no stream: correct the stream's name in `source`, or remove "
               "the key";
    case REDIS_UNKNOWN:
        return "use Redis 6.2 or later";
    case REDIS_TRY_LATER:
        return "nothing, if Redis is starting or failing over; else look at its log";
    case REDIS_REFUSED:
        return "correct what Redis says about `source`; it is tried again by itself";
    default:
        return NULL;
    }
}

bool redis_is(const redisReply *reply, int type)
{
    return reply && reply->type == type;
}

bool redis_is_array(const redisReply *reply, size_t n)
{
    return redis_is(reply, REDIS_REPLY_ARRAY) && reply->elements >= n;
}

static bool parse_number(const char **p, uint64_t *ret)
{
    if (**p < '0' || **p > '9')
        return false;
    char *end;
    errno = 0;
    *ret = strtoull(*p, &end, 10);
    *p = end;
    return errno == 0;
}

bool redis_id_parse(const redisReply *reply, struct entry_id *ret)
{
    struct entry_id id;
    if (!redis_is(reply, REDIS_REPLY_STRING))
        return false;
    const char *p = reply->str;
    if (!parse_number(&p, &id.hi) || *p++ != '-' || !parse_number(&p, &id.lo) || *p)
        return false;
    *ret = id;
    return true;
}

bool redis_moved_parse(const char *text, char *ret_host, size_t size, int *ret_port)
{
    const char *slot = strchr(text, ' ');
    const char *host = slot ? strchr(slot + 1, ' ') : NULL;
    const char *colon = host ? strrchr(host + 1, ':') : NULL;
    int port = colon ? atoi(colon + 1) : 0;
    if (port <= 0 || port > 65535 || (size_t)(colon - host) > size)
        return false;
    snprintf(ret_host, size, "%.*s", (int)(colon - host - 1), host + 1);
    *ret_port = port;
    return true;
}

/* The value of a name in a flat array of names and values, or NULL. */
static const redisReply *value_of(const redisReply *map, const char *name)
{
    for (size_t i = 0; redis_is_array(map, i + 2); i += 2) {
        const redisReply *key = map->element[i];
        if (redis_is(key, REDIS_REPLY_STRING) && strcmp(key->str, name) == 0)
            return map->element[i + 1];
    }
    return NULL;
}

static int64_t number_of(const redisReply *map, const char *name)
{
    const redisReply *v = value_of(map, name);
    return redis_is(v, REDIS_REPLY_INTEGER) ? v->integer : -1;
}

static bool string_is(const redisReply *map, const char *name, const char *wanted)
{
    const redisReply *v = value_of(map, name);
    return redis_is(v, REDIS_REPLY_STRING) && strcmp(v->str, wanted) == 0;
}

bool redis_group_find(const redisReply *reply, const char *name, struct redis_group *ret)
{
    for (size_t i = 0; redis_is_array(reply, i + 1); i++) {
        const redisReply *group = reply->element[i];
        if (!string_is(group, "name", name))
            continue;
        *ret = (struct redis_group){
            .pending = number_of(group, "pending"),
            .lag = number_of(group, "lag"),
            .entries_read = number_of(group, "entries-read"),
            .at_start = string_is(group, "last-delivered-id", "0-0"),
        };
        return true;
    }
    return false;
}
