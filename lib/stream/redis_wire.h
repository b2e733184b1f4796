#pragma once
/*
 * hiredis on libevent, with a hand on what a reply may cost. hiredis comes with hooks for libevent of its
 * own, but they let a reply grow without end. These count a reply's bytes while it comes in and say when it
 * is too much; and of a single string that is too long they keep the beginning and drop the rest as it comes,
 * so that an entry of 500 MB costs us 64 KB.
 */
#include <hiredis/async.h>
#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct redis_wire;

struct redis_wire_events {
    void (*heard)(void *owner);    /* bytes came */
    void (*too_much)(void *owner); /* the reply grew past its limit; the owner drops the connection */
};

/* From here on libevent drives ac, which owns what is made here. string_max: longer strings are cut. */
void redis_wire_attach(redisAsyncContext *ac, struct event_base *base, uint64_t string_max,
    const struct redis_wire_events *events, void *owner);
void redis_wire_limit(redisAsyncContext *ac, size_t reply_max);
/* Bytes of strings in the current reply. */
size_t redis_wire_reply_bytes(const redisAsyncContext *ac);
/* Counts anew, for the next reply. */
void redis_wire_next_reply(redisAsyncContext *ac);

/* How long a string is upstream: its length, or more when it was cut to REDIS_KEPT_OF_LONG. */
uint64_t redis_string_size(const redisReply *string);
