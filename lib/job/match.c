/*
 * The recipe of a match (docs/match.md): the table is made ready; both sides are read once, into files; they are joined by
 * their keys, and what comes of each row goes into a file too; then the table's rows of the report date are replaced by these.
 * What is in the files survives us: the next run goes on there. Nothing but the last step changes anything at the sink.
 */
#include "job/job.h"
#include "job/match_record.h"
#include "job/match_stats.h"
#include "job/match_table.h"
#include "job/member.h"
#include "job/report.h"
#include "match/spill.h"
#include "util/clock.h"
#include "util/date.h"

#include <cjson/cJSON.h>

#define TELL_EVERY_US INT64_C(200000)
#define RESULTS_PART  0.05 /* of the rows that may be in memory: those that wait to be written */
#define FRACTION_MOST 100000

struct match {
    const struct job_spec *spec;
    char report_date[DATE_SIZE];
    int64_t report_day;
    bool wanted[N_ELEMENTS(match_outcomes)];
    struct match_columns columns;
    struct match_record *record;
    struct match_state *state;
    struct match_tally tally;
    struct spill *spill;
    cJSON *notes, *found, *sample;
    char *ddl;
    const char *resumed; /* which stage; or NULL */
    int64_t n_rows;      /* of both sides */
    int64_t written, replaced, loaded;
    int64_t began_us, told_us, read_us, join_us, load_us;
    bool is_damaged; /* what is staged cannot be read back */
};

static void tell(struct match *m, const char *stage, int64_t rows, int64_t total)
{
    int64_t now = clock_mono_us();
    if (now - m->told_us < TELL_EVERY_US)
        return;
    m->told_us = now;
    report_progress(stage, "rows", rows, total);
}

/* ---- what is asked for ---- */

static void find_date(struct match *m)
{
    const char *given = m->spec->match.report_date;
    if (strcmp(given, "today") == 0)
        date_of_time(m->spec->scheduled_us ? m->spec->scheduled_us : clock_wall_us(), m->report_date);
    else
        snprintf(m->report_date, sizeof(m->report_date), "%s", given);
}

static int take_outcomes(struct match *m, struct db_fault *fault)
{
    const struct job_words *outcomes = &m->spec->match.outcomes;
    for (size_t k = 0; k < N_ELEMENTS(m->wanted); k++)
        m->wanted[k] = outcomes->n == 0;
    for (size_t i = 0; i < outcomes->n; i++) {
        bool known = false;
        for (size_t k = 0; k < N_ELEMENTS(m->wanted); k++)
            if (strcmp(outcomes->list[i], match_outcomes[k]) == 0)
                m->wanted[k] = known = true;
        if (!known)
            return job_refuse(fault,
                "%.60s is no outcome: matched, ambiguous, left_only, right_only and rejected are",
                outcomes->list[i]);
    }
    return 0;
}

static int take_spec(struct match *m, struct db_fault *fault)
{
    const struct job_match *match = &m->spec->match;
    if (!match->report_date || !m->spec->table)
        return job_refuse(fault, "the job is no match: are the daemon and the worker of one version?");
    find_date(m);
    if (!date_is_good(m->report_date) || !match_day(SLICE(m->report_date), &m->report_day))
        return job_refuse(fault, "the report date is none: today, or one as 2017-02-02");
    if (match->batch_fraction == 0 || match->batch_fraction > FRACTION_MOST)
        return job_refuse(fault, "batch_fraction must be above 0 and at most 0.1");
    if (take_outcomes(m, fault) < 0 || match_columns_make(match, &m->columns, &fault->error) < 0)
        return -1;
    m->record = match_record_new(match, m->report_date);
    return 0;
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
    return r;
}

static struct spill_options spill_of(struct match *m, char **path)
{
    *path = xasprintf("%s/results", m->spec->match.folder);
    return (struct spill_options){
        .path = *path,
        .keep = true,
        .memory = m->spec->memory_max / 256,
        .share = &m->tally.results,
        .part = RESULTS_PART,
    };
}

