/*
 * ingest-worker: one job's work in a process of its own. It reads what to do from its standard input (job/spec.h),
 * says how it goes on its standard output (job/report.h), and ends: 0 done, 1 failed, 2 not understood.
 */
#include "job/job.h"
#include "job/report.h"
#include "util/buffer.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define SPEC_MAX (4 * 1024 * 1024)

enum { ENDED_DONE, ENDED_FAILED, ENDED_NOT_UNDERSTOOD };

/* -- the process ----------------------------------------------------------------------------------------- */

/*
 * It dies with the daemon that started it. Should that have died already, before it could be said here, then the
 * first report finds no reader and ends us, and nothing was begun.
 */
static void die_with_parent(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* SIGTERM ends us at once; what is open in a database, its server rolls back when our connection is gone. Both are
 * set here because the daemon's own settings come with exec. */
static void take_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGPIPE, SIG_IGN); /* a write says it */
}

/* A core would hold rows and passwords. */
static void leave_no_core(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

static void *allocate(size_t n)
{
    return xcalloc(1, n); /* ends with words where there is no memory */
}

/* -- the work -------------------------------------------------------------------------------------------- */

/* The first line of the standard input, or all of it. */
static int read_spec(struct buffer *b, struct error *err)
{
    const char *end = NULL;
    while (!end) {
        if (b->n > SPEC_MAX)
            return error_set(err, "the job's spec is longer than 4 MB");
        if (!buffer_reserve(b, 65536))
            return error_set(err, "no memory for the job's spec");
        ssize_t got = read(STDIN_FILENO, b->p + b->n, 65536);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(err, "the job's spec cannot be read: %s", strerror(errno));
        end = got == 0 ? b->p + b->n : memchr(b->p + b->n, '\n', (size_t)got);
        b->n += (size_t)got;
    }
    b->n = (size_t)(end - b->p);
    return 0;
}

static int understand(struct job_spec *ret_spec, const struct job_kind **ret_kind, struct error *err)
{
    _cleanup_buffer_ struct buffer text = {0};
    _cleanup_job_spec_ struct job_spec spec = {0};
    if (read_spec(&text, err) < 0)
        return -1;
    int r = job_spec_parse(text.p, text.n, &spec, err);
    explicit_bzero(text.p, text.cap);
    if (r < 0)
        return -1;
    *ret_kind = job_kind_find(spec.kind);
    if (!*ret_kind)
        return error_set(err, "there is no kind of job named \"%.40s\" in this worker", spec.kind);
    *ret_spec = spec;
    spec = (struct job_spec){0};
    return 0;
}

static int work(void)
{
    _cleanup_job_spec_ struct job_spec spec = {0};
    const struct job_kind *kind;
    struct db_fault fault = {0};
    struct error err;
    cJSON *stats = NULL;
    if (understand(&spec, &kind, &err) < 0) {
        report_failed(err.text, "", false);
        return ENDED_NOT_UNDERSTOOD;
    }
    if (kind->run(&spec, &stats, &fault) < 0) {
        report_failed(fault.error.text, fault.sqlstate, fault.transient);
        return ENDED_FAILED;
    }
    report_done(stats);
    return ENDED_DONE;
}

static const char usage[] =
    "usage: ingest-worker < SPEC\n"
    "\n"
    "Does the work of one job of ingestd in a process of its own. The daemon starts it when a job is due; "
    "there is\n"
    "no need to start it by hand (for that: ingestctl run JOB). It reads the job's spec, a line of JSON, "
    "from its\n"
    "standard input, and writes its progress and its result to its standard output, each a line of JSON.\n"
    "\n"
    "  -V, --version\n"
    "  -h, --help\n"
    "\n"
    "It ends with 0 when the work is done, 1 when it failed, 2 when the spec is not understood.\n";

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    die_with_parent();
    take_signals();
    leave_no_core();
    int c = getopt_long(argc, argv, "Vh", options, NULL);
    if (c == 'V' || c == 'h') {
        fputs(c == 'V' ? "ingest-worker " INGESTD_VERSION "\n" : usage, stdout);
        return 0;
    }
    if (c != -1 || optind < argc || isatty(STDIN_FILENO)) {
        fputs(usage, stderr);
        return ENDED_NOT_UNDERSTOOD;
    }
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = allocate, .free_fn = free});
    return work();
}
