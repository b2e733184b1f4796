/* The first dump: its rows go into the table as they come. */
#include "history/tables.h"
#include "history/work.h"

static void put_fact(struct db_value *v, const char *text)
{
    *v = (struct db_value){text, strlen(text)};
}

/* Behind the columns: line, valid_from, opened_by, opened_dump. */
static int next_to_load(void *arg, const struct db_value **ret_values, struct db_fault *fault)
{
    struct work *w = arg;
    struct merge_event e;
    int got = work_next_event(w, &e, fault);
    if (got <= 0)
        return got;
    w->counts.added++;
    work_put_row(w, &e, 0);
    *ret_values = w->out;
    return 1;
}

static int load_rows(struct work *w, struct db_fault *fault)
{
    static const char *const ours[] = {"line", "valid_from", "opened_by", "opened_dump"};
    struct history *h = w->h;
    size_t n = h->columns.n;
    const char **names = xcalloc(n + N_ELEMENTS(ours), sizeof(*names));
    for (size_t i = 0; i < n; i++)
        names[i] = h->columns.list[i].name;
    memcpy(names + n, ours, sizeof(ours));
    snprintf(w->out_dump, sizeof(w->out_dump), "%lld", (long long)w->dump_id);
    put_fact(&w->out[n + 1], w->as_of);
    put_fact(&w->out[n + 2], "added");
    put_fact(&w->out[n + 3], w->out_dump);
    struct db_load load = {.schema = h->dialect->temporary ? h->schema : NULL,
        .table = h->place.table,
        .n_columns = n + N_ELEMENTS(ours),
        .columns = names,
        .next = next_to_load,
        .arg = w};
    int64_t rows;
    int result = db_load(h->db, &load, &rows, fault);
    free(names);
    return result;
}

/* Nothing is written: all is only read through. */
static int count_rows(struct work *w, struct db_fault *fault)
{
    struct merge_event e;
    int got;
    while ((got = work_next_event(w, &e, fault)) > 0)
        w->counts.added++;
    w->counts.current = w->counts.added;
    return got < 0 ? -1 : work_complete(w, fault);
}

int work_first_load(struct work *w, struct db_fault *fault)
{
    struct tables tables;
    if (work_begin_merge(w, false, fault) < 0)
        return -1;
    if (w->load->dry_run)
        return count_rows(w, fault);
    if (work_begin(w, &tables, fault) < 0 || load_rows(w, fault) < 0 || work_complete(w, fault) < 0)
        return -1;
    w->counts.current = w->counts.added;
    work_tell(w, "applying", 0);
    if (tables_key(w->h, &tables, fault) < 0)
        return -1;
    return work_commit(w, fault);
}
