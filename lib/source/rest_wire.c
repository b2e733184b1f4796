#include "source/rest_wire.h"

#include "fetch/request.h"
#include "source/rest.h"
#include "util/clock.h"
#include "util/text.h"
#include "util/url.h"

#include <errno.h>
#include <inttypes.h>

#define MAX_PAUSE_US       (60 * US_PER_SEC)
#define CONNECT_TIMEOUT_US (10 * US_PER_SEC)

/* ---- what libcurl calls ---- */

static size_t take_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct rest_page *p = arg;
    p->last_sign = clock_mono_us();
    p->wire->received += (int64_t)n;
    return rest_body_put(&p->body, bytes, n) ? n : 0;
}

static size_t take_header(char *bytes, size_t size, size_t n, void *arg)
{
    struct rest_page *p = arg;
    p->last_sign = clock_mono_us();
    return n;
}

static int take_connection(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct rest_page *p = arg;
    p->last_sign = clock_mono_us();
    p->connected = true;
    return CURL_PREREQFUNC_OK;
}

/* ---- life ---- */

static int make_body(struct rest_page *p, const char *folder, struct source_fault *fault)
{
    if (!folder || rest_body_spool(&p->body, folder) == 0)
        return 0;
    fault->transient = errno == ENOSPC || errno == EMFILE || errno == ENFILE;
    return error_set(&fault->error, "cannot make a file for pages in %s: %s", folder, strerror(errno));
}

int rest_wire_init(struct rest_wire *w, size_t n_pages, const char *spool_folder, struct source_fault *fault)
{
    w->multi = curl_multi_init();
    w->pages = xcalloc(n_pages, sizeof(*w->pages));
    w->n_pages = n_pages;
    for (size_t i = 0; i < n_pages; i++)
        rest_body_init(&w->pages[i].body);
    for (size_t i = 0; i < n_pages; i++) {
        w->pages[i].wire = w;
        if (make_body(&w->pages[i], spool_folder, fault) < 0)
            return -1;
        w->pages[i].easy = curl_easy_init();
        if (!w->pages[i].easy)
            return error_set(&fault->error, "no memory for requests");
    }
    return w->multi ? 0 : error_set(&fault->error, "no memory for requests");
}

static void release_page(struct rest_page *p)
{
    rest_wire_drop(p);
    curl_easy_cleanup(p->easy);
    rest_body_done(&p->body);
}

void rest_wire_done(struct rest_wire *w)
{
    for (size_t i = 0; i < w->n_pages; i++)
        release_page(&w->pages[i]);
    curl_multi_cleanup(w->multi);
    curl_slist_free_all(w->headers);
    target_done(&w->target);
    free(w->pages);
    free(w->ca_file);
    free(w->rows_path);
    free(w->next_path);
}

/* ---- one request ---- */

static void stop(struct rest_page *p)
{
    if (p->added)
        curl_multi_remove_handle(p->wire->multi, p->easy);
    p->added = false;
}

static void forget_body(struct rest_page *p)
{
    rest_document_done(&p->document);
    free(p->link);
    p->link = NULL;
    rest_body_clear(&p->body);
}

void rest_wire_drop(struct rest_page *p)
{
    stop(p);
    forget_body(p);
    free(p->url);
    p->url = NULL;
    p->state = REST_FREE;
}

void rest_wire_ask(struct rest_page *p, char *url)
{
    p->url = url;
    p->failures = 0;
    p->start_at = 0;
    p->why = (struct source_fault){0};
    p->state = REST_WAITING;
}

