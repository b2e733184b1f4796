/*
 * Prints the rows of a REST resource, a JSON array each with its line first, for tests/integration/test_rest.py. Arguments
 * are the URL and name=value; the last line is an object with the facts or the fault.
 */
#include "source/rest.h"
#include "util/text.h"

#include <cjson/cJSON.h>

#define LIST_MAX 64

struct wishes {
    struct rest_options options;
    const char *fields[LIST_MAX], *known[LIST_MAX], *headers[LIST_MAX];
    bool quiet;
    int64_t stop_every; /* waits for a line of its input after so many rows */
    int64_t break_at;   /* ends where the source tells the nth position */
};

static void put_in(const char **list, size_t *n, const char *value)
{
    if (*n < LIST_MAX)
        list[(*n)++] = value;
}

static bool take_text(struct wishes *w, const char *name, const char *value)
{
    struct rest_options *o = &w->options;
    const struct {
        const char *name, **to;
    } texts[] = {{"offset", &o->offset}, {"limit", &o->limit}, {"page", &o->page}, {"next", &o->next},
        {"cursor", &o->cursor}, {"rows", &o->rows}, {"key", &o->key}, {"updated", &o->updated},
        {"since", &o->since}, {"newest_url", &o->newest_url}, {"token_file", &o->token_file},
        {"header_file", &o->header_file}, {"credentials_file", &o->credentials_file},
        {"spool_folder", &o->spool_folder}};
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].to = value;
            return true;
        }
    return false;
}

static bool take_other(struct wishes *w, const char *name, const char *value)
{
    static const char *const pagings[] = {"offset", "page", "next", "cursor"};
    struct rest_options *o = &w->options;
    if (strcmp(name, "field") == 0)
        put_in(w->fields, &o->n_fields, value);
    else if (strcmp(name, "known") == 0)
        put_in(w->known, &o->n_known, value);
    else if (strcmp(name, "header") == 0)
        put_in(w->headers, &o->n_headers, value);
    else if (strcmp(name, "page_size") == 0)
        o->page_size = atoi(value);
    else if (strcmp(name, "first_page") == 0)
        o->first_page = atoi(value);
    else if (strcmp(name, "parallel") == 0)
        o->parallel = atoi(value);
    else if (strcmp(name, "per_second") == 0)
        o->per_second = atof(value);
    else if (strcmp(name, "retries") == 0)
        o->retries = atoi(value);
    else if (strcmp(name, "retry_ms") == 0)
        o->retry_after_us = atoll(value) * 1000;
    else if (strcmp(name, "stall_ms") == 0)
        o->stall_us = atoll(value) * 1000;
    else if (strcmp(name, "begin_at") == 0)
        o->begin_at = atoll(value);
    else if (strcmp(name, "break_at") == 0)
        w->break_at = atoll(value);
    else if (strcmp(name, "quiet") == 0)
        w->quiet = atoi(value);
    else if (strcmp(name, "stop_every") == 0)
        w->stop_every = atoll(value);
    else if (strcmp(name, "paging") == 0) {
        for (size_t i = 0; i < N_ELEMENTS(pagings); i++)
            if (strcmp(value, pagings[i]) == 0)
                o->paging = (enum rest_paging)i;
    } else
        return false;
    return true;
}

/* text: any UTF-8. */
static void put_text(struct buffer *out, const char *p, size_t n)
{
    buffer_put(out, "\"", 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c < ' ')
            buffer_printf(out, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            buffer_printf(out, "\\%c", c);
        else
            buffer_put(out, &p[i], 1);
    }
    buffer_put(out, "\"", 1);
}

