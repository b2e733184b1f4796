#include "control/metrics.h"

#include "schedule/scheduler.h"
#include "stream/stream.h"
#include "util/clock.h"

#include <cjson/cJSON.h>
#include <math.h>

/* https://prometheus.io/docs/instrumenting/exposition_formats/: one HELP and TYPE a family, then its samples.
 */

struct family {
    const char *name, *type, *help;
    const char *key; /* in the status */
    double scale;    /* of the key's value; 1 where it is as it should be */
    bool (*read)(const cJSON *object, const char *key, double *ret); /* NULL: number_of */
};

static bool instant_of(const cJSON *object, const char *key, double *ret);
static bool presence_of(const cJSON *object, const char *key, double *ret);

static const struct family stream_families[] = {
    {"delivered_total", "counter", "Entries delivered, by the ledger.", "delivered", 1, NULL},
    {"rate", "gauge", "Entries a second, over the last ten seconds.", "rate", 1, NULL},
    {"lag", "gauge", "Entries that wait upstream.", "lag", 1, NULL},
    {"pending", "gauge", "Entries delivered and not yet acknowledged.", "pending", 1, NULL},
    {"parked", "gauge", "Rows that wait for their parent.", "parked", 1, NULL},
    {"dead_letters", "gauge", "Letters neither replayed nor dropped.", "dead_letters", 1, NULL},
    {"spool_bytes", "gauge", "Bytes spooled and not yet stored.", "spool_bytes", 1, NULL},
    {"claimed_total", "counter", "Entries taken over from dead consumers.", "claimed", 1, NULL},
    {"ignored_fields_total", "counter", "Fields that no column takes.", "ignored_fields", 1, NULL},
    {"batches_total", "counter", "Batches committed since the start.", "batches", 1, NULL},
    {"commit_seconds_mean", "gauge", "Sent to committed, mean of the recent batches.", "commit_us_mean", 1e-6,
        NULL},
    {"source_connected", "gauge", "1 while the source is connected.", "connected", 1, NULL},
};

static const struct family job_families[] = {
    {"job_last_success_timestamp_seconds", "gauge", "When the last success finished.", "last_success", 1,
        instant_of},
    {"job_last_duration_seconds", "gauge", "How long the last success took.", "last_duration_us", 1e-6, NULL},
    {"job_last_lateness_seconds", "gauge", "Its start less its scheduled time.", "last_lateness_us", 1e-6,
        NULL},
    {"job_failed_in_a_row", "gauge", "Runs that failed since the last success.", "failed_in_a_row", 1, NULL},
    {"job_waiting", "gauge", "Runs that wait to be started.", "waiting", 1, NULL},
    {"job_running", "gauge", "1 while a run is under way.", "running", 1, presence_of},
};

static const char *const outcomes[] = {"inserted", "duplicate", "dead"};
static const char *const run_outcomes[] = {"succeeded", "failed", "skipped"};

static void put_label(struct buffer *to, const char *name, const char *value)
{
    buffer_printf(to, "%s=\"", name);
    for (const char *c = value ? value : ""; *c; c++) {
        if (*c == '\\' || *c == '"')
            buffer_put(to, "\\", 1);
        if (*c == '\n')
            buffer_put_string(to, "\\n");
        else
            buffer_put(to, c, 1);
    }
    buffer_put(to, "\"", 1);
}

static void put_head(struct buffer *to, const char *name, const char *type, const char *help)
{
    buffer_printf(to, "# HELP ingestd_%s %s\n# TYPE ingestd_%s %s\n", name, help, name, type);
}

static void put_value(struct buffer *to, double v)
{
    if (v == floor(v) && fabs(v) < 1e15)
        buffer_printf(to, " %.0f\n", v);
    else
        buffer_printf(to, " %.15g\n", v);
}

