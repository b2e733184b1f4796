/*
 * A process goes through three states. RUNNING: it does its work, and the timer is its time limit. STOPPING: we
 * asked its group to end (SIGTERM, so that it can cancel what it asked a server to do), and the timer is our
 * patience. ENDED: the process is gone but what it said may still be in the pipes; they end when their last
 * holder does, which may be a child of its own that lives on, so the timer says how long we go on reading. Then
 * the group is killed, the process reaped, and the owner told.
 *
 * That it ended is told by SIGCHLD, which libevent turns into an event, and not by a pidfd, of which valgrind
 * 3.19 knows nothing. The process is reaped last because its number, and its group's, are its own until then.
 */
#include "schedule/process.h"

#include "schedule/child.h"
#include "schedule/last_words.h"
#include "schedule/lines.h"
#include "schedule/verdict.h"
#include "util/buffer.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <sys/resource.h>

#define READ_MAX     (64 * 1024) /* a turn of the loop, for each pipe */
#define PATIENCE_US  (2 * US_PER_SEC)
#define GRACE_US     (200 * US_PER_MS)
#define WATCH_MIN_US (20 * US_PER_MS) /* soon at first, so that short runs have a figure too */
#define WATCH_MAX_US US_PER_SEC

enum process_state { PROCESS_RUNNING, PROCESS_STOPPING, PROCESS_ENDED };

struct process {
    struct child child;
    enum process_state state;
    struct process_limits limits;
    struct process_events events;
    void *arg;
    bool reaped;                  /* then its number may be another's */
    struct event *in, *out, *err; /* the three pipes: NULL once they are closed */
    struct event *end;            /* SIGCHLD */
    struct event *timer;          /* by state: see above */
    struct event *watch;          /* of its memory … */
    int64_t watch_us;             /* … and when it comes next */
    struct buffer spec;
    size_t n_written; /* of spec */
    struct lines lines;
    struct job_progress progress;
    struct report said; /* done or failed, whichever came first */
    bool has_said;
    struct last_words words;
    enum stop_reason reason;
    char *why;
    uint64_t resident_peak; /* the highest that was looked up while it lived */
};

/* -- states ---------------------------------------------------------------------------------------------- */

static void set_timer(struct event *timer, int64_t us)
{
    struct timeval tv = {.tv_sec = us / US_PER_SEC, .tv_usec = us % US_PER_SEC};
    event_add(timer, &tv);
}

static void set_state(struct process *p, enum process_state state)
{
    static const char *const names[] = {"running", "stopping", "ended"};
    log_debug("worker", NULL, "process %d: %s -> %s", (int)p->child.pid, names[p->state], names[state]);
    p->state = state;
    set_timer(p->timer, state == PROCESS_ENDED ? GRACE_US : PATIENCE_US);
}

/* The first reason holds. Whatever comes after the process' own end has nothing to explain, but that it spoke
 * nonsense can be heard only then. */
static void stop(struct process *p, enum stop_reason reason, const char *why)
{
    if (p->reason != STOP_NOT || (p->state == PROCESS_ENDED && reason != STOP_NO_REPORT))
        return;
    p->reason = reason;
    p->why = xstrdup(why);
    if (p->state == PROCESS_ENDED)
        return;
    child_signal(&p->child, SIGTERM);
    set_state(p, PROCESS_STOPPING);
}

static void close_pipe(struct event **e)
{
    if (!*e)
        return;
    int fd = event_get_fd(*e);
    event_free(TAKE(*e));
    close(fd);
}

static void release(struct process *p)
{
    struct event **events[] = {&p->end, &p->timer, &p->watch};
    for (size_t i = 0; i < N_ELEMENTS(events); i++)
        if (*events[i])
            event_free(TAKE(*events[i]));
    close_pipe(&p->in);
    close_pipe(&p->out);
    close_pipe(&p->err);
}

