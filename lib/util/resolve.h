#pragma once
/* Host names to addresses without blocking, by libevent's evdns (it reads /etc/hosts and /etc/resolv.conf).
 */
#include "util/error.h"

struct event_base;
struct resolver;
struct resolve_request;

/* address: "192.0.2.1" or "2001:db8::1", valid during the call; NULL when it failed, with the reason in why.
 */
typedef void resolve_fn(void *arg, const char *address, const char *why);

struct resolver *resolver_new(struct event_base *base);
void resolver_free(struct resolver *r);
DEFINE_CLEANUP(struct resolver *, resolver_freep, resolver_free)

/*
 * Looks up the host and calls fn once, from the event loop or, for a literal address, before this returns
 * (then the result is NULL). The request can be given up with resolve_cancel(); fn is not called after that.
 */
struct resolve_request *resolve_start(struct resolver *r, const char *host, resolve_fn *fn, void *arg);
void resolve_cancel(struct resolve_request *q);
