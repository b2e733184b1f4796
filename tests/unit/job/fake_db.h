#pragma once
/* A database that keeps what it is told and answers what the test wants; in place of lib/db. */
#include "db/db.h"

struct fake_answer {
    const char *begins;   /* of the statements it is for; the first that fits counts */
    const char *sqlstate; /* of its failure, "" a lost connection; NULL: it succeeds */
    const char *tag;      /* told once before, NULL: not */
    const char *value;    /* of db_value; told as the second value of a row to a sink */
};

extern const char *fake_driver; /* "postgres" or "mysql" */
extern const struct fake_answer *fake_answers;
extern size_t n_fake_answers;
extern char fake_said[4096]; /* "open|BEGIN|…|close" */
extern struct db_options fake_options;

void fake_start(const char *driver, const struct fake_answer *answers, size_t n);
