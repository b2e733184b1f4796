#pragma once
/*
 * What we tell the service manager, and the descriptors it keeps for us over a restart (sd_notify(3),
 * sd_pid_notify_with_fds(3), sd_listen_fds(3)). Without a manager every call does nothing.
 */
#include <stdbool.h>

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
/* The one line `systemctl status` shows. Sent only when it changed. */
void notify_status(const char *line);
/* How often the watchdog wants to be fed, in microseconds; 0 when there is none. */
long long notify_watchdog_interval(void);
void notify_watchdog(void);

/* Gives a copy of fd to the manager under a name of [a-z0-9.-], replacing an older one of that name. */
void notify_keep_fd(const char *name, int fd);
void notify_forget_fd(const char *name);
/* The descriptor kept under that name before our restart, now the caller's own; -1 when there is none. */
int notify_take_fd(const char *name);
