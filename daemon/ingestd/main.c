/* ingestd: reads the configuration, starts the intake and the control room, and turns signals into calls. */
#include "config/config.h"
#include "control/control.h"
#include "schedule/scheduler.h"
#include "stream/intake.h"
#include "stream/stream.h"
#include "util/clock.h"
#include "util/health.h"
#include "util/log.h"
#include "util/notify.h"
#include "util/resolve.h"
#include "util/text.h"

#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>

#define DRAIN_US        (4 * US_PER_SEC) /* then we end all the same: within the 5 s that are promised */
#define DEFAULT_CONFIG  "/etc/ingestd/ingestd.yaml"
#define STATUS_LINE_SEC 2

struct daemon {
    const char *config_path;
    struct config *config;
    struct event_base *base;
    struct health *health;
    struct resolver *resolver;
    struct intake *intake;
    struct scheduler *scheduler;
    struct control_server *control;
    struct http_server *http;
    struct event *on_term, *on_int, *on_hup, *watchdog, *status_line;
    struct control_daemon face;
    bool stopping;
    int draining; /* rooms that have not said yet that they are done */
};

/* -- reload ---------------------------------------------------------------------------------------------- */

static const struct config *current_config(void *arg)
{
    struct daemon *d = arg;
    return d->config;
}

static bool is_stopping(void *arg)
{
    struct daemon *d = arg;
    return d->stopping;
}

static int refuse_reload(struct daemon *d, char *problems, char **ret_problems)
{
    health_raise(d->health, "config", "broken", SEVERITY_DEGRADED,
        "mend the file (ingestctl check) and type: ingestctl reload",
        "%s was not taken; the configuration read before stays in force: %s", d->config_path, problems);
    *ret_problems = problems;
    return -1;
}

static int take_config(struct daemon *d, char **ret_problems)
{
    struct config_problems problems = {0};
    _cleanup_(config_freep) struct config *wanted = NULL;
    int r = config_read(d->config_path, &wanted, &problems);
    char *words = r < 0 ? config_problems_to_string(d->config_path, &problems) : NULL;
    config_problems_done(&problems);
    if (r < 0)
        return refuse_reload(d, words, ret_problems);
    _cleanup_free_ char *keys = config_needs_restart(d->config, wanted);
    if (keys)
        return refuse_reload(
            d, xasprintf("a change of %s needs a restart: systemctl restart ingestd", keys), ret_problems);
    int level = log_level_from_string(wanted->log_level);
    if (level >= 0)
        log_set_level((enum log_level)level);
    intake_reload(d->intake, wanted);
    scheduler_reload(d->scheduler, wanted);
    config_free(d->config);
    d->config = TAKE(wanted);
    health_clear(d->health, "config", "broken");
    log_notice("config", NULL, "%s read again and in force", d->config_path);
    return 0;
}

static int reload(void *arg, char **ret_problems)
{
    struct daemon *d = arg;
    *ret_problems = NULL;
    if (d->stopping) { /* it would begin what is just being brought to an end */
        *ret_problems = xstrdup("the daemon is ending");
        return -1;
    }
    notify_reloading();
    int r = take_config(d, ret_problems);
    notify_ready();
    return r;
}

static void on_hup(evutil_socket_t fd, short what, void *arg)
{
    _cleanup_free_ char *problems = NULL;
    reload(arg, &problems);
}

/* -- stopping -------------------------------------------------------------------------------------------- */

static void on_drained(void *arg)
{
    struct daemon *d = arg;
    if (--d->draining == 0)
        event_base_loopbreak(d->base);
}

static void on_stop(evutil_socket_t signal, short what, void *arg)
{
    struct daemon *d = arg;
    if (d->stopping) {
        event_base_loopbreak(d->base);
        return;
    }
    d->stopping = true;
    log_notice("ingestd", NULL, "%s: committing what is in flight, then ending",
        signal == SIGTERM ? "SIGTERM" : "interrupted");
    notify_stopping();
    d->draining = 2;
    scheduler_drain(d->scheduler, DRAIN_US, on_drained, d);
    intake_drain(d->intake, DRAIN_US, on_drained, d);
}

/* -- the service manager --------------------------------------------------------------------------------- */

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    struct daemon *d = arg;
    if (intake_makes_progress(d->intake))
        notify_watchdog();
}

static void on_status_line(evutil_socket_t fd, short what, void *arg)
{
    struct daemon *d = arg;
    char line[256], count[28];
    int64_t inserted = 0;
    for (size_t i = 0; i < intake_n_streams(d->intake); i++) {
        struct stream_report r;
        stream_report(intake_stream(d->intake, i), &r);
        inserted += MAX(r.inserted, 0);
    }
    if (health_ok(d->health))
        snprintf(line, sizeof(line), "healthy: %zu streams, %s rows inserted", intake_n_streams(d->intake),
            text_count((uint64_t)inserted, count));
    else
        snprintf(line, sizeof(line), "%s: %.140s", health_at(d->health, 0)->subject,
            health_at(d->health, 0)->what);
    notify_status(line);
}

/* -- starting -------------------------------------------------------------------------------------------- */

