#pragma once
/*
 * The left rows of a class that cannot be told apart wait until its right rows have been counted: here, in files; nothing is
 * gathered.
 */
#include "match/join_parts.h"

struct late;

int late_open(struct join *j, struct late **ret_late, struct error *err);
void late_free(struct late *late);
DEFINE_CLEANUP(struct late *, late_freep, late_free)

/* A left row of a class whose rows cannot be told apart. */
int late_left(struct late *late, struct slice bytes, struct error *err);
/* The n_left ones since the class before are of one class, which has these right ones. level: in which they agree. */
int late_class(
    struct late *late, unsigned level, int64_t n_left, const struct names *rights, struct error *err);
/* Emits all that waits. */
int late_emit(struct late *late, struct error *err);
