#pragma once
/*
 * A zone of the tz database (IANA), as the C library reads it: what its clocks show at an instant, and which
 * instants a clock time has. Instants are seconds since 1970-01-01T00:00:00Z; a local time is written the same
 * way, as if it were UTC, so that arithmetic on days and minutes needs no calendar.
 *
 * The C library knows one zone at a time, the process' own: looking up a year of another changes TZ for that
 * moment and puts it back. What was found is kept, in the zone too where it is const. For one thread.
 */
#include "util/error.h"

#include <stdint.h>

struct zone;

/* "UTC", "Europe/Berlin". An unknown one is an error. */
int zone_open(const char *name, struct zone **ret_zone, struct error *err);
void zone_free(struct zone *z);
DEFINE_CLEANUP(struct zone *, zone_freep, zone_free)
const char *zone_name(const struct zone *z);

/* What the clocks show at the instant. Nothing is known of times 5,000 years away or more: here and below they
 * count as the last that are. */
int64_t zone_local(const struct zone *z, int64_t instant);
/* The instants at which clocks show the local time, earliest first: none (skipped in spring), one, or two. */
int zone_instants(const struct zone *z, int64_t local, int64_t ret_instants[2]);

/* The instant at which clocks first show the local time or, where it was skipped, the instant of the change. */
int64_t zone_reached(const struct zone *z, int64_t local);
/* The latest local time that clocks have shown up to the instant: in the second of two doubled hours, and for
 * as long as they were put back, the end of the first. */
int64_t zone_latest(const struct zone *z, int64_t instant);

/* Time [from, to) in which local is instant + offset. Neighbours may have the same offset. */
struct zone_span {
    int64_t from, to;
    int64_t offset;
};
/* The one that holds the instant. */
struct zone_span zone_span_at(const struct zone *z, int64_t instant);
