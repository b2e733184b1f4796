/*
 * The rollup job: a file of SQL computes windows of time (docs/rollup.md).
 *
 * One worker at a time, by an advisory lock on the table. What `touched` consumes, what `compute` writes and the
 * runs' own "done" are one transaction: a reader sees all of it or nothing, and a worker that dies leaves nothing.
 *
 * That transaction is READ COMMITTED on purpose. `compute` is one statement with one snapshot; what it sees beyond
 * what `touched` saw is noted still, and computed again by the next run. With one snapshot for both, the fence at the
 * end would fail on any run that the daemon has touched meanwhile, instead of looking at what it is now.
 */
#include "job/job.h"
#include "job/report.h"
#include "job/rollup_file.h"
#include "pg/quote.h"
#include "util/clock.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

/* Waits for locks are short: a statement that waits for a table keeps all others waiting behind it. */
#define SESSION_SQL                                                                                          \
    "SET client_min_messages = warning; SET TIME ZONE 'UTC'; SET DateStyle = 'ISO'; SET lock_timeout = "     \
    "'10s'"
/* Below deadlock_timeout (1 s as it comes): where a writer has one of two tables and we the other, we give way. */
#define PREPARE_LOCK_SQL "SET LOCAL lock_timeout = '800ms'"

struct rollup {
    const struct job_spec *spec;
    struct rollup_file file;
    const char *file_name;
    struct db *db;
    struct buffer touched_starts, touched_ends; /* lists of timestamps, quoted */
    char *starts, *ends;                        /* Postgres arrays: all windows to compute */
    int64_t n_windows;                          /* how many */
    int64_t rows, changed;
    int64_t began_us;
};

static void rollup_done(struct rollup *r)
{
    db_close(r->db);
    rollup_file_done(&r->file);
    buffer_done(&r->touched_starts);
    buffer_done(&r->touched_ends);
    free(r->starts);
    free(r->ends);
}

/* -- faults ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *sqlstate, *advice;
} advices[] = {
    {"42P01", "a table is not there, or has another name now"},
    {"42703", "a column is not there, or has another name now"},
    {"42883", "has a column another type now?"},
    {"42804", "has a column another type now?"},
    {"42501", "grant the right, then run it again"},
    {"3F000", "a schema is not there"},
    {"55P03", "a lock was not to be had in time: it is tried again"},
};

static int section_failed(const struct rollup *r, enum rollup_section section, struct db_fault *fault)
{
    error_prefix(&fault->error, "%.100s:%d: section %s failed, nothing was changed", r->file_name,
        r->file.line[section], rollup_section_to_string(section));
    size_t n = strlen(fault->error.text);
    for (size_t i = 0; i < N_ELEMENTS(advices); i++)
        if (strcmp(fault->sqlstate, advices[i].sqlstate) == 0)
            snprintf(fault->error.text + n, sizeof(fault->error.text) - n, "; %s", advices[i].advice);
    return -1;
}

static int wrong_result(
    const struct rollup *r, enum rollup_section section, const char *expected, struct db_fault *fault)
{
    return job_refuse(fault, "%.100s:%d: section %s must return %s; nothing was changed", r->file_name,
        r->file.line[section], rollup_section_to_string(section), expected);
}

/* -- before anything is done ----------------------------------------------------------------------------- */

static int check_spec(const struct job_spec *spec, struct db_fault *fault)
{
    if (!spec->table)
        return job_refuse(fault, "the rollup %.60s has no `table:`", spec->job);
    if (!spec->dry_run && strcmp(spec->database.url, spec->books.url) != 0)
        return job_refuse(
            fault, "a rollup runs in the database its runs are on record in: leave `database:` out");
    for (size_t i = 0; i < spec->n_windows; i++)
        if (spec->windows[i].start_us >= spec->windows[i].end_us)
            return job_refuse(fault, "a window of the rollup %.60s ends before it begins", spec->job);
    return 0;
}

static int read_file(struct rollup *r, struct db_fault *fault)
{
    const struct job_spec *spec = r->spec;
    struct rollup_names names = {
        .job = spec->job, .table = spec->table, .schema = spec->schema, .time_zone = spec->time_zone};
    _cleanup_free_ char *text = NULL;
    struct error err;
    const char *slash = strrchr(spec->sql, '/');
    r->file_name = slash ? slash + 1 : spec->sql;
    if (job_read_sql(spec->sql, &text, &err) < 0 ||
        rollup_file_parse(r->file_name, text, &names, &r->file, &err) < 0)
        return job_refuse(fault, "%s", err.text);
    return 0;
}

