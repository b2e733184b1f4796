#pragma once
/*
 * One object that somebody delivered, as a source: CSV, a JSON array of objects, or one JSON object a line (NDJSON), packed by
 * gzip or not. Its columns are the ones that were declared, whatever order the object has them in, and a last one, `_more`: a
 * JSON object of what else a row holds, NULL where there is nothing.
 *
 * What is wrong with a row is said of the row (source_row.reason). What is wrong with the whole is a fault with a reason, a word
 * of docs/bad-data.md (object_reason.h), and is never transient. It may come at the end, after rows were handed out: they are
 * to be forgotten.
 */
#include "source/source.h"

struct object_options {
    const char *label; /* for messages: the object's key */
    const char *
        format; /* "csv", "json", "ndjson"; NULL: by the key's end (.csv, .json, .ndjson, .jsonl, before .gz), else by its
                           first bytes */
    const char *const
        *columns; /* a header or member is meant by its exact name, or else without regard to capitals */
    const bool *optional; /* of each column: it may be missing */
    size_t n_columns;
    char delimiter; /* of CSV; 0: found out */
    const char *const *null_tokens;
    size_t n_null_tokens;
    size_t row_max; /* 0: 16 MB */
};

/* path: the object's bytes in a file of this machine. A cell of JSON is its text: a string unescaped, a number as it is written,
 * true and false, null as NULL, an object or array as its JSON. Lines of a JSON array are where each element begins. */
int object_open(const char *path, const struct object_options *options, struct source **ret_source,
    struct source_fault *fault);

/* The columns, or members, that it has beside the declared ones, as far as it was read, and of members OBJECT_OTHERS_MAX at
 * most. Valid until the next row. */
#define OBJECT_OTHERS_MAX 64
const char *const *object_others(const struct source *s, size_t *ret_n);
