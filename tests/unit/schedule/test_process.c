/* Real processes on a real event loop; the workers are shell scripts. */
#include "../util/suite.h"
#include "schedule/last_words.h"
#include "schedule/process.h"
#include "util/buffer.h"
#include "util/clock.h"
#include "util/text.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SPEC      "{\"job\": \"revenue\"}"
#define NO_LIMITS (&(const struct process_limits){0})
#define MB        (UINT64_C(1024) * 1024)
#define HANGS     "exec sleep 1000\n"
#define SAYS_DONE "echo '{\"done\": {}}'\n"
#define PROGRESS_3                                                                                           \
    "{\"progress\": {\"stage\": \"compute\", \"unit\": \"windows\", \"done\": 3, \"total\": 10}}"
#define STAGE_DONE_5                                                                                         \
    "{\"stage\": {\"name\": \"load\", \"outcome\": \"done\", \"rows\": 5, \"bytes\": 1, \"us\": 1, "         \
    "\"attempts\": 1, "                                                                                      \
    "\"error\": \"\"}}"
#define NO_REPORT    "wrote something that is no report"
#define TOO_LONG     "wrote a line of more than 256 KB"
#define WITHIN_US    (20 * US_PER_SEC)
#define ENDS_AT_ONCE (US_PER_SEC + US_PER_SEC / 2) /* well before anybody's patience */
#define SLACK_US     (20 * US_PER_MS)              /* the loop's clock is coarse */

static char folder[FOLDER_MAX], worker[96], note[96];
static struct event_base *base;
static struct process *process;
static int n_fds;

/* What was told. */
static struct {
    bool ended;
    enum process_outcome outcome;
    int exit_code, signal;
    bool transient;
    char error[512], sqlstate[8], last_words[LAST_WORDS_MAX + 1];
    char *stats;
    uint64_t peak_bytes;
    int64_t cpu_us;
    int n_progress;
    struct job_progress progress;
    int n_stages;
    struct stage_told stage;
    int n_this_turn, most_in_a_turn;
} told;

/* -- the stage ------------------------------------------------------------------------------------------- */