/* The process may be freed in ended(), and what it was told has to stay valid: so it is all here. */
static void tell(struct process *p, const struct ending *e, const struct rusage *usage)
{
    struct process_end end = {0};
    char words[256], last_words[LAST_WORDS_MAX + 1];
    _cleanup_free_ char *why = TAKE(p->why);
    _cleanup_report_ struct report said = p->said;
    p->said = (struct report){0};
    struct ending own = *e;
    own.why = why;
    own.said = &said;
    verdict(&own, words, &end);
    last_words_show(&p->words, last_words);
    end.last_words = last_words;
    end.stats = end.outcome == PROCESS_DONE ? TAKE(said.stats) : NULL;
    end.peak_bytes = MAX(p->resident_peak, child_peak(&p->child, usage));
    end.cpu_us = (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * US_PER_SEC + usage->ru_utime.tv_usec +
                 usage->ru_stime.tv_usec;
    p->events.ended(p->arg, &end);
    cJSON_Delete(end.stats);
}

static void finish(struct process *p)
{
    struct ending e = {.reason = p->reason, .has_said = p->has_said};
    struct rusage usage = {0};
    e.observed = child_reap(&p->child, &e.status, &usage);
    p->reaped = true;
    release(p);
    tell(p, &e, &usage);
}

static void finish_if_all_is_heard(struct process *p)
{
    if (p->state == PROCESS_ENDED && !p->out && !p->err)
        finish(p);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct process *p = arg;
    char words[96], duration[32];
    switch (p->state) {
    case PROCESS_RUNNING:
        snprintf(words, sizeof(words), "took longer than time_limit (%s)",
            text_duration(p->limits.time_us, duration));
        stop(p, STOP_TIME, words);
        break;
    case PROCESS_STOPPING:
        child_signal(&p->child, SIGKILL);
        break;
    case PROCESS_ENDED:
        finish(p);
        break;
    }
}

static void note_end(struct process *p)
{
    event_del(p->end);
    event_del(p->watch);
    close_pipe(&p->in);
    set_state(p, PROCESS_ENDED);
    finish_if_all_is_heard(p);
}

/* Any child of the daemon's; ours is the one that ended, or is not. */
static void on_end(evutil_socket_t number, short what, void *arg)
{
    struct process *p = arg;
    if (child_has_ended(&p->child))
        note_end(p);
}

/* -- memory ---------------------------------------------------------------------------------------------- */

static void look_at_memory(struct process *p)
{
    uint64_t peak = child_resident_peak(&p->child);
    p->resident_peak = MAX(p->resident_peak, peak);
}

static void refuse_memory(struct process *p)
{
    char words[128], used[32], most[32];
    snprintf(words, sizeof(words), "used %s, more than memory_max (%s)", text_bytes(p->resident_peak, used),
        text_bytes(p->limits.memory_max, most));
    stop(p, STOP_MEMORY, words);
}

/* Its end, too: were SIGCHLD blocked in us by whoever started us, nobody else would tell. */
static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct process *p = arg;
    if (child_has_ended(&p->child)) {
        note_end(p);
        return;
    }
    look_at_memory(p);
    p->watch_us = MIN(p->watch_us * 2, WATCH_MAX_US);
    set_timer(p->watch, p->watch_us);
    if (p->limits.memory_max && p->resident_peak > p->limits.memory_max + p->limits.beside)
        refuse_memory(p);
}

/* -- what it says ---------------------------------------------------------------------------------------- */

#define NO_REPORT                                                                                            \
    "wrote something that is no report to its standard output: "                                             \
    "is ingest-worker of the same version as ingestd?"
#define TOO_LONG "wrote a line of more than 256 KB to its standard output, which no report is"

/* What it said instead is not repeated: it may be a row. Its pipe is closed, so that it cannot go on. */
static void refuse(struct process *p, const char *why)
{
    stop(p, STOP_NO_REPORT, why);
    close_pipe(&p->out);
}

static void hear_line(struct process *p, struct slice line)
{
    _cleanup_report_ struct report r = {0};
    struct error err;
    if (p->has_said)
        return;
    if (report_parse(line.p, line.n, &r, &err) < 0 || (r.kind == REPORT_ROW && !p->events.row)) {
        refuse(p, line.n > REPORT_LINE_MAX ? TOO_LONG : NO_REPORT);
    } else if (r.kind == REPORT_PROGRESS) {
        p->progress = r.progress;
        p->events.progress(p->arg, &p->progress);
    } else if (r.kind == REPORT_STAGE) {
        if (p->events.stage)
            p->events.stage(p->arg, &r.stage);
    } else if (r.kind == REPORT_ROW) {
        p->events.row(p->arg, &r);
    } else {
        look_at_memory(p);
        p->said = r;
        p->has_said = true;
        r = (struct report){0};
    }
}

/* A last line without its end is not heard: who knows what it would have become. */
static void hear(struct process *p)
{
    struct slice line;
    while (p->out && lines_next(&p->lines, &line))
        hear_line(p, line);
    if (p->has_said)
        lines_done(&p->lines);
    else if (lines_n_open(&p->lines) > REPORT_LINE_MAX)
        refuse(p, TOO_LONG);
}