static void print_row(const struct source *s, const struct source_row *row)
{
    _cleanup_buffer_ struct buffer out = {0};
    buffer_printf(&out, "[%lld", (long long)row->line);
    for (size_t i = 0; !row->reason && i < row->n_cells; i++) {
        buffer_put_string(&out, ",");
        if (row->cells[i].p)
            put_text(&out, row->cells[i].p, row->cells[i].n);
        else
            buffer_put_string(&out, "null");
    }
    if (row->reason) {
        buffer_printf(&out, ",{\"reason\":\"%s\",\"raw\":", row->reason);
        put_text(&out, row->raw, row->n_raw);
        buffer_put_string(&out, "}");
    } else if (row->n_cells != s->n_columns)
        abort();
    buffer_put_string(&out, "]\n");
    fwrite(out.p, 1, out.n, stdout);
}

static void print_columns(const struct source *s)
{
    cJSON *list = cJSON_CreateStringArray(s->columns, (int)s->n_columns), *line = cJSON_CreateObject();
    cJSON_AddItemToObject(line, "columns", list);
    char *text = cJSON_PrintUnformatted(line);
    printf("%s\n", text);
    free(text);
    cJSON_Delete(line);
}

static void add_fault(cJSON *line, const struct source_fault *fault)
{
    cJSON_AddStringToObject(line, "fault", fault->error.text);
    cJSON_AddBoolToObject(line, "transient", fault->transient);
    cJSON_AddBoolToObject(line, "restart", fault->restart);
}

static void add_facts(cJSON *line, const struct source *s)
{
    struct rest_facts f;
    struct source_facts g;
    rest_facts(s, &f);
    s->driver->facts(s, &g);
    cJSON_AddNumberToObject(line, "rows", (double)g.rows);
    cJSON_AddNumberToObject(line, "received", (double)g.received);
    cJSON_AddNumberToObject(line, "requests", (double)f.requests);
    cJSON_AddNumberToObject(line, "pages", (double)f.pages);
    cJSON_AddNumberToObject(line, "again", (double)f.again);
    cJSON_AddNumberToObject(line, "position", (double)f.position);
    if (f.newest)
        cJSON_AddStringToObject(line, "newest", f.newest);
}

static void wait_for_word(const struct wishes *w, int64_t n)
{
    char word[16];
    if (!w->stop_every || n % w->stop_every)
        return;
    printf("{\"waiting\":%lld}\n", (long long)n);
    fflush(stdout);
    if (!fgets(word, sizeof(word), stdin))
        exit(3);
}

static bool is_broken_off(const struct wishes *w, const struct source *s, int64_t *positions)
{
    struct rest_facts f;
    rest_facts(s, &f);
    *positions += f.position >= 0;
    return w->break_at && *positions == w->break_at;
}

static int cat(const struct wishes *w, cJSON *last)
{
    struct source_fault fault = {0};
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_row row;
    int64_t positions = 0;
    int got = rest_open(&w->options, &s, &fault);
    if (got == 0) {
        print_columns(s);
        while ((got = source_next(s, &row, &fault)) > 0) {
            if (!w->quiet)
                print_row(s, &row);
            wait_for_word(w, row.line);
            if (is_broken_off(w, s, &positions))
                break;
        }
        add_facts(last, s);
        if (fault.restart)
            print_columns(s);
    }
    if (got < 0)
        add_fault(last, &fault);
    return got < 0;
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

int main(int argc, char **argv)
{
    struct wishes w = {.options = {.retries = -1, .first_page = 1}};
    w.options.url = argc > 1 ? argv[1] : "";
    w.options.fields = w.fields;
    w.options.known = w.known;
    w.options.headers = w.headers;
    for (int i = 2; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value)
            return 2;
        *value++ = '\0';
        if (!take_text(&w, argv[i], value) && !take_other(&w, argv[i], value))
            return 2;
    }
    cJSON *last = cJSON_CreateObject();
    int failed = cat(&w, last);
    cJSON_AddNumberToObject(last, "peak_kb", peak_kb());
    char *text = cJSON_PrintUnformatted(last);
    printf("%s\n", text);
    free(text);
    cJSON_Delete(last);
    return failed;
}
