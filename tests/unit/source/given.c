#include "given.h"

#include <inttypes.h>

ssize_t given_read(void *arg, char *p, size_t n, struct source_fault *fault)
{
    struct given *g = arg;
    n = MIN(n, g->n - g->at);
    if (g->step)
        n = MIN(n, g->step);
    if (g->fails_at && g->at + n > g->fails_at) {
        fault->transient = true;
        return error_set(&fault->error, "a test: the line is dead");
    }
    if (n)
        memcpy(p, g->p + g->at, n);
    g->at += n;
    return (ssize_t)n;
}

int given_open(
    struct given *g, const struct csv_options *options, struct source **ret, struct source_fault *fault)
{
    static const struct csv_options defaults = {.label = "a test"};
    struct csv_bytes bytes = {.read = given_read, .arg = g};
    g->at = 0;
    return csv_open(&bytes, options ? options : &defaults, ret, fault);
}

static void put_row(struct buffer *out, const struct source_row *row)
{
    if (row->reason) {
        buffer_printf(out, "%" PRId64 "! %s ", row->line, row->reason);
        buffer_put(out, row->raw, row->n_raw);
    } else {
        buffer_printf(out, "%" PRId64 ": ", row->line);
        for (size_t i = 0; i < row->n_cells; i++) {
            buffer_put_string(out, i ? "|" : "");
            buffer_put(out, row->cells[i].p ? row->cells[i].p : "~", row->cells[i].p ? row->cells[i].n : 1);
        }
    }
    buffer_put_string(out, "\n");
}

void given_dump(struct given *g, const struct csv_options *options, struct buffer *out)
{
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_fault fault;
    struct source_row row;
    if (given_open(g, options, &s, &fault) < 0) {
        buffer_printf(out, "failed %s\n", fault.error.text);
        return;
    }
    for (size_t i = 0; i < s->n_columns; i++)
        buffer_printf(out, "%s%s", i ? "|" : "", s->columns[i]);
    buffer_put_string(out, "\n");
    int got;
    while ((got = source_next(s, &row, &fault)) > 0)
        put_row(out, &row);
    if (got < 0)
        buffer_printf(out, "failed %s\n", fault.error.text);
    else
        buffer_put_string(out, "end\n");
}