static int count_fds(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void begin(void)
{
    new_folder(folder);
    snprintf(worker, sizeof(worker), "%s/worker", folder);
    snprintf(note, sizeof(note), "%s/note", folder);
    setenv("TMPDIR", folder, 1);
    n_fds = count_fds();
    base = event_base_new();
    ck_assert_ptr_nonnull(base);
}

static void forget(void)
{
    free(told.stats);
    memset(&told, 0, sizeof(told));
}

/* After each test: no descriptor of ours more than before, and no child, not even a dead one. */
static void end(void)
{
    forget();
    event_base_free(base);
    ck_assert_int_eq(count_fds(), n_fds);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
    unlink(worker);
    unlink(note);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* -- the owner ------------------------------------------------------------------------------------------- */

static void on_progress(void *arg, const struct job_progress *progress)
{
    ck_assert_ptr_eq(arg, &told);
    ck_assert(!told.ended);
    told.n_progress++;
    told.n_this_turn++;
    told.most_in_a_turn = MAX(told.most_in_a_turn, told.n_this_turn);
    told.progress = *progress;
}

/* Frees the process first: what is told stays valid all the same. */
static void on_ended(void *arg, struct process_end *e)
{
    ck_assert(!told.ended);
    process_free(TAKE(process));
    told.ended = true;
    told.outcome = e->outcome;
    told.exit_code = e->exit_code;
    told.signal = e->signal;
    told.transient = e->transient;
    snprintf(told.error, sizeof(told.error), "%s", e->error);
    snprintf(told.sqlstate, sizeof(told.sqlstate), "%s", e->sqlstate);
    snprintf(told.last_words, sizeof(told.last_words), "%s", e->last_words);
    told.peak_bytes = e->peak_bytes;
    told.cpu_us = e->cpu_us;
    told.stats = e->stats ? cJSON_PrintUnformatted(e->stats) : NULL;
}

static void on_stage(void *arg, const struct stage_told *stage)
{
    ck_assert_ptr_eq(arg, &told);
    told.n_stages++;
    told.stage = *stage;
}

static const struct process_events events = {.progress = on_progress, .ended = on_ended, .stage = on_stage};

static void write_worker(const char *script, mode_t mode)
{
    unlink(worker);
    int fd = open(worker, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_ge(dprintf(fd, "%s%s", script[0] == '#' ? "" : "#!/bin/sh\n", script), 0);
    close(fd);
}

static void start(const char *program, const char *spec, const struct process_limits *limits)
{
    struct error err;
    forget();
    ck_assert_msg(process_start(base, program, limits, &events, &told, &process, &err) == 0, "%s", err.text);
    process_tell(process, spec);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
}

/* One turn, at most 20 ms. */
static void turn(void)
{
    const struct timeval in = {.tv_usec = 20000};
    event_base_once(base, -1, EV_TIMEOUT, on_tick, NULL, &in);
    told.n_this_turn = 0;
    event_base_loop(base, EVLOOP_ONCE);
}

#define AWAIT(condition)                                                                                     \
    do {                                                                                                     \
        int64_t until_ = clock_mono_us() + WITHIN_US;                                                        \
        while (!(condition)) {                                                                               \
            ck_assert_msg(clock_mono_us() < until_, "never came true: " #condition);                         \
            turn();                                                                                          \
        }                                                                                                    \
    } while (0)

static void run_within(const char *script, const struct process_limits *limits)
{
    write_worker(script, 0700);
    start(worker, SPEC, limits);
    AWAIT(told.ended);
}

static void run(const char *script)
{
    run_within(script, NO_LIMITS);
}

/* The number that the worker left in the note; 0 before that. */
static pid_t noted(void)
{
    int pid = 0;
    _cleanup_fclose_ FILE *f = fopen(note, "re");
    return f && fscanf(f, "%d.", &pid) == 1 ? pid : 0;
}

/* Gone, or dead and waiting for an init that takes its time. */
static bool is_gone(pid_t pid)
{
    char path[32], state = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    return !f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1 || state == 'Z' || state == 'X';
}

/* -- what it says ---------------------------------------------------------------------------------------- */

START_TEST(test_done)
{
    run("read spec\n"
        "echo '" PROGRESS_3 "'\n"
        "echo '" STAGE_DONE_5 "'\n"
        "printf '{\"done\": {\"spec\": %s}}\\n' \"$spec\"\n");
    ck_assert_int_eq(told.outcome, PROCESS_DONE);
    ck_assert_int_eq(told.exit_code, 0);
    ck_assert_int_eq(told.signal, 0);
    ck_assert_str_eq(told.error, "");
    ck_assert_str_eq(told.sqlstate, "");
    ck_assert_str_eq(told.last_words, "");
    ck_assert_str_eq(told.stats, "{\"spec\":{\"job\":\"revenue\"}}");
    ck_assert_int_eq(told.n_progress, 1);
    ck_assert_str_eq(told.progress.stage, "compute");
    ck_assert_str_eq(told.progress.unit, "windows");
    ck_assert_int_eq(told.progress.done, 3);
    ck_assert_int_eq(told.progress.total, 10);
    ck_assert_int_eq(told.n_stages, 1);
    ck_assert_str_eq(told.stage.name, "load");
    ck_assert_int_eq(told.stage.rows, 5);
}
END_TEST

START_TEST(test_failed)
{
    run("echo 'so it goes' >&2\n"
        "echo '{\"failed\": {\"error\": \"no table\", \"sqlstate\": \"42P01\", \"transient\": true}}'\n"
        "exit 1\n");
    ck_assert_int_eq(told.outcome, PROCESS_FAILED);
    ck_assert_int_eq(told.exit_code, 1);
    ck_assert_str_eq(told.error, "no table");
    ck_assert_str_eq(told.sqlstate, "42P01");
    ck_assert(told.transient);
    ck_assert_str_eq(told.last_words, "so it goes");
    ck_assert_ptr_null(told.stats);
}
END_TEST

#define SAYS_FAILED "echo '{\"failed\": {\"error\": \"no\", \"sqlstate\": \"\", \"transient\": false}}'\n"

static const struct {
    const char *script;
    enum process_outcome outcome;
    int exit_code, signal;
    bool transient;
    const char *error; /* its beginning */
} ways[] = {
    {"exit 0", PROCESS_FAILED, 0, 0, false, "ended with exit code 0, but without saying that it was done"},
    {"exit 3", PROCESS_FAILED, 3, 0, false, "ended with exit code 3, without saying why"},
    {SAYS_DONE "exit 4", PROCESS_FAILED, 4, 0, false, "said that it was done, but ended with exit code 4"},
    {SAYS_FAILED "exit 0", PROCESS_FAILED, 0, 0, false, "no"},
    {SAYS_FAILED "kill -9 $$", PROCESS_FAILED, -1, 9, false, "no"},
    {"kill -9 $$", PROCESS_FAILED, -1, 9, true,
        "was killed by signal 9 (Killed): not by us; was the machine out of memory?"},
    {"kill -11 $$", PROCESS_FAILED, -1, 11, true,
        "was ended by signal 11 (SIGSEGV, Segmentation fault): not by us"},
    {"kill -40 $$", PROCESS_FAILED, -1, 40, true, "was ended by signal 40"},
    {SAYS_DONE "kill -9 $$", PROCESS_FAILED, -1, 9, true,
        "said that it was done, but then was killed by signal 9"},
    {SAYS_DONE SAYS_DONE SAYS_FAILED "echo junk", PROCESS_DONE, 0, 0, false, ""},
    {SAYS_FAILED SAYS_DONE, PROCESS_FAILED, 0, 0, false, "no"},
    {"printf '{\"done\": {}}'", PROCESS_FAILED, 0, 0, false, "ended with exit code 0, but without"},
    {SAYS_DONE "printf '{\"failed\": '", PROCESS_DONE, 0, 0, false, ""},
    {"exec >&-\n" HANGS, PROCESS_KILLED, -1, 15, true, "took longer than time_limit (700 ms)"},
};

START_TEST(test_ways_to_end)
{
    const struct process_limits limits = {.time_us = 700 * US_PER_MS};
    for (size_t i = 0; i < N_ELEMENTS(ways); i++) {
        run_within(ways[i].script, ways[i].signal == SIGTERM ? &limits : NO_LIMITS);
        ck_assert_msg(strncmp(told.error, ways[i].error, strlen(ways[i].error)) == 0, "%s: %s",
            ways[i].script, told.error);
        ck_assert_int_eq(told.outcome, ways[i].outcome);
        ck_assert_int_eq(told.exit_code, ways[i].exit_code);
        ck_assert_int_eq(told.signal, ways[i].signal);
        ck_assert_int_eq(told.transient, ways[i].transient);
        ck_assert_int_eq(!told.stats, told.outcome != PROCESS_DONE);
    }
}
END_TEST

/* It is ended, with words that do not repeat what it said. */
START_TEST(test_what_is_no_report)
{
    static const char *const cases[] = {
        "echo 'patient Jane Roe'\n" HANGS,
        "echo\n" HANGS,
        "echo '{\"done\": {}'\n" HANGS,
        "echo '{\"Jane\": 1}'\n" HANGS,
        "printf 'Jane\\000\\377\\n'\n" HANGS,
        "echo 'Jane'; exit 0",
        "echo 'Jane'; echo '{\"done\": {}}'; exit 0",
        "exec yes Jane",
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        int64_t began = clock_mono_us();
        run(cases[i]);
        ck_assert_int_lt(clock_mono_us() - began, ENDS_AT_ONCE);
        ck_assert_int_eq(told.outcome, PROCESS_FAILED);
        ck_assert_msg(strstr(told.error, NO_REPORT), "%s: %s", cases[i], told.error);
        ck_assert_ptr_null(strstr(told.error, "Jane"));
        ck_assert(!told.transient);
    }
}
END_TEST

/* A line of n bytes, its end not counted, that is a report. */
static void run_line_of(size_t n)
{
    char script[160];
    snprintf(script, sizeof(script),
        "printf '{\"done\": {\"x\": \"'; head -c %zu /dev/zero | tr '\\000' x; printf '\"}}\\n'\n",
        n - strlen("{\"done\": {\"x\": \"\"}}"));
    run(script);
}

START_TEST(test_the_longest_line)
{
    run_line_of(REPORT_LINE_MAX);
    ck_assert_int_eq(told.outcome, PROCESS_DONE);
    ck_assert_uint_gt(strlen(told.stats), REPORT_LINE_MAX - 100);
    run_line_of(REPORT_LINE_MAX + 1);
    ck_assert_int_eq(told.outcome, PROCESS_FAILED);
    ck_assert_ptr_nonnull(strstr(told.error, TOO_LONG));
    run("exec tr '\\000' x </dev/zero\n");
    ck_assert_int_eq(told.outcome, PROCESS_FAILED);
    ck_assert_ptr_nonnull(strstr(told.error, TOO_LONG));
}
END_TEST

/* Byte by byte, so that no line is read whole. */
START_TEST(test_a_line_in_pieces)
{
    run("for c in '{' '\"do' 'ne\"' ': {\"a' '\": 1' '}' '}' '\n'; do /bin/echo -n \"$c\"; done\n");
    ck_assert_int_eq(told.outcome, PROCESS_DONE);
    ck_assert_str_eq(told.stats, "{\"a\":1}");
}
END_TEST

START_TEST(test_last_words)
{
    run("head -c 10000000 /dev/zero | tr '\\000' x >&2; echo ' the end' >&2; exit 3\n");
    ck_assert_uint_eq(strlen(told.last_words), LAST_WORDS_MAX - 1); /* the end of the line is not shown */
    ck_assert_ptr_nonnull(strstr(told.last_words, "xxx the end"));
}
END_TEST

static int n_ticks;

static void count_tick(evutil_socket_t fd, short what, void *arg)
{
    n_ticks++;
}

/* A flood is heard in full, in turns of at most 64 KB, with everything else of the loop between them. */
START_TEST(test_a_flood)
{
    const struct timeval tick = {.tv_usec = 10000};
    struct event *e = event_new(base, -1, EV_PERSIST, count_tick, NULL);
    event_add(e, &tick);
    n_ticks = 0;
    int64_t began = clock_mono_us();
    run("yes '" PROGRESS_3 "' | head -n 100000\n" SAYS_DONE);
    int64_t expected = (clock_mono_us() - began) / (10 * US_PER_MS);
    event_free(e);
    ck_assert_int_eq(told.outcome, PROCESS_DONE);
    ck_assert_int_eq(told.n_progress, 100000);
    ck_assert_int_le(told.most_in_a_turn, 64 * 1024 / (int)sizeof(PROGRESS_3) + 1);
    ck_assert_int_ge(n_ticks, expected / 20);
}
END_TEST

/* -- what it is told ------------------------------------------------------------------------------------- */

static char *large_spec(void)
{
    char *s = xcalloc(MB + 1, 1);
    return memset(s, 's', MB);
}

START_TEST(test_a_large_spec)
{
    _cleanup_free_ char *spec = large_spec();
    write_worker("printf '{\"done\": {\"n\": %d}}\\n' \"$(wc -c)\"\n", 0700);
    start(worker, spec, NO_LIMITS);
    AWAIT(told.ended);
    ck_assert_str_eq(told.stats, "{\"n\":1048577}");
}
END_TEST

START_TEST(test_a_spec_that_nobody_reads)
{
    _cleanup_free_ char *spec = large_spec();
    write_worker(SAYS_DONE, 0700);
    start(worker, spec, NO_LIMITS);
    AWAIT(told.ended);
    ck_assert_int_eq(told.outcome, PROCESS_DONE);
    write_worker("exec <&-; echo '" PROGRESS_3 "'\n" HANGS, 0700);
    start(worker, spec, NO_LIMITS);
    AWAIT(told.n_progress == 1);
    process_kill(process, "enough");
    AWAIT(told.ended);
    ck_assert_int_eq(told.outcome, PROCESS_KILLED);
}
END_TEST

/* -- what it begins with --------------------------------------------------------------------------------- */

START_TEST(test_its_environment)
{
    setenv("PATH", "/usr/bin:/bin", 1);
    setenv("HOME", "/nowhere", 1);
    setenv("TZ", "UTC", 1);
    unsetenv("LANG");
    setenv("PGPASSWORD", "secret", 1);
    setenv("NOTIFY_SOCKET", "/run/notify", 1);
    setenv("LISTEN_FDS", "1", 1);
    run("tr '\\000' '\\n' </proc/$$/environ >&2\n");
    char expected[256];
    snprintf(expected, sizeof(expected), "PATH=/usr/bin:/bin\nHOME=/nowhere\nTZ=UTC\nTMPDIR=%s", folder);
    ck_assert_str_eq(told.last_words, expected);
}
END_TEST

/* The fourth is the folder that ls reads. */
START_TEST(test_its_descriptors)
{
    int inherited[20];
    for (size_t i = 0; i < N_ELEMENTS(inherited); i++) /* as a library without O_CLOEXEC would leave them */
        inherited[i] = open("/dev/null", O_RDONLY);
    run("exec ls /proc/self/fd >&2\n");
    for (size_t i = 0; i < N_ELEMENTS(inherited); i++)
        close(inherited[i]);
    ck_assert_str_eq(told.last_words, "0\n1\n2\n3");
}
END_TEST

/* Our own standard descriptors may be closed, and the pipes then get their numbers. */
START_TEST(test_without_standard_descriptors)
{
    int kept[3];
    for (int i = 0; i < 3; i++) {
        kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
        close(i);
    }
    write_worker("read spec; echo \"$spec\" >&2\n" SAYS_DONE, 0700);
    start(worker, SPEC, NO_LIMITS);
    AWAIT(told.ended);
    for (int i = 0; i < 3; i++) {
        dup2(kept[i], i);
        close(kept[i]);
    }
    ck_assert_int_eq(told.outcome, PROCESS_DONE);
    ck_assert_str_eq(told.last_words, SPEC);
}
END_TEST

/* glibc ignores two for itself, of which no program knows: they are left out. */
START_TEST(test_its_signals)
{
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    run("exec grep -E 'Sig(Blk|Ign)' /proc/self/status >&2\n");
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGUSR2, SIG_DFL);
    unsigned long is_blocked, is_ignored;
    ck_assert_int_eq(sscanf(told.last_words, "SigBlk: %lx SigIgn: %lx", &is_blocked, &is_ignored), 2);
    ck_assert_uint_eq(is_blocked, 0);
    ck_assert_uint_eq(is_ignored & ~0x180000000UL, 0);
}
END_TEST

/* A worker that is built with a sanitizer gets no limit from the kernel: see child.c. */
#ifdef __SANITIZE_ADDRESS__
#define DATA_LIMITS "unlimited\nunlimited"
#else
#define DATA_LIMITS "102400\n102400"
#endif

/* It reads the spec first, so that it looks no sooner than process_start() is done with it. */
START_TEST(test_its_limits)
{
    const struct process_limits limits = {.memory_max = 100 * MB, .niceness = 5};
    run_within("read spec\n"
               "ulimit -c >&2; ulimit -Hc >&2; ulimit -d >&2; ulimit -Hd >&2\n"
               "cat /proc/$$/oom_score_adj >&2; nice >&2\n",
        &limits);
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "0\n0\n" DATA_LIMITS "\n500\n%d", MAX(getpriority(PRIO_PROCESS, 0), 5));
    ck_assert_str_eq(told.last_words, wanted);
}
END_TEST

START_TEST(test_its_group)
{
    write_worker("cut -d' ' -f5 /proc/$$/stat >&2\n", 0700);
    start(worker, SPEC, NO_LIMITS);
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)process_pid(process));
    AWAIT(told.ended);
    ck_assert_str_eq(told.last_words, pid);
}
END_TEST

