#include "control/status.h"

#include "config/config.h"
#include "pg/session.h"
#include "schedule/scheduler.h"
#include "stream/intake.h"
#include "util/clock.h"
#include "util/health.h"
#include "util/text.h"

#include <cjson/cJSON.h>

const char *status_state(const struct control_daemon *daemon)
{
    if (daemon->stopping && daemon->stopping(daemon->daemon))
        return "STOPPING";
    if (health_ok(daemon->health))
        return "HEALTHY";
    /* The list is sorted, gravest first. */
    return health_at(daemon->health, 0)->severity == SEVERITY_FAILED ? "FAILED" : "DEGRADED";
}

/* Words that came through a fixed-size array may end in half a character, and a server's words may be in any
 * encoding: what is not UTF-8 would make the whole message unreadable. */
static void add_text(cJSON *to, const char *name, const char *words)
{
    _cleanup_free_ char *copy = xstrdup(words ? words : "");
    size_t n = strlen(copy);
    for (size_t back = 1; back <= 3 && back <= n && !text_is_utf8(copy, n); back++)
        if (text_is_utf8(copy, n - back))
            copy[n - back] = '\0';
    if (!text_is_utf8(copy, strlen(copy)))
        for (char *c = copy; *c; c++)
            if ((unsigned char)*c >= 0x80)
                *c = '?';
    cJSON_AddStringToObject(to, name, copy);
}

static void add_count(cJSON *to, const char *name, int64_t n)
{
    cJSON_AddNumberToObject(to, name, (double)n);
}

static void add_time(cJSON *to, const char *name, int64_t wall_us)
{
    char when[40];
    clock_format_utc(wall_us, when, sizeof(when));
    cJSON_AddStringToObject(to, name, when);
}

static void add_since(cJSON *to, int64_t wall_us)
{
    add_time(to, "since", wall_us);
    add_count(to, "for_s", MAX(clock_wall_us() - wall_us, 0) / US_PER_SEC);
}

static cJSON *describe_stream(struct stream *s)
{
    struct stream_report r = {0};
    stream_report(s, &r);
    cJSON *to = cJSON_CreateObject();
    add_text(to, "name", r.name);
    add_text(to, "table", r.table);
    add_text(to, "source", r.source);
    add_text(to, "state", stream_state_to_string(r.state));
    add_since(to, r.since_us);
    cJSON_AddNumberToObject(to, "rate", r.rate);
    cJSON_AddBoolToObject(to, "connected", r.connected);
    const struct {
        const char *name;
        int64_t n;
    } counts[] = {
        {"lag", r.lag},
        {"pending", r.pending},
        {"spool_bytes", r.spool_bytes},
        {"claimed", r.claimed},
        {"delivered", r.delivered},
        {"inserted", r.inserted},
        {"duplicate", r.duplicate},
        {"dead", r.dead},
        {"parked", r.parked},
        {"dead_letters", r.dead_letters},
        {"ignored_fields", r.ignored_fields},
        {"batches", r.batches},
        {"batch_rows_max", r.batch_rows_max},
        {"commit_us_mean", r.commit_us_mean},
    };
    for (size_t i = 0; i < N_ELEMENTS(counts); i++)
        add_count(to, counts[i].name, counts[i].n);
    if (r.last_commit_us > 0)
        add_time(to, "last_commit", r.last_commit_us);
    else
        cJSON_AddNullToObject(to, "last_commit");
    return to;
}

cJSON *status_streams(const struct control_daemon *daemon)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < intake_n_streams(daemon->intake); i++)
        cJSON_AddItemToArray(list, describe_stream(intake_stream(daemon->intake, i)));
    return list;
}

/* Null where there was none. */
static void add_time_or_null(cJSON *to, const char *name, int64_t wall_us)
{
    if (wall_us > 0)
        add_time(to, name, wall_us);
    else
        cJSON_AddNullToObject(to, name);
}

static void add_count_or_null(cJSON *to, const char *name, bool known, int64_t n)
{
    if (known)
        add_count(to, name, n);
    else
        cJSON_AddNullToObject(to, name);
}

static void add_progress(cJSON *to, const struct job_progress *p)
{
    if (!p->stage[0]) {
        cJSON_AddNullToObject(to, "progress");
        return;
    }
    cJSON *progress = cJSON_AddObjectToObject(to, "progress");
    add_text(progress, "stage", p->stage);
    add_text(progress, "unit", p->unit);
    add_count(progress, "done", p->done);
    add_count(progress, "total", p->total);
    if (p->rows > 0)
        add_count(progress, "rows", p->rows);
}

static void add_firings(cJSON *to, const int64_t next_us[JOB_FIRINGS_SHOWN])
{
    cJSON *list = cJSON_AddArrayToObject(to, "next");
    for (size_t i = 0; i < JOB_FIRINGS_SHOWN && next_us[i] > 0; i++) {
        char when[40];
        clock_format_utc(next_us[i], when, sizeof(when));
        cJSON_AddItemToArray(list, cJSON_CreateString(when));
    }
}

