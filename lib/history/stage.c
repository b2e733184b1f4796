/* A dump that is not in the order of its key, or partial: staged in a temporary table of a connection of its own, and read back. */
#include "history/tables.h"
#include "history/work.h"

struct staging {
    struct work *w;
    char line[24];
    struct db_value *out;
};

static int next_to_stage(void *arg, const struct db_value **ret_values, struct db_fault *fault)
{
    struct staging *s = arg;
    struct merge_row row;
    int got = screen_next(&s->w->screen, &row, fault);
    if (got <= 0)
        return got;
    for (size_t i = 0; i < s->w->n_staged; i++)
        s->out[i] = row.values[s->w->staged_map[i]];
    int n = snprintf(s->line, sizeof(s->line), "%lld", (long long)row.line);
    s->out[s->w->n_staged] = (struct db_value){s->line, (size_t)n};
    work_tell(s->w, "staging", s->w->screen.rows);
    *ret_values = s->out;
    return 1;
}

static int run(struct work *w, const char *sql, struct db_fault *fault)
{
    _cleanup_free_ char *text = marks_expand(&w->h->marks, sql);
    return db_query(w->stage, text, 0, NULL, NULL, fault);
}

static int make_stage(struct work *w, struct db_fault *fault)
{
    _cleanup_free_ char *columns = tables_columns(w->h, true);
    _cleanup_free_ char *key = marks_expand(&w->h->marks, w->h->dialect->stage_key);
    marks_set(&w->h->marks, "stage columns", columns);
    marks_set(&w->h->marks, "stage key", key);
    return run(w,
        "CREATE TEMPORARY TABLE {stage} ({stage columns}, line bigint NOT NULL{stage key}){options}", fault);
}

static int fill_stage(struct work *w, const char *const *names, struct db_fault *fault)
{
    struct staging s = {.w = w, .out = xcalloc(w->n_staged + 1, sizeof(*s.out))};
    struct db_load load = {.schema = w->h->dialect->temporary,
        .table = "ingest_stage",
        .n_columns = w->n_staged + 1,
        .columns = names,
        .next = next_to_stage,
        .arg = &s};
    int64_t rows;
    int result = db_load(w->stage, &load, &rows, fault);
    free(s.out);
    return result;
}

int work_read_stage(struct work *w, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0};
    buffer_put_string(&sql, "SELECT ");
    for (size_t i = 0; i < w->n_staged; i++) {
        const struct column *c = &w->h->columns.list[w->staged_map[i]];
        _cleanup_free_ char *name = db_quote_name(w->stage, NULL, c->name);
        buffer_printf(&sql, "%s, ", name);
    }
    buffer_put_string(&sql, "line FROM {stage} ORDER BY {cols.key}, line");
    _cleanup_free_ char *text = marks_expand(&w->h->marks, buffer_string(&sql));
    return db_cursor_open(w->stage, text, &w->staged, fault);
}

int work_stage(struct work *w, struct db_fault *fault)
{
    const struct columns *c = &w->h->columns;
    const char **names = xcalloc(c->n + 1, sizeof(*names));
    w->staged_map = xcalloc(c->n, sizeof(*w->staged_map));
    w->staged_values = xcalloc(c->n, sizeof(*w->staged_values));
    for (size_t i = 0; i < c->n; i++)
        if (c->list[i].dumped) {
            names[w->n_staged] = c->list[i].name;
            w->staged_map[w->n_staged++] = i;
        }
    names[w->n_staged] = "line";
    int result = history_connect(w->h, &w->stage, fault);
    if (result == 0 && (make_stage(w, fault) < 0 || fill_stage(w, names, fault) < 0))
        result = -1;
    free(names);
    return result;
}

int work_staged_next(void *arg, struct merge_row *ret_row, struct db_fault *fault)
{
    struct work *w = arg;
    const struct db_value *values;
    int got = db_cursor_next(w->staged, &values, fault);
    if (got <= 0)
        return got;
    for (size_t i = 0; i < w->n_staged; i++)
        w->staged_values[w->staged_map[i]] = values[i];
    *ret_row =
        (struct merge_row){.values = w->staged_values, .line = strtoll(values[w->n_staged].p, NULL, 10)};
    return 1;
}
