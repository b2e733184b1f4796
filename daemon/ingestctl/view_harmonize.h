#pragma once
/* What a harmonize did, for a person: from its statistics to lines of text. */
#include "util/buffer.h"

#include <stdbool.h>

struct cJSON;

/* Its stages, sources and tables, what was quarantined and why, and notes. Nothing where it is no harmonize. */
void view_harmonize(struct buffer *to, const struct cJSON *stats, bool color);
/* Is this member of the statistics shown there? */
bool view_harmonize_has(const struct cJSON *stats, const char *name);
