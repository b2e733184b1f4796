#pragma once
<<<<<<< HEAD
/* What `ingestctl doctor` asks the servers. */
=======
/* What `ingestctl doctor` asks of Postgres, without a daemon. */
>>>>>>> control
#include <stdbool.h>

struct config;

/*
<<<<<<< HEAD
 * Connects to Postgres, checks our schema and every stream's table as a start would, and probes every source;
 * one line a probe through say(arg, ok, what, words). Returns the number of failed probes. Blocks, a few
 * seconds each at most, and changes nothing but that our own tables are made where they are missing.
=======
 * Connects to Postgres, checks our schema and every stream's table as a start would; one line per probe
 * through say(arg, ok, what, words). Returns the number of failed probes. Blocks at most a few seconds each.
>>>>>>> control
 */
int intake_probe(const struct config *config,
    void (*say)(void *arg, bool ok, const char *what, const char *words), void *arg);
