#include "control/control.h"
#include "control/metrics.h"
#include "control/status.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <signal.h>

#define TIMEOUT_SECONDS  10
#define MAX_HEADER_BYTES 8192
#define MAX_BODY_BYTES   1024

struct http_server {
    struct control_daemon daemon;
    struct evhttp *http;
    struct evhttp_bound_socket *socket;
};

static void reply(
    struct evhttp_request *req, int code, const char *reason, const char *type, const void *body, size_t n)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evbuffer_add(evhttp_request_get_output_buffer(req), body, n);
    evhttp_send_reply(req, code, reason, NULL);
}

static void answer_metrics(struct http_server *s, struct evhttp_request *req)
{
    _cleanup_buffer_ struct buffer text = {0};
    cJSON *status = status_build(&s->daemon);
    metrics_write(&text, status);
    cJSON_Delete(status);
    reply(req, HTTP_OK, "OK", "text/plain; version=0.0.4; charset=utf-8", text.p, text.n);
}

/* A load balancer reads the code, a person the words. */
static void answer_health(struct http_server *s, struct evhttp_request *req)
{
    const char *state = status_state(&s->daemon);
    if (strcmp(state, "HEALTHY") == 0) {
        reply(req, HTTP_OK, "OK", "text/plain", "ok\n", 3);
        return;
    }
    cJSON *body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "state", state);
    cJSON_AddItemToObject(body, "conditions", status_conditions(&s->daemon));
    _cleanup_free_ char *text = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    if (!text)
        abort();
    reply(req, HTTP_SERVUNAVAIL, "Service Unavailable", "application/json", text, strlen(text));
}

static const struct page {
    const char *path;
    void (*answer)(struct http_server *s, struct evhttp_request *req);
} pages[] = {
    {"/metrics", answer_metrics},
    {"/healthz", answer_health},
};

static void on_request(struct evhttp_request *req, void *arg)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    for (size_t i = 0; path && i < N_ELEMENTS(pages); i++)
        if (strcmp(path, pages[i].path) == 0) {
            pages[i].answer(arg, req);
            return;
        }
    static const char words[] = "there are /metrics and /healthz\n";
    reply(req, HTTP_NOTFOUND, "Not Found", "text/plain", words, sizeof(words) - 1);
}

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

/* "127.0.0.1:9187", "[::1]:9187" or "localhost:9187" to an address in words and a port. */
static int parse_address(
    const char *address, char ret_host[INET6_ADDRSTRLEN], ev_uint16_t *ret_port, struct error *err)
{
    _cleanup_free_ char *literal =
        strncmp(address, "localhost:", 10) == 0 ? xasprintf("127.0.0.1:%s", address + 10) : xstrdup(address);
    struct sockaddr_storage parsed = {0};
    int length = sizeof(parsed);
    if (evutil_parse_sockaddr_port(literal, (struct sockaddr *)&parsed, &length) < 0 ||
        !strrchr(literal, ':'))
        return error_set(err, "http %s: not an address and port; write it as 127.0.0.1:9187", address);
    if (!is_loopback((struct sockaddr *)&parsed))
        return error_set(err,
            "http %s: not a loopback address; this listener has no password, so let a proxy "
            "on this machine serve it to others",
            address);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&parsed;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&parsed;
    bool is_v4 = parsed.ss_family == AF_INET;
    *ret_port = ntohs(is_v4 ? v4->sin_port : v6->sin6_port);
    inet_ntop(parsed.ss_family, is_v4 ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr, ret_host,
        INET6_ADDRSTRLEN);
    return 0;
}

int http_server_new(const struct control_daemon *daemon, const char *address, struct http_server **ret_server,
    struct error *err)
{
    char host[INET6_ADDRSTRLEN];
    ev_uint16_t port = 0;
    if (parse_address(address, host, &port, err) < 0)
        return -1;
    _cleanup_(http_server_freep) struct http_server *s = xnew(struct http_server);
    s->daemon = *daemon;
    s->http = evhttp_new(daemon->base);
    if (!s->http)
        abort();
    signal(SIGPIPE, SIG_IGN); /* libevent writes with writev() */
    evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(s->http, MAX_HEADER_BYTES);
    evhttp_set_max_body_size(s->http, MAX_BODY_BYTES);
    evhttp_set_timeout(s->http, TIMEOUT_SECONDS);
    evhttp_set_gencb(s->http, on_request, s);
    s->socket = evhttp_bind_socket_with_handle(s->http, host, port);
    if (!s->socket)
        return error_set(err, "http %s: cannot listen there: %m; is the port taken?", address);
    *ret_server = TAKE(s);
    return 0;
}

int http_server_port(const struct http_server *s)
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof(a);
    if (getsockname(evhttp_bound_socket_get_fd(s->socket), (struct sockaddr *)&a, &n) < 0)
        return -1;
    return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)(void *)&a)->sin_port
                                        : ((struct sockaddr_in6 *)(void *)&a)->sin6_port);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    if (s->http)
        evhttp_free(s->http);
    free(s);
}
