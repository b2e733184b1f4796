/*
 * From the tables of `out` to the next version of each table of the lake: all files first, then all log entries, so that the
 * time in which some tables are ahead of the others is short even for who does not read by the pointer.
 */
#include "job/harmonize/load.h"
#include "job/harmonize/ask.h"
#include "job/harmonize/harmonize.h"
#include "job/report.h"

static const char *name_of(const struct harmonize *h, size_t i)
{
    return lake_table_name(h->tables[i]);
}

bool load_is_own(const struct harmonize *h, size_t i)
{
    return i >= h->job->n_tables;
}

char *load_rows_of(const struct harmonize *h, size_t i)
{
    return db_quote_name(h->duck, load_is_own(h, i) ? LOAD_OWN : "out", name_of(h, i));
}

/* ---- files ---- */

static const struct job_words *key_of(const struct harmonize *h, size_t i)
{
    return &h->job->tables[i].key;
}

/* One without rows stays as it is: what a run that was killed left above that is removed by a version that adds nothing. */
static int keep_as_published(struct harmonize *h, size_t i, const char *rows, struct db_fault *fault)
{
    if (lake_table_is_newest(h->lake, h->tables[i], &h->loaded[i], fault) < 0)
        return -1;
    return h->loaded[i] ? 0 : lake_append(h->lake, h->tables[i], rows, &h->changes[i], fault);
}

static int write_files(struct harmonize *h, size_t i, struct db_fault *fault)
{
    int64_t n;
    struct lake_change *change = &h->changes[i];
    _cleanup_free_ char *rows = load_rows_of(h, i);
    if (change->files)
        return 0; /* by an attempt before this one */
    if (harmonize_count(h, rows, &n, fault) < 0)
        return -1;
    if (n == 0)
        return keep_as_published(h, i, rows, fault);
    if (load_is_own(h, i))
        return lake_append(h->lake, h->tables[i], rows, change, fault);
    return lake_merge(
        h->lake, h->tables[i], rows, (const char *const *)key_of(h, i)->list, key_of(h, i)->n, change, fault);
}

/* ---- log entries ---- */

static int commit(struct harmonize *h, size_t i, struct db_fault *fault)
{
    bool lost = false;
    _cleanup_free_ char *note = NULL;
    if (lake_commit(h->lake, h->tables[i], &h->changes[i], load_is_own(h, i) ? "WRITE" : "MERGE",
            &h->versions[i], &note, &lost, fault) < 0) {
        h->lost |= lost;
        return -1;
    }
    h->loaded[i] = true;
    if (note)
        harmonize_note(h, "%s: %s", name_of(h, i), note);
    return 0;
}

/* ---- both ---- */

static void prepare(struct harmonize *h)
{
    if (h->changes)
        return;
    h->changes = xcalloc(h->n_tables, sizeof(*h->changes));
    h->versions = xcalloc(h->n_tables, sizeof(*h->versions));
    h->loaded = xcalloc(h->n_tables, sizeof(*h->loaded));
    for (size_t i = 0; i < h->n_tables; i++)
        h->versions[i] = lake_table_version(h->tables[i]);
}

static int write_all(struct harmonize *h, struct db_fault *fault)
{
    for (size_t i = 0; i < h->n_tables; i++) {
        report_progress("load", "tables", (int64_t)i, (int64_t)h->n_tables);
        if (!h->loaded[i] && write_files(h, i, fault) < 0)
            return error_prefix(&fault->error, "table %s", name_of(h, i));
    }
    return 0;
}

/* What another run has committed and published since we began is not to be reverted: whoever came late stops before the first. */
static int commit_all(struct harmonize *h, struct db_fault *fault)
{
    size_t i = 0;
    while (i < h->n_tables && h->loaded[i])
        i++;
    if (i < h->n_tables && lake_check_published(h->lake, h->published, &h->lost, fault) < 0)
        return -1;
    for (; i < h->n_tables; i++)
        if (!h->loaded[i] && commit(h, i, fault) < 0)
            return error_prefix(&fault->error, "table %s", name_of(h, i));
    return 0;
}

int harmonize_load(struct harmonize *h, struct stage_account *account, struct db_fault *fault)
{
    prepare(h);
    if (load_make_own(h, fault) < 0 || write_all(h, fault) < 0 || commit_all(h, fault) < 0)
        return -1;
    for (size_t i = 0; i < h->n_tables; i++) {
        account->rows += h->changes[i].inserted + h->changes[i].updated;
        account->bytes += h->changes[i].bytes;
    }
    return 0;
}
