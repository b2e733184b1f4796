/*
 * What tests/integration/test_fetch.py fetches with: the body on standard output, what is known of it as lines of JSON
 * on standard error.
 *
 *   fetch_cat URL [NAME=VALUE …]   etag, last_modified, member, header, ca_file, retries, retry_ms, stall_ms, connect_ms;
 *                                  read: bytes at once; wait=1: after opening, for a line on standard input;
 *                                  list: a pattern: not the thing, but what it lists
 *
 *   {"answer": "body" | "unchanged", "name": …}   opened
 *   {"facts": {…}, "peak_kb": n}                  all of it has come
 *   {"links": [[url, date], …]}                   what was listed
 *   {"fault": …, "status": n, "transient": …, "changed": …, "facts": {…}}
 */
#include "fetch/fetch.h"

#include <cjson/cJSON.h>

#define HEADERS_MAX 8

struct wishes {
    struct fetch_options options;
    const char *headers[HEADERS_MAX];
    const char *list;
    size_t read;
    bool wait;
};

static void print_line(cJSON *line)
{
    char *text = cJSON_PrintUnformatted(line);
    fprintf(stderr, "%s\n", text);
    cJSON_free(text);
    cJSON_Delete(line);
}

static void add_text(cJSON *o, const char *name, const char *text)
{
    cJSON_AddItemToObject(o, name, text ? cJSON_CreateString(text) : cJSON_CreateNull());
}

static cJSON *facts_of(const struct fetch *f)
{
    struct fetch_facts facts;
    fetch_facts(f, &facts);
    cJSON *o = cJSON_CreateObject();
    add_text(o, "url", facts.url);
    add_text(o, "name", facts.name);
    add_text(o, "etag", facts.etag);
    add_text(o, "last_modified", facts.last_modified);
    add_text(o, "content_type", facts.content_type);
    add_text(o, "sha256", facts.sha256);
    cJSON_AddNumberToObject(o, "modified_us", (double)facts.modified_us);
    cJSON_AddNumberToObject(o, "total", (double)facts.total);
    cJSON_AddNumberToObject(o, "received", (double)facts.received);
    cJSON_AddNumberToObject(o, "unpacked", (double)facts.unpacked);
    cJSON_AddNumberToObject(o, "resumed", facts.resumed);
    return o;
}

static int print_fault(const struct fetch *f, const struct fetch_fault *fault)
{
    cJSON *o = cJSON_CreateObject();
    add_text(o, "fault", fault->error.text);
    cJSON_AddNumberToObject(o, "status", fault->status);
    cJSON_AddBoolToObject(o, "transient", fault->transient);
    cJSON_AddBoolToObject(o, "changed", fault->changed);
    if (f)
        cJSON_AddItemToObject(o, "facts", facts_of(f));
    print_line(o);
    return 1;
}

static void print_opened(const struct fetch *f, enum fetch_answer answer)
{
    cJSON *o = facts_of(f);
    add_text(o, "answer", answer == FETCH_UNCHANGED ? "unchanged" : "body");
    print_line(o);
}

/* Not getrusage(): its maximum begins with that of whoever started us. */
static double peak_kb(void)
{
    _cleanup_fclose_ FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long kb = -1;
    while (status && fgets(line, sizeof(line), status))
        if (sscanf(line, "VmHWM: %ld", &kb) == 1)
            break;
    return (double)kb;
}

static void print_end(const struct fetch *f)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddItemToObject(o, "facts", facts_of(f));
    cJSON_AddNumberToObject(o, "peak_kb", peak_kb());
    print_line(o);
}

static int cat(const char *url, const struct wishes *w)
{
    _cleanup_(fetch_freep) struct fetch *f = NULL;
    struct fetch_fault fault = {0};
    enum fetch_answer answer;
    _cleanup_free_ char *block = xcalloc(w->read, 1);
    if (fetch_open(url, &w->options, &f, &answer, &fault) < 0)
        return print_fault(NULL, &fault);
    print_opened(f, answer);
    while (w->wait && getchar() != '\n')
        ;
    for (;;) {
        ssize_t n = fetch_read(f, block, w->read, &fault);
        if (n < 0)
            return print_fault(f, &fault);
        if (n == 0)
            break;
        if (fwrite(block, 1, (size_t)n, stdout) != (size_t)n || fflush(stdout) != 0)
            return 3;
    }
    print_end(f);
    return 0;
}

static int list(const char *url, const struct wishes *w)
{
    struct fetch_link *links;
    struct fetch_fault fault = {0};
    size_t n;
    if (fetch_list(url, w->list, &w->options, &links, &n, &fault) < 0)
        return print_fault(NULL, &fault);
    cJSON *o = cJSON_CreateObject(), *a = cJSON_AddArrayToObject(o, "links");
    for (size_t i = 0; i < n; i++) {
        const char *pair[] = {links[i].url, links[i].date};
        cJSON_AddItemToArray(a, cJSON_CreateStringArray(pair, 2));
    }
    fetch_links_free(links, n);
    print_line(o);
    return 0;
}

/* The value of NAME=VALUE if it is of this name. */
static const char *value_of(const char *word, const char *name)
{
    size_t n = strlen(name);
    return strncmp(word, name, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

static bool take_word(struct wishes *w, const char *word)
{
    struct fetch_options *o = &w->options;
    const struct {
        const char *name, **to;
    } texts[] = {{"etag", &o->etag}, {"last_modified", &o->last_modified}, {"member", &o->member},
        {"ca_file", &o->ca_file}, {"list", &w->list}};
    const struct {
        const char *name;
        int64_t *to;
    } times[] = {
        {"retry_ms", &o->retry_after_us}, {"stall_ms", &o->stall_us}, {"connect_ms", &o->connect_timeout_us}};
    const char *value;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        if ((value = value_of(word, texts[i].name)))
            return (*texts[i].to = value) != NULL;
    for (size_t i = 0; i < N_ELEMENTS(times); i++)
        if ((value = value_of(word, times[i].name)))
            return (*times[i].to = atoll(value) * 1000) > 0;
    if ((value = value_of(word, "header")) && o->n_headers < HEADERS_MAX)
        w->headers[o->n_headers++] = value;
    else if ((value = value_of(word, "retries")))
        o->retries = atoi(value);
    else if ((value = value_of(word, "read")))
        w->read = (size_t)atoll(value);
    else if ((value = value_of(word, "wait")))
        w->wait = true;
    return value != NULL;
}

int main(int argc, char **argv)
{
    struct wishes w = {.options = {.retries = -1}, .read = 65536};
    w.options.headers = w.headers;
    bool good = argc > 1;
    for (int i = 2; i < argc; i++)
        good = good && take_word(&w, argv[i]);
    if (!good) {
        fprintf(stderr, "usage: fetch_cat URL [NAME=VALUE …]\n");
        return 2;
    }
    return w.list ? list(argv[1], &w) : cat(argv[1], &w);
}
