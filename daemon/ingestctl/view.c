#include "view.h"

#include "ctl.h"
#include "util/clock.h"
#include "util/text.h"
#include "view_jobs.h"

#include <cjson/cJSON.h>
#include <time.h>

const char *view_count(double n, char out[28])
{
    if (n < 0)
        return strcpy(out, "-");
    return text_count((uint64_t)n, out);
}

static const char *amount(double n, bool bytes, char out[32])
{
    return bytes ? text_bytes(n < 0 ? 0 : (uint64_t)n, out) : view_count(n, out);
}

const char *view_progress(const cJSON *progress, char out[96])
{
    char done[32], total[32];
    const char *unit = ctl_text(progress, "unit");
    bool bytes = strcmp(unit, "bytes") == 0, known = ctl_number(progress, "total") >= 1;
    out[0] = '\0';
    if (unit[0])
        snprintf(out, 96, "%s%s%s%s%.24s", amount(ctl_number(progress, "done"), bytes, done),
            known ? " of " : "", known ? amount(ctl_number(progress, "total"), bytes, total) : "",
            bytes ? "" : " ", bytes ? "" : unit);
    return out;
}

const char *view_seconds(double s, char out[32])
{
    if (s < 60)
        snprintf(out, 32, "%ds", s > 0 ? (int)s : 0);
    else
        text_duration((int64_t)s * US_PER_SEC, out);
    return out;
}

/* The wall clock's reading here; false when it is no time. */
static bool local_time(const char *rfc3339, struct tm *ret)
{
    int64_t us;
    if (clock_parse_utc(rfc3339, &us) < 0)
        return false;
    time_t at = (time_t)(us / US_PER_SEC);
    return localtime_r(&at, ret);
}

static bool same_day(const struct tm *a, const struct tm *b)
{
    return a->tm_yday == b->tm_yday && a->tm_year == b->tm_year;
}

static const char *time_words(const struct tm *then, bool with_date, char out[32])
{
    if (strftime(out, 32, with_date ? "%Y-%m-%d %H:%M:%S" : "%H:%M:%S", then) == 0)
        return strcpy(out, "?");
    return out;
}

const char *view_time(const char *rfc3339, char out[32])
{
    struct tm then, now;
    time_t today = time(NULL);
    if (!local_time(rfc3339, &then) || !localtime_r(&today, &now))
        return strcpy(out, "?");
    return time_words(&then, !same_day(&then, &now), out);
}

const char *view_span(const char *from, const char *to, char out[80])
{
    struct tm start, end;
    char from_words[32], to_words[32];
    if (!local_time(from, &start) || !local_time(to, &end))
        return strcpy(out, "?");
    snprintf(out, 80, "%s to %s", view_time(from, from_words),
        time_words(&end, !same_day(&start, &end), to_words));
    return out;
}

const char *view_firing(const char *rfc3339, const char *before, char out[32])
{
    struct tm then, day;
    time_t today = time(NULL);
    if (!local_time(rfc3339, &then) || !(before ? local_time(before, &day) : !!localtime_r(&today, &day)))
        return strcpy(out, "?");
    time_words(&then, !same_day(&then, &day), out);
    if (then.tm_sec == 0)
        *strrchr(out, ':') = '\0';
    return out;
}

double view_age(const char *rfc3339)
{
    int64_t us;
    if (clock_parse_utc(rfc3339, &us) < 0)
        return 0;
    return (double)(clock_wall_us() - us) / US_PER_SEC;
}

bool view_is_healthy(const cJSON *status)
{
    return strcmp(ctl_text(status, "state"), "HEALTHY") == 0;
}

enum style view_style(const char *state)
{
    static const struct {
        const char *state;
        enum style style;
    } styles[] = {
        {"HEALTHY", GREEN},
        {"FAILED", RED},
        {"failed", RED},
        {"failing", RED},
        {"refused", RED},
        {"stopped", RED},
        {"running", PLAIN},
        {"idle", PLAIN},
        {"done", PLAIN},
        {"note", BOLD},
    };
    for (size_t i = 0; i < N_ELEMENTS(styles); i++)
        if (strcmp(styles[i].state, state) == 0)
            return styles[i].style;
    return YELLOW;
}

