#include "stream/statement.h"

#include "pg/quote.h"

/* "a", "b", …, each with a prefix. */
static void put_columns(struct buffer *b, const struct table *t, const char *prefix)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        buffer_put_string(b, i ? ", " : "");
        buffer_put_string(b, prefix);
        pg_put_identifier(b, t->columns[i].name);
    }
}

/* One value in its column's own type, as the checks expect it. */
static void put_value(struct buffer *b, const struct table *t, const struct column *c)
{
    bool local = c->received && c->kind != VALUE_TIMESTAMPTZ;
    buffer_put_string(b, local ? "(u." : "u.");
    pg_put_identifier(b, c->name);
    if (local) {
        buffer_put_string(b, " AT TIME ZONE ");
        pg_put_literal(b, t->time_zone);
        buffer_put_string(b, c->kind == VALUE_DATE ? ")::pg_catalog.date" : ")");
    } else if (c->kind == VALUE_NUMERIC && c->precision && t->n_checks) {
        buffer_printf(b, "::%s", c->type_sql);
    }
    buffer_put_string(b, " AS ");
    pg_put_identifier(b, c->name);
}

/* SELECT … FROM unnest($1, $2, …) WITH ORDINALITY: the batch as a table of the column's types. */
static void put_input(struct buffer *b, const struct table *t)
{
    buffer_put_string(b, "SELECT ");
    for (size_t i = 0; i < t->n_columns; i++) {
        put_value(b, t, &t->columns[i]);
        buffer_put_string(b, ", ");
    }
    buffer_put_string(b, "u.ingestd_ord FROM unnest(");
    for (size_t i = 0; i < t->n_columns; i++)
        buffer_printf(b, "%s$%zu", i ? ", " : "", i + 1);
    buffer_put_string(b, ") WITH ORDINALITY AS u(");
    put_columns(b, t, "");
    buffer_put_string(b, ", ingestd_ord)");
}

/* A key with a NULL in it has no parent to miss (MATCH SIMPLE). */
static void put_orphan_test(struct buffer *b, const struct table *t, const struct foreign_key *f)
{
    for (size_t i = 0; i < f->n_columns; i++) {
        buffer_put_string(b, "v.");
        pg_put_identifier(b, t->columns[f->columns[i]].name);
        buffer_put_string(b, " IS NOT NULL AND ");
    }
    buffer_printf(b, "NOT EXISTS (SELECT FROM %s AS p WHERE ", f->parent);
    for (size_t i = 0; i < f->n_columns; i++) {
        buffer_printf(b, "%sp.%s = v.", i ? " AND " : "", f->references[i]);
        pg_put_identifier(b, t->columns[f->columns[i]].name);
    }
    buffer_put_string(b, ")");
}

static void put_verdict(struct buffer *b, const struct table *t)
{
    if (!t->n_foreign_keys && !t->n_checks) {
        buffer_put_string(b, "0");
        return;
    }
    buffer_put_string(b, "CASE");
    for (size_t i = 0; i < t->n_foreign_keys; i++) {
        buffer_put_string(b, " WHEN ");
        put_orphan_test(b, t, &t->foreign_keys[i]);
        buffer_printf(b, " THEN %zu", i + 1);
    }
    for (size_t i = 0; i < t->n_checks; i++)
        buffer_printf(b, " WHEN (%s) IS FALSE THEN -%zu", t->checks[i].expression, i + 1);
    buffer_put_string(b, " ELSE 0 END");
}

static void put_parent_key(struct buffer *b, const struct table *t)
{
    if (!t->n_foreign_keys) {
        buffer_put_string(b, "NULL::pg_catalog.text");
        return;
    }
    buffer_put_string(b, "CASE e.ingestd_verdict");
    for (size_t i = 0; i < t->n_foreign_keys; i++) {
        const struct foreign_key *f = &t->foreign_keys[i];
        buffer_printf(b, " WHEN %zu THEN ARRAY[", i + 1);
        for (size_t k = 0; k < f->n_columns; k++) {
            buffer_put_string(b, k ? ", e." : "e.");
            pg_put_identifier(b, t->columns[f->columns[k]].name);
            buffer_put_string(b, "::pg_catalog.text");
        }
        buffer_put_string(b, "]::pg_catalog.text");
    }
    buffer_put_string(b, " END");
}