static void on_out(evutil_socket_t fd, short what, void *arg)
{
    struct process *p = arg;
    char *room = lines_room(&p->lines, READ_MAX);
    if (!room)
        return; /* no memory now; it waits in the pipe */
    ssize_t n = child_read(fd, room, READ_MAX);
    if (n > 0) {
        lines_add(&p->lines, (size_t)n);
        hear(p);
    } else if (n < 0) {
        close_pipe(&p->out);
    }
    finish_if_all_is_heard(p);
}

static void on_err(evutil_socket_t fd, short what, void *arg)
{
    struct process *p = arg;
    char bytes[READ_MAX];
    ssize_t n = child_read(fd, bytes, READ_MAX);
    if (n > 0)
        last_words_hear(&p->words, bytes, (size_t)n);
    else if (n < 0)
        close_pipe(&p->err);
    finish_if_all_is_heard(p);
}

/* What it is told. One that does not want to hear it closes the pipe, and how it ends will say why. */
static void on_in(evutil_socket_t fd, short what, void *arg)
{
    struct process *p = arg;
    ssize_t n = write(fd, p->spec.p + p->n_written, MIN(p->spec.n - p->n_written, (size_t)READ_MAX));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    p->n_written += (size_t)MAX(n, (ssize_t)0);
    if (n >= 0 && p->n_written < p->spec.n)
        return;
    close_pipe(&p->in);
    buffer_done(&p->spec);
}

/* -- the owner's side ------------------------------------------------------------------------------------ */

/* A worker that goes away while we write to it is no reason to end; and were its end ignored, as a parent of
 * ours can have arranged it, the kernel would not keep how it ended. */
static void prepare_signals(void)
{
    struct sigaction child;
    signal(SIGPIPE, SIG_IGN);
    if (sigaction(SIGCHLD, NULL, &child) == 0 && child.sa_handler == SIG_IGN)
        signal(SIGCHLD, SIG_DFL);
}

static struct event *on(struct event_base *base, int fd, short what, event_callback_fn fn, struct process *p)
{
    struct event *e = event_new(base, fd, what, fn, p);
    if (!e)
        abort();
    if (fd >= 0)
        event_add(e, NULL);
    return e;
}

static void watch_it(struct event_base *base, struct process *p)
{
    p->in = on(base, p->child.in, EV_WRITE | EV_PERSIST, on_in, p);
    event_del(p->in); /* until there is something to tell it */
    p->out = on(base, p->child.out, EV_READ | EV_PERSIST, on_out, p);
    p->err = on(base, p->child.err, EV_READ | EV_PERSIST, on_err, p);
    p->end = on(base, SIGCHLD, EV_SIGNAL | EV_PERSIST, on_end, p);
    p->timer = on(base, -1, 0, on_timer, p);
    p->watch = on(base, -1, 0, on_watch, p);
    p->watch_us = WATCH_MIN_US;
    set_timer(p->watch, p->watch_us);
    event_active(p->end, EV_SIGNAL, 1); /* it may have ended before we listened */
}

int process_start(struct event_base *base, const char *program, const struct process_limits *limits,
    const struct process_events *events, void *arg, struct process **ret_process, struct error *err)
{
    struct child child;
    prepare_signals();
    uint64_t reserve_max = limits->reserve_max ? limits->reserve_max : limits->memory_max;
    if (child_spawn(program, reserve_max, &child, err) < 0)
        return -1;
    int ours = getpriority(PRIO_PROCESS, 0);
    if (limits->niceness > ours)
        setpriority(PRIO_PROCESS, (id_t)child.pid, limits->niceness);
    struct process *p = xnew(struct process);
    p->child = child;
    p->limits = *limits;
    p->events = *events;
    p->arg = arg;
    watch_it(base, p);
    *ret_process = p;
    return 0;
}

void process_tell(struct process *p, const char *spec)
{
    if (p->state != PROCESS_RUNNING || !p->in)
        return;
    buffer_put_string(&p->spec, spec);
    buffer_put(&p->spec, "\n", 1);
    event_add(p->in, NULL);
    if (p->limits.time_us > 0)
        set_timer(p->timer, p->limits.time_us);
}

void process_kill(struct process *p, const char *why)
{
    stop(p, STOP_ASKED, why);
}

pid_t process_pid(const struct process *p)
{
    return p->child.pid;
}

const struct job_progress *process_progress(const struct process *p)
{
    return &p->progress;
}

void process_free(struct process *p)
{
    if (!p)
        return;
    if (!p->reaped)
        child_end(&p->child);
    release(p);
    report_clear(&p->said);
    buffer_done(&p->spec);
    lines_done(&p->lines);
    free(p->why);
    free(p);
}
