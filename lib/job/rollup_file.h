#pragma once
/*
 * The SQL file of a rollup: sections, each begun by a line `-- name: WORD`, in which {table} and its like stand for
 * the job's own names. docs/rollup.md is for those who write one.
 */
#include "util/error.h"

enum rollup_section {
    ROLLUP_READY,
    ROLLUP_PREPARE,
    ROLLUP_SETTINGS,
    ROLLUP_TOUCHED,
    ROLLUP_COMPUTE,
    N_ROLLUP_SECTIONS
};

/* What the file is read for. */
struct rollup_names {
    const char *job;
    const char *table;     /* [schema.]table it fills */
    const char *schema;    /* of our own tables */
    const char *time_zone; /* goes into {version} alone */
};

struct rollup_file {
    /* Ready to be sent, NULL where there is none. Each begins with as many empty lines as are before it in the
     * file, so that the server counts lines as a person does. */
    char *text[N_ROLLUP_SECTIONS];
    int line[N_ROLLUP_SECTIONS];         /* of `-- name:` */
    int n_parameters[N_ROLLUP_SECTIONS]; /* the highest $n that it uses */
};

/* "ready", "prepare" and so on. */
const char *rollup_section_to_string(enum rollup_section section);

/* path is for messages, which say "path:line: …". */
int rollup_file_parse(const char *path, const char *text, const struct rollup_names *names,
    struct rollup_file *ret_file, struct error *err);
void rollup_file_done(struct rollup_file *f);
#define _cleanup_rollup_file_ _cleanup_(rollup_file_done)
