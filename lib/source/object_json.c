/*
 * Rows of an object that is JSON: an element of an array, or a line, is a row. Members that are declared become cells, by the
 * same reader that pages of a REST resource go through; the others go into `_more` as they stand.
 */
#include "source/json_row.h"
#include "source/object_frame.h"
#include "source/object_inside.h"
#include "util/text.h"

#define ROW_MAX ((size_t)16 << 20)

struct json_object {
    struct object_reader base;
    struct object_frame frame;
    struct json_columns columns;
    struct json_row_reader rows;
    bool *is_found;           /* of each column: some row had it */
    int64_t n_objects;        /* rows that were JSON objects */
    size_t row_max, other_at; /* other_at: where the search for a name begins */
    struct object_element element;
    char detail[160];
    struct buffer raw;
};

static struct json_object *json_of(const struct object *o)
{
    return (struct json_object *)(uintptr_t)o->reader; /* its first field */
}

static void release(struct object *o)
{
    struct json_object *j = json_of(o);
    object_frame_done(&j->frame);
    json_columns_done(&j->columns);
    json_row_reader_done(&j->rows);
    buffer_done(&j->raw);
    free(j->is_found);
    free(j);
}

/* ---- members that nobody declared ---- */

/* Their names stand in the same order in row after row: so the search begins where the last one ended. */
static void note_other(struct object *o, struct slice name)
{
    struct json_object *j = json_of(o);
    for (size_t i = 0; i < o->n_others; i++) {
        size_t k = j->other_at < o->n_others ? j->other_at : 0;
        j->other_at = k + 1;
        if (slice_is(name, o->others[k]))
            return;
    }
    if (o->n_others < OBJECT_OTHERS_MAX)
        o->others[o->n_others++] = xstrndup(name.p, name.n);
}

static enum source_reason take_other(void *arg, struct slice name, const struct json_token *value)
{
    struct object *o = arg;
    if (value->has_bad_text)
        return SOURCE_BAD_ENCODING;
    if (value->has_nul || memchr(name.p, 0, name.n))
        return SOURCE_NUL_BYTE;
    note_other(o, name);
    if (value->type == JSON_NULL)
        return SOURCE_TAKEN;
    if (o->more.n + name.n + value->raw.n > json_of(o)->row_max)
        return SOURCE_TOO_LONG;
    object_begin_more(o, name.p, name.n);
    buffer_put(&o->more, value->raw.p, value->raw.n);
    return SOURCE_TAKEN;
}

/* ---- rows ---- */

static const char *raw(struct object *o, size_t *ret_n)
{
    struct json_object *j = json_of(o);
    struct slice s = j->element.text;
    buffer_reset(&j->raw, SOURCE_RAW_MAX);
    if (buffer_reserve(&j->raw, MIN(s.n * 3 + 1, (size_t)SOURCE_RAW_MAX)))
        j->raw.n = text_make_utf8(s.p, s.n, j->raw.p, MIN(s.n * 3, (size_t)SOURCE_RAW_MAX));
    *ret_n = j->raw.n;
    return j->raw.n ? j->raw.p : "";
}

/* Words that name the rule and the place, never what stands there. */
static void explain(struct json_object *j, enum source_reason reason)
{
    const struct json_reader *r = &j->rows.json;
    char size[32];
    if (reason == SOURCE_TOO_LONG)
        snprintf(j->detail, sizeof(j->detail), "longer than %s", text_bytes(j->row_max, size));
    else if (reason == SOURCE_NOT_JSON && r->words)
        snprintf(j->detail, sizeof(j->detail), "at byte %zu of it: %s", json_offset(r), r->words);
    else
        snprintf(j->detail, sizeof(j->detail), "%s", source_reason_sentence(reason));
}

static void reject(struct object *o, enum source_reason reason, struct source_row *ret)
{
    struct json_object *j = json_of(o);
    explain(j, reason);
    *ret = (struct source_row){
        .line = j->element.line, .reason = source_reason_code(reason), .detail = j->detail};
    ret->raw = raw(o, &ret->n_raw);
}

static enum source_reason reason_of(const struct json_reader *r)
{
    return r->fault == JSON_TOO_DEEP ? SOURCE_TOO_DEEP : SOURCE_NOT_JSON;
}

/* What is no object: is it JSON at all? */
static enum source_reason judge_other(struct json_object *j)
{
    struct json_token t;
    json_begin(&j->rows.json, j->element.text);
    return json_value(&j->rows.json, &t) ? SOURCE_NOT_AN_OBJECT : reason_of(&j->rows.json);
}

