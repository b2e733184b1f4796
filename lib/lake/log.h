#pragma once
/*
 * What a table's log comes to: its actions, taken one after the other (PROTOCOL.md, "Action Reconciliation"). Log entries are
 * JSON, one action a line, written by whoever may write into the lake: nothing in them is believed.
 */
#include "lake/lake.h"
#include "util/buffer.h"

#define LOG_ENTRY_MAX ((size_t)32 << 20) /* bytes of one entry */
#define LOG_STATE_MAX ((size_t)64 << 20) /* bytes of what is kept of all */

/* The newest that the log says of a path: it is there, or it was removed. */
struct log_file {
    struct lake_file file;
    bool there;
    int64_t removed_ms;
};

struct log_state {
    void *tree; /* tsearch(3) of struct log_file, by the decoded path */
    size_t n_there, n_files;
    size_t bytes; /* roughly, of what is kept */

    int64_t reader, writer; /* of the protocol; 0: no protocol yet */
    char *id;               /* NULL: no metaData yet */
    char *schema;           /* JSON */
    char *name, *description;
    char *configuration; /* JSON; "{}" */
    int64_t created_ms;
    bool append_only;
    bool others; /* it holds what is not kept here, and a checkpoint must: txn, domainMetadata */
};

void log_state_done(struct log_state *s);

/* Takes a text of actions, a line each. What it does not know is passed over; what it cannot take is an error that names the
 * line: no JSON, values of another type, a path outside of the table, a protocol or a table that we must not touch. */
int log_take(struct log_state *s, struct slice text, struct error *err);

/* Those that are there, or (there false) those that were removed, by their paths. fn returns false to end it. */
typedef bool log_each_file(void *arg, const struct log_file *f);
void log_each(const struct log_state *s, bool there, log_each_file *fn, void *arg);
/* NULL: it never was in the log. */
const struct log_file *log_find(const struct log_state *s, const char *path);

/* The path as a log entry writes it, a new string. */
char *log_encode_path(const char *path);
