#include "match/row.h"

/*
 * The bytes: the number, the activity, then of each cell its length and one (0: NULL) and its text. Numbers are varints:
 * seven bits a byte, the lowest first, the top bit where more follow.
 */
#define VARINT_MAX 10

const char *const match_outcomes[5] = {
    [MATCH_MATCHED] = "matched",
    [MATCH_AMBIGUOUS] = "ambiguous",
    [MATCH_LEFT_ONLY] = "left_only",
    [MATCH_RIGHT_ONLY] = "right_only",
    [MATCH_REJECTED] = "rejected",
};

static void put_number(struct buffer *to, uint64_t v)
{
    unsigned char bytes[VARINT_MAX];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (unsigned char)(v | 0x80);
    bytes[n++] = (unsigned char)v;
    buffer_put(to, bytes, n);
}

/* False: it ends too soon, or is more than 64 bits. */
static bool take_number(struct slice *from, uint64_t *ret)
{
    uint64_t v = 0;
    for (size_t i = 0; i < from->n && i < VARINT_MAX; i++) {
        unsigned char byte = (unsigned char)from->p[i];
        if (i == VARINT_MAX - 1 && byte > 1)
            return false;
        v |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *from = (struct slice){from->p + i + 1, from->n - i - 1};
            *ret = v;
            return true;
        }
    }
    return false;
}

bool match_row_put(struct buffer *to, const struct match_row *row)
{
    size_t most = VARINT_MAX + 1;
    for (size_t i = 0; i < row->n_cells; i++)
        most += VARINT_MAX + row->cells[i].n;
    if (!buffer_reserve(to, most))
        return false;
    put_number(to, (uint64_t)row->number);
    put_number(to, row->activity);
    for (size_t i = 0; i < row->n_cells; i++) {
        const struct source_cell *cell = &row->cells[i];
        put_number(to, cell->p ? (uint64_t)cell->n + 1 : 0);
        buffer_put(to, cell->p, cell->p ? cell->n : 0);
    }
    return true;
}

static bool take_cell(struct slice *from, struct source_cell *ret_cell)
{
    uint64_t n;
    if (!take_number(from, &n) || (n && n - 1 > from->n))
        return false;
    *ret_cell = n ? (struct source_cell){from->p, (size_t)n - 1} : (struct source_cell){0};
    *from = (struct slice){from->p + ret_cell->n, from->n - ret_cell->n};
    return true;
}

bool match_row_get(struct slice bytes, size_t n_cells, struct source_cell *cells, struct match_row *ret_row)
{
    uint64_t number, activity;
    if (!take_number(&bytes, &number) || number > INT64_MAX)
        return false;
    if (!take_number(&bytes, &activity) || activity > ACTIVITY_UNREADABLE)
        return false;
    for (size_t i = 0; i < n_cells; i++)
        if (!take_cell(&bytes, &cells[i]))
            return false;
    if (bytes.n > 0)
        return false;
    *ret_row = (struct match_row){(int64_t)number, (enum match_activity)activity, n_cells, cells};
    return true;
}
