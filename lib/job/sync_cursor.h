#pragma once
/*
 * Where the next pass over a REST resource by cursor begins, as it is on record with the last:
 * {"updated":"updated_at","since":"2026-11-21T13:45:10","fields":["id","updated_at"]}; with no `fields` all members were
 * kept. It is of use as long as `updated` is the same, and no member is to be kept that was not before.
 */
#include "job/spec.h"

/* A new string; NULL where there is no since. */
char *sync_cursor_write(const struct job_rest *rest, const char *since);

/* A new string: why no pass can begin there; else NULL, and *ret_since is a new string. */
char *sync_cursor_read(const struct job_rest *rest, const char *cursor, char **ret_since);
