#pragma once
/* What `ingestctl doctor` asks of Postgres, without a daemon. */
#include <stdbool.h>

struct config;

/*
 * Connects to Postgres, checks our schema and every stream's table as a start would; one line a probe through
 * say(arg, ok, what, words). Returns the number of failed probes. Blocks, a few seconds each at most, and
 * changes nothing but that our own tables are made where they are missing.
 */
int intake_probe(const struct config *config,
    void (*say)(void *arg, bool ok, const char *what, const char *words), void *arg);
