#include "history/sample.h"

#include "util/buffer.h"

/* A row as it came, with texts of its own. */
struct kept {
    struct source_row row;
    struct source_cell *cells;
    char *text;
};

struct sample {
    struct source base;
    struct source *rest;
    struct kept rows[SAMPLE_ROWS];
    size_t n, given;
    bool ended; /* there is no rest */
};

static void kept_done(struct kept *k)
{
    free(k->cells);
    free(k->text);
    *k = (struct kept){0};
}

/* Copies n bytes to *to, and moves it behind them. */
static const char *put(char **to, const char *p, size_t n)
{
    char *at = *to;
    if (!p)
        return NULL;
    memcpy(at, p, n);
    *to = at + n;
    return at;
}

static size_t keep(struct kept *k, const struct source_row *row)
{
    size_t n_reason = row->reason ? strlen(row->reason) + 1 : 0;
    size_t n_detail = row->detail ? strlen(row->detail) + 1 : 0, n = n_reason + n_detail + row->n_raw;
    for (size_t i = 0; i < row->n_cells; i++)
        n += row->cells[i].p ? row->cells[i].n : 0;
    char *to = k->text = xcalloc(n + 1, 1);
    k->cells = xcalloc(row->n_cells + 1, sizeof(*k->cells));
    k->row = *row;
    k->row.cells = k->cells;
    k->row.reason = put(&to, row->reason, n_reason);
    k->row.detail = put(&to, row->detail, n_detail);
    k->row.raw = put(&to, row->raw, row->n_raw);
    for (size_t i = 0; i < row->n_cells; i++)
        k->cells[i] = (struct source_cell){put(&to, row->cells[i].p, row->cells[i].n), row->cells[i].n};
    return n;
}

/* ---- as a source ---- */

static int sample_next(struct source *s, struct source_row *ret_row, struct source_fault *fault)
{
    struct sample *sample = (struct sample *)s;
    if (sample->given > 0)
        kept_done(&sample->rows[sample->given - 1]);
    if (sample->given < sample->n) {
        *ret_row = sample->rows[sample->given++].row;
        return 1;
    }
    sample->given = sample->n = 0;
    return sample->ended ? 0 : source_next(sample->rest, ret_row, fault);
}

static void sample_facts(const struct source *s, struct source_facts *ret_facts)
{
    const struct sample *sample = (const struct sample *)s;
    sample->rest->driver->facts(sample->rest, ret_facts);
    ret_facts->rows -= (int64_t)(sample->n - sample->given);
}

static void sample_free(struct source *s)
{
    struct sample *sample = (struct sample *)s;
    for (size_t i = 0; i < sample->n; i++)
        kept_done(&sample->rows[i]);
    free(sample);
}

int sample_open(struct source *source, void (*look)(void *arg, const struct source_row *row), void *arg,
    struct source **ret_source, struct source_fault *fault)
{
    static const struct source_driver driver = {sample_next, sample_facts, sample_free};
    struct sample *sample = xnew(struct sample);
    _cleanup_(source_freep) struct source *owned = &sample->base;
    struct source_row row;
    int got = 1;
    sample->base =
        (struct source){.driver = &driver, .columns = source->columns, .n_columns = source->n_columns};
    sample->rest = source;
    for (size_t n_bytes = 0; sample->n < SAMPLE_ROWS && n_bytes < SAMPLE_BYTES;) {
        got = source_next(source, &row, fault);
        if (got <= 0)
            break;
        if (!row.reason)
            look(arg, &row);
        n_bytes += keep(&sample->rows[sample->n++], &row);
    }
    sample->ended = got == 0;
    if (got < 0)
        return -1;
    *ret_source = TAKE(owned);
    return 0;
}
