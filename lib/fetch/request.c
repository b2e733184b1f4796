#include "fetch/request.h"

#include "util/clock.h"

#include <errno.h>
#include <sys/types.h>

#define HEADERS_MAX ((size_t)256 * 1024)

struct request {
    CURLM *multi;
    CURL *easy;
    bool added, paused, answered, ended, too_long;
    bool connected; /* until then the time limit is libcurl's own */
    CURLcode result;
    char error[CURL_ERROR_SIZE];
    char status_line[128];
    uint64_t seen; /* changes with each sign of life */
    size_t n_headers;
    int64_t stall_us;
    struct request_body body; /* what is still to be sent of it */
    struct request_body whole;
    bool keep, bodiless; /* bodiless: the answer to a HEAD */
    const atomic_bool *stop;
    int64_t left;       /* of the body, as promised; -1: not known */
    struct buffer held; /* of the body: held.p[at … held.n) */
    size_t at;
};

/* ---- what libcurl calls ---- */

static size_t take_header(char *line, size_t size, size_t n, void *arg)
{
    struct request *r = arg;
    r->seen++;
    r->n_headers += n;
    if (r->answered) /* a trailer */
        return r->n_headers <= HEADERS_MAX ? n : 0;
    if (n > 5 && strncmp(line, "HTTP/", 5) == 0) {
        size_t words = strcspn(line, "\r\n");
        snprintf(r->status_line, sizeof(r->status_line), "%.*s", (int)MIN(words, n), line);
    }
    long status = 0;
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    if ((line[0] == '\r' || line[0] == '\n') && status >= 200) {
        struct answer a;
        answer_read(r->easy, r->status_line, &a);
        r->left = r->bodiless ? 0 : a.length;
        r->answered = true;
        answer_done(&a);
    }
    return r->n_headers <= HEADERS_MAX ? n : 0;
}

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
    struct request *r = arg;
    r->seen++;
    if (r->held.n - r->at + n > REQUEST_HELD_MAX) {
        r->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    size_t take = r->left >= 0 ? (size_t)MIN((int64_t)n, r->left) : n;
    r->too_long = r->too_long || take < n;
    if (r->left >= 0)
        r->left -= (int64_t)take;
    buffer_put(&r->held, p, take);
    return n;
}

static size_t give_body(char *p, size_t size, size_t n, void *arg)
{
    struct request *r = arg;
    struct request_body *b = &r->body;
    ssize_t got = (ssize_t)MIN((int64_t)(size * n), b->n);
    if (b->p) {
        memcpy(p, b->p, (size_t)got);
        b->p += got;
    } else if (got > 0) {
        do
            got = pread(b->fd, p, (size_t)got, b->at);
        while (got < 0 && errno == EINTR);
        if (got <= 0) /* it became shorter */
            return CURL_READFUNC_ABORT;
    }
    b->at += got;
    b->n -= got;
    r->seen++;
    return (size_t)got;
}

/* To its beginning, for another try on another connection. */
static int rewind_body(void *arg, curl_off_t offset, int origin)
{
    struct request *r = arg;
    if (origin != SEEK_SET || offset != 0)
        return CURL_SEEKFUNC_CANTSEEK;
    r->body = r->whole;
    return CURL_SEEKFUNC_OK;
}

static int take_connection(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct request *r = arg;
    r->seen++;
    r->connected = true;
    return CURL_PREREQFUNC_OK;
}

/* ---- running ---- */

struct request *request_new(void)
{
    struct request *r = xnew(struct request);
    r->multi = curl_multi_init();
    r->easy = curl_easy_init();
    if (!r->multi || !r->easy) {
        request_free(r);
        return NULL;
    }
    return r;
}

void request_stop(struct request *r)
{
    if (r->added)
        curl_multi_remove_handle(r->multi, r->easy);
    curl_easy_reset(r->easy);
    buffer_reset(&r->held, REQUEST_HELD_MAX);
    r->added = r->paused = r->answered = r->ended = r->too_long = r->connected = false;
    r->n_headers = r->at = 0;
    r->left = -1;
    r->result = CURLE_OK;
    r->error[0] = r->status_line[0] = '\0';
}

