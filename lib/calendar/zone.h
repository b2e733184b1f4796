#pragma once
/*
 * A zone of the tz database (IANA), as the C library reads it: what its clocks show at an instant, and which
 * instants a clock time has. Instants are seconds since 1970-01-01T00:00:00Z; a local time is written the same
 * way, as if it were UTC, so that arithmetic on days and minutes needs no calendar.
 */
#include "util/error.h"

#include <stdint.h>

struct zone;

/* "UTC", "Europe/Berlin". An unknown one is an error. */
int zone_open(const char *name, struct zone **ret_zone, struct error *err);
void zone_free(struct zone *z);
DEFINE_CLEANUP(struct zone *, zone_freep, zone_free)
const char *zone_name(const struct zone *z);

/* What the clocks show at the instant. */
int64_t zone_local(const struct zone *z, int64_t instant);
/* The instants at which clocks show the local time, earliest first: none (skipped in spring), one, or two. */
int zone_instants(const struct zone *z, int64_t local, int64_t ret_instants[2]);
