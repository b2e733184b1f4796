#pragma once
/* The Prometheus text form (0.0.4) of what Status answers. */
#include "util/buffer.h"

struct cJSON;

void metrics_write(struct buffer *to, const struct cJSON *status);
