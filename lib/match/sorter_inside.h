#pragma once
/* What the two halves of a sorter share: sorter.c gathers, sorts and writes runs; sorter_merge.c reads and merges them. */
#include "match/run.h"
#include "match/sorter.h"

#define RUNS_MAX 4096 /* more are merged while records are put in */

/* What is known of a record gathered. */
struct sorter_entry {
    uint64_t prefix; /* of its key: the first bytes, as a number that compares as they do */
    uint32_t at;     /* in the arena */
    uint32_t n_key;
};

struct sorter_leaf {
    struct run_reader reader;
    uint64_t prefix;
    bool at_end;
};

/* Several runs read as one: a tree of losers. [0] has the winner, [1 …) who lost there. */
struct sorter_merge {
    size_t n;
    struct sorter_leaf *leaves;
    size_t *tree;
    bool begun; /* the winner was handed out */
};

struct sorter {
    struct run_file file;
    size_t memory;
    struct match_share *share;
    double part;
    int64_t records;

    /* The arena: records from its start on, entries from its end down, and between them room to sort those. */
    char *arena;
    size_t arena_size, arena_used, n_entries;

    struct run_writer writer;
    struct run *runs; /* in the order the records came */
    size_t n_runs;
    struct buffer last_key; /* the greatest of the last run … */
    bool has_last_key;      /* … where it is known, and that run ends where the file does */

    bool reading;
    struct sorter_merge merge;
};

uint64_t sorter_prefix(struct slice key);

/* Merges runs until there are at most so many. */
int sorter_thin(struct sorter *s, size_t n_runs, struct error *err);
/* What was written is ready to be read. */
int sorter_begin_merge(struct sorter *s, struct error *err);
void sorter_end_merge(struct sorter *s);
