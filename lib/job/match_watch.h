#pragma once
/* A source that is watched: in which of its columns there was ever a value. What is never there may be misspelt. */
#include "source/source.h"

struct cJSON;

/* The source is taken, and freed with it. seen: columns of which an earlier run saw a value; an array of names, or NULL. */
struct source *watch_source(struct source *source, const struct cJSON *seen);
/* The source within. */
struct source *watched(const struct source *watch);
/* Those so far; a new array. */
struct cJSON *watch_seen(const struct source *watch);
