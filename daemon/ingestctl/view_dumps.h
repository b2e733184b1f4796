#pragma once
/* What a sync did, for a person: from its statistics to lines of text. */
#include "util/buffer.h"

#include <stdbool.h>

struct cJSON;

/* A line a dump, what there is to say about it, and the sum of several. Nothing where there is no "dumps". */
void view_dumps(struct buffer *to, const struct cJSON *stats, bool color);
/* Is this member of the statistics shown there? */
bool view_dumps_has(const struct cJSON *stats, const char *name);
