#include "history/inside.h"

#include "history/books.h"

#include "util/clock.h"

#include <stdarg.h>
#include <sys/resource.h>

#define MEMORY_MAX    (INT64_C(96) << 20) /* where we have no limit */
#define MEMORY_LEAST  (INT64_C(24) << 20)
#define MEMORY_COLUMN (INT64_C(512) << 10)

int history_fault(struct db_fault *fault, bool transient, const char *fmt, ...)
{
    *fault = (struct db_fault){.transient = transient};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(fault->error.text, sizeof(fault->error.text), fmt, ap);
    va_end(ap);
    return -1;
}

size_t history_key_max(size_t n_key)
{
    return n_key <= 3 ? HISTORY_KEY_MAX : (size_t)3 * HISTORY_KEY_MAX / n_key;
}

/* ---- statements ---- */

void history_mark_now(struct history *h)
{
    char time[40];
    if (h->dialect->now)
        return;
    clock_format_utc(clock_wall_us(), time, sizeof(time));
    _cleanup_free_ char *now = xasprintf("CAST('%s' AS {time})", time);
    _cleanup_free_ char *sql = marks_expand(&h->marks, now);
    marks_set(&h->marks, "now", sql);
}

int history_run(struct history *h, const char *sql, int n, const char *const *parameters,
    const struct db_sink *sink, struct db_fault *fault)
{
    history_mark_now(h);
    _cleanup_free_ char *text = marks_expand(&h->marks, sql);
    return db_query(h->db, text, n, parameters, sink, fault);
}

void history_try(struct history *h, const char *const *templates)
{
    struct db_fault ignored;
    for (; *templates; templates++)
        history_run(h, *templates, 0, NULL, NULL, &ignored);
}

static bool count_rows(void *arg, const char *tag, int64_t rows)
{
    *(int64_t *)arg += rows;
    return true;
}

int history_change(struct history *h, const char *sql, int64_t *ret_rows, struct db_fault *fault)
{
    int64_t rows = 0;
    struct db_sink sink = {.end = count_rows, .arg = &rows};
    if (history_run(h, sql, 0, NULL, &sink, fault) < 0)
        return -1;
    if (ret_rows)
        *ret_rows = rows;
    return 0;
}

int history_value(struct history *h, const char *sql, int n, const char *const *parameters, char **ret_value,
    struct db_fault *fault)
{
    _cleanup_free_ char *text = marks_expand(&h->marks, sql);
    return db_value(h->db, text, n, parameters, ret_value, fault);
}

/* ---- names ---- */

char *history_name_list(const struct history *h, const char *prefix, bool keys_only)
{
    _cleanup_buffer_ struct buffer out = {0};
    for (size_t i = 0; i < h->columns.n; i++) {
        if (keys_only && !h->columns.list[i].is_key)
            continue;
        _cleanup_free_ char *name = db_quote_name(h->db, NULL, h->columns.list[i].name);
        buffer_printf(&out, "%s%s%s", out.n ? ", " : "", prefix, name);
    }
    return xstrdup(buffer_string(&out));
}

char *history_value_list(const struct history *h)
{
    _cleanup_buffer_ struct buffer out = {0};
    for (size_t i = 0; i < h->columns.n; i++) {
        _cleanup_free_ char *name = db_quote_name(h->db, NULL, h->columns.list[i].name);
        enum type type = h->columns.list[i].type;
        bool cast = type_rewrites(type) && type != TYPE_BIGINT;
        buffer_printf(&out, "%s%s%s%s", i ? ", " : "", cast ? "CAST(" : "",
            h->columns.list[i].stored ? name : "NULL", cast ? " AS VARCHAR)" : "");
    }
    return xstrdup(buffer_string(&out));
}

/* a."k" = b."k" AND … */
static char *key_equality(const struct history *h, const char *a, const char *b)
{
    _cleanup_buffer_ struct buffer out = {0};
    for (size_t i = 0; i < h->columns.n; i++) {
        if (!h->columns.list[i].is_key)
            continue;
        _cleanup_free_ char *name = db_quote_name(h->db, NULL, h->columns.list[i].name);
        buffer_printf(&out, "%s%s.%s %s %s.%s", out.n ? " AND " : "", a, name, h->dialect->same, b, name);
    }
    return xstrdup(buffer_string(&out));
}