/* It may be started long before it is told what to do. */
START_TEST(test_its_time_begins_when_it_is_told)
{
    const struct process_limits limits = {.time_us = 300 * US_PER_MS};
    struct error err;
    write_worker("read spec\n" SAYS_DONE, 0700);
    ck_assert_int_eq(process_start(base, worker, &limits, &events, &told, &process, &err), 0);
    int64_t later = clock_mono_us() + 2 * limits.time_us;
    AWAIT(clock_mono_us() > later);
    ck_assert(!told.ended);
    process_tell(process, SPEC);
    AWAIT(told.ended);
    ck_assert_msg(told.outcome == PROCESS_DONE, "%s", told.error);
}
END_TEST

START_TEST(test_what_is_to_end_is_told_nothing)
{
    struct error err;
    write_worker("trap '' TERM\necho $$. >$TMPDIR/note\nread spec\n" SAYS_DONE, 0700);
    ck_assert_int_eq(process_start(base, worker, NO_LIMITS, &events, &told, &process, &err), 0);
    AWAIT(noted());
    process_kill(process, "cancelled by uid 7");
    process_tell(process, SPEC);
    AWAIT(told.ended);
    ck_assert_int_eq(told.outcome, PROCESS_KILLED);
    ck_assert_str_eq(told.error, "cancelled by uid 7");
}
END_TEST

