/*
 * posix_spawn(3) of glibc shares our memory with the child until it executes the program: no page of ours is
 * copied and no page table either, so that starting a worker costs the same however large we are.
 */
#include "schedule/child.h"

#include "util/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define REAP_WITHIN_MS 200
#define INEXACT        (1024 * 1024)
#define OOM_SCORE      "500" /* the kernel is to take a worker before the daemon, or Postgres */

/* Both ends of the three pipes, by the child's descriptor. */
struct pipes {
    int ours[3], theirs[3];
};

static void close_all(int fds[3])
{
    for (int i = 0; i < 3; i++)
        closep(&fds[i]);
}

static void pipes_close(struct pipes *p)
{
    close_all(p->ours);
    close_all(p->theirs);
}

/* Where a standard descriptor of ours is closed a pipe can get its number, and then the child's dup2() would
 * overwrite it. */
static int above_standard(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(fd);
    return higher;
}

static int pipe_open(int i, struct pipes *p)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    int ours = i == STDIN_FILENO ? 1 : 0;
    p->ours[i] = above_standard(ends[ours]);
    p->theirs[i] = above_standard(ends[!ours]);
    if (p->ours[i] < 0 || p->theirs[i] < 0)
        return -1;
    return fcntl(p->ours[i], F_SETFL, O_NONBLOCK);
}

static int pipes_open(struct pipes *ret, struct error *err)
{
    struct pipes p = {{-1, -1, -1}, {-1, -1, -1}};
    for (int i = 0; i < 3; i++)
        if (pipe_open(i, &p) < 0) {
            error_set(
                err, "no pipe for a worker can be made: %s (LimitNOFILE= of the unit)", strerror(errno));
            pipes_close(&p);
            return -1;
        }
    *ret = p;
    return 0;
}

/* -- what the child begins with -------------------------------------------------------------------------- */

#define N_VARIABLES 5
static const char *const variables[N_VARIABLES] = {"PATH", "HOME", "LANG", "TZ", "TMPDIR"};

struct environment {
    char *list[N_VARIABLES + 1];
};

static void environment_done(struct environment *e)
{
    for (char **s = e->list; *s; s++)
        free(*s);
}

static void environment_make(struct environment *e)
{
    size_t n = 0;
    for (size_t i = 0; i < N_VARIABLES; i++) {
        const char *value = getenv(variables[i]);
        if (value)
            e->list[n++] = xasprintf("%s=%s", variables[i], value);
    }
}

static void actions_make(posix_spawn_file_actions_t *actions, const struct pipes *p)
{
    posix_spawn_file_actions_init(actions);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(actions, p->theirs[i], i);
    /* All of ours close by themselves; this is for what a library opened without O_CLOEXEC. */
    posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
}

static void attributes_make(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(attributes);
    posix_spawnattr_setflags(
        attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(attributes, 0);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
}

static int spawn(const char *program, const struct pipes *p, pid_t *ret_pid)
{
    _cleanup_(environment_done) struct environment environment = {0};
    environment_make(&environment);
    _cleanup_free_ char *path = xstrdup(program);
    char *argv[] = {path, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    actions_make(&actions, p);
    attributes_make(&attributes);
    int r = posix_spawn(ret_pid, program, &actions, &attributes, argv, environment.list);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

/* What can be wrong with the program or the machine, and what to do; others are named by strerror() alone. */
static const char *advice(const char *program, int reason)
{
    if (reason == ENOENT && access(program, F_OK) == 0)
        return ": the interpreter that its first line names is missing";
    switch (reason) {
    case ENOENT:
        return ": install it there, or give its path";
    case EACCES:
        return ": it must be executable for the daemon's user (chmod 755), and every folder above it open";
    case ENOEXEC:
        return ": it is not a program for this machine; install it again";
    case EAGAIN:
        return ": no more processes are allowed (TasksMax= of the unit, ulimit -u)";
    default:
        return "";
    }
}

/* -- a child's life -------------------------------------------------------------------------------------- */

static void oom_first(pid_t pid)
{
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, OOM_SCORE, strlen(OOM_SCORE)) < 0)
        return; /* then the kernel chooses as it likes */
}

/* A sanitizer's shadow is private memory too: a worker that is built with it could not begin under a limit. */
#ifdef __SANITIZE_ADDRESS__
static const bool has_shadow = true;
#else
static const bool has_shadow = false;
#endif

/* It has begun already. That does no harm: a limit holds for what is asked of the kernel from now on. */
static void limit(pid_t pid, uint64_t memory_max)
{
    const struct rlimit none = {0, 0}, memory = {memory_max, memory_max};
    prlimit(pid, RLIMIT_CORE, &none, NULL);
    if (memory_max && !has_shadow)
        prlimit(pid, RLIMIT_DATA, &memory, NULL);
    oom_first(pid);
}

static uint64_t our_peak(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

int child_spawn(const char *program, uint64_t memory_max, struct child *ret_child, struct error *err)
{
    struct pipes p;
    struct child c;
    if (pipes_open(&p, err) < 0)
        return -1;
    int r = spawn(program, &p, &c.pid);
    close_all(p.theirs);
    if (r) {
        close_all(p.ours);
        return error_set(
            err, "the worker %s cannot be started: %s%s", program, strerror(r), advice(program, r));
    }
    c.in = p.ours[STDIN_FILENO];
    c.out = p.ours[STDOUT_FILENO];
    c.err = p.ours[STDERR_FILENO];
    c.born_at_peak = our_peak();
    limit(c.pid, memory_max);
    *ret_child = c;
    return 0;
}

ssize_t child_read(int fd, char *into, size_t size)
{
    ssize_t n = read(fd, into, size);
    if (n > 0)
        return n;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

void child_signal(const struct child *c, int signal)
{
    kill(-c->pid, signal);
}

uint64_t child_resident_peak(const struct child *c)
{
    char path[32], text[4096];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)c->pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    uint64_t kb = 0;
    const char *line = strstr(text, "\nVmHWM:"); /* absent once it gave back its memory */
    return line && sscanf(line, " VmHWM: %" SCNu64 " kB", &kb) == 1 ? kb * 1024 : 0;
}

/* WNOWAIT: it stays a zombie, and its number its own. One that somebody else waited for ended, too. */
bool child_has_ended(const struct child *c)
{
    siginfo_t info = {0};
    int r = waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    return r < 0 || info.si_pid == c->pid;
}

/* The group first: as long as the child is not taken, nobody else can have got the group's number. */
bool child_reap(struct child *c, int *ret_status, struct rusage *ret_usage)
{
    child_signal(c, SIGKILL);
    return wait4(c->pid, ret_status, WNOHANG, ret_usage) == c->pid;
}

/* What is killed is dead within a millisecond as a rule. What hangs in the kernel is left to init. */
void child_end(struct child *c)
{
    int status;
    struct rusage usage;
    child_signal(c, SIGKILL);
    for (int ms = 0; ms < REAP_WITHIN_MS && !child_has_ended(c); ms++)
        poll(NULL, 0, 1);
    child_reap(c, &status, &usage);
}

/* Between its birth and its program the child is in our memory, and the kernel counts that as its own: a figure
 * that is not above our peak (the kernel's counting is not exact) says nothing. */
uint64_t child_peak(const struct child *c, const struct rusage *usage)
{
    uint64_t peak = (uint64_t)usage->ru_maxrss * 1024;
    return peak > c->born_at_peak + INEXACT ? peak : 0;
}
