#pragma once
/* What letters.c and replay.c share: which letters are meant, and how one that was parked is accounted when
 * it ends. */
#include "stream/intake.h"

struct filter_texts {
    char id[24], after[24], limit[24];
    const char *values[6];
};

/* $1 id, $2 stream, $3 state, $4 reason, $5 after, $6 limit; '' and 0 mean any. */
void letter_filter_values(const struct letter_filter *f, struct filter_texts *t);

/* The condition on the letter d that $1 … $4 make. */
#define LETTER_FILTER                                                                                        \
    " ($1::int8 = 0 OR d.id = $1::int8) AND ($2 = '' OR d.stream = $2)"                                      \
    " AND (CASE $3 WHEN '' THEN d.state <> 'dropped' ELSE d.state = $3 END) AND ($4 = '' OR d.reason = $4)"

/* A parked letter had not been accounted: now it has ended, as dead. */
#define ACCOUNT_AS_DEAD                                                                                      \
    " b AS (INSERT INTO {s}.ledger AS l SELECT stream, date_trunc('minute', now()), count(*), 0, 0, "        \
    "count(*)"                                                                                               \
    "  FROM p GROUP BY stream ON CONFLICT (stream, minute) DO UPDATE SET"                                    \
    "  delivered = l.delivered + excluded.delivered, dead = l.dead + excluded.dead)"
