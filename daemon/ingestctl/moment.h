#pragma once
/* The times that people type. */
#include <stdbool.h>

#define MOMENT_FORMS "a time is 2026-01-02T03:04:05Z, or 2026-01-02 03:04:05 as this machine's clocks show it"

/*
 * "2026-01-02T03:04:05+01:00", or "2026-01-02", "2026-01-02 03:04", "2026-01-02 03:04:05" in local time, to
 * RFC 3339 in UTC. Of a local time that there is twice, in autumn, the first is meant. False when it is none
 * of these, or no time at all (31 February, or skipped in spring).
 */
bool moment_parse(const char *text, char ret[40]);
