#pragma once
/* Dates and times of ISO 8601, in the one long form, to Postgres' binary forms: days or microseconds since
 * 2000-01-01. */
#include "stream/reason.h"
#include "stream/table.h"
#include "util/buffer.h"

/* The column's kind says which is wanted: "2024-05-01" for a DATE; "2024-05-01T08:00:00", with a blank for
 * the T and with decimals if one likes, for a TIMESTAMP; the same and a zone (Z, +02, +02:00) for a
 * TIMESTAMPTZ. On refusal `out` is as it was. */
enum reason datetime_append(
    struct buffer *out, const struct column *c, struct slice text, char detail[DETAIL_MAX]);
/* Unix microseconds as a timestamptz. False when Postgres has no such time. */
bool datetime_append_unix(struct buffer *out, int64_t unix_us);