/* What a database that computes in our own process may have: a third of our own limit, as much goes to what it keeps
 * beside it. Where we have none, more for a table of many columns, each of which has blocks in hand. */
static int64_t memory_max(size_t n_columns)
{
    struct rlimit limit;
    bool limited = getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return limited ? MAX((int64_t)limit.rlim_cur / 3, MEMORY_LEAST)
                   : MEMORY_MAX + (int64_t)n_columns * MEMORY_COLUMN;
}

void history_mark_columns(struct history *h)
{
    static const struct {
        const char *mark, *prefix;
        bool keys_only;
    } lists[] = {
        {"cols", "", false}, {"n.cols", "n.", false}, {"d.cols", "d.", false}, {"cols.key", "", true}};
    for (size_t i = 0; i < N_ELEMENTS(lists); i++) {
        _cleanup_free_ char *list = history_name_list(h, lists[i].prefix, lists[i].keys_only);
        marks_set(&h->marks, lists[i].mark, list);
    }
    _cleanup_free_ char *current = key_equality(h, "n", "d"), *past = key_equality(h, "p", "d");
    marks_set_int(&h->marks, "memory", memory_max(h->columns.n));
    marks_set(&h->marks, "n=d", current);
    marks_set(&h->marks, "p=d", past);
}

static void mark_table(
    struct history *h, const char *mark, const char *schema, const char *name, const char *suffix)
{
    _cleanup_free_ char *full = xasprintf("%s%s", name, suffix);
    _cleanup_free_ char *quoted = db_quote_name(h->db, schema, full);
    marks_set(&h->marks, mark, quoted);
}

static void mark_tables(struct history *h)
{
    mark_table(h, "current", h->schema, h->place.table, "");
    mark_table(h, "past", h->schema, h->place.table, "_past");
    mark_table(h, "history", h->schema, h->place.table, "_history");
    mark_table(h, "dump", h->schema, "ingest_dump", "");
    mark_table(h, "reject", h->schema, "ingest_reject", "");
    mark_table(h, "column", h->schema, "ingest_column", "");
    mark_table(h, "delta", h->dialect->temporary, "ingest_delta", "");
    mark_table(h, "stage", h->dialect->temporary, "ingest_stage", "");
    mark_table(h, "keys", h->dialect->temporary, "ingest_keys", "");
    mark_table(h, "cursor", NULL, "cursor", ""); /* a word of MySQL's */
}

/* ---- types ---- */

static int mark_types(struct history *h, struct db_fault *fault)
{
    const struct dialect *d = h->dialect;
    _cleanup_free_ char *collation = NULL;
    if (d->collation && db_value(h->db, d->collation, 0, NULL, &collation, fault) < 0)
        return -1;
    bool plain = d->collation && !collation;
    marks_set(&h->marks, "collate", collation);
    _cleanup_free_ char *text = marks_expand(&h->marks, plain ? d->text_plain : d->text);
    marks_set(&h->marks, "width", "{width}");
    h->key_type = marks_expand(&h->marks, plain ? d->key_plain : d->key);
    h->key_bytes = plain ? 4 : 1;
    const struct {
        const char *mark, *value;
    } facts[] = {{"text", text}, {"word", d->word}, {"name", d->name}, {"note", d->note}, {"time", d->time},
        {"moment", d->moment}, {"options", d->table_options}, {"now", d->now}, {"join", d->straight},
        {"returning", d->returning}, {"drop temporary", d->drop_temporary}, {"delta key", d->delta_key}};
    for (size_t i = 0; i < N_ELEMENTS(facts); i++)
        marks_set(&h->marks, facts[i].mark, facts[i].value);
    marks_set(&h->marks, "reject key", d->keyless ? "" : ", UNIQUE (dump, line, id)");
    marks_set(&h->marks, "type of column", d->types ? ", type" : "");
    _cleanup_free_ char *type = d->types ? xasprintf(", type %s", d->name) : NULL;
    marks_set(&h->marks, "column type", type);
    marks_set_int(&h->marks, "memory", memory_max(h->columns.n));
    marks_set_int(&h->marks, "lock_ms", h->lock_timeout_us / US_PER_MS + 1); /* 0 would be for ever */
    marks_set_int(&h->marks, "lock_s", h->lock_timeout_us / US_PER_SEC + 1);
    return 0;
}

