#include "history/tables.h"

#define OURS_OPENED                                                                                          \
    "valid_from {valid} NOT NULL, opened_by {name} NOT NULL, opened_dump bigint NOT NULL, line bigint NOT "  \
    "NULL"

static const char current_sql[] = "CREATE TABLE {current} ({definitions}, " OURS_OPENED "{key}){options}";
static const char past_sql[] = "CREATE TABLE {past} ({definitions}, " OURS_OPENED
                               ", valid_to {valid} NOT NULL, closed_by {name} NOT NULL,"
                               " closed_dump bigint NOT NULL, PRIMARY KEY ({cols.key}, valid_from)){options}";
static const char view_sql[] = "CREATE OR REPLACE VIEW {history} AS"
                               " SELECT {cols.key}, valid_from, valid_to, opened_by, closed_by, opened_dump, "
                               "closed_dump, line{cols.rest}"
                               " FROM {past} UNION ALL"
                               " SELECT {cols.key}, valid_from, NULL, opened_by, NULL, opened_dump, NULL, "
                               "line{cols.rest} FROM {current}";

/* ---- what is there ---- */

static bool take_name(void *arg, int n, const struct db_value *values)
{
    struct columns *there = arg;
    _cleanup_free_ char *name = xstrndup(values[0].p, values[0].n);
    columns_add(there, name, name, 1, false, true);
    return true;
}

static int read_names(
    struct history *h, const char *suffix, struct columns *ret_there, struct db_fault *fault)
{
    _cleanup_free_ char *table = xasprintf("%s%s", h->place.table, suffix);
    const char *const parameters[] = {h->schema, table};
    struct db_sink sink = {.row = take_name, .arg = ret_there};
    return history_run(h, h->dialect->names, 2, parameters, &sink, fault);
}

int tables_look(struct history *h, struct db_fault *fault)
{
    _cleanup_(columns_done) struct columns there = {0};
    if (read_names(h, "", &there, fault) < 0)
        return -1;
    for (size_t i = 0; i < h->columns.n; i++)
        h->columns.list[i].stored = columns_find(&there, h->columns.list[i].name) != NULL;
    return 0;
}

int tables_check(struct history *h, struct db_fault *fault)
{
    static const char *const suffixes[] = {"", "_past", "_history"};
    bool known = h->columns.n > 0;
    for (size_t i = 0; i < N_ELEMENTS(suffixes); i++) {
        _cleanup_(columns_done) struct columns there = {0};
        if (read_names(h, suffixes[i], &there, fault) < 0)
            return -1;
        if (there.n > 0 && (!known || !columns_find(&there, "opened_dump")))
            return history_fault(fault, false,
                "%s: there is a table %s%s already that was not made by a load: give the dataset another "
                "name in "
                "the sink's URL, or rename that table",
                h->label, h->place.table, suffixes[i]);
    }
    return 0;
}

int tables_clear(struct history *h, struct db_fault *fault)
{
    static const char *const sql[] = {"DROP VIEW IF EXISTS {history}", "DROP TABLE IF EXISTS {current}",
        "DROP TABLE IF EXISTS {past}", "DELETE FROM {column} WHERE dataset = {1}"};
    static const char *const look[] = {"SELECT 1 FROM {current} LIMIT 1", "SELECT 1 FROM {past} LIMIT 1"};
    static const char *const suffixes[] = {"", "_past"};
    const char *const dataset[] = {h->place.table};
    for (size_t i = 0; i < N_ELEMENTS(look); i++) {
        _cleanup_(columns_done) struct columns there = {0};
        _cleanup_free_ char *row = NULL;
        if (read_names(h, suffixes[i], &there, fault) < 0 ||
            (there.n > 0 && history_value(h, look[i], 0, NULL, &row, fault) < 0))
            return -1;
        if (row)
            return history_fault(fault, false,
                "%s: %s%s has rows, but ingest_dump knows of no dump they came from: restore ingest_dump, or "
                "rename "
                "the tables to begin anew",
                h->label, h->place.table, suffixes[i]);
    }
    for (size_t i = 0; i < N_ELEMENTS(sql); i++)
        if (history_run(h, sql[i], i == 3, dataset, NULL, fault) < 0)
            return -1;
    columns_done(&h->columns);
    return 0;
}

/* ---- making ---- */

