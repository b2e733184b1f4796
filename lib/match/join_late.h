#pragma once
/*
 * What is known only later. The left rows of a class that cannot be told apart wait until its right rows have been counted,
 * and those of a group that are left over until it is known whether any of the other side in it was ambiguous. Here they
 * wait, in files; nothing is gathered.
 */
#include "match/join_parts.h"

struct late;

int late_open(struct join *j, struct late **ret_late, struct error *err);
void late_free(struct late *late);
DEFINE_CLEANUP(struct late *, late_freep, late_free)

/* A left row of a class whose rows cannot be told apart. */
int late_left(struct late *late, struct slice bytes, struct error *err);
/* All of the class were put since the one before: n_left of them, and these right ones. level: in which they agree. */
int late_class(
    struct late *late, unsigned level, int64_t n_left, const struct names *rights, struct error *err);
/* A row of either side became ambiguous. */
int late_ambiguous(struct late *late, int side, uint64_t group, struct slice id, struct error *err);
/* A row whose group has no more of the other side. */
int late_over(struct late *late, int side, uint64_t group, const struct match_row *row, struct slice bytes,
    struct error *err);

/* Emits all that waits. */
int late_emit(struct late *late, struct error *err);