/* Two workers of one table never compute at once: the notes that one consumes must not be waited for by another. */
static int lock(struct rollup *r, struct db_fault *fault)
{
    _cleanup_free_ char *name = xasprintf("ingestd rollup %s", r->spec->table);
    const char *const parameters[] = {name};
    if (db_query(r->db, "SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtextextended($1, 0))", 1,
            parameters, NULL, fault) == 0)
        return 0;
    if (strcmp(fault->sqlstate, "55P03") != 0)
        return -1;
    fault->transient = true;
    return error_prefix(&fault->error, "another worker computes %.130s", r->spec->table);
}

static int open_session(struct rollup *r, struct db_fault *fault)
{
    const struct job_spec *spec = r->spec;
    _cleanup_free_ char *name = xasprintf("ingestd job %s", spec->job);
    struct db_options options = {
        .password_file = spec->database.password_file,
        .application_name = name,
        .statement_timeout_us = spec->time_limit_us,
    };
    report_progress("connect", "", 0, -1);
    if (db_open(spec->database.url, &options, &r->db, fault) < 0)
        return -1;
    if (strcmp(db_driver(r->db), "postgres") != 0)
        return job_refuse(fault, "a rollup runs in Postgres alone, %.200s is none", db_label(r->db));
    return db_script(r->db, SESSION_SQL, NULL, fault) < 0 ? -1 : lock(r, fault);
}

/* -- ready, prepare -------------------------------------------------------------------------------------- */

static int is_ready(struct rollup *r, bool *ret_ready, struct db_fault *fault)
{
    _cleanup_free_ char *value = NULL;
    *ret_ready = false;
    if (!r->file.text[ROLLUP_READY])
        return 0;
    if (db_value(r->db, r->file.text[ROLLUP_READY], 0, NULL, &value, fault) < 0)
        return section_failed(r, ROLLUP_READY, fault);
    if (value && strcmp(value, "t") != 0 && strcmp(value, "f") != 0)
        return wrong_result(r, ROLLUP_READY, "one row with one boolean", fault);
    *ret_ready = value && *value == 't';
    return 0;
}

static int run_prepare(struct rollup *r, struct db_fault *fault)
{
    report_progress("prepare", "", 0, -1);
    if (db_script(r->db, PREPARE_LOCK_SQL, NULL, fault) < 0 ||
        db_script(r->db, r->file.text[ROLLUP_PREPARE], NULL, fault) < 0)
        return section_failed(r, ROLLUP_PREPARE, fault);
    return 0;
}

/* In a dry run all of it is one transaction, which is then rolled back. */
static int prepare(struct rollup *r, struct db_fault *fault)
{
    bool ready;
    if (is_ready(r, &ready, fault) < 0)
        return -1;
    if (ready || !r->file.text[ROLLUP_PREPARE])
        return 0;
    if (r->spec->dry_run)
        return run_prepare(r, fault);
    if (db_script(r->db, "BEGIN", NULL, fault) < 0 || run_prepare(r, fault) < 0)
        return -1;
    return db_script(r->db, "COMMIT", NULL, fault);
}

/* What the file wants its statements to be planned and run by. */
static int set_up(struct rollup *r, struct db_fault *fault)
{
    if (!r->file.text[ROLLUP_SETTINGS] || db_script(r->db, r->file.text[ROLLUP_SETTINGS], NULL, fault) == 0)
        return 0;
    return section_failed(r, ROLLUP_SETTINGS, fault);
}

/* -- which windows --------------------------------------------------------------------------------------- */

struct reading {
    struct rollup *rollup;
    bool wrong; /* not the columns or values that are expected */
    int64_t n;  /* rows */
};

static bool named(int n, const char *const *names, const char *first, const char *second)
{
    return n == 2 && strcmp(names[0], first) == 0 && strcmp(names[1], second) == 0;
}

static bool touched_columns(void *arg, int n, const char *const *names)
{
    struct reading *reading = arg;
    reading->wrong = !named(n, names, "window_start", "window_end");
    return !reading->wrong;
}

static void put_element(struct buffer *b, const struct db_value *v)
{
    buffer_put_string(b, b->n ? ",\"" : "\"");
    buffer_put(b, v->p, v->n);
    buffer_put_string(b, "\"");
}

/* Timestamps have no character that an array would need quoted otherwise; what has is none. */
static bool is_plain(const struct db_value *v)
{
    return v->p && !memchr(v->p, '"', v->n) && !memchr(v->p, '\\', v->n);
}

