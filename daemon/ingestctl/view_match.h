#pragma once
/* What a match found, for a person: from its statistics to lines of text. */
#include "util/buffer.h"

#include <stdbool.h>

struct cJSON;

/* Time and matches, the account of both sides, some rows and the table. Nothing where it is no match. */
void view_match(struct buffer *to, const struct cJSON *stats, bool color);
/* Is this member of the statistics shown there? */
bool view_match_has(const struct cJSON *stats, const char *name);