/* valgrind makes a fork of what is none, and the child's errno is then lost. */
START_TEST(test_not_startable)
{
    static const struct {
        const char *script;
        mode_t mode;
        const char *words;
    } cases[] = {
        {NULL, 0, "No such file or directory: install it there"},
        {"exit 0", 0600, "Permission denied: it must be executable"},
        {"#!/nowhere/sh\n", 0700, "the interpreter that its first line names is missing"},
        {"#", 0700, "Exec format error: it is not a program"},
        {"#", 0, "Permission denied"},
    };
    for (size_t i = 0; i < N_ELEMENTS(cases) && !under_valgrind(); i++) {
        struct error err = {""};
        struct process *p = NULL;
        if (cases[i].script)
            write_worker(cases[i].script, cases[i].mode);
        ck_assert_int_eq(process_start(base, worker, NO_LIMITS, &events, &told, &p, &err), -1);
        ck_assert_msg(strstr(err.text, cases[i].words), "%s", err.text);
        ck_assert_msg(strstr(err.text, worker), "%s", err.text);
        ck_assert_ptr_null(p);
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    }
}
END_TEST

/* -- its limits ------------------------------------------------------------------------------------------ */

START_TEST(test_time_limit)
{
    const struct process_limits limits = {.time_us = 100 * US_PER_MS};
    int64_t began = clock_mono_us();
    run_within(HANGS, &limits);
    ck_assert_int_ge(
        clock_mono_us() - began, limits.time_us - 20 * US_PER_MS); /* the loop's clock is coarse */
    ck_assert_int_lt(clock_mono_us() - began, ENDS_AT_ONCE);
    ck_assert_int_eq(told.outcome, PROCESS_KILLED);
    ck_assert_str_eq(told.error, "took longer than time_limit (100 ms)");
    ck_assert_int_eq(told.signal, SIGTERM);
    ck_assert(told.transient);
}
END_TEST

