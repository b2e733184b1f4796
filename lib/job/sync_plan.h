#pragma once
/* Which dumps a sync may have to load: from its source, what is loaded already, and the date of today. */
#include "db/db.h"
#include "job/spec.h"
#include "util/date.h"

#define SYNC_DATES_MAX 10000 /* dates that are tried one by one */

struct sync_dump {
    char *url;
    char *name;           /* where it is one of a list; else NULL */
    char *note;           /* what a person should know of the choice; or NULL */
    char date[DATE_SIZE]; /* "": is to be found out */
    bool may_be_missing;  /* a date on which there may have been no dump */
};

struct sync_plan {
    struct sync_dump *dumps; /* in order of date */
    size_t n;
};

/* newest: the as-of of the newest dump that is loaded, or NULL. An index page is fetched. */
int sync_plan_make(const struct job_sync *sync, const char *newest, const char *today,
    struct sync_plan *ret_plan, struct db_fault *fault);
void sync_plan_done(struct sync_plan *plan);
#define _cleanup_sync_plan_ _cleanup_(sync_plan_done)
