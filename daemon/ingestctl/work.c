#include "work.h"

#include "bar.h"
#include "ctl.h"
#include "grid.h"

#include "util/clock.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#define VERSION_WITHIN_US (5 * US_PER_SEC)
#define NAME              "ingest-worker "

void work_spec(const char *kind, const char *job, const struct job_database *database, struct job_spec *ret)
{
    *ret = (struct job_spec){
        .job = xstrdup(job),
        .kind = xstrdup(kind),
        .scheduled_us = clock_wall_us(),
        .sql = xstrdup("-"),
        .time_zone = xstrdup("UTC"),
        .database = {xstrdup(database->url), xstrdup(database->password_file)},
        .books = {xstrdup(database->url), xstrdup(database->password_file)},
        .schema = xstrdup("ingest"),
    };
}

void work_end_done(struct work_end *end)
{
    free(end->error);
    free(end->last_words);
    cJSON_Delete(end->stats);
    *end = (struct work_end){0};
}

/* -- a run ----------------------------------------------------------------------------------------------- */

void work_show_progress(void *arg, const struct job_progress *progress)
{
    struct bar *bar = arg;
    struct bar_reading now = {
        .done = (double)progress->done, .total = (double)progress->total, .rows = (double)progress->rows};
    snprintf(now.what, sizeof(now.what), "%s", progress->stage);
    snprintf(now.unit, sizeof(now.unit), "%s", progress->unit);
    bar_show(bar, &now);
}

void work_show_stage(void *arg, const struct stage_told *stage)
{
    _cleanup_buffer_ struct buffer words = {0};
    stage_told_words(stage, &words);
    bar_clear(arg);
    puts(buffer_string(&words));
    fflush(stdout);
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

struct work {
    struct event_base *base;
    struct event *interrupts[N_ELEMENTS(signals)];
    struct process *process;
    struct work_events events;
    struct work_end end;
};

static void on_progress(void *arg, const struct job_progress *progress)
{
    struct work *w = arg;
    if (w->events.progress)
        w->events.progress(w->events.arg, progress);
}

static void on_row(void *arg, const struct report *piece)
{
    struct work *w = arg;
    w->events.row(w->events.arg, piece);
}

static void on_stage(void *arg, const struct stage_told *stage)
{
    struct work *w = arg;
    if (w->events.stage)
        w->events.stage(w->events.arg, stage);
}

static void on_ended(void *arg, struct process_end *end)
{
    struct work *w = arg;
    w->end.outcome = end->outcome;
    w->end.error = xstrdup(end->error);
    w->end.last_words = xstrdup(end->last_words);
    w->end.stats = TAKE(end->stats);
    w->end.peak_bytes = end->peak_bytes;
    w->end.cpu_us = end->cpu_us;
    event_base_loopbreak(w->base);
}

static void on_interrupt(evutil_socket_t number, short what, void *arg)
{
    struct work *w = arg;
    w->end.interrupted = true;
    process_kill(w->process, "interrupted");
}

static void set_interrupts(struct work *w)
{
    for (size_t i = 0; i < N_ELEMENTS(signals); i++) {
        w->interrupts[i] = evsignal_new(w->base, signals[i], on_interrupt, w);
        if (!w->interrupts[i] || event_add(w->interrupts[i], NULL) < 0)
            abort();
    }
}

/* The password in it does not stay behind. */
static void forget(char *text)
{
    explicit_bzero(text, strlen(text));
    free(text);
}

void work_run(const char *program, const struct job_spec *spec, const struct process_limits *limits,
    const struct work_events *events, struct work_end *ret_end)
{
    struct work w = {.base = event_base_new()};
    if (events)
        w.events = *events;
    const struct process_events told = {on_progress, on_ended, w.events.row ? on_row : NULL, on_stage};
    struct error err;
    if (!w.base)
        abort();
    char *text = job_spec_to_json(spec);
    if (process_start(w.base, program, limits, &told, &w, &w.process, &err) == 0) {
        process_tell(w.process, text);
        set_interrupts(&w);
        event_base_dispatch(w.base);
    } else {
        w.end = (struct work_end){
            .outcome = PROCESS_FAILED, .error = xstrdup(err.text), .last_words = xstrdup("")};
    }
    forget(text);
    for (size_t i = 0; i < N_ELEMENTS(signals); i++)
        if (w.interrupts[i])
            event_free(w.interrupts[i]);
    process_free(w.process);
    event_base_free(w.base);
    *ret_end = w.end;
}

int work_say_end(const struct work_end *end)
{
    if (end->interrupted) {
        ctl_say("interrupted");
        return CTL_INTERRUPTED;
    }
    if (end->outcome == PROCESS_DONE)
        return CTL_DONE;
    _cleanup_free_ char *words = printable(end->last_words);
    ctl_say("%s%s%s", end->error, words[0] ? "; its last words: " : "", words);
    return CTL_FAILED;
}

/* -- the version ----------------------------------------------------------------------------------------- */

/* Its standard error too: the loader says there which library is missing. */
static int spawn_version(const char *program, int out, pid_t *ret_pid)
{
    _cleanup_free_ char *path = xstrdup(program);
    char version[] = "--version", *argv[] = {path, version, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
    int r = posix_spawn(ret_pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

/* The first of its words, as far as they come in time. */
static void hear(int fd, char *words, size_t size)
{
    int64_t until_us = clock_mono_us() + VERSION_WITHIN_US;
    size_t n = 0;
    while (n + 1 < size) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left_us = until_us - clock_mono_us();
        if (left_us <= 0 || poll(&p, 1, (int)(left_us / US_PER_MS) + 1) <= 0)
            break;
        ssize_t got = read(fd, words + n, size - 1 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    words[n] = '\0';
    words[strcspn(words, "\r\n")] = '\0';
}

int work_version(const char *program, char **ret_version, struct error *err)
{
    char words[256];
    pid_t pid;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set(err, "no pipe for %s can be made: %s", program, strerror(errno));
    int r = spawn_version(program, ends[1], &pid);
    close(ends[1]);
    if (r == 0) {
        hear(ends[0], words, sizeof(words));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    close(ends[0]);
    if (r)
        return error_set(err, "%s cannot be started: %s%s", program, strerror(r),
            r == ENOENT ? "; it is installed together with ingestd" : "");
    if (words[0] == '\0')
        return error_set(err, "%s does not answer --version", program);
    if (strncmp(words, NAME, strlen(NAME)) != 0)
        return error_set(err, "%s answers --version with: %s", program, words);
    *ret_version = xstrdup(words + strlen(NAME));
    return 0;
}