START_TEST(test_one_that_ignores_sigterm)
{
    int64_t began = clock_mono_us();
    write_worker("trap '' TERM; echo '" PROGRESS_3 "'; while :; do sleep 1000; done\n", 0700);
    start(worker, SPEC, NO_LIMITS);
    AWAIT(told.n_progress == 1);
    process_kill(process, "cancelled by uid 1000");
    process_kill(process, "no, for another reason");
    AWAIT(told.ended);
    ck_assert_int_ge(clock_mono_us() - began, 2 * US_PER_SEC - SLACK_US);
    ck_assert_int_eq(told.outcome, PROCESS_KILLED);
    ck_assert_str_eq(told.error, "cancelled by uid 1000");
    ck_assert_int_eq(told.signal, SIGKILL);
    ck_assert(!told.transient);
}
END_TEST

/* A stopped process does not hear SIGTERM. */
START_TEST(test_one_that_is_stopped)
{
    const struct process_limits limits = {.time_us = 100 * US_PER_MS};
    run_within("kill -STOP $$\n", &limits);
    ck_assert_int_eq(told.outcome, PROCESS_KILLED);
    ck_assert_int_eq(told.signal, SIGKILL);
}
END_TEST

/* What is done is done, though we asked it to stop. */
START_TEST(test_done_while_it_is_killed)
{
    write_worker("trap 'kill %1; echo \"{\\\"done\\\": {}}\"; exit 0' TERM\n"
                 "sleep 1000 & echo '" PROGRESS_3 "'; wait\n",
        0700);
    start(worker, SPEC, NO_LIMITS);
    AWAIT(told.n_progress == 1);
    process_kill(process, "cancelled");
    AWAIT(told.ended);
    ck_assert_int_eq(told.outcome, PROCESS_DONE);
    ck_assert_str_eq(told.error, "");
}
END_TEST