static void add_job_account(cJSON *to, const struct job_report *r)
{
    bool succeeded = r->last_success_us > 0;
    add_time_or_null(to, "last_success", r->last_success_us);
    add_time_or_null(to, "last_window_end", r->last_window_end_us);
    add_count_or_null(to, "last_duration_us", succeeded, r->last_duration_us);
    add_count_or_null(to, "last_lateness_us", succeeded && r->last_lateness_us >= 0, r->last_lateness_us);
    add_time_or_null(to, "last_failure", r->last_failure_us);
    const struct {
        const char *name;
        int64_t n;
    } counts[] = {
        {"succeeded", r->succeeded},
        {"failed", r->failed},
        {"skipped", r->skipped},
        {"failed_in_a_row", r->failed_in_a_row},
        {"waiting", r->waiting},
    };
    for (size_t i = 0; i < N_ELEMENTS(counts); i++)
        add_count(to, counts[i].name, counts[i].n);
}

static cJSON *describe_job(struct scheduler *s, size_t i)
{
    struct job_report r = {0};
    scheduler_report(s, i, &r);
    cJSON *to = cJSON_CreateObject();
    add_text(to, "name", r.name);
    add_text(to, "kind", r.kind);
    add_text(to, "schedule", r.schedule);
    add_text(to, "time_zone", r.time_zone);
    add_text(to, "state", job_state_to_string(r.state));
    add_text(to, "why", r.why);
    add_time_or_null(to, "since", r.since_us);
    add_firings(to, r.next_us);
    add_count_or_null(to, "running", r.running > 0, r.running);
    add_time_or_null(to, "running_since", r.running_since_us);
    add_progress(to, &r.progress);
    add_job_account(to, &r);
    return to;
}

void status_add_jobs(cJSON *to, const struct control_daemon *daemon)
{
    struct scheduler *s = daemon->scheduler;
    const char *leader = s ? scheduler_leader(s) : "";
    cJSON *list = cJSON_AddArrayToObject(to, "jobs");
    for (size_t i = 0; s && i < scheduler_n_jobs(s); i++)
        cJSON_AddItemToArray(list, describe_job(s, i));
    if (leader[0])
        add_text(to, "leader", leader);
    else
        cJSON_AddNullToObject(to, "leader");
    cJSON_AddBoolToObject(to, "leads", s && scheduler_leads(s));
    add_count(to, "workers", s ? scheduler_n_workers(s) : 0);
}

cJSON *status_conditions(const struct control_daemon *daemon)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < health_count(daemon->health); i++) {
        const struct condition *c = health_at(daemon->health, i);
        cJSON *to = cJSON_CreateObject();
        add_text(to, "subject", c->subject);
        add_text(to, "code", c->code);
        add_text(to, "severity", severity_to_string(c->severity));
        add_since(to, c->since_us);
        add_text(to, "what", c->what);
        add_text(to, "remedy", c->remedy);
        cJSON_AddItemToArray(list, to);
    }
    return list;
}

static cJSON *describe_postgres(const struct pg_session *s)
{
    cJSON *to = cJSON_CreateObject();
    add_text(to, "label", pg_session_label(s));
    cJSON_AddBoolToObject(to, "up", pg_session_ready(s));
    add_text(to, "state", pg_state_to_string(pg_session_state(s)));
    add_since(to, pg_session_since_us(s));
    add_count(to, "round_trip_us", pg_session_round_trip_us(s));
    add_text(to, "why", pg_session_why(s));
    add_count(to, "server_version", pg_session_server_version(s));
    return to;
}

/* The second number of /proc/self/statm, in pages (proc(5)). A read of procfs does not wait for a disk. */
static int64_t resident_bytes(void)
{
    _cleanup_fclose_ FILE *f = fopen("/proc/self/statm", "re");
    long total, resident;
    if (!f || fscanf(f, "%ld %ld", &total, &resident) != 2)
        return -1;
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

cJSON *status_build(const struct control_daemon *daemon)
{
    cJSON *to = cJSON_CreateObject();
    cJSON_AddStringToObject(to, "version", INGESTD_VERSION);
    add_text(to, "name", daemon->config(daemon->daemon)->name);
    add_count(to, "pid", getpid());
    add_time(to, "started", daemon->started_us);
    add_count(to, "uptime_s", MAX(clock_wall_us() - daemon->started_us, 0) / US_PER_SEC);
    cJSON_AddStringToObject(to, "state", status_state(daemon));
    cJSON_AddItemToObject(to, "streams", status_streams(daemon));
    status_add_jobs(to, daemon);
    cJSON_AddItemToObject(to, "postgres", describe_postgres(intake_session(daemon->intake)));
    cJSON_AddItemToObject(to, "conditions", status_conditions(daemon));
    cJSON *memory = cJSON_AddObjectToObject(to, "memory");
    add_count(memory, "rss_bytes", resident_bytes());
    return to;
}
