/*
 * Two questions to the catalog, sent together: the table's columns, and its constraints. What comes back is
 * held against the column map; every misfit is told in one message, because the person who mends it wants to
 * do so once.
 */
#include "stream/catalog.h"

#include "config/config.h"
#include "pg/session.h"
#include "util/buffer.h"
#include <stdarg.h>

/* Lists inside one value are joined by U+0001, which no identifier of a sane database holds. */
#define SEPARATOR '\1'

static const char columns_sql[] =
    "SELECT a.attname, t.typname, t.typtype, a.atttypid, pg_catalog.format_type(a.atttypid, a.atttypmod),"
    "       a.attnotnull, a.atttypmod, a.atthasdef OR a.attidentity <> '', a.attgenerated <> '' OR "
    "a.attidentity = 'a',"
    "       (SELECT pg_catalog.string_agg(e.enumlabel, pg_catalog.chr(1) ORDER BY e.enumsortorder)"
    "          FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid),"
    "       pg_catalog.format('%I.%I', n.nspname, c.relname),"
    "       pg_catalog.has_table_privilege(c.oid, 'INSERT'), pg_catalog.has_table_privilege(c.oid, "
    "'SELECT'), t.typarray,"
    "       coalesce((SELECT o.collisdeterministic FROM pg_catalog.pg_collation o WHERE o.oid = "
    "a.attcollation), true),"
    "       pg_catalog.format_type(t.typarray, NULL),"
    "       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY'),"
    "       pg_catalog.format('GRANT TEMPORARY ON DATABASE %I TO %I', pg_catalog.current_database(), "
    "current_user)"
    "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    "  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
    " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p') ORDER BY a.attnum";

enum {
    COL_NAME,
    COL_TYPE,
    COL_TYPTYPE,
    COL_TYPE_OID,
    COL_TYPE_SQL,
    COL_NOT_NULL,
    COL_TYPMOD,
    COL_HAS_DEFAULT,
    COL_GENERATED,
    COL_LABELS,
    COL_TABLE,
    COL_MAY_INSERT,
    COL_MAY_SELECT,
    COL_ARRAY_OID,
    COL_EXACT,
    COL_ARRAY_SQL,
    COL_MAY_TEMP,
    COL_GRANT_TEMP,
};

static const char constraints_sql[] =
    "SELECT k.conname, k.contype,"
    "       (SELECT pg_catalog.string_agg(a.attname, pg_catalog.chr(1) ORDER BY u.ord)"
    "          FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u(attnum, ord)"
    "          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),"
    "       CASE WHEN pc.oid IS NOT NULL THEN pg_catalog.format('%I.%I', pn.nspname, pc.relname) END,"
    "       (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), pg_catalog.chr(1) ORDER BY "
    "u.ord)"
    "          FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS u(attnum, ord)"
    "          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum),"
    "       pg_catalog.pg_get_expr(k.conbin, k.conrelid),"
    "       k.contype = 'f' AND pg_catalog.has_table_privilege(k.confrelid, 'SELECT')"
    "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "  JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid"
    "  LEFT JOIN pg_catalog.pg_class pc ON pc.oid = k.confrelid"
    "  LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace"
    " WHERE n.nspname = $1 AND c.relname = $2 AND k.contype IN ('p', 'f', 'c') ORDER BY k.contype, k.conname";

enum { CON_NAME, CON_TYPE, CON_COLUMNS, CON_PARENT, CON_PARENT_COLUMNS, CON_EXPRESSION, CON_READABLE };

struct question {
    const struct config_stream *stream;
    catalog_fn *fn;
    void *arg;
    struct table *table;
    struct buffer misfits; /* words, joined by "; " */
    char lost[256];        /* why the server could not answer, or "" */
};

static void misfit(struct question *q, const char *fmt, ...) _printf_(2, 3);

static void misfit(struct question *q, const char *fmt, ...)
{
    char *words;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&words, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    buffer_printf(&q->misfits, "%s%s", q->misfits.n ? "; " : "", words);
    free(words);
}

/* -- small readers --------------------------------------------------------------------------------------- */

static bool is_true(const PGresult *res, int row, int col)
{
    return PQgetvalue(res, row, col)[0] == 't';
}

