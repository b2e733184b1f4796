/*
 * Every dump but the first: the differences are loaded into a temporary table, and from there go where they belong by a
 * few statements, whatever their number. kind: a added, b back (reactivated), c changed, r removed.
 * _seq counts them; no column of a dump is called so.
 */
#include "history/tables.h"
#include "history/work.h"

static const char *const make_sql[] = {
    "{drop temporary} IF EXISTS {delta}",
    "CREATE TEMPORARY TABLE {delta} (_seq bigint NOT NULL, kind char(1) NOT NULL, {delta columns}, line "
    "bigint{delta key}){options}",
};

static const char reactivated_sql[] =
    "UPDATE {delta} d SET kind = 'b' WHERE kind = 'a' AND EXISTS (SELECT 1 FROM {past} p WHERE {p=d})";

static const char close_sql[] =
    "INSERT INTO {past} ({cols}, valid_from, opened_by, opened_dump, line, valid_to, closed_by, closed_dump)"
    " SELECT {n.cols}, n.valid_from, n.opened_by, n.opened_dump, n.line, {as of},"
    " CASE d.kind WHEN 'c' THEN 'changed' ELSE 'removed' END, {number}"
    " FROM {delta} d {join} {current} n ON {n=d} WHERE {chunk} AND d.kind IN ('c', 'r')";

static const char open_sql[] =
    "INSERT INTO {current} ({cols}, valid_from, opened_by, opened_dump, line)"
    " SELECT {cols}, {as of}, CASE kind WHEN 'a' THEN 'added' WHEN 'b' THEN 'reactivated' ELSE 'changed' END,"
    " {number}, line FROM {delta} d WHERE {chunk} AND kind IN ('a', 'b', 'c')";

/* ---- the differences ---- */

static char count_event(struct history_counts *c, const struct merge_event *e)
{
    switch (e->kind) {
    case MERGE_ADDED:
        c->added++;
        return 'a';
    case MERGE_CHANGED:
        c->changed++;
        return 'c';
    case MERGE_REMOVED:
        c->removed++;
        return 'r';
    default:
        c->unchanged++;
        return '\0';
    }
}

static int next_difference(void *arg, const struct db_value **ret_values, struct db_fault *fault)
{
    struct work *w = arg;
    struct merge_event e;
    w->out_kind[0] = '\0';
    while (!w->out_kind[0]) {
        int got = work_next_event(w, &e, fault);
        if (got <= 0)
            return got;
        w->out_kind[0] = count_event(&w->counts, &e);
        if (e.kind == MERGE_ADDED || e.kind == MERGE_CHANGED)
            work_see(w, &e);
    }
    int n = snprintf(w->out_dump, sizeof(w->out_dump), "%lld", (long long)++w->differences);
    w->out[0] = (struct db_value){w->out_dump, (size_t)n};
    w->out[1] = (struct db_value){w->out_kind, 1};
    work_put_row(w, &e, 2);
    *ret_values = w->out;
    return 1;
}

static int make_delta(struct work *w, struct db_fault *fault)
{
    _cleanup_free_ char *columns = tables_columns(w->h, false);
    marks_set(&w->h->marks, "delta columns", columns);
    for (size_t i = 0; i < N_ELEMENTS(make_sql); i++)
        if (history_run(w->h, make_sql[i], 0, NULL, NULL, fault) < 0)
            return -1;
    return 0;
}

static int fill_delta(struct work *w, struct db_fault *fault)
{
    struct history *h = w->h;
    size_t n = h->columns.n;
    const char **names = xcalloc(n + 3, sizeof(*names));
    names[0] = "_seq";
    names[1] = "kind";
    for (size_t i = 0; i < n; i++)
        names[i + 2] = h->columns.list[i].name;
    names[n + 2] = "line";
    struct db_load load = {.schema = h->dialect->temporary,
        .table = "ingest_delta",
        .n_columns = n + 3,
        .columns = names,
        .next = next_difference,
        .arg = w};
    int64_t rows;
    int result = db_load(h->db, &load, &rows, fault);
    free(names);
    return result;
}

static int check_removed(struct work *w, struct db_fault *fault)
{
    int64_t before = merge_current_rows(w->merge), gone = w->counts.removed;
    bool many = gone > WORK_FEW && (double)gone > w->load->max_removed * (double)before;
    if (gone == 0 || w->load->max_removed >= 1 || (!many && gone < before))
        return 0;
    return work_refuse(w, fault,
        "%lld of %lld keys are missing from the dump, and %g %% is the most that may be: is the file whole? "
        "if they "
        "are gone indeed, allow it with max_removed: 100 (--max-removed 100)",
        (long long)gone, (long long)before, w->load->max_removed * 100);
}

