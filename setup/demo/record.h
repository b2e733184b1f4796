#pragma once
/* What was published, one JSON object a line: {"stream", "kind", "good", "payload"}, or "payload_base64"
 * where the payload is not UTF-8. */
#include "event.h"

#include "util/error.h"

struct record;

int record_open(const char *path, struct record **ret, struct error *err);
void record_event(struct record *r, const struct event *e);
/* False when not every line could be written. */
bool record_close(struct record *r, struct error *err);
