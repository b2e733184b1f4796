/* The life of one key: its closed versions, then the one that holds. */
#include "history/tables.h"
#include "util/moment.h"

struct life {
    void (*version)(void *arg, const struct history_version *v);
    void *arg;
};

/* valid_from, valid_to, opened_by, closed_by, opened_dump, closed_dump, line, then the columns */
#define N_OURS 7

static bool take_version(void *arg, int n, const struct db_value *values)
{
    struct life *life = arg;
    char *own[N_OURS];
    for (int i = 0; i < N_OURS; i++)
        own[i] = values[i].p ? xstrndup(values[i].p, values[i].n) : NULL;
    for (int i = 0; i < 2; i++)
        if (own[i])
            moment_tidy(own[i], false);
    struct history_version v = {.valid_from = own[0],
        .valid_to = own[1],
        .opened_by = own[2],
        .closed_by = own[3],
        .opened_dump = own[4] ? strtoll(own[4], NULL, 10) : 0,
        .closed_dump = own[5] ? strtoll(own[5], NULL, 10) : 0,
        .line = own[6] ? strtoll(own[6], NULL, 10) : 0,
        .values = values + N_OURS};
    life->version(life->arg, &v);
    for (int i = 0; i < N_OURS; i++)
        free(own[i]);
    return true;
}

static char *key_condition(const struct history *h)
{
    _cleanup_buffer_ struct buffer out = {0};
    int n = 0;
    for (size_t i = 0; i < h->columns.n; i++) {
        if (!h->columns.list[i].is_key)
            continue;
        _cleanup_free_ char *name = db_quote_name(h->db, NULL, h->columns.list[i].name);
        buffer_printf(&out, "%s%s = {%d}", n ? " AND " : "", name, n + 1);
        n++;
    }
    return marks_expand(&h->marks, buffer_string(&out));
}

/* Both tables as they are at one moment: a load that ends in between would move a version behind our back. */
static int read_versions(struct history *h, const char *const *key, size_t n_key, const struct db_sink *sink,
    struct db_fault *fault)
{
    struct db_fault ignored;
    int result = history_run(h, h->dialect->snapshot, 0, NULL, NULL, fault);
    if (result == 0)
        result = history_run(h,
            "SELECT valid_from, valid_to, opened_by, closed_by, opened_dump, closed_dump, line, {values}"
            " FROM {past} WHERE {of key} ORDER BY valid_from",
            (int)n_key, key, sink, fault);
    if (result == 0)
        result = history_run(h,
            "SELECT valid_from, NULL, opened_by, NULL, opened_dump, NULL, line, {values} FROM {current}"
            " WHERE {of key}",
            (int)n_key, key, sink, fault);
    history_run(h, "ROLLBACK", 0, NULL, NULL, &ignored);
    return result;
}

int history_life(struct history *h, const char *const *key, size_t n_key,
    void (*version)(void *arg, const struct history_version *v), void *arg, struct db_fault *fault)
{
    size_t n = 0;
    for (size_t i = 0; i < h->columns.n; i++)
        n += h->columns.list[i].is_key;
    if (n == 0 || !h->newest.there)
        return history_fault(fault, false, "%s: no dump of it is loaded yet", h->label);
    if (n != n_key)
        return history_fault(fault, false, "%s: its key has %zu column%s, and %zu values were given",
            h->label, n, n == 1 ? "" : "s", n_key);
    struct life life = {.version = version, .arg = arg};
    struct db_sink sink = {.row = take_version, .arg = &life};
    if (tables_look(h, fault) < 0)
        return -1;
    _cleanup_free_ char *condition = key_condition(h), *values = history_value_list(h);
    marks_set(&h->marks, "values", values);
    marks_set(&h->marks, "of key", condition);
    return read_versions(h, key, n, &sink, fault);
}
