#include "source/object_inside.h"

#include "source/csv_sniff.h"
#include "source/json_row.h"
#include "util/text.h"

#include <strings.h>

#define MORE_KEPT ((size_t)64 * 1024)
#define LABEL_MAX 200 /* of words of 511 bytes */

/* ---- what the formats share ---- */

int object_check_columns(
    const struct object *o, const bool *is_found, const char *what, struct source_fault *fault)
{
    _cleanup_buffer_ struct buffer names = {0};
    size_t n_found = 0, n_missing = 0;
    for (size_t i = 0; i < o->n_declared; i++) {
        n_found += is_found[i];
        if (is_found[i] || o->optional[i])
            continue;
        n_missing++;
        if (names.n < 120)
            buffer_printf(&names, "%s%.60s", names.n ? ", " : "", o->columns[i]);
    }
    if (n_missing > 0)
        return object_refuse(o->label, fault, OBJECT_MISSING_COLUMN,
            "of the columns that each object must have %zu cannot be found in its %s (%s): have it sent with "
            "them, or "
            "declare them with a question mark",
            n_missing, what, buffer_string(&names));
    if (n_found == 0)
        return object_refuse(o->label, fault, OBJECT_MISSING_COLUMN,
            "none of the columns that are declared is in its %s: is it another list, or has it no header?",
            what);
    return 0;
}

void object_begin_more(struct object *o, const char *name, size_t n)
{
    buffer_put(&o->more, o->more.n ? "," : "{", 1);
    json_put_string(&o->more, name, n);
    buffer_put(&o->more, ":", 1);
}

void object_end_more(struct object *o)
{
    struct source_cell *cell = &o->cells[o->n_declared];
    *cell = (struct source_cell){0};
    if (o->more.n == 0)
        return;
    buffer_put(&o->more, "}", 1);
    *cell = (struct source_cell){o->more.p, o->more.n};
}

/* ---- the source ---- */

static struct object *object_of(const struct source *s)
{
    return (struct object *)(uintptr_t)s; /* its first field */
}

static void free_words(char **words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(words[i]);
    free(words);
}

static void release(struct source *s)
{
    struct object *o = object_of(s);
    if (o->reader)
        o->reader->free(o);
    object_bytes_done(&o->bytes);
    free_words(o->columns, o->n_declared + 1);
    free_words(o->null_tokens, o->n_null_tokens);
    free_words(o->others, o->n_others);
    free(o->optional);
    free(o->cells);
    free(o->label);
    buffer_done(&o->more);
    free(o);
}

static int next(struct source *s, struct source_row *ret_row, struct source_fault *fault)
{
    struct object *o = object_of(s);
    if (!o->has_failed) {
        buffer_reset(&o->more, MORE_KEPT);
        o->failure = (struct source_fault){0};
        int got = o->reader->next(o, ret_row, &o->failure);
        o->rows += got > 0;
        o->has_failed = got < 0;
        if (got >= 0)
            return got;
        o->failure.transient = o->failure.transient && !o->failure.reason; /* it is as it was put */
    }
    *fault = o->failure;
    return -1;
}

static void facts(const struct source *s, struct source_facts *ret)
{
    struct object *o = object_of(s);
    *ret = (struct source_facts){.rows = o->rows};
    object_bytes_facts(&o->bytes, &ret->received, &ret->total);
}

static const char *raw(struct source *s, size_t *ret_n)
{
    return object_of(s)->reader->raw(object_of(s), ret_n);
}

static const struct source_driver driver = {next, facts, release, raw};

const char *const *object_others(const struct source *s, size_t *ret_n)
{
    const struct object *o = object_of(s);
    *ret_n = o->n_others;
    return (const char *const *)o->others;
}

static void copy_columns(struct object *o, const struct object_options *options)
{
    o->n_declared = options->n_columns;
    o->columns = xcalloc(o->n_declared + 1, sizeof(*o->columns));
    o->optional = xcalloc(o->n_declared + 1, sizeof(*o->optional));
    o->cells = xcalloc(o->n_declared + 1, sizeof(*o->cells));
    for (size_t i = 0; i < o->n_declared; i++) {
        o->columns[i] = xstrdup(options->columns[i]);
        o->optional[i] = options->optional && options->optional[i];
    }
    o->columns[o->n_declared] = xstrdup("_more");
    o->source.columns = (const char *const *)o->columns;
    o->source.n_columns = o->n_declared + 1;
}

static struct object *new_object(const struct object_options *options)
{
    struct object *o = xnew(struct object);
    o->source.driver = &driver;
    o->label = xstrndup(options->label, LABEL_MAX);
    text_make_printable(o->label);
    copy_columns(o, options);
    o->n_null_tokens = options->n_null_tokens;
    o->null_tokens = xcalloc(o->n_null_tokens + 1, sizeof(*o->null_tokens));
    for (size_t i = 0; i < o->n_null_tokens; i++)
        o->null_tokens[i] = xstrdup(options->null_tokens[i]);
    return o;
}

/* ---- which format ---- */

enum format { UNKNOWN, CSV, JSON, NDJSON };