static void put_definition(const struct history *h, const struct column *c, struct buffer *out)
{
    size_t n_key = 0;
    for (size_t i = 0; i < h->columns.n; i++)
        n_key += h->columns.list[i].is_key;
    _cleanup_free_ char *name = db_quote_name(h->db, NULL, c->name);
    _cleanup_free_ char *width = xasprintf("%zu", history_key_max(n_key) * h->key_bytes);
    _cleanup_free_ char *type = NULL;
    if (c->is_key) {
        struct marks marks = {0};
        marks_set(&marks, "width", width);
        type = marks_expand(&marks, h->key_type);
        marks_done(&marks);
    }
    _cleanup_free_ char *text = c->is_key ? NULL : marks_expand(&h->marks, "{text}");
    buffer_printf(out, "%s %s%s", name, c->is_key ? type : text, c->is_key ? " NOT NULL" : "");
}

char *tables_columns(const struct history *h, bool dumped_only)
{
    _cleanup_buffer_ struct buffer out = {0};
    for (size_t i = 0; i < h->columns.n; i++) {
        if (dumped_only && !h->columns.list[i].dumped)
            continue;
        if (out.n > 0)
            buffer_put(&out, ", ", 2);
        put_definition(h, &h->columns.list[i], &out);
    }
    return xstrdup(buffer_string(&out));
}

/* What the table lacks, as one statement. */
static int add_columns(
    struct history *h, const char *table, const struct columns *there, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0};
    for (size_t i = 0; i < h->columns.n; i++) {
        if (columns_find(there, h->columns.list[i].name))
            continue;
        buffer_printf(&sql, "%sADD COLUMN ", sql.n ? ", " : "");
        put_definition(h, &h->columns.list[i], &sql);
    }
    if (sql.n == 0)
        return 0;
    _cleanup_free_ char *text = xasprintf("ALTER TABLE %s %s", table, buffer_string(&sql));
    return history_run(h, text, 0, NULL, NULL, fault);
}

static int make_table(struct history *h, const char *suffix, const char *table, const char *create,
    bool *ret_made, struct db_fault *fault)
{
    _cleanup_(columns_done) struct columns there = {0};
    if (read_names(h, suffix, &there, fault) < 0)
        return -1;
    *ret_made = there.n == 0;
    return *ret_made ? history_run(h, create, 0, NULL, NULL, fault) : add_columns(h, table, &there, fault);
}

static int make_view(struct history *h, struct db_fault *fault)
{
    _cleanup_(columns_done) struct columns there = {0};
    bool complete = true;
    if (read_names(h, "_history", &there, fault) < 0)
        return -1;
    for (size_t i = 0; i < h->columns.n; i++)
        complete = complete && columns_find(&there, h->columns.list[i].name);
    return complete ? 0 : history_run(h, view_sql, 0, NULL, NULL, fault);
}

static void mark_definitions(struct history *h)
{
    _cleanup_free_ char *definitions = tables_columns(h, false);
    _cleanup_free_ char *key = history_name_list(h, "", true);
    _cleanup_free_ char *clause = xasprintf(", PRIMARY KEY (%s)", key);
    _cleanup_buffer_ struct buffer rest = {0};
    for (size_t i = 0; i < h->columns.n; i++) {
        _cleanup_free_ char *name = db_quote_name(h->db, NULL, h->columns.list[i].name);
        if (!h->columns.list[i].is_key)
            buffer_printf(&rest, ", %s", name);
    }
    marks_set(&h->marks, "definitions", definitions);
    marks_set(&h->marks, "valid", h->moments ? h->dialect->moment : "date");
    marks_set(&h->marks, "key", h->dialect->key_after_load ? "" : clause);
    marks_set(&h->marks, "cols.rest", buffer_string(&rest));
}

int tables_make(struct history *h, struct tables *t, struct db_fault *fault)
{
    bool past_made;
    history_mark_columns(h);
    mark_definitions(h);
    _cleanup_free_ char *current = marks_expand(&h->marks, "{current}");
    _cleanup_free_ char *past = marks_expand(&h->marks, "{past}");
    if (make_table(h, "_past", past, past_sql, &past_made, fault) < 0 ||
        make_table(h, "", current, current_sql, &t->made, fault) < 0)
        return -1;
    return make_view(h, fault);
}

int tables_key(struct history *h, const struct tables *t, struct db_fault *fault)
{
    if (!t->made || !h->dialect->key_after_load)
        return 0;
    return history_run(h, "ALTER TABLE {current} ADD PRIMARY KEY ({cols.key})", 0, NULL, NULL, fault);
}
