/* Around what a load writes: its beginning and its end, and the books in between. */
#include "history/books.h"
#include "history/tables.h"
#include "history/work.h"

static int begin(struct history *h, struct db_fault *fault)
{
    return history_run(h, "BEGIN", 0, NULL, NULL, fault);
}

/* Where DDL commits, the columns are on record before the tables have them: who comes after a crash completes them. */
int work_begin(struct work *w, struct tables *ret_tables, struct db_fault *fault)
{
    struct history *h = w->h;
    bool whole = h->dialect->ddl_in_transaction;
    if (h->dialect->limit_waits && history_run(h, h->dialect->limit_waits, 0, NULL, NULL, fault) < 0)
        return -1;
    if (whole && begin(h, fault) < 0)
        return -1;
    if (books_write_columns(h, fault) < 0 || tables_make(h, ret_tables, fault) < 0)
        return -1;
    if (!whole && begin(h, fault) < 0)
        return -1;
    return books_begin_dump(h, w->as_of, w->load->partial, "loaded", &w->dump_id, fault);
}

static int write_rejects(struct work *w, struct db_fault *fault)
{
    static const char *const columns[] = {"dump", "line", "reason", "detail", "raw"};
    struct history *h = w->h;
    int64_t rows;
    if (w->rejects.n == 0)
        return 0;
    struct db_load load = {.schema = h->dialect->temporary ? h->schema : NULL,
        .table = "ingest_reject",
        .n_columns = N_ELEMENTS(columns),
        .columns = columns,
        .next = rejects_next,
        .arg = &w->rejects};
    if (rejects_rewind(&w->rejects, w->dump_id, fault) < 0)
        return -1;
    return db_load(h->db, &load, &rows, fault);
}

/* Of the columns that no dump before had; one that a broken load left on record may not be in this dump either. */
static int note_first_dump(struct work *w, struct db_fault *fault)
{
    static const char sql[] =
        "UPDATE {column} SET first_dump = {number} WHERE dataset = {1} AND column_name = {2}";
    struct history *h = w->h;
    for (size_t i = 0; i < h->columns.n; i++) {
        const struct column *c = &h->columns.list[i];
        const char *const parameters[] = {h->place.table, c->name};
        if (c->dumped && !c->in_dumps && history_run(h, sql, 2, parameters, NULL, fault) < 0)
            return -1;
    }
    return 0;
}

int work_commit(struct work *w, struct db_fault *fault)
{
    struct history *h = w->h;
    struct attempt a = {.id = w->dump_id,
        .load = w->load,
        .dump = &w->dump,
        .counts = &w->counts,
        .schema_changes = w->notes.n ? buffer_string(&w->notes) : NULL,
        .started_us = w->started_us};
    marks_set_int(&h->marks, "number", w->dump_id);
    if (write_rejects(w, fault) < 0 || books_end_dump(h, &a, fault) < 0)
        return -1;
    work_forget_key(w);
    if (note_first_dump(w, fault) < 0 || books_write_types(h, fault) < 0)
        return -1;
    return history_run(h, "COMMIT", 0, NULL, NULL, fault);
}