static bool touched_row(void *arg, int n, const struct db_value *values)
{
    struct reading *reading = arg;
    reading->wrong = !is_plain(&values[0]) || !is_plain(&values[1]);
    if (reading->wrong)
        return false;
    put_element(&reading->rollup->touched_starts, &values[0]);
    put_element(&reading->rollup->touched_ends, &values[1]);
    return true;
}

static int find_touched(struct rollup *r, struct db_fault *fault)
{
    if (!r->file.text[ROLLUP_TOUCHED])
        return 0;
    report_progress("touched", "", 0, -1);
    const char *const parameters[] = {r->spec->time_zone};
    struct reading reading = {.rollup = r};
    struct db_sink sink = {.columns = touched_columns, .row = touched_row, .arg = &reading};
    int result = db_query(
        r->db, r->file.text[ROLLUP_TOUCHED], r->file.n_parameters[ROLLUP_TOUCHED], parameters, &sink, fault);
    if (reading.wrong)
        return wrong_result(
            r, ROLLUP_TOUCHED, "the columns window_start and window_end, timestamps without a NULL", fault);
    return result < 0 ? section_failed(r, ROLLUP_TOUCHED, fault) : 0;
}

/* The run's own windows and the touched ones; of two that begin together the run's own counts. */
static const char union_sql[] =
    "SELECT count(*), coalesce(array_agg(s ORDER BY s), '{}'), coalesce(array_agg(e ORDER BY s), '{}')"
    " FROM (SELECT DISTINCT ON (s) s, e FROM ("
    "   SELECT 'epoch'::timestamptz + s * interval '1 microsecond',"
    "          'epoch'::timestamptz + e * interval '1 microsecond', 0"
    "   FROM unnest($1::bigint[], $2::bigint[]) AS o (s, e)"
    "   UNION ALL SELECT s, e, 1 FROM unnest($3::timestamptz[], $4::timestamptz[]) AS t (s, e)) AS w (s, e, "
    "touched)"
    " ORDER BY s, touched, e) AS w";

static char *array_of(const struct job_spec *spec, bool of_ends)
{
    _cleanup_buffer_ struct buffer b = {0};
    for (size_t i = 0; i < spec->n_windows; i++)
        buffer_printf(
            &b, "%s%" PRId64, i ? "," : "{", of_ends ? spec->windows[i].end_us : spec->windows[i].start_us);
    buffer_put_string(&b, b.n ? "}" : "{}");
    return xstrdup(buffer_string(&b));
}

static bool take_windows(void *arg, int n, const struct db_value *values)
{
    struct rollup *r = arg;
    r->n_windows = strtoll(values[0].p, NULL, 10);
    r->starts = xstrndup(values[1].p, values[1].n);
    r->ends = xstrndup(values[2].p, values[2].n);
    return true;
}

static int choose_windows(struct rollup *r, struct db_fault *fault)
{
    _cleanup_free_ char *starts = array_of(r->spec, false), *ends = array_of(r->spec, true);
    _cleanup_free_ char *touched_starts = xasprintf("{%s}", buffer_string(&r->touched_starts));
    _cleanup_free_ char *touched_ends = xasprintf("{%s}", buffer_string(&r->touched_ends));
    const char *const parameters[] = {starts, ends, touched_starts, touched_ends};
    struct db_sink sink = {.row = take_windows, .arg = r};
    return db_query(r->db, union_sql, 4, parameters, &sink, fault);
}

/* -- compute --------------------------------------------------------------------------------------------- */

static bool computed_columns(void *arg, int n, const char *const *names)
{
    struct reading *reading = arg;
    reading->wrong = !named(n, names, "rows", "changed");
    return !reading->wrong;
}

static bool computed_row(void *arg, int n, const struct db_value *values)
{
    struct reading *reading = arg;
    reading->wrong = ++reading->n > 1 || !values[0].p || !values[1].p;
    if (reading->wrong)
        return false;
    reading->rollup->rows = strtoll(values[0].p, NULL, 10);
    reading->rollup->changed = strtoll(values[1].p, NULL, 10);
    return true;
}

/* A file that does not count itself is taken by what the server says. */
static bool computed_end(void *arg, const char *tag, int64_t rows)
{
    struct reading *reading = arg;
    if (strcmp(tag, "SELECT") != 0 && reading->n == 0)
        reading->rollup->rows = reading->rollup->changed = rows;
    return true;
}

