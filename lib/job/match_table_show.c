/* What people are shown of the table: some rows, and what it is made by. */
#include "job/match_table_inside.h"
#include "match/row.h"
#include "util/text.h"

#include <cjson/cJSON.h>

#define SAMPLE_BYTES 60000 /* of all values: a run's record stays small */
#define VALUE_MAX    300   /* bytes */

int match_table_count(
    struct match_table *t, const char *report_date, int64_t *ret_rows, struct db_fault *fault)
{
    static const char sql[] = "SELECT count(*) FROM {table} WHERE report_date = CAST({1} AS date)";
    const char *const parameters[] = {report_date};
    _cleanup_free_ char *text = marks_expand(&t->marks, sql), *rows = NULL;
    if (!t->is_there) {
        *ret_rows = 0;
        return 0;
    }
    if (db_value(t->db, text, 1, parameters, &rows, fault) < 0)
        return -1;
    *ret_rows = rows ? strtoll(rows, NULL, 10) : 0;
    return 0;
}

/* ---- the sample ---- */

static void choose(struct match_chosen *c, const struct db_value *ids)
{
    bool right = !ids[0].p;
    if (c->n == MATCH_SAMPLE_ROWS || !ids[right].p)
        return;
    c->id[c->n] = xstrndup(ids[right].p, ids[right].n);
    c->right[c->n++] = right;
}

void match_table_choose(struct match_table *t, const struct db_value *values)
{
    const struct db_value *outcome = &values[MATCH_AT_OUTCOME];
    bool matched = slice_is((struct slice){outcome->p, outcome->n}, match_outcomes[MATCH_MATCHED]);
    choose(matched ? &t->matched : &t->others, &values[match_at_ids(&t->spec->match)]);
}

static void forget(struct match_chosen *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->id[i]);
    c->n = 0;
}

void match_table_forget(struct match_table *t)
{
    forget(&t->matched);
    forget(&t->others);
}

struct sample {
    struct match_table *t;
    cJSON *rows[MATCH_SAMPLE_ROWS]; /* matched ones first */
    size_t value_max;
};

static cJSON *new_text(const struct sample *s, const struct db_value *v)
{
    size_t n = v->n;
    if (n > s->value_max)
        for (n = s->value_max; n > 0 && ((unsigned char)v->p[n] & 0xc0) == 0x80;)
            n--;
    _cleanup_free_ char *text = xasprintf("%.*s%s", (int)n, v->p, n < v->n ? "…" : "");
    return cJSON_CreateString(text);
}

static cJSON *new_value(const struct sample *s, enum match_type type, const struct db_value *v)
{
    if (!v->p)
        return cJSON_CreateNull();
    if (type == MATCH_TYPE_FLAG)
        return cJSON_CreateBool(v->n > 0 && (v->p[0] == 't' || v->p[0] == '1'));
    if (type != MATCH_TYPE_SCORE && type != MATCH_TYPE_COUNT)
        return new_text(s, v);
    _cleanup_free_ char *digits = xstrndup(v->p, v->n);
    return cJSON_CreateNumber(strtod(digits, NULL));
}

/* Of those that were chosen; n: none. */
static size_t place_of(const struct match_chosen *c, size_t n, const struct db_value *ids)
{
    bool right = !ids[0].p;
    size_t i = 0;
    while (i < n && (c->right[i] != right || !slice_is((struct slice){ids[right].p, ids[right].n}, c->id[i])))
        i++;
    return i;
}

static bool take_row(void *arg, int n, const struct db_value *values)
{
    struct sample *s = arg;
    const struct match_columns *columns = s->t->columns;
    const struct db_value *ids = &values[match_at_ids(&s->t->spec->match)];
    size_t n_matched = s->t->matched.n, place = place_of(&s->t->matched, n_matched, ids);
    if (place == n_matched)
        place += place_of(&s->t->others, s->t->others.n, ids);
    if ((size_t)n != columns->n || place >= MATCH_SAMPLE_ROWS || s->rows[place])
        return true;
    s->rows[place] = cJSON_CreateObject();
    for (size_t i = 0; i < columns->n; i++)
        cJSON_AddItemToObject(
            s->rows[place], columns->list[i].name, new_value(s, columns->list[i].type, &values[i]));
    return true;
}