/* "a\1b" into a list of new strings. */
static char **split(const char *joined, size_t *ret_n)
{
    char **list = NULL;
    size_t n = 0;
    while (*joined) {
        size_t len = strcspn(joined, "\1");
        list = xrealloc(list, n + 1, sizeof(*list));
        list[n++] = xstrndup(joined, len);
        joined += len + (joined[len] == SEPARATOR);
    }
    *ret_n = n;
    return list;
}

static void free_list(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

static const struct {
    const char *typname;
    enum value_kind kind;
} kinds[] = {
    {"int2", VALUE_INT2},
    {"int4", VALUE_INT4},
    {"int8", VALUE_INT8},
    {"numeric", VALUE_NUMERIC},
    {"float4", VALUE_FLOAT4},
    {"float8", VALUE_FLOAT8},
    {"bool", VALUE_BOOL},
    {"text", VALUE_TEXT},
    {"varchar", VALUE_TEXT},
    {"bpchar", VALUE_TEXT},
    {"date", VALUE_DATE},
    {"timestamp", VALUE_TIMESTAMP},
    {"timestamptz", VALUE_TIMESTAMPTZ},
    {"uuid", VALUE_UUID},
    {"json", VALUE_JSON},
    {"jsonb", VALUE_JSON},
};

static int kind_of(const PGresult *res, int row)
{
    const char *typtype = PQgetvalue(res, row, COL_TYPTYPE);
    if (*typtype == 'e')
        return VALUE_ENUM;
    for (size_t i = 0; *typtype == 'b' && i < N_ELEMENTS(kinds); i++)
        if (strcmp(kinds[i].typname, PQgetvalue(res, row, COL_TYPE)) == 0)
            return (int)kinds[i].kind;
    return -1;
}

#define TIMESTAMPTZ_OID       1184
#define TIMESTAMPTZ_ARRAY_OID 1185
#define BPCHAR_OID            1042
#define VARHDRSZ              4 /* a typmod counts it (src/include/c.h) */

static void read_typmod(struct column *c, int typmod)
{
    if (typmod < VARHDRSZ)
        return;
    if (c->kind == VALUE_TEXT)
        c->max_chars = typmod - VARHDRSZ;
    if (c->kind == VALUE_NUMERIC) {
        /* numeric_typmod_precision and _scale in src/backend/utils/adt/numeric.c: the scale is signed, 11
         * bits */
        c->precision = ((typmod - VARHDRSZ) >> 16) & 0xffff;
        c->scale = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
    }
}

/* -- columns --------------------------------------------------------------------------------------------- */

static int find_row(const PGresult *res, const char *column)
{
    for (int i = 0; i < PQntuples(res); i++)
        if (strcmp(PQgetvalue(res, i, COL_NAME), column) == 0)
            return i;
    return -1;
}

static const struct config_column *find_mapped(const struct config_stream *stream, const char *column)
{
    for (size_t i = 0; i < stream->n_columns; i++)
        if (strcmp(stream->columns[i].column, column) == 0)
            return &stream->columns[i];
    return NULL;
}

static void read_column(struct question *q, const PGresult *res, int row, const struct config_column *mapped)
{
    int kind = kind_of(res, row);
    if (kind < 0) {
        misfit(q, "column %s has type %s, which ingestd does not write", mapped->column,
            PQgetvalue(res, row, COL_TYPE_SQL));
        return;
    }
    if (is_true(res, row, COL_GENERATED)) {
        misfit(q, "column %s is generated by Postgres and takes no value: take it out of the map",
            mapped->column);
        return;
    }
    struct table *t = q->table;
    struct column *c = &t->columns[t->n_columns++];
    c->name = xstrdup(mapped->column);
    c->received = strcmp(mapped->field, "@received") == 0;
    c->field = c->received ? NULL : xstrdup(mapped->field);
    c->kind = (enum value_kind)kind;
    c->not_null = is_true(res, row, COL_NOT_NULL);
    c->type_oid = (uint32_t)strtoul(PQgetvalue(res, row, COL_TYPE_OID), NULL, 10);
    c->element_oid = c->received ? TIMESTAMPTZ_OID : c->type_oid;
    c->array_oid = c->received ? TIMESTAMPTZ_ARRAY_OID
                               : (uint32_t)strtoul(PQgetvalue(res, row, COL_ARRAY_OID), NULL, 10);
    c->array_sql = xstrdup(c->received ? "timestamp with time zone[]" : PQgetvalue(res, row, COL_ARRAY_SQL));
    c->type_sql = xstrdup(PQgetvalue(res, row, COL_TYPE_SQL));
    c->loose_text = !is_true(res, row, COL_EXACT);
    read_typmod(c, atoi(PQgetvalue(res, row, COL_TYPMOD)));
    if (kind == VALUE_ENUM)
        c->labels = split(PQgetvalue(res, row, COL_LABELS), &c->n_labels);
    if (c->received && kind != VALUE_DATE && kind != VALUE_TIMESTAMP && kind != VALUE_TIMESTAMPTZ)
        misfit(q, "column %s has type %s, but @received is a time", c->name, c->type_sql);
}

/* A column that must have a value and gets none would fail every row. */
static void check_unmapped(struct question *q, const PGresult *res)
{
    for (int i = 0; i < PQntuples(res); i++) {
        const char *name = PQgetvalue(res, i, COL_NAME);
        bool needs_value = is_true(res, i, COL_NOT_NULL) && !is_true(res, i, COL_HAS_DEFAULT);
        if (needs_value && !find_mapped(q->stream, name))
            misfit(q, "column %s takes no NULL and has no default, but is not in the map", name);
    }
}

static void on_columns(void *arg, const PGresult *res)
{
    struct question *q = arg;
    const struct config_stream *s = q->stream;
    if (!res || PQresultStatus(res) != PGRES_TUPLES_OK) {
        if (res)
            pg_describe(res, q->lost, sizeof(q->lost));
        return;
    }
    if (PQntuples(res) == 0) {
        misfit(q, "there is no table %s.%s (or this role may not see its schema)", q->table->schema,
            q->table->name);
        return;
    }
    q->table->sql_name = xstrdup(PQgetvalue(res, 0, COL_TABLE));
    if (!is_true(res, 0, COL_MAY_INSERT) || !is_true(res, 0, COL_MAY_SELECT))
        misfit(q, "this role lacks a right: GRANT SELECT, INSERT ON %s", q->table->sql_name);
    if (!is_true(res, 0, COL_MAY_TEMP)) /* for the function of stream/statement.c */
        misfit(q, "this role lacks a right: %s", PQgetvalue(res, 0, COL_GRANT_TEMP));
    q->table->columns = xcalloc(s->n_columns, sizeof(*q->table->columns));
    for (size_t i = 0; i < s->n_columns; i++) {
        int row = find_row(res, s->columns[i].column);
        if (row < 0)
            misfit(q, "table %s has no column %s (line %d)", q->table->sql_name, s->columns[i].column,
                s->columns[i].line);
        else
            read_column(q, res, row, &s->columns[i]);
    }
    check_unmapped(q, res);
}

/* -- constraints ----------------------------------------------------------------------------------------- */

/* Indexes of the named columns; false when one of them is not mapped. */
static bool find_columns(const struct table *t, char **names, size_t n, size_t *ret)
{
    for (size_t i = 0; i < n; i++) {
        size_t c = 0;
        while (c < t->n_columns && strcmp(t->columns[c].name, names[i]) != 0)
            c++;
        if (c == t->n_columns)
            return false;
        ret[i] = c;
    }
    return true;
}

/* Numbers with a scale, floats (-0) and blank-padded text have several forms of one value. */
static bool is_exact(const struct column *c)
{
    bool padded = c->kind == VALUE_TEXT && c->type_oid == BPCHAR_OID;
    return c->kind != VALUE_NUMERIC && c->kind != VALUE_FLOAT4 && c->kind != VALUE_FLOAT8 && !padded &&
           !c->loose_text;
}

static void read_key(struct question *q, char **names, size_t n)
{
    struct table *t = q->table;
    t->key = xcalloc(n, sizeof(*t->key));
    t->n_key = n;
    if (!find_columns(t, names, n, t->key)) {
        misfit(q, "every column of the primary key of %s must be in the map, or a re-delivery cannot be told",
            t->sql_name);
        return;
    }
    t->key_is_exact = true;
    for (size_t i = 0; i < n; i++)
        t->key_is_exact = t->key_is_exact && is_exact(&t->columns[t->key[i]]);
}

static void read_foreign_key(struct table *t, const PGresult *res, int row, char **names, size_t n)
{
    size_t *columns = xcalloc(n, sizeof(*columns));
    if (!is_true(res, row, CON_READABLE) || !find_columns(t, names, n, columns)) {
        free(columns);
        return; /* the server tests it alone */
    }
    t->foreign_keys = xrealloc(t->foreign_keys, t->n_foreign_keys + 1, sizeof(*t->foreign_keys));
    struct foreign_key *f = &t->foreign_keys[t->n_foreign_keys++];
    *f = (struct foreign_key){
        .constraint = xstrdup(PQgetvalue(res, row, CON_NAME)),
        .parent = xstrdup(PQgetvalue(res, row, CON_PARENT)),
        .columns = columns,
    };
    f->references = split(PQgetvalue(res, row, CON_PARENT_COLUMNS), &f->n_columns);
}

static void read_check(struct table *t, const PGresult *res, int row, char **names, size_t n)
{
    _cleanup_free_ size_t *columns = xcalloc(n, sizeof(*columns));
    if (n == 0 || !find_columns(t, names, n, columns))
        return;
    t->checks = xrealloc(t->checks, t->n_checks + 1, sizeof(*t->checks));
    t->checks[t->n_checks++] = (struct check){
        .constraint = xstrdup(PQgetvalue(res, row, CON_NAME)),
        .expression = xstrdup(PQgetvalue(res, row, CON_EXPRESSION)),
    };
}

static void on_constraints(void *arg, const PGresult *res)
{
    struct question *q = arg;
    if (!res || PQresultStatus(res) != PGRES_TUPLES_OK) {
        if (res)
            pg_describe(res, q->lost, sizeof(q->lost));
        return;
    }
    for (int i = 0; i < PQntuples(res) && q->table->sql_name; i++) {
        size_t n;
        char **names = split(PQgetvalue(res, i, CON_COLUMNS), &n);
        char type = PQgetvalue(res, i, CON_TYPE)[0];
        if (type == 'p')
            read_key(q, names, n);
        else if (type == 'f')
            read_foreign_key(q->table, res, i, names, n);
        else
            read_check(q->table, res, i, names, n);
        free_list(names, n);
    }
    if (q->table->sql_name && !q->table->n_key)
        misfit(q,
            "table %s has no primary key, so a re-delivered entry could not be told from a new one: add one",
            q->table->sql_name);
}

static void on_done(void *arg, const PGresult *res)
{
    struct question *q = arg;
    if (!res && !q->lost[0])
        snprintf(q->lost, sizeof(q->lost), "the connection was lost");
    if (q->lost[0])
        q->fn(q->arg, CATALOG_LOST, NULL, q->lost);
    else if (q->misfits.n)
        q->fn(q->arg, CATALOG_MISFIT, NULL, buffer_string(&q->misfits));
    else
        q->fn(q->arg, CATALOG_FITS, TAKE(q->table), NULL);
    table_free(q->table);
    buffer_done(&q->misfits);
    free(q);
}

void catalog_check(struct pg_session *session, const struct config_stream *stream, catalog_fn *fn, void *arg)
{
    struct question *q = xnew(struct question);
    *q = (struct question){.stream = stream, .fn = fn, .arg = arg, .table = xnew(struct table)};
    const char *dot = strchr(stream->table, '.');
    q->table->schema = dot ? xstrndup(stream->table, (size_t)(dot - stream->table)) : xstrdup("public");
    q->table->name = xstrdup(dot ? dot + 1 : stream->table);
    q->table->time_zone = xstrdup(stream->time_zone);
    const char *values[] = {q->table->schema, q->table->name};
    struct pg_params p = {.n = 2, .values = values};
    if (!pg_session_ready(session)) {
        on_done(q, NULL);
        return;
    }
    pg_session_send(session, false, columns_sql, &p, 0, on_columns, q);
    pg_session_send(session, false, constraints_sql, &p, 0, on_constraints, q);
    pg_session_sync(session, on_done, q);
}
