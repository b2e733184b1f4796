#include "rows.h"

#include <cjson/cJSON.h>

static struct buffer *next_cell(struct rows *r)
{
    if (r->n == r->cap) {
        r->cells = xrealloc(r->cells, r->cap + 64, sizeof(*r->cells));
        memset(r->cells + r->cap, 0, 64 * sizeof(*r->cells));
        r->cap += 64;
    }
    return &r->cells[r->n++];
}

static void add_cell(struct rows *r, const cJSON *cell)
{
    struct buffer *to = r->open && r->n > 0 ? &r->cells[r->n - 1] : next_cell(r);
    if (r->open && to->n > 0)
        to->n--; /* the NUL */
    r->open = false;
    if (cJSON_IsString(cell))
        buffer_put(to, cell->valuestring, strlen(cell->valuestring) + 1);
}

static void tell(struct rows *r, bool head)
{
    const char **cells = xcalloc(r->n, sizeof(*cells));
    for (size_t i = 0; i < r->n; i++)
        cells[i] = r->cells[i].n > 0 ? r->cells[i].p : NULL;
    r->taken(r->arg, head, r->n, cells);
    free(cells);
    for (size_t i = 0; i < r->n; i++)
        buffer_reset(&r->cells[i], 65536);
    r->n = 0;
}

void rows_add(struct rows *r, const struct report *piece)
{
    const cJSON *cell;
    cJSON_ArrayForEach(cell, piece->cells)
    {
        if (r->n < ROWS_CELLS_MAX)
            add_cell(r, cell);
    }
    r->open = piece->more == REPORT_MORE_OF_CELL;
    if (piece->more == REPORT_WHOLE)
        tell(r, piece->head);
}

void rows_done(struct rows *r)
{
    for (size_t i = 0; i < r->cap; i++)
        buffer_done(&r->cells[i]);
    free(r->cells);
    *r = (struct rows){0};
}
