#pragma once
/*
 * How a stage of a run went, from the worker that ended it to whoever waits for the run: a member of a report, of a run under
 * way, and of its statistics, always as {"name", "outcome", "rows", "bytes", "us", "attempts", "error"}.
 */
#include "util/buffer.h"

#include <stdbool.h>
#include <stdint.h>

struct cJSON;

#define STAGES_TOLD_MAX 64 /* a run: who tells more is not heard */

enum stage_outcome {
    STAGE_DONE,
    STAGE_FAILED, /* for good, or after the last attempt: the run fails with it */
    STAGE_AGAIN,  /* this attempt failed, and another follows */
};
const char *stage_outcome_to_string(enum stage_outcome o);

struct stage_told {
    char name[24]; /* "extract" */
    enum stage_outcome outcome;
    int64_t rows, bytes, us;
    int64_t attempts; /* so far, this one too */
    char error[512];  /* why not; "" when done. One line, nothing that a terminal would obey */
};

/* A new object. */
struct cJSON *stage_told_json(const struct stage_told *s);
/* False when the object is none, and then in *ret_member which member is no good. */
bool stage_told_read(const struct cJSON *object, struct stage_told *ret, const char **ret_member);
/* "load: 1,500,000 rows, 41.2 MB in 2.1s". */
void stage_told_words(const struct stage_told *s, struct buffer *to);
