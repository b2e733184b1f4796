#pragma once
/* What is loaded into each table of the lake: of the job's tables the rows of `out`, of quarantine and delivery views of ours. */
#include "job/harmonize/harmonize.h"

/* The schema of what we give to the lake beside the tenant's tables; nobody's SQL is to trip over the name. */
#define LOAD_OWN "ingestd_load"

/* Is the nth table of h->tables one of those two? */
bool load_is_own(const struct harmonize *h, size_t i);
/* What its rows are in, as SQL names it; a new string. */
char *load_rows_of(const struct harmonize *h, size_t i);
/* load_own.c: makes the views. */
int load_make_own(struct harmonize *h, struct db_fault *fault);
