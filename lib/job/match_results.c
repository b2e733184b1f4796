#include "job/match_results.h"

#include "job/job.h"
#include "job/match_record.h"
#include "job/match_stats.h"
#include "job/member.h"
#include "job/report.h"
#include "match/spill.h"
#include "util/clock.h"

#include <cjson/cJSON.h>

#define TELL_EVERY_US INT64_C(200000)
#define RESULTS_PART  0.05 /* of the rows that may be in memory: those that wait to be written */

struct match_results {
    const struct job_spec *spec;
    struct match_state *state;
    bool wanted[N_ELEMENTS(match_outcomes)];
    struct match_record *record;
    struct match_tally tally;
    struct spill *spill;
    cJSON *found;
    int64_t n_rows; /* of both sides */
    int64_t loaded, told_us;
    bool is_damaged;
};

static void tell(struct match_results *r, const char *stage, int64_t rows, int64_t total)
{
    int64_t now = clock_mono_us();
    if (now - r->told_us < TELL_EVERY_US)
        return;
    r->told_us = now;
    report_progress(stage, "rows", rows, total);
}

static struct spill_options spill_of(struct match_results *r, char **path)
{
    *path = xasprintf("%s/results", r->spec->match.folder);
    return (struct spill_options){
        .path = *path,
        .keep = true,
        .memory = r->spec->memory_max / 256,
        .share = &r->tally.results,
        .part = RESULTS_PART,
    };
}

static int64_t rows_of(const cJSON *found, const char *side)
{
    int64_t rows = 0;
    member_int(
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(found, side), "rows"), &rows);
    return rows;
}

static void share_rows(struct match_results *r, int64_t left, int64_t right)
{
    r->tally.results.fraction = (double)r->spec->match.batch_fraction / 1e6;
    r->tally.results.rows = MIN(left, right);
    r->n_rows = left + right;
}

bool match_results_find(struct match_results *r, cJSON *notes)
{
    int64_t records;
    struct error ignored;
    _cleanup_free_ char *path = NULL;
    const cJSON *part = match_state_part(r->state, MATCH_PART_RESULTS);
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(part, "found");
    if (!found || !member_int(cJSON_GetObjectItemCaseSensitive(part, "records"), &records))
        return false;
    share_rows(r, rows_of(found, "left"), rows_of(found, "right"));
    struct spill_options options = spill_of(r, &path);
    if (spill_reopen(&options, records, &r->spill, &ignored) < 0) {
        cJSON_AddItemToArray(
            notes, cJSON_CreateString("the results of an earlier run cannot be read: all is read again"));
        match_state_clear(r->state);
        return false;
    }
    r->found = cJSON_Duplicate(found, true);
    return true;
}

static int save(struct match_results *r, struct error *err)
{
    cJSON *part = cJSON_CreateObject();
    member_add_int(part, "records", spill_records(r->spill));
    cJSON_AddItemToObject(part, "found", cJSON_Duplicate(r->found, true));
    return match_state_save(r->state, MATCH_PART_RESULTS, part, err);
}

/* ---- joining ---- */

static int put(
    struct match_results *r, const struct match_result *result, struct slice raw, struct error *err)
{
    struct slice bytes;
    if (!r->wanted[result->outcome])
        return 0;
    if (match_record_make(r->record, result, raw, &bytes, err) < 0)
        return -1;
    return spill_put(r->spill, bytes, err);
}

static int emit(void *arg, const struct match_result *result, struct error *err)
{
    struct match_results *r = arg;
    if (result->left)
        r->tally.activity[MATCH_LEFT][result->left->activity]++;
    if (result->right)
        r->tally.activity[MATCH_RIGHT][result->right->activity]++;
    return put(r, result, (struct slice){0}, err);
}

static int put_rejects(struct match_results *r, struct match_side *side, struct error *err)
{
    struct match_result result = {.outcome = MATCH_REJECTED};
    struct slice raw;
    int got;
    while ((got = side_next_reject(side, &result.reason, &raw, err)) > 0)
        if (put(r, &result, raw, err) < 0)
            return -1;
    return got;
}

