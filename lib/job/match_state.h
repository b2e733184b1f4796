#pragma once
/*
 * What a match has staged, so that a run that was killed is gone on with by the next one: a folder of ours alone, a lock on it
 * that the process holds, and a manifest that is replaced as a whole. What another configuration or date has staged, and
 * what is older than a day, is not gone on with.
 */
#include "util/error.h"

#include <stdbool.h>

struct cJSON;
struct match_state;

/* The parts of the manifest. */
enum match_part { MATCH_PART_LEFT, MATCH_PART_RIGHT, N_MATCH_PARTS };

/* Makes the folder and takes the lock. fingerprint: of all that what is staged depends on. ret_busy: another process has the
 * lock. notes: an array of strings, which gets why what an earlier run has staged is not gone on with. */
int match_state_open(const char *folder, const char *fingerprint, struct cJSON *notes,
    struct match_state **ret_state, bool *ret_busy, struct error *err);
void match_state_free(struct match_state *s);
DEFINE_CLEANUP(struct match_state *, match_state_freep, match_state_free)

/* What an earlier run saved; NULL: nothing. Valid until the part is saved again. */
const struct cJSON *match_state_part(const struct match_state *s, enum match_part part);
/* Replaces it, on the disk for good; saved is taken. Threads may call it at once, each with a part of its own. */
int match_state_save(struct match_state *s, enum match_part part, struct cJSON *saved, struct error *err);
/* The part is as if it had never been saved. A thread may, as above. */
void match_state_forget(struct match_state *s, enum match_part part);
/* Removes all that is staged: it begins anew. */
void match_state_clear(struct match_state *s);

/* SHA-256 of it, in hex. */
#define MATCH_FINGERPRINT_SIZE 65
void match_fingerprint(const char *text, char ret[MATCH_FINGERPRINT_SIZE]);
