/*
 * The recipe of a match (docs/match.md): the table is made ready; both sides are read once, into files; they are joined by
 * their keys, and while that goes on the table's rows of the report date are replaced, in one transaction, by what comes of
 * it. What is in the files survives us: the next run goes on there.
 */
#include "calendar/zone.h"
#include "job/job.h"
#include "job/match_results.h"
#include "job/match_stats.h"
#include "job/match_table.h"
#include "job/member.h"
#include "job/report.h"
#include "util/clock.h"
#include "util/date.h"

#include <cjson/cJSON.h>
#include <malloc.h>

#define FRACTION_MOST 100000

struct match {
    const struct job_spec *spec;
    char report_date[DATE_SIZE];
    int64_t report_day;
    struct match_columns columns;
    struct match_state *state;
    struct match_reading reading;
    struct match_results *results;
    cJSON *notes, *sample;
    char *ddl;
    const char *resumed; /* which stage; or NULL */
    int64_t written, replaced;
    int64_t began_us, read_us, load_us;
};

/* ---- what is asked for ---- */

/* Today is the job's: the one of the clocks by which its cron line fires. */
static int find_date(struct match *m, struct error *err)
{
    const char *given = m->spec->match.report_date;
    int64_t at = m->spec->scheduled_us ? m->spec->scheduled_us : clock_wall_us();
    _cleanup_(zone_freep) struct zone *zone = NULL;
    if (strcmp(given, "today") != 0) {
        snprintf(m->report_date, sizeof(m->report_date), "%s", given);
        return 0;
    }
    if (zone_open(m->spec->time_zone, &zone, err) < 0)
        return -1;
    date_of_time(zone_local(zone, at / US_PER_SEC) * US_PER_SEC, m->report_date);
    return 0;
}

static int take_spec(struct match *m, struct db_fault *fault)
{
    const struct job_match *match = &m->spec->match;
    if (!match->report_date || !m->spec->table)
        return job_refuse(fault, "the job is no match: are the daemon and the worker of one version?");
    if (find_date(m, &fault->error) < 0)
        return -1;
    if (!date_is_good(m->report_date) || !match_day(SLICE(m->report_date), &m->report_day))
        return job_refuse(fault, "the report date is none: today, or one as 2017-02-02");
    if (match->batch_fraction == 0 || match->batch_fraction > FRACTION_MOST)
        return job_refuse(fault, "batch_fraction must be above 0 and at most 0.1");
    if (match->n_tie_breaks > MATCH_TIE_BREAKS_MAX)
        return job_refuse(fault, "at most %d tie-breaks are possible", MATCH_TIE_BREAKS_MAX);
    return match_columns_make(match, &m->columns, &fault->error);
}

/* ---- what is staged ---- */

/* What a query says depends on its file's text. */
static int add_sql(cJSON *to, const struct job_side *side, struct db_fault *fault)
{
    _cleanup_free_ char *sql = NULL;
    if (side->source)
        return 0;
    if (job_read_sql(side->sql, &sql, &fault->error) < 0)
        return error_prefix(&fault->error, "the %s side", side->name);
    cJSON_AddItemToArray(to, cJSON_CreateString(sql));
    return 0;
}

/* All that what is staged depends on. Where it goes, when, and with how much memory is no matter. */
static int make_fingerprint(const struct match *m, char ret[MATCH_FINGERPRINT_SIZE], struct db_fault *fault)
{
    struct job_spec spec = {.job = m->spec->job, .kind = m->spec->kind, .match = m->spec->match};
    spec.match.report_date = (char *)(uintptr_t)m->report_date;
    _cleanup_free_ char *json = job_spec_to_json(&spec);
    cJSON *all = cJSON_CreateArray();
    cJSON_AddItemToArray(all, cJSON_CreateString(json));
    int r = add_sql(all, &spec.match.left, fault) < 0 ? -1 : add_sql(all, &spec.match.right, fault);
    _cleanup_free_ char *text = member_print(all);
    if (r == 0)
        match_fingerprint(text, ret);
    return r;
}

static int open_state(struct match *m, struct db_fault *fault)
{
    bool busy;
    char fingerprint[MATCH_FINGERPRINT_SIZE];
    if (make_fingerprint(m, fingerprint, fault) < 0)
        return -1;
    int r = match_state_open(m->spec->match.folder, fingerprint, m->notes, &m->state, &busy, &fault->error);
    fault->transient = r < 0 && busy;
    if (r < 0)
        return -1;
    m->reading = (struct match_reading){
        .spec = m->spec, .report_day = m->report_day, .state = m->state, .notes = m->notes};
    return match_results_new(&m->reading, m->report_date, &m->results, fault);
}

static int read_sides(struct match *m, struct db_fault *fault)
{
    int64_t began = clock_mono_us();
    report_progress("read", "rows", 0, -1);
    if (match_read(&m->reading, fault) < 0)
        return -1;
    m->resumed = !m->reading.resumed ? NULL : m->reading.had_all ? "loading" : "reading";
    m->read_us = clock_mono_us() - began;
    if (match_check_read(&m->reading, fault) == 0)
        return 0;
    match_state_clear(m->state); /* what is wrong with it would be so again */
    return -1;
}