/* ---- opening ---- */

static void begin_session(const struct history *h, struct db *db)
{
    struct db_fault ignored;
    for (const char *const *sql = h->dialect->session; *sql; sql++)
        db_query(db, *sql, 0, NULL, NULL, &ignored);
}

int history_connect(const struct history *h, struct db **ret_db, struct db_fault *fault)
{
    struct db_options options = {.password_file = h->password_file,
        .application_name = h->application_name,
        .connect_timeout_us = h->place.file ? h->lock_timeout_us : 0,
        .memory_max = memory_max(0),
        .read_only = h->read_only};
    if (db_open(h->place.database, &options, ret_db, fault) < 0)
        return -1;
    const struct dialect *dialect = h->dialect ? h->dialect : dialect_for(db_driver(*ret_db));
    struct history with = *h;
    with.dialect = dialect;
    begin_session(&with, *ret_db);
    return 0;
}

static int find_schema(struct history *h, struct db_fault *fault)
{
    h->schema = xstrdup(h->place.schema);
    if (!h->schema && db_value(h->db, h->dialect->schema, 0, NULL, &h->schema, fault) < 0)
        return -1;
    if (!h->schema)
        return history_fault(fault, false,
            "%s: no schema of the search path exists there: name one in the URL, as in "
            "…/database/schema.table",
            db_label(h->db));
    return 0;
}

/* "external@db:3306" with the table behind the database's name; "/path/to/file/table" */
static char *make_label(const struct history *h)
{
    const char *base = db_label(h->db), *at = strchr(base, '@');
    if (h->place.file)
        return xasprintf("%s/%s", base, h->place.table);
    at = at ? at : base + strlen(base);
    return xasprintf("%.*s%s%s.%s%s", (int)(at - base), base, h->place.schema ? "." : "",
        h->place.schema ? h->place.schema : "", h->place.table, at);
}

static int open_dataset(struct history *h, struct db_fault *fault)
{
    if (history_connect(h, &h->db, fault) < 0)
        return -1;
    h->dialect = dialect_for(db_driver(h->db));
    h->marks.numbered = h->dialect->numbered;
    h->label = make_label(h);
    if (find_schema(h, fault) < 0 || mark_types(h, fault) < 0)
        return -1;
    mark_tables(h);
    return books_read(h, fault);
}

int history_open(const struct history_target *target, struct history **ret_history, struct db_fault *fault)
{
    _cleanup_(history_freep) struct history *h = xnew(struct history);
    *fault = (struct db_fault){0};
    if (history_place_parse(target->url, &h->place, &fault->error) < 0)
        return -1;
    h->password_file = xstrdup(target->password_file);
    h->application_name = xstrdup(target->application_name);
    h->lock_timeout_us = target->lock_timeout_us;
    h->read_only = target->read_only && h->place.file;
    if (open_dataset(h, fault) < 0)
        return -1;
    *ret_history = TAKE(h);
    return 0;
}

void history_free(struct history *h)
{
    if (!h)
        return;
    db_close(h->db);
    history_place_done(&h->place);
    columns_done(&h->columns);
    marks_done(&h->marks);
    dump_record_done(&h->newest);
    dump_record_done(&h->newest_full);
    dump_record_done(&h->found);
    dump_record_done(&h->by_id);
    free(h->shown);
    free(h->key_type);
    free(h->password_file);
    free(h->application_name);
    free(h->label);
    free(h->schema);
    free(h);
}

const char *history_label(const struct history *h)
{
    return h->label;
}

const struct history_dump *history_newest(const struct history *h)
{
    return h->newest.there ? &h->newest.dump : NULL;
}

const struct history_dump *history_newest_full(const struct history *h)
{
    return h->newest_full.there ? &h->newest_full.dump : NULL;
}

bool history_is_typed(const struct history *h)
{
    return h->dialect->types != NULL;
}

const struct history_column *history_columns(const struct history *h, size_t *ret_n)
{
    *ret_n = h->columns.n;
    return h->shown;
}
