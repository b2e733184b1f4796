#pragma once
/*
 * How far this machine has seen the lake: a file beside the run's folder with the number of the newest pointer. A lake that is less far is not
 * the one of before: a folder that is not mounted, an old copy that was put back. What begins there would give ids that others have.
 */
#include "job/harmonize/harmonize.h"

/* After the pointer was read: a lake that is behind is a fault. */
int seen_check(const struct harmonize *h, struct db_fault *fault);
/* The pointer is number h->published now. What cannot be written down is a note. */
void seen_keep(struct harmonize *h);
