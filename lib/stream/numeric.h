#pragma once
/* Exact decimals: a number's own text to Postgres' numeric, with no double between. */
#include "stream/reason.h"
#include "stream/table.h"
#include "util/buffer.h"

/* Appends length and binary form. number has JSON's grammar. Rounded to the column's scale, half away from
 * zero, as the server does on assignment. REASON_OUT_OF_RANGE when it does not fit: `out` is as it was. */
enum reason numeric_append(
    struct buffer *out, const struct column *c, struct slice number, char detail[DETAIL_MAX]);
/* Can a numeric without limits hold it? */
bool numeric_fits(struct slice number);