static struct event *on_signal(struct daemon *d, int signal, event_callback_fn fn)
{
    struct event *e = evsignal_new(d->base, signal, fn, d);
    event_add(e, NULL);
    return e;
}

static struct event *every(struct daemon *d, int64_t us, event_callback_fn fn)
{
    struct event *e = event_new(d->base, -1, EV_PERSIST, fn, d);
    struct timeval tv = {us / US_PER_SEC, us % US_PER_SEC};
    event_add(e, &tv);
    return e;
}

static int open_doors(struct daemon *d, struct error *err)
{
    d->face = (struct control_daemon){
        .base = d->base,
        .health = d->health,
        .intake = d->intake,
        .scheduler = d->scheduler,
        .started_us = clock_wall_us(),
        .config = current_config,
        .reload = reload,
        .stopping = is_stopping,
        .daemon = d,
    };
    if (control_server_new(&d->face, d->config->control, &d->control, err) < 0)
        return -1;
    return d->config->http ? http_server_new(&d->face, d->config->http, &d->http, err) : 0;
}

static int start(struct daemon *d, struct error *err)
{
    if (mkdir(d->config->state_dir, 0700) < 0 && errno != EEXIST)
        return error_set(err, "state_dir %s cannot be made: %s", d->config->state_dir, strerror(errno));
    d->base = event_base_new();
    d->health = health_new();
    d->resolver = resolver_new(d->base);
    d->intake = intake_new(d->base, d->resolver, d->health, d->config);
    d->scheduler = scheduler_new(d->base, d->resolver, d->health, d->config);
    if (open_doors(d, err) < 0)
        return -1;
    signal(SIGPIPE, SIG_IGN);
    d->on_term = on_signal(d, SIGTERM, on_stop);
    d->on_int = on_signal(d, SIGINT, on_stop);
    d->on_hup = on_signal(d, SIGHUP, on_hup);
    if (notify_watchdog_interval())
        d->watchdog = every(d, notify_watchdog_interval() / 2, on_watchdog);
    if (getenv("NOTIFY_SOCKET"))
        d->status_line = every(d, STATUS_LINE_SEC * US_PER_SEC, on_status_line);
    intake_start(d->intake);
    scheduler_start(d->scheduler);
    return 0;
}

static void end(struct daemon *d)
{
    struct event *events[] = {d->on_term, d->on_int, d->on_hup, d->watchdog, d->status_line};
    for (size_t i = 0; i < N_ELEMENTS(events); i++)
        if (events[i])
            event_free(events[i]);
    /* First, because their last answers go to the control room. */
    scheduler_free(d->scheduler);
    intake_free(d->intake);
    http_server_free(d->http);
    control_server_free(d->control);
    resolver_free(d->resolver);
    health_free(d->health);
    if (d->base)
        event_base_free(d->base);
    config_free(d->config);
    libevent_global_shutdown();
}

static int read_config(struct daemon *d)
{
    struct config_problems problems = {0};
    int r = config_read(d->config_path, &d->config, &problems);
    if (r < 0) {
        _cleanup_free_ char *words = config_problems_to_string(d->config_path, &problems);
        fprintf(stderr, "%s\n", words);
    }
    config_problems_done(&problems);
    return r;
}

/* One arena, and memory given back early: a backlog must not leave its mark on a daemon that idles for
 * months. */
static void tune_malloc(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
    mallopt(M_MMAP_THRESHOLD, 512 * 1024);
}

static int run(struct daemon *d)
{
    struct error err;
    int level = log_level_from_string(d->config->log_level);
    if (level >= 0)
        log_set_level((enum log_level)level);
    if (start(d, &err) < 0) {
        log_error("ingestd", NULL, "cannot start: %s", err.text);
        return 1;
    }
    log_notice("ingestd", NULL, "ingestd %s, %s: %zu streams, %zu jobs", INGESTD_VERSION, d->config->name,
        d->config->n_streams, d->config->n_jobs);
    notify_ready();
    event_base_dispatch(d->base);
    log_notice("ingestd", NULL, "ended");
    return 0;
}

static const char usage[] =
    "usage: ingestd [--config FILE] [--check]\n"
    "\n"
    "  -c, --config FILE   the configuration (default: $INGESTD_CONFIG, else " DEFAULT_CONFIG ")\n"
    "      --check         read it, say what is wrong with it, and end\n"
    "  -V, --version\n"
    "  -h, --help\n";

int main(int argc, char **argv)
{
    enum { CHECK = 256 };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, CHECK},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct daemon d = {.config_path = getenv("INGESTD_CONFIG")};
    bool check_only = false;
    for (int c; (c = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1;) {
        if (c == 'c')
            d.config_path = optarg;
        else if (c == CHECK)
            check_only = true;
        else if (c == 'V' || c == 'h') {
            fputs(c == 'V' ? "ingestd " INGESTD_VERSION "\n" : usage, stdout);
            return 0;
        } else {
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind < argc) {
        fputs(usage, stderr);
        return 2;
    }
    if (!d.config_path)
        d.config_path = DEFAULT_CONFIG;
    tune_malloc();
    if (read_config(&d) < 0)
        return 1;
    int r = check_only ? 0 : run(&d);
    end(&d);
    return r;
}