/* ---- applying them ---- */

static int apply_chunk(struct work *w, int64_t from, int64_t to, int64_t *closed, int64_t *deleted,
    int64_t *opened, struct db_fault *fault)
{
    struct history *h = w->h;
    int64_t rows[3];
    _cleanup_free_ char *chunk =
        xasprintf("d._seq > %lld AND d._seq <= %lld", (long long)from, (long long)to);
    marks_set(&h->marks, "chunk", chunk);
    if (history_change(h, close_sql, &rows[0], fault) < 0 ||
        history_change(h, h->dialect->delete_from, &rows[1], fault) < 0 ||
        history_change(h, open_sql, &rows[2], fault) < 0)
        return -1;
    *closed += rows[0];
    *deleted += rows[1];
    *opened += rows[2];
    return 0;
}

/* Each statement must change as many rows as there are differences of its kind: else somebody else is at the tables. */
static int apply(struct work *w, struct db_fault *fault)
{
    const struct history_counts *c = &w->counts;
    int64_t closed = 0, deleted = 0, opened = 0, chunk = w->h->dialect->chunk;
    _cleanup_free_ char *as_of = xasprintf("%s '%s'", w->h->moments ? "TIMESTAMP" : "DATE", w->as_of);
    marks_set(&w->h->marks, "as of", as_of);
    marks_set_int(&w->h->marks, "number", w->dump_id);
    chunk = chunk ? chunk : w->differences;
    for (const char *const *sql = w->h->dialect->apply; *sql; sql++)
        if (history_run(w->h, *sql, 0, NULL, NULL, fault) < 0)
            return -1;
    for (int64_t from = 0; from < w->differences; from += chunk) {
        if (apply_chunk(w, from, from + chunk, &closed, &deleted, &opened, fault) < 0)
            return -1;
        work_tell(w, "applying", from);
    }
    if (closed == c->changed + c->removed && deleted == closed &&
        opened == c->added + c->changed + c->reactivated)
        return 0;
    return history_fault(fault, true,
        "%s: somebody else changed the table while the dump was compared with it: all was rolled back",
        w->h->label);
}

/* Keys that were here before. The table of closed versions is there whenever there is a dump on record. */
static int mark_reactivated(struct work *w, struct db_fault *fault)
{
    struct history_counts *c = &w->counts;
    if (w->h->dialect->analyze && history_run(w->h, w->h->dialect->analyze, 0, NULL, NULL, fault) < 0)
        return -1;
    if (c->added > 0 && history_change(w->h, reactivated_sql, &c->reactivated, fault) < 0)
        return -1;
    c->added -= c->reactivated;
    int64_t before = w->load->partial ? w->h->newest.present : merge_current_rows(w->merge);
    c->current = before + c->added + c->reactivated - c->removed;
    return 0;
}

/* The rows on record are read to their end: the transaction of that reader must not stand in the way of ALTER TABLE. */
static void end_reader(struct work *w)
{
    record_close(&w->record);
    db_close(TAKE(w->reader));
    history_try(w->h, w->h->dialect->compared);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* A pass by cursor begins with rows that the one before has seen: what it cannot take of them is on record already. */
static bool brings_nothing(const struct work *w)
{
    const struct dump_record *newest = &w->h->newest;
    int64_t known = newest->dump.partial ? newest->rejected : 0;
    return w->load->partial && w->differences == 0 && same_text(w->dump.cursor, newest->dump.cursor) &&
           (w->counts.rejected == 0 || w->counts.rejected == known);
}

static int end_with_nothing(struct work *w)
{
    w->nothing_new = true;
    buffer_reset(&w->notes, 0);
    return 0;
}

int work_next_load(struct work *w, struct db_fault *fault)
{
    struct tables tables;
    history_mark_columns(w->h);
    if (work_sample_again(w, fault) < 0 || work_begin_merge(w, true, fault) < 0 || make_delta(w, fault) < 0 ||
        fill_delta(w, fault) < 0)
        return -1;
    end_reader(w);
    if (work_complete(w, fault) < 0 || check_removed(w, fault) < 0 || mark_reactivated(w, fault) < 0 ||
        work_decide_types(w, fault) < 0)
        return -1;
    if (brings_nothing(w))
        return end_with_nothing(w);
    if (w->load->dry_run)
        return 0;
    w->told = 0;
    work_tell(w, "applying", 0);
    if (work_begin(w, &tables, fault) < 0 || apply(w, fault) < 0)
        return -1;
    return work_commit(w, fault);
}