static const char *rate_words(double rate, char out[40])
{
    char count[28];
    if (rate >= 0.05 && rate < 10)
        snprintf(out, 40, "%.1f/s", rate);
    else
        snprintf(out, 40, "%s/s", view_count(rate < 0.05 ? 0 : rate, count));
    return out;
}

static void put_head(struct buffer *to, const cJSON *status, bool color)
{
    char up[32];
    _cleanup_free_ char *name = printable(ctl_text(status, "name"));
    _cleanup_free_ char *version = printable(ctl_text(status, "version"));
    _cleanup_free_ char *state = printable(ctl_text(status, "state"));
    buffer_printf(to, "ingestd %s · ", version);
    style_write(to, color, BOLD, name);
    buffer_printf(to, " · up %s · ", view_seconds(ctl_number(status, "uptime_s"), up));
    style_write(to, color, view_style(state), state);
    buffer_put(to, "\n", 1);
}

/* A stream that does not run shows its state where the rate would be: that is what one looks for first. */
static void put_stream(struct grid *g, const cJSON *stream)
{
    static const char *const columns[] = {"lag", "inserted", "duplicate", "dead", "parked"};
    char words[40], count[28];
    const char *state = ctl_text(stream, "state");
    grid_row(g);
    grid_cell(g, PLAIN, "  %s", ctl_text(stream, "name"));
    grid_cell(g, PLAIN, "%s", ctl_text(stream, "source"));
    if (strcmp(state, "running") == 0)
        grid_cell(g, PLAIN, "%s", rate_words(ctl_number(stream, "rate"), words));
    else
        grid_cell(g, view_style(state), "%s", state);
    for (size_t i = 0; i < N_ELEMENTS(columns); i++)
        grid_cell(g, PLAIN, "%s", view_count(ctl_number(stream, columns[i]), count));
}

static bool has_condition(const cJSON *status, const char *subject)
{
    const cJSON *c;
    cJSON_ArrayForEach(c, ctl_item(status, "conditions"))
    {
        if (strcmp(ctl_text(c, "subject"), subject) == 0)
            return true;
    }
    return false;
}

/* Why it is away is said here only where no condition says it below. */
static void put_postgres(struct grid *g, const cJSON *status)
{
    char lasted[32], round_trip[32];
    const cJSON *postgres = ctl_item(status, "postgres");
    double us = ctl_number(postgres, "round_trip_us");
    const char *why = has_condition(status, "postgres") ? "" : ctl_text(postgres, "why");
    view_seconds(ctl_number(postgres, "for_s"), lasted);
    grid_row(g);
    grid_cell(g, PLAIN, "postgres");
    grid_cell(g, PLAIN, "%s", ctl_text(postgres, "label"));
    if (!ctl_true(postgres, "up"))
        grid_rest(g, YELLOW, "away %s%s%s", lasted, why[0] ? ": " : "", why);
    else if (us > 0)
        grid_rest(g, PLAIN, "up %s, %s", lasted, text_duration((int64_t)us, round_trip));
    else
        grid_rest(g, PLAIN, "up %s", lasted);
}

static void put_condition(struct buffer *to, const cJSON *condition, bool color)
{
    char since[32], lasted[32];
    const char *severity = ctl_text(condition, "severity");
    _cleanup_free_ char *subject = printable(ctl_text(condition, "subject"));
    _cleanup_free_ char *what = printable(ctl_text(condition, "what"));
    _cleanup_free_ char *remedy = printable(ctl_text(condition, "remedy"));
    style_write(to, color, view_style(severity), "!");
    buffer_put_string(to, " ");
    style_write(to, color, BOLD, subject);
    buffer_printf(to, " (%s since %s, %s): %s\n", severity, view_time(ctl_text(condition, "since"), since),
        view_seconds(ctl_number(condition, "for_s"), lasted), what);
    if (remedy[0])
        buffer_printf(to, "  → %s\n", remedy);
}

