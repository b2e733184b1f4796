#pragma once
#include "fetch/target.h"

/* Where the bytes of an HTTP wire come from, after redirects; NULL of another wire. */
const struct target *http_target(const struct wire *w);