static void put_rows(struct buffer *b, const struct table *t)
{
    buffer_put_string(b, "WITH e AS MATERIALIZED (SELECT v.*, ");
    put_verdict(b, t);
    buffer_put_string(b, " AS ingestd_verdict FROM (");
    put_input(b, t);
    buffer_printf(b, ") AS v), s AS (INSERT INTO %s (", t->sql_name);
    put_columns(b, t, "");
    buffer_put_string(b, ") SELECT ");
    put_columns(b, t, "e.");
    buffer_put_string(b, " FROM e WHERE e.ingestd_verdict = 0 ORDER BY e.ingestd_ord ON CONFLICT (");
    for (size_t i = 0; i < t->n_key; i++) {
        buffer_put_string(b, i ? ", " : "");
        pg_put_identifier(b, t->columns[t->key[i]].name);
    }
    buffer_put_string(b, ") DO NOTHING RETURNING 1) SELECT 0::pg_catalog.int8, pg_catalog.count(*),"
                         " NULL::pg_catalog.text FROM s UNION ALL SELECT e.ingestd_ord, e.ingestd_verdict, ");
    put_parent_key(b, t);
    buffer_put_string(b, " FROM e WHERE e.ingestd_verdict <> 0");
}

/*
 * What a row can be blamed for is caught; everything else (no space, deadlock, a right that is missing) is
 * raised again for the caller to see. Deferred constraints are tested now, not at the commit, where nothing
 * could catch them.
 */
static const char catch_sql[] =
    "SET CONSTRAINTS ALL IMMEDIATE;"
    " EXCEPTION WHEN OTHERS THEN"
    " GET STACKED DIAGNOSTICS ingestd_k = CONSTRAINT_NAME;"
    " IF SQLSTATE NOT SIMILAR TO '(22|23|27|38|39|44|P0|09)%' AND SQLSTATE <> '54000' THEN RAISE; END IF;"
    " RETURN QUERY SELECT -1::pg_catalog.int8, 0::pg_catalog.int8, SQLSTATE || ' ' || ingestd_k; END";

char *statement_function(const struct table *t)
{
    _cleanup_buffer_ struct buffer b = {0};
    buffer_put_string(&b, "CREATE OR REPLACE FUNCTION pg_temp.ingestd_rows(");
    for (size_t i = 0; i < t->n_columns; i++)
        buffer_printf(&b, "%s%s", i ? ", " : "", t->columns[i].array_sql);
    buffer_put_string(&b,
        ") RETURNS TABLE (ingestd_o pg_catalog.int8, ingestd_v pg_catalog.int8, ingestd_k pg_catalog.text)"
        " LANGUAGE plpgsql AS $ingestd$ #variable_conflict use_column\nBEGIN RETURN QUERY ");
    put_rows(&b, t);
    buffer_printf(&b, "; %s $ingestd$", catch_sql);
    return xstrdup(buffer_string(&b));
}

char *statement_call(const struct table *t)
{
    _cleanup_buffer_ struct buffer b = {0};
    buffer_put_string(&b, "SELECT * FROM pg_temp.ingestd_rows(");
    for (size_t i = 0; i < t->n_columns; i++)
        buffer_printf(&b, "%s$%zu", i ? ", " : "", i + 1);
    buffer_put_string(&b, ")");
    return xstrdup(buffer_string(&b));
}

char *statement_released(const struct table *t)
{
    if (!t->n_foreign_keys)
        return NULL;
    _cleanup_buffer_ struct buffer b = {0};
    buffer_put_string(&b,
        "SELECT d.id FROM {s}.dead_letter d WHERE d.stream = $1 AND d.state = 'parked' AND d.id > $3"
        " AND (d.constraint_name IS NULL OR CASE d.constraint_name");
    for (size_t i = 0; i < t->n_foreign_keys; i++) {
        const struct foreign_key *f = &t->foreign_keys[i];
        buffer_put_string(&b, " WHEN ");
        pg_put_literal(&b, f->constraint);
        buffer_printf(&b, " THEN EXISTS (SELECT FROM %s AS p WHERE ", f->parent);
        for (size_t k = 0; k < f->n_columns; k++)
            buffer_printf(&b, "%sp.%s = (d.parent_key)[%zu]::%s", k ? " AND " : "", f->references[k], k + 1,
                t->columns[f->columns[k]].type_sql);
        buffer_put_string(&b, ")");
    }
    /* A constraint that is no more, or that we cannot test ourselves: the write itself will tell. */
    buffer_put_string(&b, " ELSE true END) ORDER BY d.id LIMIT $2");
    return xstrdup(buffer_string(&b));
}
