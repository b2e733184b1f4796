/* Reads an object and shows its rows, or with --time counts them: object_cat [--time] PATH COLUMN[?]… */
#include "source/object.h"
#include "util/clock.h"

#include <inttypes.h>

#define COLUMNS_MAX 1600

static void show(const struct source_row *row)
{
    printf("%" PRId64 "%s", row->line, row->reason ? "! " : ": ");
    if (row->reason)
        printf("%s (%s) %.*s", row->reason, row->detail, (int)row->n_raw, row->raw);
    for (size_t i = 0; !row->reason && i < row->n_cells; i++)
        printf("%s%.*s", i ? "|" : "", row->cells[i].p ? (int)row->cells[i].n : 1,
            row->cells[i].p ? row->cells[i].p : "~");
    printf("\n");
}

int main(int argc, char **argv)
{
    bool is_timed = argc > 1 && strcmp(argv[1], "--time") == 0;
    int at = is_timed ? 2 : 1;
    const char *columns[COLUMNS_MAX];
    bool optional[COLUMNS_MAX];
    struct object_options options = {.columns = columns, .optional = optional, .label = argv[at]};
    for (int i = at + 1; i < argc && options.n_columns < COLUMNS_MAX; i++) {
        size_t n = strlen(argv[i]);
        optional[options.n_columns] = n > 0 && argv[i][n - 1] == '?';
        argv[i][n - optional[options.n_columns]] = '\0';
        columns[options.n_columns++] = argv[i];
    }
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_fault fault;
    struct source_row row;
    int64_t rows = 0, begin = clock_mono_us();
    int got = at < argc ? object_open(argv[at], &options, &s, &fault) : 1;
    while (got >= 0 && s && (got = source_next(s, &row, &fault)) > 0 && ++rows)
        if (!is_timed)
            show(&row);
    if (got < 0)
        printf("failed %s: %s\n", fault.reason ? fault.reason : "-", fault.error.text);
    if (is_timed)
        printf("%" PRId64 " rows, %.0f a second\n", rows,
            (double)rows * 1e6 / (double)(clock_mono_us() - begin));
    return got < 0;
}