static int compute(struct rollup *r, struct db_fault *fault)
{
    report_progress("compute", "windows", 0, r->n_windows);
    if (r->n_windows == 0)
        return 0;
    const char *const parameters[] = {r->starts, r->ends, r->spec->time_zone};
    struct reading reading = {.rollup = r};
    struct db_sink sink = {
        .columns = computed_columns, .row = computed_row, .end = computed_end, .arg = &reading};
    int result = db_query(
        r->db, r->file.text[ROLLUP_COMPUTE], r->file.n_parameters[ROLLUP_COMPUTE], parameters, &sink, fault);
    if (reading.wrong)
        return wrong_result(r, ROLLUP_COMPUTE, "no rows, or one with the columns rows and changed", fault);
    if (result < 0)
        return section_failed(r, ROLLUP_COMPUTE, fault);
    report_progress("compute", "windows", r->n_windows, r->n_windows);
    return 0;
}

/* -- the end --------------------------------------------------------------------------------------------- */

static bool take_count(void *arg, const char *tag, int64_t rows)
{
    *(int64_t *)arg = rows;
    return true;
}

/* Whoever took these runs over has given them another pass: then what we computed is his to write. */
static int fence(struct rollup *r, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0};
    _cleanup_free_ char *pass = xasprintf("%" PRId64, r->spec->pass);
    const char *const parameters[] = {pass};
    int64_t n = 0;
    struct db_sink sink = {.end = take_count, .arg = &n};
    buffer_put_string(&sql, "UPDATE ");
    pg_put_identifier(&sql, r->spec->schema);
    buffer_put_string(&sql, ".run SET status = 'done' WHERE pass = $1 AND status = 'running'");
    if (db_query(r->db, buffer_string(&sql), 1, parameters, &sink, fault) < 0)
        return error_prefix(&fault->error, "the runs could not be marked as done, nothing was changed");
    if (n != (int64_t)r->spec->n_windows)
        return job_refuse(fault,
            "was overtaken: of its %zu runs %" PRId64 " are still its own (pass %" PRId64
            "), another worker has the rest; nothing was changed",
            r->spec->n_windows, n, r->spec->pass);
    return 0;
}

static int finish(struct rollup *r, struct db_fault *fault)
{
    report_progress("commit", "", 0, -1);
    if (r->spec->dry_run)
        return db_script(r->db, "ROLLBACK", NULL, fault);
    if (fence(r, fault) < 0)
        return -1;
    if (db_script(r->db, "COMMIT", NULL, fault) == 0)
        return 0;
    return error_prefix(&fault->error, "the COMMIT was not confirmed; running it again does no harm");
}

static int work(struct rollup *r, struct db_fault *fault)
{
    bool dry = r->spec->dry_run;
    if (dry && db_script(r->db, "BEGIN", NULL, fault) < 0)
        return -1;
    if (prepare(r, fault) < 0)
        return -1;
    if (!dry && db_script(r->db, "BEGIN", NULL, fault) < 0)
        return -1;
    if (set_up(r, fault) < 0 || find_touched(r, fault) < 0 || choose_windows(r, fault) < 0 ||
        compute(r, fault) < 0)
        return -1;
    return finish(r, fault);
}

static cJSON *make_stats(const struct rollup *r)
{
    char seconds[32];
    cJSON *stats = cJSON_CreateObject();
    snprintf(seconds, sizeof(seconds), "%.3f", (double)(clock_mono_us() - r->began_us) / US_PER_SEC);
    cJSON_AddNumberToObject(stats, "windows", (double)r->spec->n_windows);
    cJSON_AddNumberToObject(stats, "recomputed", (double)(r->n_windows - (int64_t)r->spec->n_windows));
    cJSON_AddNumberToObject(stats, "rows", (double)r->rows);
    cJSON_AddNumberToObject(stats, "changed", (double)r->changed);
    cJSON_AddRawToObject(stats, "seconds", seconds);
    if (r->spec->dry_run)
        cJSON_AddTrueToObject(stats, "dry_run");
    return stats;
}

static int rollup_run(const struct job_spec *spec, cJSON **ret_stats, struct db_fault *fault)
{
    _cleanup_(rollup_done) struct rollup r = {.spec = spec, .began_us = clock_mono_us()};
    *fault = (struct db_fault){0};
    if (check_spec(spec, fault) < 0 || read_file(&r, fault) < 0 || open_session(&r, fault) < 0)
        return -1;
    if (work(&r, fault) < 0)
        return -1;
    *ret_stats = make_stats(&r);
    return 0;
}

const struct job_kind job_rollup = {"rollup", rollup_run};