void request_free(struct request *r)
{
    if (!r)
        return;
    if (r->added)
        curl_multi_remove_handle(r->multi, r->easy);
    curl_easy_cleanup(r->easy);
    curl_multi_cleanup(r->multi);
    buffer_done(&r->held);
    free(r);
}

const char *request_why(const struct request *r)
{
    return r->error[0] ? r->error : curl_easy_strerror(r->result);
}

static void end(struct request *r, CURLcode result)
{
    r->ended = true;
    r->result = result;
}

static void note_end(struct request *r)
{
    int more;
    for (CURLMsg *m; (m = curl_multi_info_read(r->multi, &more));)
        if (m->msg == CURLMSG_DONE)
            end(r, m->data.result);
}

static bool has_answer(const struct request *r)
{
    return r->ended || r->answered;
}

static bool has_body(const struct request *r)
{
    return r->ended || r->held.n > r->at || (r->left == 0 && !r->keep) || r->too_long;
}

/* Until it is there. */
static void run(struct request *r, bool (*is_there)(const struct request *))
{
    int running;
    int64_t last = clock_mono_us();
    while (!is_there(r)) {
        uint64_t seen = r->seen;
        if (curl_multi_perform(r->multi, &running) != CURLM_OK)
            return end(r, CURLE_FAILED_INIT);
        note_end(r);
        int64_t now = clock_mono_us();
        if (seen != r->seen || !r->connected)
            last = now;
        if (is_there(r))
            return;
        if (now - last >= r->stall_us) {
            snprintf(r->error, sizeof(r->error), "nothing came for %.1f s", (double)r->stall_us / 1e6);
            return end(r, CURLE_OPERATION_TIMEDOUT);
        }
        if (r->stop && *r->stop)
            return end(r, CURLE_ABORTED_BY_CALLBACK);
        int64_t wait_ms = (last + r->stall_us - now) / US_PER_MS + 1;
        curl_multi_poll(r->multi, NULL, 0, (int)MIN(wait_ms, r->stop ? 100 : 1000), NULL);
    }
}

/* ---- asking ---- */

static void choose_callbacks(struct request *r)
{
    curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->error);
    curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_READFUNCTION, give_body);
    curl_easy_setopt(r->easy, CURLOPT_READDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_SEEKFUNCTION, rewind_body);
    curl_easy_setopt(r->easy, CURLOPT_SEEKDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_PREREQFUNCTION, take_connection);
    curl_easy_setopt(r->easy, CURLOPT_PREREQDATA, r);
}

static void prepare_method(CURL *easy, const struct request_options *o)
{
    if (o->method && strcmp(o->method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else if (o->method)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, o->method);
    if (o->body) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)o->body->n);
        curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
    }
}

/* libcurl of Debian 12 takes the path and the query as they stand in the URL for the canonical ones, and all our own headers
 * into what is signed: whoever asks writes them as AWS wants them. */
static void prepare_signature(CURL *easy, const struct request_options *o)
{
    if (!o->sign)
        return;
    curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, o->sign);
    curl_easy_setopt(easy, CURLOPT_USERNAME, o->access_key);
    curl_easy_setopt(easy, CURLOPT_PASSWORD, o->secret_key);
}

/* Redirects are followed by http.c, which knows what may go where. Content-Length is counted here: libcurl would cut off
 * in silence what comes beyond it. */