/* 1: results of an earlier run wait to be loaded. */
static int find_results(struct match *m)
{
    int64_t records;
    struct error ignored;
    _cleanup_free_ char *path = NULL;
    const cJSON *part = match_state_part(m->state, MATCH_PART_RESULTS);
    if (!part || !member_int(cJSON_GetObjectItemCaseSensitive(part, "records"), &records))
        return 0;
    struct spill_options options = spill_of(m, &path);
    if (spill_reopen(&options, records, &m->spill, &ignored) < 0) {
        cJSON_AddItemToArray(
            m->notes, cJSON_CreateString("the results of an earlier run cannot be read: all is read again"));
        match_state_clear(m->state);
        return 0;
    }
    m->found = cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(part, "found"), true);
    m->resumed = "loading";
    return 1;
}

static int save_results(struct match *m, struct error *err)
{
    cJSON *part = cJSON_CreateObject();
    member_add_int(part, "records", spill_records(m->spill));
    cJSON_AddItemToObject(part, "found", cJSON_Duplicate(m->found, true));
    return match_state_save(m->state, MATCH_PART_RESULTS, part, err);
}

/* ---- joining ---- */

static int put(struct match *m, const struct match_result *result, struct slice raw, struct error *err)
{
    struct slice bytes;
    if (!m->wanted[result->outcome])
        return 0;
    if (match_record_make(m->record, result, raw, &bytes, err) < 0)
        return -1;
    return spill_put(m->spill, bytes, err);
}

static int emit(void *arg, const struct match_result *result, struct error *err)
{
    struct match *m = arg;
    if (result->left)
        m->tally.activity[MATCH_LEFT][result->left->activity]++;
    if (result->right)
        m->tally.activity[MATCH_RIGHT][result->right->activity]++;
    return put(m, result, (struct slice){0}, err);
}

static int put_rejects(struct match *m, struct match_side *side, struct error *err)
{
    struct match_result result = {.outcome = MATCH_REJECTED};
    struct slice raw;
    int got;
    while ((got = side_next_reject(side, &result.reason, &raw, err)) > 0)
        if (put(m, &result, raw, err) < 0)
            return -1;
    return got;
}

static void join_progress(void *arg, int64_t rows)
{
    struct match *m = arg;
    tell(m, "join", rows, m->n_rows);
}

static int join(struct match *m, struct match_side *left, struct match_side *right, struct error *err)
{
    const struct job_match *match = &m->spec->match;
    const char *names[MATCH_TIE_BREAKS_MAX] = {NULL};
    struct join_options options = {
        .folder = match->folder,
        .memory = m->spec->memory_max / 16,
        .n_tie_breaks = match->n_tie_breaks,
        .tie_breaks = names,
        .emit = emit,
        .progress = join_progress,
        .arg = m,
    };
    for (size_t i = 0; i < match->n_tie_breaks && i < N_ELEMENTS(names); i++)
        names[i] = match->tie_breaks[i].name;
    if (side_find_duplicates(left, err) < 0 || side_find_duplicates(right, err) < 0)
        return -1;
    side_join(left, &options.left);
    side_join(right, &options.right);
    if (match_join(&options, &m->tally.join, err) < 0 || put_rejects(m, left, err) < 0)
        return -1;
    return put_rejects(m, right, err);
}

static int open_spill(struct match *m, const struct match_reading *all, struct error *err)
{
    _cleanup_free_ char *path = NULL;
    struct spill_options options = spill_of(m, &path);
    const struct match_share *left = side_share(match_reader_side(all->readers[MATCH_LEFT])),
                             *right = side_share(match_reader_side(all->readers[MATCH_RIGHT]));
    m->tally.results.fraction = left->fraction;
    m->tally.results.rows = MIN(left->rows, right->rows);
    m->n_rows = left->rows + right->rows;
    return spill_open(&options, &m->spill, err);
}

static int make_results(struct match *m, struct match_reading *all, struct error *err)
{
    struct match_side *left = match_reader_side(all->readers[MATCH_LEFT]),
                      *right = match_reader_side(all->readers[MATCH_RIGHT]);
    if (open_spill(m, all, err) < 0 || join(m, left, right, err) < 0 ||
        match_stats_check(all, &m->tally, err) < 0 || spill_finish(m->spill, err) < 0)
        return -1;
    m->found = match_stats_found(all, &m->tally);
    return save_results(m, err);
}