START_TEST(test_memory_that_the_kernel_refuses)
{
    if (strcmp(DATA_LIMITS, "unlimited\nunlimited") == 0)
        return;
    const struct process_limits limits = {.memory_max = 100 * MB};
    run_within("read spec; LC_ALL=C dd if=/dev/zero of=/dev/null bs=200M count=1\n", &limits);
    ck_assert_int_eq(told.outcome, PROCESS_FAILED);
    ck_assert_int_eq(told.exit_code, 1);
    ck_assert_msg(strstr(told.last_words, "memory exhausted"), "%s", told.last_words);
}
END_TEST

START_TEST(test_memory_that_we_refuse)
{
    const struct process_limits limits = {.memory_max = 16 * MB};
    start(HOG, SPEC, &limits);
    AWAIT(told.ended);
    ck_assert_int_eq(told.outcome, PROCESS_KILLED);
    ck_assert_msg(strncmp(told.error, "used ", 5) == 0, "%s", told.error);
    ck_assert_msg(strstr(told.error, " MB, more than memory_max (16.0 MB)"), "%s", told.error);
    ck_assert(!told.transient);
    ck_assert_uint_gt(told.peak_bytes, limits.memory_max);
}
END_TEST

/* It uses 64 MB, and ends by its time. */
START_TEST(test_memory_beside)
{
    const struct process_limits limits = {
        .memory_max = 16 * MB, .beside = 200 * MB, .time_us = 500 * US_PER_MS};
    start(HOG, SPEC, &limits);
    AWAIT(told.ended);
    ck_assert_msg(strstr(told.error, "time_limit"), "%s", told.error);
    ck_assert_uint_gt(told.peak_bytes, limits.memory_max);
}
END_TEST

