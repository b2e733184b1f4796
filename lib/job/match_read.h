#pragma once
/* Both sides of a match are read at once, each by a thread of its own, into files of the match's folder. */
#include "db/db.h"
#include "job/match_state.h"
#include "job/spec.h"
#include "match/side.h"

struct match_reader;

enum { MATCH_LEFT, MATCH_RIGHT };

struct match_reading {
    const struct job_spec *spec;
    int64_t report_day;
    struct match_state *state;
    struct cJSON *notes;             /* gets what is odd about the sources */
    struct match_reader *readers[2]; /* left, right */
    bool resumed;                    /* something that an earlier run staged was taken, */
    bool had_all;                    /* and it was all there is */
};

/* Reads what is not staged yet. The first fault of a side is told; the other one stops soon then. */
int match_read(struct match_reading *all, struct db_fault *fault);
/* After that: neither side may be without rows, what decides must be there, and where it was gone on with none may be missing. */
int match_check_read(const struct match_reading *all, struct db_fault *fault);
void match_reading_done(struct match_reading *all);
#define _cleanup_match_reading_ _cleanup_(match_reading_done)

struct match_side *match_reader_side(const struct match_reader *r);

/* Of a REST side, by all runs that read it. */
struct match_requests {
    int64_t pages, requests, again;
};
/* False: it is none. */
bool match_reader_requests(const struct match_reader *r, struct match_requests *ret_requests);
