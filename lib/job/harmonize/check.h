#pragma once
/* What the transform made, checked against what was promised of it, before anything is loaded. */
#include "job/harmonize/harmonize.h"

/* Counts h->quarantined and h->repaired, and the rows of all tables of `out`. A fault names table, column, and how many rows. */
int harmonize_check(struct harmonize *h, int64_t *ret_rows, struct db_fault *fault);
