#pragma once
/* What a sync did, dump by dump and in all: its statistics, which `ingestctl` shows and a run keeps. */
#include "job/sync_feed.h"

struct cJSON;

/* What became of a dump, or of a pass. */
struct sync_result {
    const char *status; /* "loaded", "unchanged", "dry-run"; NULL: there is none of that date */
    struct history_counts counts;
    char *notes; /* lines; or NULL */
    int64_t began_us;
};

struct sync_stats {
    const struct job_sync *sync;
    struct cJSON *dumps; /* the last ones */
    struct history_counts sum;
    int64_t began_us;
    size_t n_loaded, n_not_listed;
};

void stats_init(struct sync_stats *s, const struct job_sync *sync);
void stats_add(struct sync_stats *s, const struct sync_feed *f, const struct sync_result *result,
    const struct history *history);
/* To the last dump. */
void stats_note(struct sync_stats *s, const char *note);
/* {"dumps": [{"source", "as_of", "as_of_from", "key", "rows", …, "seconds", "status", "notes",
 * and what the driver adds}], "rows", …, "seconds"}:
 * the sums last. A new object. */
struct cJSON *stats_end(struct sync_stats *s, bool dry_run);
