#pragma once
/*
 * The life of a key: from the rows that the worker reports (lib/job/life.c) to JSON, and from that to lines of text.
 *
 *   {"dataset", "key": {header: cell}, "versions": [{"valid_from", "valid_to", "opened_by", "closed_by", "opened_dump":
 *   {"id", "source"}, "closed_dump": …, "line", "values": {header: cell}}], "changes": [{"as_of", "what", "dump", "line",
 *   "columns": {header: {"from", "to"}}}]}
 */
#include "util/buffer.h"

#include <stdbool.h>

struct cJSON;
struct life;

struct life *life_new(void);
void life_free(struct life *l);
DEFINE_CLEANUP(struct life *, life_freep, life_free)

/* As of struct rows: first the columns' headers, then their names in the table, then the versions. */
void life_row(void *arg, bool head, size_t n, const char *const *cells);
bool life_is_empty(const struct life *l);
/* The header of the column that is meant by what was typed, a header or a name; NULL when there is none, and then
 * *ret_near is one that is near it, or NULL. */
const char *life_column(const struct life *l, const char *typed, const char **ret_near);

/* stats: of the worker. column: a header, or NULL for all. A new object. */
struct cJSON *life_to_json(const struct life *l, const struct cJSON *stats, const char *column);
/* The version that held at a moment, or at the end of a day, as {"dataset", "key", "as_of", "version"}; NULL where none did. */
struct cJSON *life_as_of(
    const struct life *l, const struct cJSON *stats, const char *column, const char *date);

void view_life(struct buffer *to, const struct cJSON *life, bool color);
void view_life_as_of(struct buffer *to, const struct cJSON *answer, bool color);