static void note_columns(struct object *o)
{
    struct json_object *j = json_of(o);
    for (size_t i = 0; i < o->n_declared; i++)
        j->is_found[i] = j->is_found[i] || j->rows.is_set[i];
    j->n_objects++;
}

static bool is_null(const struct object *o, const struct source_cell *cell)
{
    for (size_t i = 0; cell->p && i < o->n_null_tokens; i++)
        if (slice_is((struct slice){cell->p, cell->n}, o->null_tokens[i]))
            return true;
    return false;
}

static enum source_reason read_row(struct object *o)
{
    struct json_object *j = json_of(o);
    const struct object_element *e = &j->element;
    struct json_row row;
    if (e->is_long)
        return SOURCE_TOO_LONG;
    j->rows.json.words = NULL;
    if (e->text.n == 0 || e->text.p[0] != '{')
        return judge_other(j);
    const struct json_token token = {.type = JSON_OBJECT, .text = e->text, .raw = e->text};
    if (!json_row_read(&j->rows, &j->columns, &token, &row))
        return j->rows.json.fault ? reason_of(&j->rows.json) : SOURCE_TOO_LONG;
    note_columns(o);
    if (row.reason != SOURCE_TAKEN)
        return row.reason;
    for (size_t i = 0; i < o->n_declared; i++)
        o->cells[i] = is_null(o, &row.cells[i]) ? (struct source_cell){0} : row.cells[i];
    object_end_more(o);
    return SOURCE_TAKEN;
}

/* ---- the whole ---- */

static int check_whole(const struct object *o, struct source_fault *fault)
{
    const struct json_object *j = json_of(o);
    if (o->rows > 0 && j->n_objects == 0)
        return object_refuse(o->label, fault, OBJECT_WRONG_FORMAT,
            j->frame.is_array ? "no element of its array is a JSON object: rows are objects"
                              : "no line of it is a JSON object: write one a line, or an array of them");
    return o->rows > 0 ? object_check_columns(o, j->is_found, "rows", fault) : 0;
}

/* A last line that has no end and is no JSON is a part of one. */
static bool is_cut_off(const struct json_object *j, enum source_reason reason)
{
    return j->element.is_last && j->n_objects > 0 && reason == SOURCE_NOT_JSON;
}

static int next(struct object *o, struct source_row *ret, struct source_fault *fault)
{
    struct json_object *j = json_of(o);
    int got = object_frame_next(&j->frame, &j->element, fault);
    if (got <= 0)
        return got < 0 ? -1 : check_whole(o, fault);
    enum source_reason reason = read_row(o);
    if (is_cut_off(j, reason))
        return object_refuse(o->label, fault, OBJECT_TRUNCATED,
            "line %lld, the last, ends in the middle of its JSON and without a line end: it is cut off; have "
            "it sent "
            "again",
            (long long)j->element.line);
    if (reason != SOURCE_TAKEN)
        reject(o, reason, ret);
    else
        *ret =
            (struct source_row){.line = j->element.line, .n_cells = o->source.n_columns, .cells = o->cells};
    return 1;
}

static int add_columns(struct object *o, struct source_fault *fault)
{
    struct json_object *j = json_of(o);
    for (size_t i = 0; i < o->n_declared; i++)
        if (json_columns_add(&j->columns, SLICE(o->columns[i])) != i)
            return error_set(&fault->error, "%.200s: the column %.60s is declared twice: declare it once",
                o->label, o->columns[i]);
    return 0;
}

int object_open_json(
    struct object *o, const struct object_options *options, bool is_array, struct source_fault *fault)
{
    struct json_object *j = xnew(struct json_object);
    j->base = (struct object_reader){next, raw, release};
    j->row_max = options->row_max ? options->row_max : ROW_MAX;
    o->reader = &j->base;
    o->others = xcalloc(OBJECT_OTHERS_MAX, sizeof(*o->others));
    j->is_found = xcalloc(o->n_declared, sizeof(*j->is_found));
    object_frame_init(&j->frame, &o->bytes, is_array, j->row_max);
    json_columns_init(&j->columns);
    j->columns.fold = true;
    json_row_reader_init(&j->rows);
    j->rows.other = take_other;
    j->rows.other_arg = o;
    return add_columns(o, fault);
}
