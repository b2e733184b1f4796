#include "control/status.h"

#include "config/config.h"
#include "pg/session.h"
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
    cJSON_AddItemToObject(to, "postgres", describe_postgres(intake_session(daemon->intake)));
    cJSON_AddItemToObject(to, "conditions", status_conditions(daemon));
    cJSON *memory = cJSON_AddObjectToObject(to, "memory");
    add_count(memory, "rss_bytes", resident_bytes());
    return to;
}
