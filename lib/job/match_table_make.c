/*
 * The table, made where it is not there, and looked at where it is: before a row of a source is read. MySQL commits with each
 * change of a table, so these come before the transaction of the rows.
 */
#include "job/job.h"
#include "job/match_table_inside.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <strings.h>

/* ---- making ---- */

static void note(cJSON *notes, const char *fmt, ...) _printf_(2, 3);
static void note(cJSON *notes, const char *fmt, ...)
{
    char words[400];
    if (!notes)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    cJSON_AddItemToArray(notes, cJSON_CreateString(words));
}

static void put_definition(const struct match_table *t, const struct match_column *c, struct buffer *out)
{
    const char *const types[] = {
        [MATCH_TYPE_DATE] = "date NOT NULL",
        [MATCH_TYPE_WORD] = t->dialect->name,
        [MATCH_TYPE_TEXT] = "{text}",
        [MATCH_TYPE_SCORE] = "decimal(4,3)",
        [MATCH_TYPE_FLAG] = "boolean",
        [MATCH_TYPE_COUNT] = "bigint",
    };
    _cleanup_free_ char *name = db_quote_name(t->db, NULL, c->name);
    _cleanup_free_ char *type = marks_expand(&t->marks, types[c->type]);
    buffer_printf(out, "%s %s", name, type);
}

static int make(struct match_table *t, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0};
    _cleanup_free_ char *table = db_quote_name(t->db, t->schema, t->name);
    buffer_printf(&sql, "CREATE TABLE %s (", table);
    for (size_t i = 0; i < t->columns->n; i++) {
        buffer_put_string(&sql, i ? ", " : "");
        put_definition(t, &t->columns->list[i], &sql);
    }
    buffer_printf(&sql, "%s)%s", t->facts->index, t->dialect->table_options);
    if (db_query(t->db, buffer_string(&sql), 0, NULL, NULL, fault) < 0 ||
        (t->facts->then && match_table_run(t, t->facts->then, 0, NULL, NULL, fault) < 0))
        return error_prefix(&fault->error, "%s is not there, and cannot be made", t->label);
    return 0;
}

static int add_column(struct match_table *t, const struct match_column *c, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0};
    _cleanup_free_ char *table = db_quote_name(t->db, t->schema, t->name);
    buffer_printf(&sql, "ALTER TABLE %s ADD COLUMN ", table);
    put_definition(t, c, &sql);
    if (db_query(t->db, buffer_string(&sql), 0, NULL, NULL, fault) < 0)
        return error_prefix(
            &fault->error, "%s lacks the column %s, which cannot be added", t->label, c->name);
    return 0;
}

/* ---- what is there ---- */

struct look {
    struct match_table *t;
    bool *found;  /* for each of our columns */
    char *other;  /* a column of none of ours that must have a value */
    char *narrow; /* one of ours, and its type, into which not every text fits */
    size_t n;
};

/* A server that comes upon a value which does not fit may write it into its log (Postgres, the CONTEXT of a COPY). */
static void take_type(struct look *look, const struct match_column *c, const struct db_value *type)
{
    if (type->p && !look->narrow && (c->type == MATCH_TYPE_TEXT || c->type == MATCH_TYPE_WORD))
        look->narrow = xasprintf("%s as %.*s", c->name, (int)type->n, type->p);
}

static bool take_column(void *arg, int n, const struct db_value *values)
{
    struct look *look = arg;
    _cleanup_free_ char *name = xstrndup(values[0].p, values[0].n);
    int (*compare)(const char *, const char *) = look->t->facts->any_case ? strcasecmp : strcmp;
    look->n++;
    for (size_t i = 0; i < look->t->columns->n; i++)
        if (compare(look->t->columns->list[i].name, name) == 0) {
            look->found[i] = true;
            if (n > 2)
                take_type(look, &look->t->columns->list[i], &values[2]);
            return true;
        }
    if (values[1].p && values[1].p[0] == '1' && !look->other)
        look->other = TAKE(name);
    return true;
}

static int complete(struct match_table *t, const struct look *look, cJSON *notes, struct db_fault *fault)
{
    bool dry_run = t->spec->dry_run;
    if (look->other)
        return job_refuse(fault,
            "%s has the column %s, which takes no NULL and has no default: the job has no value for it",
            t->label, look->other);
    if (look->narrow)
        return job_refuse(fault,
            "%s has the column %s, into which not every text fits: give it the type text, or the job another "
            "table",
            t->label, look->narrow);
    for (size_t i = 0; i < t->columns->n; i++)
        if (!look->found[i] && !t->columns->list[i].may_come)
            return job_refuse(fault,
                "%s is there already, and lacks the column %s that a match writes (docs/match.md): give the "
                "job another table, or add the column",
                t->label, t->columns->list[i].name);
    for (size_t i = 0; i < t->columns->n; i++) {
        const struct match_column *c = &t->columns->list[i];
        if (look->found[i])
            continue;
        if (!dry_run && add_column(t, c, fault) < 0)
            return -1;
        note(notes, "%s lacked the column %s: it %s added", t->label, c->name, dry_run ? "would be" : "was");
    }
    return 0;
}

/* Statements that change no row. */
static int try_rights(struct match_table *t, struct db_fault *fault)
{
    static const char *const tries[] = {
        "DELETE FROM {table} WHERE report_date = CAST('2000-01-01' AS date) AND 1 = 0",
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} WHERE 1 = 0"};
    _cleanup_buffer_ struct buffer names = {0};
    for (size_t i = 0; i < t->columns->n; i++) {
        _cleanup_free_ char *name = db_quote_name(t->db, NULL, t->columns->list[i].name);
        buffer_printf(&names, "%s%s", i ? ", " : "", name);
    }
    marks_set(&t->marks, "columns", buffer_string(&names));
    for (size_t i = 0; i < N_ELEMENTS(tries); i++)
        if (match_table_run(t, tries[i], 0, NULL, NULL, fault) < 0)
            return error_prefix(&fault->error,
                "%s cannot be written to (SELECT, INSERT and DELETE on it are needed)", t->label);
    return 0;
}

static int look_at(struct match_table *t, struct look *look, struct db_fault *fault)
{
    const char *const parameters[] = {t->schema, t->name};
    const struct db_sink sink = {.row = take_column, .arg = look};
    int r = match_table_run(t, t->facts->columns, 2, parameters, &sink, fault);
    t->is_there = r == 0 && look->n > 0;
    return r;
}

static int prepare(struct match_table *t, struct look *look, cJSON *notes, struct db_fault *fault)
{
    bool dry_run = t->spec->dry_run, lacks = false;
    if (look_at(t, look, fault) < 0)
        return -1;
    if (!t->is_there) {
        if (!dry_run && make(t, fault) < 0)
            return -1;
        note(notes, "%s %s made", t->label, dry_run ? "is not there: it would be" : "was");
        t->is_there = !dry_run;
        return 0;
    }
    if (complete(t, look, notes, fault) < 0)
        return -1;
    for (size_t i = 0; i < t->columns->n; i++)
        lacks |= !look->found[i];
    return dry_run && (lacks || t->facts->is_file) ? 0 : try_rights(t, fault);
}

int match_table_prepare(struct match_table *t, cJSON *notes, struct db_fault *fault)
{
    struct look look = {.t = t, .found = xcalloc(t->columns->n, sizeof(bool))};
    int r = match_table_lock(t, fault);
    if (r == 0) {
        r = prepare(t, &look, notes, fault);
        match_table_unlock(t);
    }
    free(look.found);
    free(look.other);
    free(look.narrow);
    return r;
}
