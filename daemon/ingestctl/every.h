#pragma once
/* A command's work again and again in the foreground: what a container does that holds one job and no daemon. */
#include <stdint.h>

/*
 * Does the work at once, and then at the multiples of the interval since 1970-01-01T00:00:00Z, as a job's `every` does.
 * What failed (any code but 0) is tried again sooner: after 10 s, 20 s and so on, the interval at most. Says on standard
 * error when it goes on. Ends with SIGINT, SIGTERM or SIGHUP, or when the work was ended by one (CTL_INTERRUPTED); returns the
 * last code.
 */
int every_run(int64_t interval_us, int (*work)(void *arg), void *arg);