static void begin(struct rest_page *p, int64_t now)
{
    struct rest_wire *w = p->wire;
    struct target target = w->target;
    struct request_options o = {.headers = w->headers,
        .credentials = w->credentials,
        .stall_us = w->stall_us,
        .connect_timeout_us = CONNECT_TIMEOUT_US,
        .ca_file = w->ca_file};
    target.url = p->url;
    forget_body(p);
    curl_easy_reset(p->easy);
    request_prepare(p->easy, &target, &o);
    curl_easy_setopt(
        p->easy, CURLOPT_IGNORE_CONTENT_LENGTH, 0L); /* it tells when the connection is free again */
    curl_easy_setopt(p->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(p->easy, CURLOPT_ERRORBUFFER, p->error);
    curl_easy_setopt(p->easy, CURLOPT_PRIVATE, p);
    curl_easy_setopt(p->easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(p->easy, CURLOPT_HEADERDATA, p);
    curl_easy_setopt(p->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(p->easy, CURLOPT_WRITEDATA, p);
    curl_easy_setopt(p->easy, CURLOPT_PREREQFUNCTION, take_connection);
    curl_easy_setopt(p->easy, CURLOPT_PREREQDATA, p);
    p->error[0] = '\0';
    p->connected = false;
    p->last_sign = now;
    p->state = REST_UNDER_WAY;
    p->added = curl_multi_add_handle(w->multi, p->easy) == CURLM_OK;
    w->requests++;
}

/* ---- what came of it ---- */

static int broke(struct rest_page *p, CURLcode code, struct source_fault *why)
{
    char size[32];
    if (p->body.fault == REST_BODY_LARGE)
        return error_set(&why->error, "the page is larger than %s: ask for fewer rows with page_size",
            text_bytes(p->body.fd < 0 ? REST_PAGE_MAX : REST_SPOOL_MAX, size));
    if (p->body.fault == REST_BODY_FILE) {
        why->transient = true;
        return error_set(&why->error, "the page cannot be kept in the file that it goes to: %s%s",
            strerror(p->body.error), p->body.error == ENOSPC ? ": make room on that disk" : "");
    }
    why->transient = !request_is_lasting(code);
    return error_set(&why->error, "%s%s", p->error[0] ? p->error : curl_easy_strerror(code),
        code == CURLE_PEER_FAILED_VERIFICATION ? " (is its certificate one that this machine trusts?)" : "");
}

static int refused(const struct answer *a, struct source_fault *why)
{
    if (a->status >= 300 && a->status < 400) {
        _cleanup_free_ char *to = a->location ? url_redact(a->location) : NULL;
        return error_set(&why->error,
            "the server redirects to %s: configure that URL itself, our headers are not sent elsewhere",
            to ? to : "nowhere");
    }
    why->transient = answer_is_transient(a->status);
    return error_set(&why->error, "the server answered %d%s", a->status, answer_advice(a->status));
}

static void take_link(struct rest_page *p)
{
    struct curl_header *h;
    for (size_t i = 0; !p->link && curl_easy_header(p->easy, "Link", i, CURLH_HEADER, -1, &h) == CURLHE_OK;
         i++) {
        struct slice next = rest_link_next(h->value);
        if (next.n > 0)
            p->link = xstrndup(next.p, next.n);
    }
}

static int read_body(struct rest_page *p, struct source_fault *why)
{
    struct rest_wire *w = p->wire;
    char words[160];
    bool is_json;
    take_link(p);
    if (rest_document_read(&p->body, &w->places, &p->document, words, &is_json))
        return 0;
    /* Of the first page it is the configuration that is wrong; later, the server. */
    why->transient = !is_json || p->number > 1;
    return error_set(&why->error, "%s", words);
}

static int judge(struct rest_page *p, CURLcode code, int64_t *ret_retry_after_us, struct source_fault *why)
{
    _cleanup_answer_ struct answer a = {0};
    *ret_retry_after_us = -1;
    if (code != CURLE_OK)
        return broke(p, code, why);
    answer_read(p->easy, "", &a);
    if (a.status == 200)
        return read_body(p, why);
    *ret_retry_after_us = a.retry_after_us;
    return refused(&a, why);
}

/* As long as the server says, else longer each time. */
static int64_t pause_of(const struct rest_page *p, int64_t retry_after_us)
{
    int64_t us = p->wire->retry_after_us;
    for (int i = 1; i < p->failures && us < MAX_PAUSE_US; i++)
        us *= 2;
    return retry_after_us >= 0 ? retry_after_us : MIN(us, MAX_PAUSE_US);
}

static void finish(struct rest_page *p, CURLcode code)
{
    struct rest_wire *w = p->wire;
    struct source_fault why = {0};
    int64_t retry_after_us;
    int got = judge(p, code, &retry_after_us, &why);
    bool is_ours = p->body.fault == REST_BODY_FILE; /* another copy of the page would not help */
    stop(p);
    if (got == 0) {
        p->state = REST_COMPLETE;
        return;
    }
    forget_body(p);
    p->failures++;
    p->why = why;
    p->state = why.transient && !is_ours && p->failures <= w->retries ? REST_WAITING : REST_FAILED;
    p->start_at = clock_mono_us() + pause_of(p, retry_after_us);
    if (retry_after_us >= 0) /* the server means all of us */
        w->not_before = MAX(w->not_before, p->start_at);
}

/* ---- turns ---- */

static void begin_waiting(struct rest_wire *w)
{
    for (size_t i = 0; i < w->n_pages; i++) {
        struct rest_page *p = &w->pages[i];
        int64_t now = clock_mono_us();
        if (p->state != REST_WAITING || now < p->start_at || now < w->not_before || now < w->next_start)
            continue;
        w->next_start = now + w->interval_us;
        begin(p, now);
        if (!p->added)
            finish(p, CURLE_FAILED_INIT);
    }
}

static void end_stalled(struct rest_wire *w)
{
    int64_t now = clock_mono_us();
    for (size_t i = 0; i < w->n_pages; i++) {
        struct rest_page *p = &w->pages[i];
        if (p->state != REST_UNDER_WAY || !p->connected || now - p->last_sign < w->stall_us)
            continue;
        snprintf(p->error, sizeof(p->error), "nothing came for %.1f s", (double)w->stall_us / 1e6);
        finish(p, CURLE_OPERATION_TIMEDOUT);
    }
}

void rest_wire_turn(struct rest_wire *w)
{
    int running, more;
    begin_waiting(w);
    curl_multi_perform(w->multi, &running);
    end_stalled(w); /* before bodies are read, which may take its time */
    for (CURLMsg *m; (m = curl_multi_info_read(w->multi, &more));) {
        struct rest_page *p;
        CURLcode code = m->data.result;
        if (m->msg == CURLMSG_DONE && curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p) == CURLE_OK)
            finish(p, code);
    }
}

/* How long nothing of ours is due. */
static int until_due_ms(const struct rest_wire *w)
{
    int64_t now = clock_mono_us(), due = now + US_PER_SEC;
    for (size_t i = 0; i < w->n_pages; i++) {
        const struct rest_page *p = &w->pages[i];
        if (p->state == REST_WAITING) {
            int64_t start = MAX(p->start_at, w->next_start);
            start = MAX(start, w->not_before);
            due = MIN(due, start);
        } else if (p->state == REST_UNDER_WAY && p->connected) {
            int64_t stalled = p->last_sign + w->stall_us;
            due = MIN(due, stalled);
        }
    }
    return due <= now ? 0 : (int)((due - now) / US_PER_MS + 1);
}

int rest_wire_wait(struct rest_page *p, struct source_fault *fault)
{
    struct rest_wire *w = p->wire;
    for (;;) {
        rest_wire_turn(w);
        if (p->state == REST_COMPLETE)
            return 0;
        if (p->state == REST_FAILED)
            break;
        curl_multi_poll(w->multi, NULL, 0, until_due_ms(w), NULL);
    }
    *fault = p->why;
    text_make_printable(fault->error.text);
    if (p->failures > 1)
        error_prefix(&fault->error, "given up after %d attempts", p->failures);
    _cleanup_free_ char *label = url_redact(p->url);
    return error_prefix(&fault->error, "page %" PRId64 " (%s)", p->number, label);
}
