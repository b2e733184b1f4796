/*
 * CSV, three times over the same bytes: whole, byte by byte, and in pieces of seven. Each must give the same columns, rows
 * and failure, and what a row promises must hold. The first byte chooses how long a record may be, the second whether the
 * delimiter is given.
 */
#include "source/csv.h"
#include "util/buffer.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct given {
    const char *p;
    size_t n, at, step;
};

static ssize_t give(void *arg, char *p, size_t n, struct source_fault *fault)
{
    struct given *g = arg;
    n = MIN(MIN(n, g->n - g->at), g->step);
    if (n)
        memcpy(p, g->p + g->at, n);
    g->at += n;
    return (ssize_t)n;
}

static void add(uint64_t *sum, const void *p, size_t n)
{
    const unsigned char *u = p;
    for (size_t i = 0; i < n; i++)
        *sum = *sum * 31 + u[i];
    *sum = *sum * 31 + n;
}

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void add_row(uint64_t *sum, const struct source_row *row, size_t n_columns)
{
    add(sum, &row->line, sizeof(row->line));
    if (row->reason) {
        must(row->n_cells <= n_columns && row->detail && row->n_raw <= SOURCE_RAW_MAX);
        must(text_is_utf8(row->raw, row->n_raw) && !memchr(row->raw, 0, row->n_raw));
        for (size_t i = 0; i < row->n_cells; i++)
            add(sum, row->cells[i].p, row->cells[i].n);
        add(sum, row->reason, strlen(row->reason));
        add(sum, row->detail, strlen(row->detail));
        add(sum, row->raw, row->n_raw);
        return;
    }
    must(row->n_cells == n_columns);
    for (size_t i = 0; i < row->n_cells; i++) {
        const struct source_cell *cell = &row->cells[i];
        must(cell->p ? cell->n > 0 && text_is_utf8(cell->p, cell->n) && !memchr(cell->p, 0, cell->n)
                     : cell->n == 0);
        add(sum, cell->p, cell->n);
    }
}

static uint64_t read_all(const uint8_t *bytes, size_t n, size_t step)
{
    static const char *const tokens[] = {"NULL"};
    struct given g = {.p = (const char *)bytes + 2, .n = n - 2, .step = step};
    struct csv_bytes source = {.read = give, .arg = &g};
    struct csv_options options = {.label = "fuzz",
        .delimiter = bytes[1] & 1 ? (char)(bytes[1] >> 1) : 0,
        .null_tokens = tokens,
        .n_null_tokens = 1,
        .row_max = bytes[0]};
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_fault fault;
    struct source_row row;
    uint64_t sum = 0;
    int64_t line = 0;
    int got = csv_open(&source, &options, &s, &fault);
    for (size_t i = 0; s && i < s->n_columns; i++)
        add(&sum, s->columns[i], strlen(s->columns[i]));
    while (s && (got = source_next(s, &row, &fault)) > 0) {
        must(row.line > line);
        line = row.line;
        add_row(&sum, &row, s->n_columns);
        size_t n_raw;
        const char *raw = s->driver->raw(s, &n_raw);
        must(n_raw <= SOURCE_RAW_MAX && text_is_utf8(raw, n_raw));
        add(&sum, raw, n_raw);
    }
    if (got < 0)
        add(&sum, fault.error.text, strlen(fault.error.text));
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n < 2)
        return 0;
    uint64_t whole = read_all(bytes, n, SIZE_MAX);
    must(whole == read_all(bytes, n, 1));
    must(whole == read_all(bytes, n, 7));
    return 0;
}
