#include "control/control.h"
#include "control/metrics.h"
#include "control/status.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <ctype.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netdb.h>
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
    /* Of a HEAD libevent 2.1 would send the body, and no length. */
    if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD) {
        char length[24];
        snprintf(length, sizeof(length), "%zu", n);
        evhttp_add_header(headers, "Content-Length", length);
    } else {
        evbuffer_add(evhttp_request_get_output_buffer(req), body, n);
    }
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

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* "127.0.0.1:9187", "[::1]:9187" or "localhost:9187" to an address in words (a new string) and a port. */
static int parse_address(const char *address, char **ret_host, ev_uint16_t *ret_port, struct error *err)
{
    const char *colon = strrchr(address, ':');
    char *end = NULL;
    long port = colon && isdigit((unsigned char)colon[1]) ? strtol(colon + 1, &end, 10) : -1;
    if (port < 0 || port > UINT16_MAX || *end)
        return error_set(err, "http %s: not an address and port; write it as 127.0.0.1:9187", address);
    bool bracketed = address[0] == '[' && colon[-1] == ']';
    _cleanup_free_ char *host = bracketed ? xstrndup(address + 1, (size_t)(colon - address) - 2)
                                          : xstrndup(address, (size_t)(colon - address));
    if (strcmp(host, "localhost") == 0)
        strcpy(host, "127.0.0.1");
    if (!is_loopback(host))
        return error_set(err,
            "http %s: not a loopback address; this listener has no password, so let a proxy "
            "on this machine serve it to others",
            address);
    *ret_host = TAKE(host);
    *ret_port = (ev_uint16_t)port;
    return 0;
}

int http_server_new(const struct control_daemon *daemon, const char *address, struct http_server **ret_server,
    struct error *err)
{
    _cleanup_free_ char *host = NULL;
    ev_uint16_t port = 0;
    if (parse_address(address, &host, &port, err) < 0)
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
    char port[8];
    if (getsockname(evhttp_bound_socket_get_fd(s->socket), (struct sockaddr *)&a, &n) < 0 ||
        getnameinfo((struct sockaddr *)&a, n, NULL, 0, port, sizeof(port), NI_NUMERICSERV) != 0)
        return -1;
    return atoi(port);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    if (s->http)
        evhttp_free(s->http);
    free(s);
}
