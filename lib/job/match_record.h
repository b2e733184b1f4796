#pragma once
/* A result of a match as it waits for the load, and as the row of the table that it becomes. */
#include "db/load.h"
#include "job/match_columns.h"
#include "match/row.h"

struct match_record;

/* match: the caller's. */
struct match_record *match_record_new(const struct job_match *match, const char *report_date);
void match_record_free(struct match_record *r);
DEFINE_CLEANUP(struct match_record *, match_record_freep, match_record_free)

/* A row that was rejected: of which side (its name), and as it came. */
struct match_reject {
    const char *side;
    struct slice raw;
};

/* Its bytes, valid until the next call. reject: of a rejected row, else NULL. */
int match_record_make(struct match_record *r, const struct match_result *result,
    const struct match_reject *reject, struct slice *ret_bytes, struct error *err);
/* A value for each column of the table, valid as long as the bytes and until the next call. False: the file is damaged. */
bool match_record_read(struct match_record *r, struct slice bytes, const struct db_value **ret_values);