static int read_and_join(struct match *m, struct db_fault *fault)
{
    int64_t began = clock_mono_us();
    _cleanup_match_reading_ struct match_reading all = {
        .spec = m->spec, .report_day = m->report_day, .state = m->state, .notes = m->notes};
    report_progress("read", "rows", 0, -1);
    if (match_read(&all, fault) < 0)
        return -1;
    m->resumed = all.resumed ? "reading" : NULL;
    m->read_us = clock_mono_us() - began;
    report_progress("join", "rows", 0, -1);
    if (match_check_read(&all, fault) == 0 && make_results(m, &all, &fault->error) == 0) {
        m->join_us = clock_mono_us() - began - m->read_us;
        return 0;
    }
    match_state_clear(m->state); /* what failed here would fail again */
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

static int next_to_load(void *arg, const struct db_value **ret_values, struct db_fault *fault)
{
    struct match *m = arg;
    struct slice bytes;
    int got = spill_next(m->spill, &bytes, &fault->error);
    if (got > 0 && !match_record_read(m->record, bytes, ret_values))
        got = error_set(&fault->error,
            "the file of the results in %s is damaged: the next run reads all again", m->spec->match.folder);
    m->is_damaged = got < 0;
    tell(m, "load", ++m->loaded, spill_records(m->spill));
    return got;
}

static int note_dry_run(struct match *m, struct match_table *table, struct db_fault *fault)
{
    int64_t there;
    if (match_table_count(table, m->report_date, &there, fault) < 0)
        return -1;
    _cleanup_free_ char *note =
        xasprintf("a dry run: nothing was written; %lld rows would be, in place of %lld of %s",
            (long long)spill_records(m->spill), (long long)there, m->report_date);
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

static int load(struct match *m, struct db_fault *fault)
{
    int64_t began = clock_mono_us();
    _cleanup_(match_table_freep) struct match_table *table = NULL;
    report_progress("load", "rows", 0, spill_records(m->spill));
    if (match_table_open(m->spec, &m->columns, &table, fault) < 0)
        return -1;
    if (match_table_prepare(table, m->spec->dry_run ? NULL : m->notes, fault) < 0)
        return -1;
    if (m->spec->dry_run)
        return note_dry_run(m, table, fault);
    if (spill_rewind(m->spill, &fault->error) < 0 ||
        match_table_load(table, m->report_date, next_to_load, m, &m->written, &m->replaced, fault) < 0) {
        if (m->is_damaged)
            match_state_clear(m->state);
        return -1;
    }
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
    if (!find_results(m) && read_and_join(m, fault) < 0)
        return -1;
    if (load(m, fault) < 0)
        return -1;
    match_state_clear(m->state);
    return 0;
}

/* {"elapsed_us", "report_date", "matched", …}: docs/match.md. */
static cJSON *make_stats(struct match *m)
{
    cJSON *stats = cJSON_CreateObject(), *seconds = cJSON_CreateObject();
    member_add_int(stats, "elapsed_us", clock_mono_us() - m->began_us);
    cJSON_AddStringToObject(stats, "report_date", m->report_date);
    cJSON_AddItemToObject(stats, "matched", cJSON_DetachItemFromObjectCaseSensitive(m->found, "matched"));
    member_add_int(stats, "written", m->written);
    member_add_int(stats, "replaced", m->replaced);
    cJSON_AddItemToObject(stats, "resumed", m->resumed ? cJSON_CreateString(m->resumed) : cJSON_CreateNull());
    for (cJSON *c; (c = m->found->child);) {
        cJSON_DetachItemViaPointer(m->found, c);
        cJSON_AddItemToObject(stats, c->string, c);
    }
    match_stats_add_seconds(seconds, "read", m->read_us);
    match_stats_add_seconds(seconds, "join", m->join_us);
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
    spill_free(m->spill);
    match_record_free(m->record);
    match_state_free(m->state);
    match_columns_done(&m->columns);
    cJSON_Delete(m->notes);
    cJSON_Delete(m->found);
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
