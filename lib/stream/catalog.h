#pragma once
/* Reads a stream's table from the Postgres catalog and holds the stream's column map against it. */
#include "stream/table.h"

struct config_stream;
struct pg_session;

enum catalog_outcome {
    CATALOG_FITS,
    CATALOG_MISFIT, /* the map and the table do not agree, or a right is missing: why says what and what to do
                     */
    CATALOG_LOST,   /* the connection broke, or the server could not answer */
};

/* table: the callee's own when it fits, else NULL. */
typedef void catalog_fn(void *arg, enum catalog_outcome outcome, struct table *table, const char *why);

/* Asks over a ready session and calls fn once. `stream` must live until then. */
void catalog_check(struct pg_session *session, const struct config_stream *stream, catalog_fn *fn, void *arg);
