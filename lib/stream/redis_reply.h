#pragma once
/* What Redis answers: kinds of errors by their first word, ids, and the shapes of XINFO. */
#include "stream/entry.h"
#include "util/health.h"

#include <hiredis/hiredis.h>

enum redis_fault {
    REDIS_NO_FAULT,   /* not an error */
    REDIS_NO_GROUP,   /* the group or the stream is gone */
    REDIS_BUSY_GROUP, /* the group is there already */
    REDIS_MOVED,      /* the cluster keeps the stream on another node */
    REDIS_TRY_LATER,  /* loading, failing over, out of memory: it passes by itself */
    REDIS_DENIED,     /* no login, or no right */
    REDIS_WRONG_TYPE, /* the key holds no stream */
    REDIS_UNKNOWN,    /* the server does not know the command */
    REDIS_REFUSED,    /* anything else */
};

enum redis_fault redis_fault_of(const redisReply *reply);
enum severity redis_fault_severity(enum redis_fault fault);
/* What a person should do, or NULL. */
const char *redis_fault_remedy(enum redis_fault fault);

/* "1526919030474-55" */
bool redis_id_parse(const redisReply *reply, struct entry_id *ret);
/* "MOVED 3999 127.0.0.1:6381": the host is "" when it is the one that was asked. */
bool redis_moved_parse(const char *text, char *ret_host, size_t size, int *ret_port);
bool redis_is(const redisReply *reply, int type);
/* An array of at least n elements. */
bool redis_is_array(const redisReply *reply, size_t n);

/* One group of XINFO GROUPS; -1 where the server does not know. */
struct redis_group {
    int64_t pending, lag, entries_read;
    bool at_start; /* it was never read from */
};
bool redis_group_find(const redisReply *reply, const char *name, struct redis_group *ret);
