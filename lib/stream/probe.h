#pragma once
/* What `ingestctl doctor` asks of Postgres, without a daemon. */
#include <stdbool.h>

struct config;

/*
 * Connects to Postgres, checks our schema and every stream's table as a start would; one line per probe
 * through say(arg, ok, what, words). Returns the number of failed probes. Blocks at most a few seconds each.
 */
int intake_probe(const struct config *config,
    void (*say)(void *arg, bool ok, const char *what, const char *words), void *arg);
