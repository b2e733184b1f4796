#pragma once
/*
 * The second step of a transaction: what became of a batch's entries goes into the letters and the ledger. The
 * statements are in stream/books.c; here their parameters are made and their answers read.
 */
#include "pg/session.h"
#include "stream/batch.h"
#include "stream/refusal.h"

/* What one transaction did. */
struct outcome {
    int64_t delivered, inserted, duplicate, dead; /* the ledger's change */
    int64_t parked;                               /* change in the number of parked letters */
    int64_t dead_letters;                         /* change in the number of dead letters */
    int64_t took_us;                              /* from sending to committed */
};

struct account {
    const char *stream;
    const char *was; /* NULL: entries from the source; "dead" or "parked": letters that had that state */
    struct batch *batch;
    size_t from, to;  /* the items */
    int64_t inserted; /* how many of them the table took */
    const struct refusals *refusals;
};

/* Sends the statement; fn is called with its result. */
void account_send(const struct account *a, struct pg_session *session, pg_reply_fn *fn, void *arg);
/* What it did, from that result. */
void account_read(const struct account *a, const PGresult *res, struct outcome *ret);
