/*
 * A partial dump is compared with the rows on record of its own keys alone: the keys that are staged go into a temporary
 * table of the connection that reads the record. Its columns are _k1, _k2, …, as no column of a dump is called.
 */
#include "history/work.h"

static const char make_sql[] =
    "CREATE TEMPORARY TABLE {keys}{options} AS SELECT {n as k} FROM {current} n WHERE 1 = 0";
static const char staged_sql[] = "SELECT DISTINCT {cols.key} FROM {stage} ORDER BY {cols.key}";

static void put_words(struct buffer *out, const char *gap, const char *words)
{
    buffer_printf(out, "%s%s", out->n ? gap : "", words);
}

/* For each column of the key: n."id" AS _k1, n."id" = k._k1, _k1, k._k1 */
static void mark_keys(struct work *w)
{
    static const char *const marks[] = {"n as k", "n=k", "keys cols", "k.cols"};
    static const char *const gaps[] = {", ", " AND ", ", ", ", "};
    struct buffer lists[N_ELEMENTS(marks)] = {0};
    for (size_t i = 0; i < w->n_key; i++) {
        const char *column = w->h->columns.list[w->key[i]].name;
        _cleanup_free_ char *name = db_quote_name(w->reader, NULL, column);
        _cleanup_free_ char *as = xasprintf("n.%s AS _k%zu", name, i + 1);
        _cleanup_free_ char *equal = xasprintf("n.%s = k._k%zu", name, i + 1);
        _cleanup_free_ char *own = xasprintf("k._k%zu", i + 1);
        const char *const words[] = {as, equal, own + strlen("k."), own};
        for (size_t j = 0; j < N_ELEMENTS(marks); j++)
            put_words(&lists[j], gaps[j], words[j]);
    }
    for (size_t j = 0; j < N_ELEMENTS(marks); j++) {
        marks_set(&w->h->marks, marks[j], buffer_string(&lists[j]));
        buffer_done(&lists[j]);
    }
}

static int run(struct work *w, const char *sql, struct db_fault *fault)
{
    _cleanup_free_ char *text = marks_expand(&w->h->marks, sql);
    return db_query(w->reader, text, 0, NULL, NULL, fault);
}

static int next_key(void *arg, const struct db_value **ret_values, struct db_fault *fault)
{
    return db_cursor_next(arg, ret_values, fault);
}

static int fill_keys(struct work *w, struct db_fault *fault)
{
    _cleanup_(db_cursor_freep) struct db_cursor *staged = NULL;
    char names[KEY_COLUMNS_MAX][24];
    const char *columns[KEY_COLUMNS_MAX];
    int64_t rows;
    _cleanup_free_ char *sql = marks_expand(&w->h->marks, staged_sql);
    if (db_cursor_open(w->stage, sql, &staged, fault) < 0)
        return -1;
    for (size_t i = 0; i < w->n_key; i++) {
        snprintf(names[i], sizeof(names[i]), "_k%zu", i + 1);
        columns[i] = names[i];
    }
    struct db_load load = {.schema = w->h->dialect->temporary,
        .table = "ingest_keys",
        .n_columns = w->n_key,
        .columns = columns,
        .next = next_key,
        .arg = staged};
    return db_load(w->reader, &load, &rows, fault);
}

int work_take_keys(struct work *w, struct db_fault *fault)
{
    mark_keys(w);
    if (run(w, make_sql, fault) < 0 || fill_keys(w, fault) < 0)
        return -1;
    for (const char *const *sql = w->h->dialect->keys_filled; *sql; sql++)
        if (run(w, *sql, fault) < 0)
            return -1;
    return 0;
}
