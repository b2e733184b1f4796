#pragma once
/* One load under way: what its steps share. The recipe is load.c. */
#include "history/inside.h"
#include "history/merge.h"
#include "history/record.h"
#include "history/rejects.h"
#include "history/screen.h"
#include "util/moment.h"

#define WORK_FEW 20 /* rows rejected, or keys gone, that are never too many */

struct work {
    struct history *h;
    const struct history_load *load;
    struct history_dump dump; /* as far as it is known */
    struct history_counts counts;
    char as_of[MOMENT_SIZE]; /* "" before it is known to be one */
    int64_t started_us, dump_id;
    bool refused, nothing_new;

    size_t *map; /* the column of each of the source's cells */
    size_t *key, *compared, *kept, n_key, n_compared, n_kept;
    enum type *types;      /* as which the columns on record are compared; NULL: text */
    struct source *sample; /* the source once more, its first rows looked at; or NULL */
    struct rejects rejects;
    struct screen screen;

    /* A dump that is not in order, or partial, staged: another connection. */
    struct db *stage;
    struct record staged;
    size_t *staged_map, n_staged;
    struct db_value *staged_values;

    struct db *reader; /* of the rows on record: another connection too */
    struct record record;
    struct merge *merge;

    /* A row on its way into a table: the columns, and what is ours behind them. */
    struct db_value *out;
    char out_line[24], out_dump[24], out_kind[2];
    int64_t differences; /* rows of them so far */
    int64_t told, merged;
    bool waiting; /* `out` is a row that goes into the table once that is wide enough, */
    bool widened; /* and that is it now */

    struct buffer notes;
};

void work_done(struct work *w);

/* Writes the fault, and that it is our decision, not a failure. Returns -1. */
int work_refuse(struct work *w, struct db_fault *fault, const char *fmt, ...) _printf_(3, 4);
/* Says every now and then how far it is; rows: of the stage. */
void work_tell(struct work *w, const char *stage, int64_t rows);
/* The source has ended: what is known only now; and whether too many rows were rejected. */
int work_complete(struct work *w, struct db_fault *fault);
/* The merge of the dump, staged if need be, with what is on record. */
int work_begin_merge(struct work *w, bool on_record, struct db_fault *fault);
/* Its next event that is not a duplicate: those go to the rejects here; nor the end of a key whose row could not be
 * taken. */
int work_next_event(struct work *w, struct merge_event *ret_event, struct db_fault *fault);
/* The values of one event, for db_load, and the line behind them at [at]. */
void work_put_row(struct work *w, const struct merge_event *e, size_t at);

/* stage.c: the dump goes into a temporary table; its rows come back in order. */
int work_stage(struct work *w, struct db_fault *fault);
int work_read_stage(struct work *w, struct db_fault *fault);
int work_staged_next(void *arg, struct merge_row *ret_row, struct db_fault *fault);

/* keys.c: between the two, the keys of a partial dump go where the record is read; the marks {n=k} and {k.cols}. */
int work_take_keys(struct work *w, struct db_fault *fault);
/* typed.c: nothing is done where the database keeps no types. Those that are given, before a row is taken. */
int work_give_types(struct work *w, bool known, struct db_fault *fault);
/* Those of a first dump, out of its first rows. */
int work_sample(struct work *w, struct db_fault *fault);
/* The key's type out of the first rows of a later dump, where no dump before had a row; */
int work_sample_again(struct work *w, struct db_fault *fault);
/* this one has none either: its key has no type yet. */
void work_forget_key(struct work *w);
/* The cells of an added or changed row; false: a column has to be widened for them. */
bool work_see(struct work *w, const struct merge_event *e);
/* All rows are seen: what the columns become, and the notes of it. */
int work_decide_types(struct work *w, struct db_fault *fault);

/* first.c, delta.c: all from here to the commit. */
int work_first_load(struct work *w, struct db_fault *fault);
int work_next_load(struct work *w, struct db_fault *fault);

/* transaction.c: around what the two of them do. In begin the columns and tables are made, and the dump's number is known. */
struct tables;
int work_begin(struct work *w, struct tables *ret_tables, struct db_fault *fault);
int work_commit(struct work *w, struct db_fault *fault);