START_TEST(test_memory_that_is_asked_for)
{
    const struct process_limits limits = {.memory_max = 10 * MB, .reserve_max = 100 * MB};
    run_within("read spec; ulimit -d >&2; ulimit -Hd >&2\n", &limits);
    ck_assert_str_eq(told.last_words, DATA_LIMITS);
}
END_TEST

START_TEST(test_its_account)
{
    const struct process_limits limits = {.time_us = 300 * US_PER_MS};
    run_within("while :; do :; done\n", &limits);
    ck_assert_int_gt(told.cpu_us, 1000);
    ck_assert_int_lt(told.cpu_us, 20 * US_PER_SEC);
    ck_assert_uint_gt(told.peak_bytes, MB / 4);
    ck_assert_uint_lt(told.peak_bytes, 16 * MB);
}
END_TEST

/* -- its group ------------------------------------------------------------------------------------------- */

#define LEAVES_A_CHILD                                                                                       \
    "sh -c 'trap \"\" TERM; echo $$. >\"$TMPDIR/note\"; while :; do sleep 1000; done' &\n"                   \
    "until [ -s \"$TMPDIR/note\" ]; do :; done\n"

/* A child that holds the pipes and does not hear SIGTERM: it delays us a moment, and does not live on. */
START_TEST(test_a_child_that_lives_on)
{
    int64_t began = clock_mono_us();
    run(LEAVES_A_CHILD SAYS_DONE);
    ck_assert_int_ge(clock_mono_us() - began, 200 * US_PER_MS - SLACK_US);
    ck_assert_int_lt(clock_mono_us() - began, ENDS_AT_ONCE);
    ck_assert_int_eq(told.outcome, PROCESS_DONE);
    ck_assert_int_gt(noted(), 0);
    AWAIT(is_gone(noted()));
}
END_TEST