static bool ends_with(const char *text, size_t n, const char *end)
{
    size_t n_end = strlen(end);
    return n > n_end && strncasecmp(text + n - n_end, end, n_end) == 0;
}

static enum format format_of_name(const struct object_options *options)
{
    static const struct {
        const char *end;
        enum format format;
    } ends[] = {{".csv", CSV}, {".json", JSON}, {".ndjson", NDJSON}, {".jsonl", NDJSON}};
    const char *key = options->label;
    size_t n = strlen(key);
    if (options->format)
        return strcmp(options->format, "csv") == 0    ? CSV
               : strcmp(options->format, "json") == 0 ? JSON
                                                      : NDJSON;
    if (ends_with(key, n, ".gz"))
        n -= strlen(".gz");
    for (size_t i = 0; i < N_ELEMENTS(ends); i++)
        if (ends_with(key, n, ends[i].end))
            return ends[i].format;
    return UNKNOWN;
}

static size_t skip_blanks(struct slice s)
{
    size_t at = 0;
    while (at < s.n && strchr(" \t\r\n", s.p[at]) && s.p[at])
        at++;
    return at;
}

/* What stands at its beginning and is no rows; NULL when it may be. */
static const char *foreign(const struct object *o, struct slice first, const char **ret_remedy)
{
    struct csv_sniff sniff = {0};
    const char *what;
    csv_sniff_more(&sniff, first.p, first.n);
    *ret_remedy = "have it written as UTF-8";
    if (first.n > 0 && memchr(first.p, 0, MIN(first.n, (size_t)4)))
        return "text in UTF-16, or a binary file";
    if (csv_sniff_json(first.p, first.n) || !csv_sniff_foreign(&sniff, first.p, first.n, &what, ret_remedy))
        return NULL;
    if (strcmp(what, "HTML or XML") == 0)
        *ret_remedy = "have the rows themselves delivered, as CSV, JSON or NDJSON";
    return what;
}

static const char *word_of(enum format format)
{
    return format == CSV      ? "CSV"
           : format == JSON   ? "JSON"
           : format == NDJSON ? "NDJSON"
                              : "CSV, JSON or NDJSON";
}

static int refuse_format(const struct object *o, enum format format, const char *what, const char *remedy,
    struct source_fault *fault)
{
    return object_refuse(o->label, fault, OBJECT_WRONG_FORMAT, "it is to be %s, and what is in it is %s: %s",
        word_of(format), what, remedy);
}

#define RENAME "give it a name that ends as what it is, or the source a `format`"

/* c: the first character that is no blank, -1: none so far. */
static int judge(
    const struct object *o, enum format format, struct slice first, int c, struct source_fault *fault)
{
    const char *remedy, *what = foreign(o, first, &remedy);
    if (what)
        return refuse_format(o, format, what, remedy, fault);
    if (format == CSV && csv_sniff_json(first.p, first.n))
        return refuse_format(o, format, "JSON", RENAME, fault);
    if (format == NDJSON && c == '[')
        return refuse_format(o, format, "an array of JSON", RENAME, fault);
    if (format >= JSON && c != '[' && c != '{')
        return refuse_format(o, format, "CSV or other text", RENAME, fault);
    return 0;
}

static int open_rows(struct object *o, const struct object_options *options, struct source_fault *fault)
{
    struct object_bytes *b = &o->bytes;
    enum format format = format_of_name(options);
    if (b->n >= 3 && memcmp(b->first, "\xef\xbb\xbf", 3) == 0)
        b->at = 3;
    struct slice first = {b->first + b->at, b->n - b->at};
    size_t blank = skip_blanks(first);
    int c = blank < first.n ? (unsigned char)first.p[blank] : -1;
    if (c < 0 && b->is_ended)
        return object_refuse(o->label, fault, OBJECT_EMPTY,
            "there is nothing in it, not even a header: was it written to its end?");
    if (judge(o, format, first, c, fault) < 0)
        return -1;
    if (format == CSV || (format == UNKNOWN && !csv_sniff_json(first.p, first.n)))
        return object_open_csv(o, options, fault);
    return object_open_json(o, options, c == '[', fault);
}

static int check_options(const struct object_options *options, struct source_fault *fault)
{
    if (options->n_columns == 0 || options->n_columns >= JSON_COLUMNS_MAX)
        return error_set(&fault->error, "%.200s: %zu columns are declared: declare 1 to %d", options->label,
            options->n_columns, JSON_COLUMNS_MAX - 1);
    return 0;
}

int object_open(const char *path, const struct object_options *options, struct source **ret_source,
    struct source_fault *fault)
{
    *fault = (struct source_fault){0};
    if (check_options(options, fault) < 0)
        return -1;
    struct object *o = new_object(options);
    _cleanup_(source_freep) struct source *s = &o->source;
    if (object_bytes_open(&o->bytes, path, o->label, fault) < 0 || open_rows(o, options, fault) < 0) {
        fault->transient = fault->transient && !fault->reason;
        return -1;
    }
    *ret_source = TAKE(s);
    return 0;
}
