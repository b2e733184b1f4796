#pragma once
/* The status for a person: from the daemon's answer to lines of text. */
#include "util/buffer.h"

#include <stdbool.h>
#include <stdint.h>

#include "grid.h"

struct cJSON;

/* The head line, a line a stream, a line a job, Postgres, and what is wrong with what to do about it. */
void view_status(struct buffer *to, const struct cJSON *status, bool color);
/* A block a stream, with everything that is known. */
void view_streams(struct buffer *to, const struct cJSON *streams, bool color);
/* True when the status says HEALTHY. */
bool view_is_healthy(const struct cJSON *status);

/* A count with its separators; "-" for -1, which is "not known". */
const char *view_count(double n, char out[28]);
/* How far a run is: "3 of 10 windows", "12.0 MB of 24.0 MB"; "" where it counts nothing. */
const char *view_progress(const struct cJSON *progress, char out[96]);
/* "3h 12m", "45s". */
const char *view_seconds(double s, char out[32]);
/* "2026-01-02T03:04:05.678Z" as the clock on the wall shows it, with the date when it is not of today. */
const char *view_time(const char *rfc3339, char out[32]);
/* A time in a list, in short: with its date when it is not of the day of the one before it (NULL: of today),
 * and with its seconds when there are any. */
const char *view_firing(const char *rfc3339, const char *before, char out[32]);
/* How many seconds ago it was; below 0 when it is yet to come, 0 for what is no time. */
double view_age(const char *rfc3339);
/* "03:00:00 to 03:10:00": the second with its date only when that is another. */
const char *view_span(const char *from, const char *to, char out[80]);
/* How a state, a status or a severity is written. */
enum style view_style(const char *state);
/* What a run shows of its rows (`sample` of its statistics), each as JSON on a line; nothing where there are none. */
void view_sample(struct buffer *to, const char *heading, const struct cJSON *stats);
