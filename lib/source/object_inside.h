#pragma once
/* What the files of an object share: what it was asked for, and how each format makes its rows. */
#include "source/object.h"
#include "source/object_bytes.h"
#include "util/json.h"

struct object {
    struct source source;
    char *label;
    char **columns; /* the declared ones, and "_more" */
    bool *optional;
    size_t n_declared;
    char **null_tokens;
    size_t n_null_tokens;
    char **others; /* what it has beside them */
    size_t n_others;
    struct object_bytes bytes;
    struct source_cell *cells; /* of a row, as many as columns */
    struct buffer more;        /* the last of them */
    int64_t rows;
    bool has_failed;
    struct source_fault failure;

    struct object_reader *reader;
};

/* A format: a struct of functions and a file. */
struct object_reader {
    /* As a source's, but for the counting and for a failure that stays. */
    int (*next)(struct object *o, struct source_row *ret_row, struct source_fault *fault);
    const char *(*raw)(struct object *o, size_t *ret_n);
    void (*free)(struct object *o);
};

/* Set o->reader, which object.c frees: also when they fail. */
int object_open_csv(struct object *o, const struct object_options *options, struct source_fault *fault);
int object_open_json(
    struct object *o, const struct object_options *options, bool is_array, struct source_fault *fault);

/* Refuses it when a column that is not optional is not found, or none at all. what: "header", "rows". */
int object_check_columns(
    const struct object *o, const bool *is_found, const char *what, struct source_fault *fault);
/* "name":, and a comma or brace before it, into o->more; the value is to follow, and in the end "}". */
void object_begin_more(struct object *o, const char *name, size_t n);
/* Sets the last cell. */
void object_end_more(struct object *o);
