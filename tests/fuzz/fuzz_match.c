/*
 * What the match job makes of values, and reads back from its files. The first byte chooses the ways to normalise, the
 * second how many cells a row has; the rest is a value, a date, and the bytes of a row. Held true: what was normalised
 * stays as it is; UTF-8 stays UTF-8; a row that can be read points into its bytes, and is the same when it is put again.
 */
#include "match/row.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void normalise(struct slice value, unsigned normal)
{
    _cleanup_buffer_ struct buffer once = {0}, twice = {0};
    must(normal_put(&once, value, normal));
    must(text_is_utf8(once.p, once.n) == text_is_utf8(value.p, value.n));
    must(normal_put(&twice, (struct slice){once.p, once.n}, normal));
    must(once.n == twice.n && (once.n == 0 || memcmp(once.p, twice.p, once.n) == 0));
}

static void read_row(struct slice bytes, size_t n_cells)
{
    struct source_cell cells[16], again[16];
    struct match_row row, back;
    if (!match_row_get(bytes, n_cells, cells, &row))
        return;
    for (size_t i = 0; i < n_cells; i++)
        must(cells[i].p ? cells[i].p >= bytes.p && cells[i].p + cells[i].n <= bytes.p + bytes.n
                        : cells[i].n == 0);
    _cleanup_buffer_ struct buffer b = {0};
    must(match_row_put(&b, &row));
    must(match_row_get((struct slice){b.p, b.n}, n_cells, again, &back));
    must(row.number == back.number && row.activity == back.activity);
    for (size_t i = 0; i < n_cells; i++)
        must(!cells[i].p == !again[i].p && cells[i].n == again[i].n &&
             (cells[i].n == 0 || memcmp(cells[i].p, again[i].p, cells[i].n) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n < 2)
        return 0;
    struct slice rest = {(const char *)bytes + 2, n - 2};
    int64_t day;
    if (!memchr(rest.p, 0, rest.n))
        normalise(rest, bytes[0] & 0x1f);
    if (match_day(rest, &day))
        must(day >= -719162 && day <= 2932896);
    match_activity(rest, 17199, 30);
    read_row(rest, bytes[1] & 15);
    return 0;
}