static void join_progress(void *arg, int64_t rows)
{
    struct match_results *r = arg;
    tell(r, "join", rows, r->n_rows);
}

static int join(struct match_results *r, struct match_side *left, struct match_side *right, struct error *err)
{
    const struct job_match *match = &r->spec->match;
    const char *names[MATCH_TIE_BREAKS_MAX] = {NULL};
    struct join_options options = {
        .folder = match->folder,
        .memory = r->spec->memory_max / 16,
        .n_tie_breaks = match->n_tie_breaks,
        .tie_breaks = names,
        .emit = emit,
        .progress = join_progress,
        .arg = r,
    };
    for (size_t i = 0; i < match->n_tie_breaks && i < N_ELEMENTS(names); i++)
        names[i] = match->tie_breaks[i].name;
    side_join(left, &options.left);
    side_join(right, &options.right);
    if (match_join(&options, &r->tally.join, err) < 0 || put_rejects(r, left, err) < 0)
        return -1;
    return put_rejects(r, right, err);
}

int match_results_make(struct match_results *r, const struct match_reading *all, struct error *err)
{
    struct match_side *left = match_reader_side(all->readers[MATCH_LEFT]),
                      *right = match_reader_side(all->readers[MATCH_RIGHT]);
    _cleanup_free_ char *path = NULL;
    share_rows(r, side_share(left)->rows, side_share(right)->rows);
    struct spill_options options = spill_of(r, &path);
    if (spill_open(&options, &r->spill, err) < 0 || join(r, left, right, err) < 0 ||
        match_stats_check(all, &r->tally, err) < 0 || spill_finish(r->spill, err) < 0)
        return -1;
    r->found = match_stats_found(all, &r->tally);
    return save(r, err);
}

/* ---- loading ---- */

int match_results_next(void *arg, const struct db_value **ret_values, struct db_fault *fault)
{
    struct match_results *r = arg;
    struct slice bytes;
    int got = spill_next(r->spill, &bytes, &fault->error);
    if (got > 0 && !match_record_read(r->record, bytes, ret_values))
        got = error_set(&fault->error,
            "the file of the results in %s is damaged: the next run reads all again", r->spec->match.folder);
    r->is_damaged = got < 0;
    tell(r, "load", ++r->loaded, spill_records(r->spill));
    return got;
}

int match_results_rewind(struct match_results *r, struct error *err)
{
    r->is_damaged = spill_rewind(r->spill, err) < 0;
    return r->is_damaged ? -1 : 0;
}

bool match_results_are_damaged(const struct match_results *r)
{
    return r->is_damaged;
}

const cJSON *match_results_found(const struct match_results *r)
{
    return r->found;
}

int64_t match_results_rows(const struct match_results *r)
{
    return spill_records(r->spill);
}

/* ---- life ---- */

static int take_outcomes(struct match_results *r, struct db_fault *fault)
{
    const struct job_words *outcomes = &r->spec->match.outcomes;
    for (size_t k = 0; k < N_ELEMENTS(r->wanted); k++)
        r->wanted[k] = outcomes->n == 0;
    for (size_t i = 0; i < outcomes->n; i++) {
        bool known = false;
        for (size_t k = 0; k < N_ELEMENTS(r->wanted); k++)
            if (strcmp(outcomes->list[i], match_outcomes[k]) == 0)
                r->wanted[k] = known = true;
        if (!known)
            return job_refuse(fault,
                "%.60s is no outcome: matched, ambiguous, left_only, right_only and rejected are",
                outcomes->list[i]);
    }
    return 0;
}

int match_results_new(const struct job_spec *spec, const char *report_date, struct match_state *state,
    struct match_results **ret_results, struct db_fault *fault)
{
    _cleanup_(match_results_freep) struct match_results *r = xnew(struct match_results);
    r->spec = spec;
    r->state = state;
    r->record = match_record_new(&spec->match, report_date);
    if (take_outcomes(r, fault) < 0)
        return -1;
    *ret_results = TAKE(r);
    return 0;
}

void match_results_free(struct match_results *r)
{
    if (!r)
        return;
    spill_free(r->spill);
    match_record_free(r->record);
    cJSON_Delete(r->found);
    free(r);
}
