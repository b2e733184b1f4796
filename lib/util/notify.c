#include "util/notify.h"

#include "util/cleanup.h"
#include "util/clock.h"

#include <fcntl.h>
#include <systemd/sd-daemon.h>

static char **kept_names; /* what sd_listen_fds gave us; a taken one has its name freed */
static int n_kept = -1;

void notify_ready(void)
{
    sd_notify(0, "READY=1");
}

void notify_reloading(void)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_us());
}

void notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void notify_status(const char *line)
{
    static char last[256];
    if (strcmp(last, line) == 0)
        return;
    snprintf(last, sizeof(last), "%s", line);
    sd_notifyf(0, "STATUS=%s", last);
}

long long notify_watchdog_interval(void)
{
    uint64_t us;
    return sd_watchdog_enabled(0, &us) > 0 ? (long long)us : 0;
}

void notify_watchdog(void)
{
    sd_notify(0, "WATCHDOG=1");
}

void notify_keep_fd(const char *name, int fd)
{
    notify_forget_fd(name);
    _cleanup_free_ char *state = xasprintf("FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
    sd_pid_notify_with_fds(0, 0, state, &fd, 1);
}

void notify_forget_fd(const char *name)
{
    sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

int notify_take_fd(const char *name)
{
    if (n_kept < 0) {
        int n = sd_listen_fds_with_names(1, &kept_names);
        n_kept = MAX(n, 0);
    }
    int taken = -1;
    for (int i = 0; i < n_kept; i++)
        if (kept_names[i] && strcmp(kept_names[i], name) == 0) {
            if (taken >= 0)
                close(taken);
            taken = SD_LISTEN_FDS_START + i;
            free(TAKE(kept_names[i]));
        }
    return taken;
}