static const char *text_of(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static const cJSON *item_of(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* A truth counts 1. False when the value is not known (-1) or not there: then there is no sample. */
static bool number_of(const cJSON *object, const char *key, double *ret)
{
    const cJSON *v = item_of(object, key);
    if (cJSON_IsBool(v)) {
        *ret = cJSON_IsTrue(v);
        return true;
    }
    if (!cJSON_IsNumber(v) || v->valuedouble < 0)
        return false;
    *ret = v->valuedouble;
    return true;
}

/* A time's seconds since 1970. */
static bool instant_of(const cJSON *object, const char *key, double *ret)
{
    const char *text = text_of(object, key);
    int64_t us;
    if (!text || clock_parse_utc(text, &us) < 0)
        return false;
    *ret = (double)us / US_PER_SEC;
    return true;
}

/* 1 where the value is not null. */
static bool presence_of(const cJSON *object, const char *key, double *ret)
{
    const cJSON *v = item_of(object, key);
    *ret = v && !cJSON_IsNull(v);
    return true;
}

static void put_single(
    struct buffer *to, const char *name, const char *help, const cJSON *object, const char *key, double scale)
{
    double v;
    if (!number_of(object, key, &v))
        return;
    put_head(to, name, "gauge", help);
    buffer_printf(to, "ingestd_%s", name);
    put_value(to, v * scale);
}

static void put_build(struct buffer *to, const cJSON *status)
{
    put_head(to, "up", "gauge", "1 while the daemon answers.");
    buffer_put_string(to, "ingestd_up 1\n");
    put_head(to, "build_info", "gauge", "What runs, as labels.");
    buffer_put_string(to, "ingestd_build_info{");
    put_label(to, "version", text_of(status, "version"));
    buffer_put_string(to, ",");
    put_label(to, "name", text_of(status, "name"));
    buffer_put_string(to, "} 1\n");
}

static void put_name(struct buffer *to, const char *family, const char *label, const cJSON *object)
{
    buffer_printf(to, "ingestd_%s{", family);
    put_label(to, label, text_of(object, "name"));
}

/* A sample an object, labelled with its name. */
static void put_family(struct buffer *to, const struct family *f, const char *label, const cJSON *list)
{
    put_head(to, f->name, f->type, f->help);
    const cJSON *object;
    cJSON_ArrayForEach(object, list)
    {
        double v;
        if (!(f->read ? f->read : number_of)(object, f->key, &v))
            continue;
        put_name(to, f->name, label, object);
        buffer_put_string(to, "}");
        put_value(to, v * f->scale);
    }
}

/* A sample an object and outcome: the members of that name. */
static void put_outcomes(struct buffer *to, const char *family, const char *label, const cJSON *list,
    const char *const *keys, size_t n_keys)
{
    const cJSON *object;
    cJSON_ArrayForEach(object, list)
    {
        for (size_t i = 0; i < n_keys; i++) {
            double v;
            if (!number_of(object, keys[i], &v))
                continue;
            put_name(to, family, label, object);
            buffer_put_string(to, ",");
            put_label(to, "outcome", keys[i]);
            buffer_put_string(to, "}");
            put_value(to, v);
        }
    }
}

static const char *stream_state_name(int s)
{
    return stream_state_to_string((enum stream_state)s);
}

static const char *job_state_name(int s)
{
    return job_state_to_string((enum job_state)s);
}

/* One sample a state, 1 for the one it is in, so that an alert can name a state. */
static void put_states(struct buffer *to, const char *family, const char *label, const cJSON *list,
    const char *(*name_of)(int s), int last)
{
    const cJSON *object;
    cJSON_ArrayForEach(object, list)
    {
        const char *now = text_of(object, "state");
        for (int s = 0; s <= last; s++) {
            put_name(to, family, label, object);
            buffer_put_string(to, ",");
            put_label(to, "state", name_of(s));
            buffer_put_string(to, "}");
            put_value(to, now && strcmp(now, name_of(s)) == 0);
        }
    }
}

static void put_streams(struct buffer *to, const cJSON *streams)
{
    put_head(to, "entries", "gauge",
        "Entries by what became of them, by the ledger; a replay makes a dead one inserted.");
    put_outcomes(to, "entries", "stream", streams, outcomes, N_ELEMENTS(outcomes));
    put_head(to, "stream_state", "gauge", "1 for the state the stream is in.");
    put_states(to, "stream_state", "stream", streams, stream_state_name, STREAM_STOPPED);
    for (size_t i = 0; i < N_ELEMENTS(stream_families); i++)
        put_family(to, &stream_families[i], "stream", streams);
}

static void put_jobs(struct buffer *to, const cJSON *status)
{
    const cJSON *jobs = item_of(status, "jobs");
    put_single(to, "scheduler_leads", "1 while this daemon starts the runs.", status, "leads", 1);
    put_single(to, "workers", "This daemon's workers at work.", status, "workers", 1);
    if (cJSON_GetArraySize(jobs) == 0)
        return;
    put_head(to, "job_runs_total", "counter", "Runs by how they ended, of all daemons and all time.");
    put_outcomes(to, "job_runs_total", "job", jobs, run_outcomes, N_ELEMENTS(run_outcomes));
    put_head(to, "job_state", "gauge", "1 for the state the job is in.");
    put_states(to, "job_state", "job", jobs, job_state_name, JOB_UNKNOWN);
    for (size_t i = 0; i < N_ELEMENTS(job_families); i++)
        put_family(to, &job_families[i], "job", jobs);
}

static void put_conditions(struct buffer *to, const cJSON *conditions)
{
    static const char *const severities[] = {"note", "degraded", "failed"};
    put_head(to, "conditions", "gauge", "What is wrong now, by severity.");
    for (size_t i = 0; i < N_ELEMENTS(severities); i++) {
        int n = 0;
        const cJSON *c;
        cJSON_ArrayForEach(c, conditions)
        {
            const char *severity = text_of(c, "severity");
            n += severity && strcmp(severity, severities[i]) == 0;
        }
        buffer_put_string(to, "ingestd_conditions{");
        put_label(to, "severity", severities[i]);
        buffer_printf(to, "} %d\n", n);
    }
}

void metrics_write(struct buffer *to, const cJSON *status)
{
    const cJSON *postgres = item_of(status, "postgres");
    put_build(to, status);
    put_single(to, "uptime_seconds", "Seconds since the start.", status, "uptime_s", 1);
    put_streams(to, item_of(status, "streams"));
    put_jobs(to, status);
    put_single(to, "postgres_up", "1 while the Postgres session is ready.", postgres, "up", 1);
    put_single(to, "postgres_round_trip_seconds", "The last round trip.", postgres, "round_trip_us", 1e-6);
    put_conditions(to, item_of(status, "conditions"));
    put_single(
        to, "process_resident_memory_bytes", "Resident memory.", item_of(status, "memory"), "rss_bytes", 1);
}