START_TEST(test_freed_alive)
{
    write_worker(LEAVES_A_CHILD HANGS, 0700);
    start(worker, SPEC, NO_LIMITS);
    AWAIT(noted() > 0);
    int64_t began = clock_mono_us();
    process_free(TAKE(process));
    ck_assert_int_lt(clock_mono_us() - began, 200 * US_PER_MS);
    ck_assert(!told.ended);
    AWAIT(is_gone(noted()));
}
END_TEST

START_TEST(test_freed_at_once)
{
    for (int i = 0; i < 20; i++) {
        write_worker(SAYS_DONE, 0700);
        start(worker, SPEC, NO_LIMITS);
        process_free(TAKE(process));
    }
    process_free(NULL);
    turn();
    ck_assert(!told.ended);
}
END_TEST

START_TEST(test_without_sigchld)
{
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    run(SAYS_DONE);
    ck_assert_int_eq(told.outcome, PROCESS_DONE);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGCHLD, SIG_IGN); /* as inherited from a shell that does not care */
    run(SAYS_DONE);
    ck_assert_int_eq(told.outcome, PROCESS_DONE);
}
END_TEST

/* Somebody else in the process who waits for any child: how it ended is not known, and no success. */
START_TEST(test_an_end_that_another_took)
{
    write_worker(SAYS_DONE, 0700);
    start(worker, SPEC, NO_LIMITS);
    ck_assert_int_eq(waitpid(-1, NULL, 0), process_pid(process));
    AWAIT(told.ended);
    ck_assert_int_eq(told.outcome, PROCESS_FAILED);
    ck_assert_ptr_nonnull(strstr(told.error, "how is not known"));
    ck_assert_int_eq(told.exit_code, -1);
    ck_assert(told.transient);
}
END_TEST

START_TEST(test_many_at_once)
{
    struct process *first;
    write_worker("echo '" PROGRESS_3 "'\n" HANGS, 0700);
    start(worker, SPEC, NO_LIMITS);
    AWAIT(told.n_progress == 1);
    first = TAKE(process);
    for (int i = 0; i < 10; i++) {
        run(SAYS_DONE);
        ck_assert_int_eq(told.outcome, PROCESS_DONE);
    }
    process = first;
    forget();
    process_kill(process, "last");
    AWAIT(told.ended);
    ck_assert_str_eq(told.error, "last");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_done,
        test_failed,
        test_ways_to_end,
        test_what_is_no_report,
        test_the_longest_line,
        test_a_line_in_pieces,
        test_last_words,
        test_a_flood,
        test_a_large_spec,
        test_a_spec_that_nobody_reads,
        test_its_environment,
        test_its_descriptors,
        test_without_standard_descriptors,
        test_its_signals,
        test_its_limits,
        test_its_group,
        test_its_time_begins_when_it_is_told,
        test_what_is_to_end_is_told_nothing,
        test_not_startable,
        test_time_limit,
        test_one_that_ignores_sigterm,
        test_one_that_is_stopped,
        test_done_while_it_is_killed,
        test_memory_that_the_kernel_refuses,
        test_memory_that_we_refuse,
        test_memory_beside,
        test_memory_that_is_asked_for,
        test_its_account,
        test_a_child_that_lives_on,
        test_freed_alive,
        test_freed_at_once,
        test_without_sigchld,
        test_an_end_that_another_took,
        test_many_at_once,
    };
    return run_staged("process", begin, end, tests, N_ELEMENTS(tests));
}
