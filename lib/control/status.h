#pragma once
/* What the daemon says about itself: one builder for the Status method, /healthz and the metrics. */
#include "control/control.h"

struct cJSON;

/* The answer of Status, as interface.c describes it. The caller frees it with cJSON_Delete. */
struct cJSON *status_build(const struct control_daemon *daemon);
/* Its "streams" and "conditions" alone: arrays. */
struct cJSON *status_streams(const struct control_daemon *daemon);
struct cJSON *status_conditions(const struct control_daemon *daemon);
/* Adds "jobs", "leader", "leads" and "workers": Jobs' answer, and a part of Status'. */
void status_add_jobs(struct cJSON *to, const struct control_daemon *daemon);
/* HEALTHY, DEGRADED, FAILED or STOPPING. */
const char *status_state(const struct control_daemon *daemon);
