#pragma once
/* A job's work done here and now: what the daemon would tell a worker, without a daemon, and on no record. */
#include "ctl.h"

/* The configuration is the one that ctl names. The exit code. */
int run_local(const struct ctl *ctl, const struct command *self, const char *job, bool dry_run);
