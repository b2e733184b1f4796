#pragma once
/*
 * A child process that leads a process group of its own, with pipes on its standard descriptors. What of this
 * is Linux' own (prlimit, /proc) is in here.
 */
#include "util/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct rusage;

struct child {
    pid_t pid;             /* stays taken, and so does its group's number, until child_reap() */
    int in, out, err;      /* our ends of its standard descriptors, non-blocking */
    uint64_t born_at_peak; /* below this the kernel's account of its peak memory is ours: see child_peak() */
};

/*
 * Starts program. Signals are at their defaults in it, nothing but the three pipes is open, PATH, HOME, LANG, TZ
 * and TMPDIR are its environment, it writes no core, and its private memory is held below memory_max (0: it is
 * not).
 */
int child_spawn(const char *program, uint64_t memory_max, struct child *ret_child, struct error *err);
/* From one of its pipes: how many bytes; 0: none now; -1: there will be none any more. */
ssize_t child_read(int fd, char *into, size_t n);
/* To its whole group. Only before it is reaped. */
void child_signal(const struct child *c, int signal);
/* Whether it ended. SIGCHLD says when to ask. */
bool child_has_ended(const struct child *c);
/* The most resident memory it ever had, as of now; 0 when it ended already. */
uint64_t child_resident_peak(const struct child *c);
/* Kills what is left of the group, and takes what the kernel kept of the child. It must have ended. False when
 * somebody else took it. */
bool child_reap(struct child *c, int *ret_status, struct rusage *ret_usage);
/* The same for one that may live; waits for its death, but not for long. */
void child_end(struct child *c);
/* Of the kernel's account after its end: the peak in bytes, or 0 when it cannot be told from our own. */
uint64_t child_peak(const struct child *c, const struct rusage *usage);