static void put_ids(
    const struct match_table *t, const struct match_chosen *c, size_t n, bool right, struct buffer *to)
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *id = c->right[i] == right ? db_quote_text(t->db, c->id[i]) : NULL;
        if (id)
            buffer_printf(to, ", %s", id);
    }
}

/* Without an order, so that it ends with the last of them: they stand where the rows of the date begin. */
static char *sample_sql(const struct match_table *t, size_t n_others)
{
    _cleanup_buffer_ struct buffer names = {0}, left = {0}, right = {0};
    size_t ids = match_at_ids(&t->spec->match);
    _cleanup_free_ char *left_id = db_quote_name(t->db, NULL, t->columns->list[ids].name);
    _cleanup_free_ char *right_id = db_quote_name(t->db, NULL, t->columns->list[ids + 1].name);
    for (size_t i = 0; i < t->columns->n; i++) {
        _cleanup_free_ char *name = db_quote_name(t->db, NULL, t->columns->list[i].name);
        buffer_printf(&names, "%s%s", i ? ", " : "", name);
    }
    put_ids(t, &t->matched, t->matched.n, false, &left);
    put_ids(t, &t->others, n_others, false, &left);
    put_ids(t, &t->others, n_others, true, &right);
    _cleanup_free_ char *table = db_quote_name(t->db, t->schema, t->name);
    return xasprintf("SELECT %s FROM %s WHERE report_date = CAST(%s AS date) AND (%s IN (NULL%s)"
                     " OR (%s IS NULL AND %s IN (NULL%s))) LIMIT %zu",
        buffer_string(&names), table, t->dialect->numbered ? "$1" : "?", left_id, buffer_string(&left),
        left_id, right_id, buffer_string(&right), t->matched.n + n_others);
}

int match_table_sample(
    struct match_table *t, const char *report_date, cJSON **ret_rows, struct db_fault *fault)
{
    size_t n_others = MIN(t->others.n, MATCH_SAMPLE_ROWS - t->matched.n);
    struct sample s = {.t = t, .value_max = MIN(VALUE_MAX, SAMPLE_BYTES / MATCH_SAMPLE_ROWS / t->columns->n)};
    const char *const parameters[] = {report_date};
    const struct db_sink sink = {.row = take_row, .arg = &s};
    _cleanup_free_ char *sql = sample_sql(t, n_others);
    int r = t->matched.n + n_others == 0 ? 0 : db_query(t->db, sql, 1, parameters, &sink, fault);
    cJSON *rows = cJSON_CreateArray();
    for (size_t i = 0; i < MATCH_SAMPLE_ROWS; i++)
        if (s.rows[i])
            cJSON_AddItemToArray(rows, s.rows[i]);
    if (r < 0)
        cJSON_Delete(rows);
    else
        *ret_rows = rows;
    return r;
}

/* ---- the DDL ---- */

static bool take_statement(void *arg, int n, const struct db_value *values)
{
    struct buffer *ddl = arg;
    const struct db_value *v = &values[n - 1];
    if (!v->p)
        return true;
    buffer_put_string(ddl, ddl->n ? "\n" : "");
    buffer_put(ddl, v->p, v->n);
    if (v->n == 0 || v->p[v->n - 1] != ';')
        buffer_put_string(ddl, ";");
    return true;
}

int match_table_ddl(struct match_table *t, char **ret_sql, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer ddl = {0};
    const char *const parameters[] = {t->schema, t->name};
    const struct db_sink sink = {.row = take_statement, .arg = &ddl};
    bool by_name = strstr(t->facts->ddl, "{1}");
    if (t->is_there && match_table_run(t, t->facts->ddl, by_name ? 2 : 0, parameters, &sink, fault) < 0)
        return -1;
    *ret_sql = ddl.n ? xstrdup(buffer_string(&ddl)) : NULL;
    return 0;
}
