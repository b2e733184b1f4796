#include "every.h"

#include "ctl.h"
#include "util/clock.h"
#include "util/text.h"

#include <signal.h>
#include <time.h>

#define FIRST_RETRY_US (10 * US_PER_SEC)
#define NAP_US         (60 * US_PER_SEC) /* the clock may be set meanwhile */

static int64_t next_multiple(int64_t interval_us)
{
    return (clock_wall_us() / interval_us + 1) * interval_us;
}

/* After so many failures in a row, unless the next multiple comes before. */
static int64_t next_try(int64_t interval_us, int failures)
{
    int64_t wait = FIRST_RETRY_US << MIN(failures - 1, 20);
    return MIN(clock_wall_us() + MIN(wait, interval_us), next_multiple(interval_us));
}

static void say_when(int64_t at_us, bool again)
{
    char when[40];
    clock_format_utc(at_us, when, sizeof(when));
    fflush(stdout);
    fprintf(stderr, "%s at %s\n", again ? "tried again" : "next", when);
}

/* False when a signal told us to end. They are blocked, so that none is lost, and a container's first process has them too.
 * Longer than most is not waited for: the clock was set back then. */
static bool wait_until(int64_t at_us, int64_t most_us, const sigset_t *ends)
{
    for (int64_t left; (left = at_us - clock_wall_us()) > 0 && left <= most_us;) {
        int64_t nap = MIN(left, NAP_US);
        const struct timespec time = {nap / US_PER_SEC, nap % US_PER_SEC * 1000};
        if (sigtimedwait(ends, NULL, &time) > 0)
            return false;
    }
    return true;
}

int every_run(int64_t interval_us, int (*work)(void *arg), void *arg)
{
    sigset_t ends, before;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, &before);
    int code, failures = 0;
    for (bool on = true; on;) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        code = work(arg);
        sigprocmask(SIG_BLOCK, &ends, NULL);
        if (code == CTL_INTERRUPTED)
            break;
        failures = code == CTL_DONE ? 0 : failures + 1;
        int64_t at_us = failures ? next_try(interval_us, failures) : next_multiple(interval_us);
        say_when(at_us, failures > 0);
        on = wait_until(at_us, interval_us, &ends);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return code;
}