/* ---- the sink ---- */

static int prepare_table(struct match *m, struct db_fault *fault)
{
    _cleanup_(match_table_freep) struct match_table *table = NULL;
    if (match_table_open(m->spec, &m->columns, &table, fault) < 0)
        return -1;
    return match_table_prepare(table, m->notes, fault);
}

static int dry_run(struct match *m, struct match_table *table, struct db_fault *fault)
{
    int64_t there;
    const struct db_value *ignored;
    int got;
    while ((got = match_results_next(m->results, &ignored, fault)) > 0)
        continue;
    if (got < 0)
        return -1;
    if (match_table_count(table, m->report_date, &there, fault) < 0)
        return -1;
    _cleanup_free_ char *note =
        xasprintf("a dry run: nothing was written; %lld rows would be, in place of %lld of %s",
            (long long)match_results_rows(m->results), (long long)there, m->report_date);
    cJSON_AddItemToArray(m->notes, cJSON_CreateString(note));
    return 0;
}

/* The rows are there: what cannot be shown of them is no failure. */
static void show(struct match *m, struct match_table *table)
{
    struct db_fault fault = {0};
    if (match_table_sample(table, m->report_date, &m->sample, &fault) == 0 &&
        match_table_ddl(table, &m->ddl, &fault) == 0)
        return;
    _cleanup_free_ char *note = xasprintf("the table cannot be shown: %s", fault.error.text);
    cJSON_AddItemToArray(m->notes, cJSON_CreateString(note));
}

/* What reading and joining had goes back; and a database that computes in our own threads (DuckDB) would else take half as
 * much again, in a heap for each of them. */
static void gather_memory(void)
{
    mallopt(M_ARENA_MAX, 1);
    malloc_trim(0);
}

static int load(struct match *m, struct db_fault *fault)
{
    int64_t began = clock_mono_us();
    _cleanup_(match_table_freep) struct match_table *table = NULL;
    report_progress("load", "rows", 0, -1);
    gather_memory();
    if (match_table_open(m->spec, &m->columns, &table, fault) < 0)
        return -1;
    if (match_table_prepare(table, m->spec->dry_run ? NULL : m->notes, fault) < 0)
        return -1;
    if (match_results_begin(m->results, fault) < 0)
        return -1;
    if (m->spec->dry_run)
        return dry_run(m, table, fault);
    if (match_table_load(
            table, m->report_date, match_results_next, m->results, &m->written, &m->replaced, fault) < 0)
        return -1;
    m->load_us = clock_mono_us() - began;
    show(m, table);
    return 0;
}

/* ---- the whole ---- */

static int work(struct match *m, struct db_fault *fault)
{
    *fault = (struct db_fault){0};
    report_progress("look", "", 0, -1);
    if (take_spec(m, fault) < 0 || prepare_table(m, fault) < 0 || open_state(m, fault) < 0)
        return -1;
    if (read_sides(m, fault) < 0)
        return -1;
    int r = load(m, fault);
    if (r == 0 || match_results_have_failed(m->results))
        match_state_clear(m->state);
    return r;
}

static cJSON *make_stats(struct match *m)
{
    const cJSON *found = match_results_found(m->results);
    cJSON *stats = cJSON_CreateObject(), *seconds = cJSON_CreateObject();
    member_add_int(stats, "elapsed_us", clock_mono_us() - m->began_us);
    cJSON_AddStringToObject(stats, "report_date", m->report_date);
    for (const cJSON *c = found ? found->child : NULL; c; c = c->next)
        cJSON_AddItemToObject(stats, c->string, cJSON_Duplicate(c, true));
    member_add_int(stats, "written", m->written);
    member_add_int(stats, "replaced", m->replaced);
    cJSON_AddItemToObject(stats, "resumed", m->resumed ? cJSON_CreateString(m->resumed) : cJSON_CreateNull());
    match_stats_add_seconds(seconds, "read", m->read_us);
    match_stats_add_seconds(seconds, "join", match_results_join_us(m->results));
    match_stats_add_seconds(seconds, "load", m->load_us);
    cJSON_AddItemToObject(stats, "seconds", seconds);
    cJSON_AddItemToObject(stats, "notes", TAKE(m->notes));
    cJSON_AddItemToObject(stats, "sample", m->sample ? TAKE(m->sample) : cJSON_CreateArray());
    if (m->ddl)
        cJSON_AddStringToObject(stats, "ddl", m->ddl);
    if (m->spec->dry_run)
        cJSON_AddTrueToObject(stats, "dry_run");
    return stats;
}

static void match_done(struct match *m)
{
    match_results_free(m->results);
    match_reading_done(&m->reading);
    match_state_free(m->state);
    match_columns_done(&m->columns);
    cJSON_Delete(m->notes);
    cJSON_Delete(m->sample);
    free(m->ddl);
}

static int match_run(const struct job_spec *spec, cJSON **ret_stats, struct db_fault *fault)
{
    struct match m = {.spec = spec, .notes = cJSON_CreateArray(), .began_us = clock_mono_us()};
    int r = work(&m, fault);
    if (r == 0)
        *ret_stats = make_stats(&m);
    match_done(&m);
    return r;
}

const struct job_kind job_match = {"match", match_run};
