#pragma once
/*
 * Two sides of people for the tests of the join, and what becomes of them as lines: "OUTCOME REASON LEFT RIGHT", with "-" for
 * a side that is not there, and of an ambiguous one " of N: ID ID …". Lines are sorted, so that they can be compared.
 */
#include "../util/suite.h"
#include "match/join.h"

#define TIES_MAX 3

struct person {
    char id[32];
    const char *key;            /* NULL: none */
    const char *ties[TIES_MAX]; /* NULL: no value */
    bool dropped;
};

struct people {
    struct person *list;
    size_t n;
    double fraction; /* of its share */
    int64_t peak;    /* what was held of it */
};

struct lines {
    char **list;
    size_t n;
    size_t fail_at; /* emitting fails when there are as many; 0: never */
};
void lines_add(struct lines *lines, const char *line); /* copies it */
void lines_sort(struct lines *lines);
void lines_done(struct lines *lines);
/* Fails the test where they differ. */
void lines_compare(const struct lines *got, const struct lines *wanted);

extern const char *const tie_names[TIES_MAX];

/* Joins them in a folder of its own, of which nothing is left. What match_join() returned; the lines are sorted. */
int people_join(struct people sides[2], size_t n_ties, struct lines *ret_lines,
    struct join_counts *ret_counts, struct error *err);
