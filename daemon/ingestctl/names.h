#pragma once
/* Names of streams and jobs that were mistyped. */
#include "ctl.h"

/* Says "no job is called …", with the near miss among the daemon's jobs; returns CTL_FAILED. */
int names_say_no_job(struct client *client, const char *name);
/* The same of streams and jobs. */
int names_say_neither(struct client *client, const char *name);
/* As ctl_call(), for a method about one job: parameters has its name in "job". */
int names_call(
    struct client *client, const char *method, struct cJSON *parameters, struct varlink_reply *ret);
