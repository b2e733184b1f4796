#include "util/resolve.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>

struct resolver {
    struct event_base *base;
    struct evdns_base
        *dns; /* made at the first name, so that a host without names to resolve opens no sockets */
};

struct resolve_request {
    struct evdns_getaddrinfo_request *lookup;
    resolve_fn *fn;
    void *arg;
    bool starting; /* evdns may call back before evdns_getaddrinfo returns */
    bool done;
    bool cancelled;
};

struct resolver *resolver_new(struct event_base *base)
{
    struct resolver *r = xnew(struct resolver);
    r->base = base;
    return r;
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    if (r->dns)
        evdns_base_free(r->dns, 0);
    free(r);
}

static void answer(struct resolve_request *q, int error, const struct evutil_addrinfo *ai)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (error == 0 && ai && ai->ai_family == AF_INET)
        evutil_inet_ntop(AF_INET, &((struct sockaddr_in *)ai->ai_addr)->sin_addr, text, sizeof(text));
    else if (error == 0 && ai && ai->ai_family == AF_INET6)
        evutil_inet_ntop(AF_INET6, &((struct sockaddr_in6 *)ai->ai_addr)->sin6_addr, text, sizeof(text));
    q->fn(q->arg, text[0] ? text : NULL, error ? evutil_gai_strerror(error) : "no usable address");
}

static void on_addrinfo(int error, struct evutil_addrinfo *ai, void *arg)
{
    struct resolve_request *q = arg;
    q->done = true;
    if (!q->cancelled)
        answer(q, error, ai);
    if (ai)
        evutil_freeaddrinfo(ai);
    if (!q->starting)
        free(q);
}

static bool is_literal(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return evutil_inet_pton(AF_INET, host, bytes) == 1 || evutil_inet_pton(AF_INET6, host, bytes) == 1;
}

struct resolve_request *resolve_start(struct resolver *r, const char *host, resolve_fn *fn, void *arg)
{
    if (is_literal(host)) {
        fn(arg, host, NULL);
        return NULL;
    }
    if (!r->dns)
        r->dns =
            evdns_base_new(r->base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!r->dns)
        r->dns = evdns_base_new(r->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!r->dns) {
        fn(arg, NULL, "no resolver could be set up");
        return NULL;
    }
    evdns_base_load_hosts(r->dns, "/etc/hosts");
    struct resolve_request *q = xnew(struct resolve_request);
    *q = (struct resolve_request){.fn = fn, .arg = arg, .starting = true};
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    q->lookup = evdns_getaddrinfo(r->dns, host, NULL, &hints, on_addrinfo, q);
    q->starting = false;
    if (!q->done)
        return q;
    free(q);
    return NULL;
}

void resolve_cancel(struct resolve_request *q)
{
    if (!q)
        return;
    q->cancelled = true;
    evdns_getaddrinfo_cancel(q->lookup);
}
