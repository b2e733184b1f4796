#include "control/metrics.h"

#include "stream/stream.h"

#include <cjson/cJSON.h>
#include <math.h>

/* https://prometheus.io/docs/instrumenting/exposition_formats/: one HELP and TYPE a family, then its samples.
 */

struct family {
    const char *name, *type, *help;
    const char *key; /* in the status */
    double scale;    /* of the key's value; 1 where it is as it should be */
};

static const struct family stream_families[] = {
    {"delivered_total", "counter", "Entries delivered, by the ledger.", "delivered", 1},
    {"rate", "gauge", "Entries a second, over the last ten seconds.", "rate", 1},
    {"lag", "gauge", "Entries that wait upstream.", "lag", 1},
    {"pending", "gauge", "Entries delivered and not yet acknowledged.", "pending", 1},
    {"parked", "gauge", "Rows that wait for their parent.", "parked", 1},
    {"dead_letters", "gauge", "Letters neither replayed nor dropped.", "dead_letters", 1},
    {"spool_bytes", "gauge", "Bytes spooled and not yet stored.", "spool_bytes", 1},
    {"claimed_total", "counter", "Entries taken over from dead consumers.", "claimed", 1},
    {"ignored_fields_total", "counter", "Fields that no column takes.", "ignored_fields", 1},
    {"batches_total", "counter", "Batches committed since the start.", "batches", 1},
    {"commit_seconds_mean", "gauge", "Sent to committed, mean of the recent batches.", "commit_us_mean",
        1e-6},
    {"source_connected", "gauge", "1 while the source is connected.", "connected", 1},
};

static const char *const outcomes[] = {"inserted", "duplicate", "dead"};

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
        buffer_printf(to, " %.9g\n", v);
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

static void put_stream_sample(
    struct buffer *to, const char *name, const cJSON *stream, const char *key, double scale)
{
    double v;
    if (!number_of(stream, key, &v))
        return;
    buffer_printf(to, "ingestd_%s{", name);
    put_label(to, "stream", text_of(stream, "name"));
    buffer_put_string(to, "}");
    put_value(to, v * scale);
}

static void put_entries(struct buffer *to, const cJSON *streams)
{
    put_head(to, "entries", "gauge",
        "Entries by what became of them, by the ledger; a replay makes a dead one inserted.");
    const cJSON *stream;
    cJSON_ArrayForEach(stream, streams)
    {
        for (size_t i = 0; i < N_ELEMENTS(outcomes); i++) {
            double v;
            if (!number_of(stream, outcomes[i], &v))
                continue;
            buffer_put_string(to, "ingestd_entries{");
            put_label(to, "stream", text_of(stream, "name"));
            buffer_put_string(to, ",");
            put_label(to, "outcome", outcomes[i]);
            buffer_put_string(to, "}");
            put_value(to, v);
        }
    }
}

/* One sample a state, 1 for the one it is in, so that an alert can name a state. */
static void put_states(struct buffer *to, const cJSON *streams)
{
    put_head(to, "stream_state", "gauge", "1 for the state the stream is in.");
    const cJSON *stream;
    cJSON_ArrayForEach(stream, streams)
    {
        const char *now = text_of(stream, "state");
        for (int s = STREAM_STARTING; s <= STREAM_STOPPED; s++) {
            const char *state = stream_state_to_string(s);
            buffer_put_string(to, "ingestd_stream_state{");
            put_label(to, "stream", text_of(stream, "name"));
            buffer_put_string(to, ",");
            put_label(to, "state", state);
            buffer_put_string(to, "}");
            put_value(to, now && strcmp(now, state) == 0);
        }
    }
}

static void put_streams(struct buffer *to, const cJSON *streams)
{
    put_entries(to, streams);
    put_states(to, streams);
    for (size_t i = 0; i < N_ELEMENTS(stream_families); i++) {
        const struct family *f = &stream_families[i];
        put_head(to, f->name, f->type, f->help);
        const cJSON *stream;
        cJSON_ArrayForEach(stream, streams)
        {
            put_stream_sample(to, f->name, stream, f->key, f->scale);
        }
    }
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
    put_single(to, "postgres_up", "1 while the Postgres session is ready.", postgres, "up", 1);
    put_single(to, "postgres_round_trip_seconds", "The last round trip.", postgres, "round_trip_us", 1e-6);
    put_conditions(to, item_of(status, "conditions"));
    put_single(
        to, "process_resident_memory_bytes", "Resident memory.", item_of(status, "memory"), "rss_bytes", 1);
}
