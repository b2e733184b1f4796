#include "history/work.h"

#include <stdarg.h>

#define TELL_ROWS 10000

void work_done(struct work *w)
{
    merge_free(w->merge);
    record_close(&w->record);
    db_close(w->reader);
    record_close(&w->staged);
    db_close(w->stage);
    rejects_done(&w->rejects);
    screen_done(&w->screen);
    source_free(w->sample);
    free(w->types);
    free(w->map);
    free(w->key);
    free(w->compared);
    free(w->kept);
    free(w->staged_map);
    free(w->staged_values);
    free(w->out);
    buffer_done(&w->notes);
}

int work_refuse(struct work *w, struct db_fault *fault, const char *fmt, ...)
{
    *fault = (struct db_fault){0};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(fault->error.text, sizeof(fault->error.text), fmt, ap);
    va_end(ap);
    w->refused = true;
    return error_prefix(&fault->error, "%s", w->h->label);
}

void work_tell(struct work *w, const char *stage, int64_t rows)
{
    if (!w->load->progress || (rows > 0 && rows < w->told + TELL_ROWS && rows >= w->told))
        return;
    w->told = rows;
    w->load->progress(w->load->arg, stage, rows);
}

int work_complete(struct work *w, struct db_fault *fault)
{
    if (w->load->complete)
        w->load->complete(w->load->arg, &w->dump);
    w->counts.rows = w->screen.rows;
    w->counts.rejected = w->rejects.n;
    double allowed = w->load->max_rejected * (double)w->counts.rows;
    if (w->counts.rejected > WORK_FEW && (double)w->counts.rejected > allowed && w->load->max_rejected < 1)
        return work_refuse(w, fault,
            "%lld of %lld rows cannot be taken, and %g %% is the most that may be: is it the right key, and "
            "the "
            "right delimiter? if the dump is like that, allow it with max_rejected: 100 (--max-rejected 100)",
            (long long)w->counts.rejected, (long long)w->counts.rows, w->load->max_rejected * 100);
    return 0;
}

/* ---- merging ---- */

static int next_record(void *arg, struct merge_row *ret_row, struct db_fault *fault)
{
    struct work *w = arg;
    *ret_row = (struct merge_row){0};
    return record_next(&w->record, &ret_row->values, fault);
}

static int open_reader(struct work *w, struct db_fault *fault)
{
    struct db_fault ignored;
    if (history_connect(w->h, &w->reader, fault) < 0)
        return -1;
    for (const char *const *sql = w->h->dialect->reader; *sql; sql++)
        db_query(w->reader, *sql, 0, NULL, NULL, &ignored);
    return 0;
}

static int read_record(struct work *w, struct db_fault *fault)
{
    static const char of_keys[] = "SELECT {values} FROM {keys} k {join} {current} n ON {n=k}";
    _cleanup_free_ char *values = history_value_list(w->h);
    marks_set(&w->h->marks, "values", values);
    _cleanup_free_ char *select =
        marks_expand(&w->h->marks, w->load->partial ? of_keys : "SELECT {values} FROM {current}");
    _cleanup_free_ char *order = marks_expand(&w->h->marks, w->load->partial ? "{k.cols}" : "{cols.key}");
    return record_open(
        &w->record, w->h, w->reader, select, order, w->load->partial ? NULL : "{current}", fault);
}

/* Those of the key as they are; of the others what they are, or were before they were text. */
static void choose_types(struct work *w)
{
    const struct columns *c = &w->h->columns;
    if (!w->h->dialect->types)
        return;
    w->types = xcalloc(c->n, sizeof(*w->types));
    for (size_t i = 0; i < c->n; i++)
        w->types[i] = c->list[i].is_key ? c->list[i].wide : c->list[i].form;
}

static int open_sides(struct work *w, bool staged, bool on_record, struct db_fault *fault)
{
    if ((staged && work_stage(w, fault) < 0) || (on_record && open_reader(w, fault) < 0))
        return -1;
    if (w->load->partial && work_take_keys(w, fault) < 0)
        return -1;
    return (staged && work_read_stage(w, fault) < 0) || (on_record && read_record(w, fault) < 0) ? -1 : 0;
}

int work_begin_merge(struct work *w, bool on_record, struct db_fault *fault)
{
    bool staged = w->load->any_order || w->load->partial;
    if (open_sides(w, staged, on_record, fault) < 0)
        return -1;
    choose_types(w);
    struct merge_options options = {.n_columns = w->h->columns.n,
        .key = w->key,
        .n_key = w->n_key,
        .compared = w->compared,
        .n_compared = w->n_compared,
        .kept = w->kept,
        .n_kept = w->n_kept,
        .types = w->types,
        .dump = staged ? work_staged_next : screen_next,
        .dump_arg = staged ? (void *)w : &w->screen,
        .current = on_record ? next_record : NULL,
        .current_arg = w};
    w->merge = merge_new(&options);
    w->out = xcalloc(w->h->columns.n + 6, sizeof(*w->out));
    return 0;
}

int work_next_event(struct work *w, struct merge_event *ret_event, struct db_fault *fault)
{
    for (;;) {
        int got = merge_next(w->merge, ret_event, fault);
        if (got <= 0)
            return got;
        work_tell(w, w->record.cursor ? "comparing" : "loading", ++w->merged);
        bool left = ret_event->kind == MERGE_REMOVED && screen_knows(&w->screen, ret_event->values);
        if (ret_event->kind != MERGE_DUPLICATE && !left)
            return 1;
        if (!left && screen_reject_duplicate(&w->screen, ret_event, fault) < 0)
            return -1;
    }
}

void work_put_row(struct work *w, const struct merge_event *e, size_t at)
{
    memcpy(w->out + at, e->values, w->h->columns.n * sizeof(*w->out));
    int n = snprintf(w->out_line, sizeof(w->out_line), "%lld", (long long)e->line);
    w->out[at + w->h->columns.n] = (struct db_value){w->out_line, (size_t)n};
}