void request_prepare(CURL *easy, const struct target *t, const struct request_options *o)
{
    int64_t connect_ms = (o->connect_timeout_us + US_PER_MS - 1) / US_PER_MS;
    curl_easy_setopt(easy, CURLOPT_URL, t->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, target_is_https(t) ? "https" : "http");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_IGNORE_CONTENT_LENGTH, o->keep ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, o->sign ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, o->alone ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, o->stop ? 1L : 0L); /* then it is one of several threads */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L * 1024);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "ingestd/" INGESTD_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, o->headers);
    if (o->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, o->ca_file);
    if (o->credentials && (t->user || t->password)) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, t->user ? t->user : "");
        curl_easy_setopt(easy, CURLOPT_PASSWORD, t->password ? t->password : "");
    }
    prepare_method(easy, o);
    prepare_signature(easy, o);
}

/* What will be the same however often it is tried. */
bool request_is_lasting(CURLcode code)
{
    static const CURLcode list[] = {CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
        CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT,
        CURLE_FAILED_INIT, CURLE_NOT_BUILT_IN, CURLE_BAD_FUNCTION_ARGUMENT, CURLE_OUT_OF_MEMORY};
    for (size_t i = 0; i < N_ELEMENTS(list); i++)
        if (code == list[i])
            return true;
    return false;
}

static int no_answer(struct request *r, const char *what, struct fetch_fault *fault)
{
    if (r->n_headers > HEADERS_MAX)
        return fetch_fault_set(fault, false, "cannot %s: the server sends headers without end", what);
    return fetch_fault_set(fault, !request_is_lasting(r->result), "cannot %s: %s%s", what,
        r->result == CURLE_OK ? "the server closed the connection before it answered" : request_why(r),
        r->result == CURLE_PEER_FAILED_VERIFICATION ? " (is its certificate one that this machine trusts?)"
                                                    : "");
}

static void take_options(struct request *r, const struct request_options *o)
{
    r->stall_us = o->stall_us;
    r->stop = o->stop;
    r->keep = o->keep;
    r->bodiless = o->method && strcmp(o->method, "HEAD") == 0;
    r->whole = r->body = o->body ? *o->body : (struct request_body){0};
}

int request_start(struct request *r, const struct target *target, const struct request_options *options,
    struct answer *ret_answer, struct fetch_fault *fault)
{
    _cleanup_free_ char *fetch = xasprintf("fetch %s", target->label);
    const char *what = options->what ? options->what : fetch;
    request_stop(r);
    choose_callbacks(r);
    request_prepare(r->easy, target, options);
    take_options(r, options);
    if (curl_multi_add_handle(r->multi, r->easy) != CURLM_OK)
        return fetch_fault_set(fault, false, "cannot %s: no memory", what);
    r->added = true;
    run(r, has_answer);
    if (!r->answered)
        return no_answer(r, what, fault);
    answer_read(r->easy, r->status_line, ret_answer);
    return 0;
}

const char *request_header(const struct request *r, const char *name)
{
    return answer_header(r->easy, name);
}

/* ---- the body ---- */

static size_t hand_out(struct request *r, char *p, size_t n)
{
    n = MIN(n, r->held.n - r->at);
    memcpy(p, r->held.p + r->at, n);
    r->at += n;
    if (r->at == r->held.n)
        r->at = r->held.n = 0;
    return n;
}

/* What is there already beyond the promised end. */
static void look_beyond(struct request *r)
{
    int running;
    if (!r->ended && curl_multi_perform(r->multi, &running) == CURLM_OK)
        note_end(r);
}

size_t request_read(struct request *r, char *p, size_t n, enum request_end *ret_end)
{
    if (r->held.n == r->at && !r->ended && r->paused) {
        r->paused = false;
        curl_easy_pause(r->easy, CURLPAUSE_CONT);
    }
    run(r, has_body);
    *ret_end = REQUEST_GOES_ON;
    if (r->held.n > r->at)
        return hand_out(r, p, n);
    if (r->left == 0)
        look_beyond(r);
    if (r->too_long)
        *ret_end = REQUEST_TOO_LONG;
    else if (r->left == 0 || (r->left < 0 && r->ended && r->result == CURLE_OK))
        *ret_end = REQUEST_COMPLETE;
    else
        *ret_end = REQUEST_BROKEN;
    return 0;
}
