#pragma once
/* A REST resource of a spec, as the source wants it. */
#include "job/spec.h"
#include "source/rest.h"

/* All but the URL, the key and what the pass is about. It points into the spec. */
struct rest_options rest_options_take(const struct job_rest *rest);