void view_status(struct buffer *to, const cJSON *status, bool color)
{
    static const char *const heads[] = {"rate", "lag", "inserted", "duplicate", "dead", "parked"};
    _cleanup_(grid_freep) struct grid *g = grid_new("llrrrrrr", color);
    const cJSON *streams = ctl_item(status, "streams"), *item;
    put_head(to, status, color);
    if (cJSON_GetArraySize(streams) == 0) {
        grid_cell(g, PLAIN, "streams");
        grid_rest(g, PLAIN, "none is configured");
    } else {
        grid_cell(g, BOLD, "streams");
        grid_cell(g, BOLD, "source");
        for (size_t i = 0; i < N_ELEMENTS(heads); i++)
            grid_cell(g, BOLD, "%s", heads[i]);
    }
    cJSON_ArrayForEach(item, streams)
    {
        put_stream(g, item);
    }
    _cleanup_buffer_ struct buffer jobs = {0};
    view_jobs_in_short(&jobs, status, color);
    if (jobs.n > 0)
        grid_block(g, buffer_string(&jobs));
    put_postgres(g, status);
    grid_write(g, to);
    cJSON_ArrayForEach(item, ctl_item(status, "conditions"))
    {
        put_condition(to, item, color);
    }
}

static void put_line(struct grid *g, const char *name, const char *words)
{
    grid_row(g);
    grid_cell(g, PLAIN, "  %s", name);
    grid_rest(g, PLAIN, "%s", words);
}

static void put_counts(struct grid *g, const cJSON *stream)
{
    static const struct {
        const char *label, *key;
    } lines[] = {
        {"lag", "lag"},
        {"pending", "pending"},
        {"claimed", "claimed"},
        {"delivered", "delivered"},
        {"inserted", "inserted"},
        {"duplicate", "duplicate"},
        {"dead", "dead"},
        {"dead letters", "dead_letters"},
        {"parked", "parked"},
        {"ignored fields", "ignored_fields"},
        {"batches", "batches"},
        {"largest batch", "batch_rows_max"},
    };
    char count[28];
    for (size_t i = 0; i < N_ELEMENTS(lines); i++)
        if (ctl_number(stream, lines[i].key) >= 0)
            put_line(g, lines[i].label, view_count(ctl_number(stream, lines[i].key), count));
}

static void put_times(struct grid *g, const cJSON *stream)
{
    char words[40], when[32];
    double spool = ctl_number(stream, "spool_bytes"), commit = ctl_number(stream, "commit_us_mean");
    if (spool >= 0)
        put_line(g, "spool", text_bytes((uint64_t)spool, words));
    if (commit > 0)
        put_line(g, "commit takes", text_duration((int64_t)commit, words));
    if (ctl_text(stream, "last_commit")[0])
        put_line(g, "last commit", view_time(ctl_text(stream, "last_commit"), when));
}

static void put_block(struct buffer *to, const cJSON *stream, bool color)
{
    _cleanup_(grid_freep) struct grid *g = grid_new("ll", color);
    char words[40], since[32], lasted[32];
    const char *state = ctl_text(stream, "state");
    grid_cell(g, BOLD, "%s", ctl_text(stream, "name"));
    grid_row(g);
    grid_cell(g, PLAIN, "  state");
    grid_rest(g, view_style(state), "%s since %s, %s", state, view_time(ctl_text(stream, "since"), since),
        view_seconds(ctl_number(stream, "for_s"), lasted));
    _cleanup_free_ char *source = xasprintf(
        "%s%s", ctl_text(stream, "source"), ctl_true(stream, "connected") ? "" : " (not connected)");
    put_line(g, "source", source);
    put_line(g, "table", ctl_text(stream, "table"));
    put_line(g, "rate", rate_words(ctl_number(stream, "rate"), words));
    put_counts(g, stream);
    put_times(g, stream);
    grid_write(g, to);
}

void view_streams(struct buffer *to, const cJSON *streams, bool color)
{
    const cJSON *stream;
    cJSON_ArrayForEach(stream, streams)
    {
        if (to->n > 0)
            buffer_put(to, "\n", 1);
        put_block(to, stream, color);
    }
    if (to->n == 0)
        buffer_put_string(to, "no stream is configured\n");
}

/* ---- rows of a run ---- */

void view_sample(struct buffer *to, const char *heading, const cJSON *stats)
{
    const cJSON *row, *rows = ctl_item(stats, "sample");
    if (!cJSON_IsArray(rows) || !rows->child)
        return;
    buffer_printf(to, "%s:\n", heading);
    cJSON_ArrayForEach(row, rows)
    {
        char *json = cJSON_PrintUnformatted(row);
        if (!json)
            abort();
        _cleanup_free_ char *line = printable(json);
        buffer_printf(to, "%s\n", line);
        cJSON_free(json);
    }
}
