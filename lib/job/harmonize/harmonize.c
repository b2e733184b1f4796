/*
 * The recipe of a harmonize (docs/harmonize.md): extract and stage, side by side; transform; load; publish. What fails
 * transiently is tried again alone; what fails for good fails the run, in its stage's name, and nothing of it is published.
 */
#include "job/harmonize/harmonize.h"

#include "job/harmonize/ask.h"
#include "job/job.h"
#include "job/member.h"
#include "job/report.h"
#include "util/clock.h"

#include <cjson/cJSON.h>
#include <malloc.h>
#include <time.h>

#define ATTEMPTS    3
#define REASONS_MAX "100"
#define SAMPLE_ROWS "10"

struct recipe {
    struct harmonize h;
    cJSON *stages, *tables, *reasons, *sample;
    int64_t began_us;
    bool nothing_new;
};

typedef int stage_fn(struct harmonize *h, struct stage_account *account, struct db_fault *fault);

/* ---- stages ---- */

static void tell(struct recipe *r, const char *name, enum stage_outcome outcome,
    const struct stage_account *a, const struct db_fault *fault)
{
    struct stage_told told = {
        .outcome = outcome, .rows = a->rows, .bytes = a->bytes, .us = a->us, .attempts = a->attempts};
    snprintf(told.name, sizeof(told.name), "%s", name);
    if (fault)
        snprintf(told.error, sizeof(told.error), "%s", fault->error.text);
    report_stage(&told);
    cJSON_AddItemToArray(r->stages, stage_told_json(&told));
}

/* Does the fault say already that it is of this stage? */
static bool is_named(const struct db_fault *fault, const char *name)
{
    size_t n = strlen(name);
    return strncmp(fault->error.text, name, n) == 0 && fault->error.text[n] == ':';
}

static int fail(struct recipe *r, const char *name, const struct stage_account *a, struct db_fault *fault)
{
    tell(r, name, STAGE_FAILED, a, fault);
    return is_named(fault, name) ? -1 : error_prefix(&fault->error, "%s", name);
}

static void pause_before(int attempt)
{
    static const time_t pauses[ATTEMPTS] = {0, 1, 4};
    struct timespec left = {.tv_sec = pauses[attempt - 1]};
    while (nanosleep(&left, &left) < 0)
        continue;
}

/* attempts: how often it may be tried, when what it failed of may be over. */
static int run_stage(
    struct recipe *r, const char *name, int attempts, stage_fn *stage, struct db_fault *fault)
{
    int64_t began = clock_mono_us();
    for (int attempt = 1;; attempt++) {
        struct stage_account account = {.attempts = attempt};
        *fault = (struct db_fault){0};
        report_progress(name, "", 0, -1);
        malloc_trim(0);
        int result = stage(&r->h, &account, fault);
        account.us = clock_mono_us() - began;
        if (result == 0) {
            tell(r, name, STAGE_DONE, &account, NULL);
            return 0;
        }
        if (!fault->transient || r->h.lost || attempt >= attempts)
            return fail(r, name, &account, fault);
        tell(r, name, STAGE_AGAIN, &account, fault);
        pause_before(attempt + 1);
    }
}

/* Opening is a part of the first: it reads the pointer of the lake. */
static int extract_and_stage(struct recipe *r, struct db_fault *fault)
{
    int64_t began = clock_mono_us();
    struct stage_account extract = {0}, stage = {0};
    report_progress("extract", "", 0, -1);
    int result = harmonize_open(&r->h, fault);
    if (result == 0)
        result = harmonize_stage(&r->h, &extract, &stage, fault);
    extract.attempts = MAX(extract.attempts, 1);
    stage.attempts = MAX(stage.attempts, 1);
    if (extract.us == 0)
        extract.us = clock_mono_us() - began;
    if (result < 0 && !is_named(fault, "stage"))
        return fail(r, "extract", &extract, fault);
    tell(r, "extract", STAGE_DONE, &extract, NULL);
    if (result < 0)
        return fail(r, "stage", &stage, fault);
    tell(r, "stage", STAGE_DONE, &stage, NULL);
    return 0;
}

/* ---- memory ---- */

/*
 * DuckDB's memory is of our heap. What it takes in pieces of this size and more goes back when it is freed, and leaves no gaps that
 * nothing fits into; and a heap for each of its threads would keep as much again.
 */
#define GOES_BACK (256 * 1024)

static void keep_memory_together(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, GOES_BACK);
    mallopt(M_TRIM_THRESHOLD, GOES_BACK);
}

/* ---- the end ---- */

static int find_reasons(struct recipe *r, struct db_fault *fault)
{
    static const char *const numbers[] = {"rows", NULL};
    if (harmonize_rows(&r->h,
            "SELECT target AS \"table\", reason, kind, count(*) AS rows FROM out.quarantine GROUP BY ALL "
            "ORDER BY 4 DESC, 1, 2, 3 LIMIT " REASONS_MAX,
            numbers, &r->reasons, fault) < 0)
        return -1;
    if (!r->h.spec->dry_run)
        return 0;
    static const char *const lines[] = {"line", NULL};
    return harmonize_rows(&r->h,
        "SELECT target AS \"table\", reason, kind, detail, source, object, line FROM out.quarantine "
        "ORDER BY kind DESC, source, object, line LIMIT " SAMPLE_ROWS,
        lines, &r->sample, fault);
}

static int end_dry(struct recipe *r, struct db_fault *fault)
{
    harmonize_note(&r->h, "a dry run: nothing was written to the lake");
    return harmonize_would_load(&r->h, &r->tables, fault);
}

static int load_and_publish(struct recipe *r, struct db_fault *fault)
{
    if (run_stage(r, "load", ATTEMPTS, harmonize_load, fault) < 0)
        return -1;
    r->nothing_new = !harmonize_has_news(&r->h);
    if (r->nothing_new)
        harmonize_note(&r->h, "nothing is new: no version was written, and no pointer");
    else if (run_stage(r, "publish", ATTEMPTS, harmonize_publish, fault) < 0)
        return -1;
    r->tables = harmonize_loaded(&r->h);
    return 0;
}

static int work(struct recipe *r, struct db_fault *fault)
{
    *fault = (struct db_fault){0};
    keep_memory_together();
    if (!r->h.job->lake.url || !r->h.job->folder)
        return job_refuse(fault, "the job is no harmonize: are the daemon and the worker of one version?");
    if (extract_and_stage(r, fault) < 0 || run_stage(r, "transform", 1, harmonize_transform, fault) < 0 ||
        find_reasons(r, fault) < 0)
        return -1;
    return r->h.spec->dry_run ? end_dry(r, fault) : load_and_publish(r, fault);
}

static cJSON *take_list(cJSON **list)
{
    return *list ? TAKE(*list) : cJSON_CreateArray();
}

static cJSON *make_stats(struct recipe *r)
{
    cJSON *stats = cJSON_CreateObject();
    member_add_int(stats, "elapsed_us", clock_mono_us() - r->began_us);
    cJSON_AddItemToObject(stats, "stages", TAKE(r->stages));
    cJSON_AddItemToObject(stats, "sources", take_list(&r->h.told));
    cJSON_AddItemToObject(stats, "tables", take_list(&r->tables));
    member_add_int(stats, "staged", r->h.staged_rows);
    member_add_int(stats, "quarantined", r->h.quarantined);
    member_add_int(stats, "repaired", r->h.repaired);
    cJSON_AddItemToObject(stats, "quarantine", take_list(&r->reasons));
    member_add_int(stats, "published", r->h.published);
    cJSON_AddBoolToObject(stats, "nothing_new", r->nothing_new);
    cJSON_AddItemToObject(stats, "notes", take_list(&r->h.notes));
    if (!r->h.spec->dry_run)
        return stats;
    cJSON_AddItemToObject(stats, "sample", take_list(&r->sample));
    cJSON_AddTrueToObject(stats, "dry_run");
    return stats;
}

static int harmonize_run(const struct job_spec *spec, cJSON **ret_stats, struct db_fault *fault)
{
    struct recipe r = {
        .h = {.spec = spec,
            .job = &spec->harmonize,
            .at_us = clock_wall_us(),
            .folder = {.fd = -1, .lock = -1}},
        .stages = cJSON_CreateArray(),
        .began_us = clock_mono_us(),
    };
    int result = work(&r, fault);
    if (result == 0)
        *ret_stats = make_stats(&r);
    harmonize_close(&r.h);
    cJSON_Delete(r.stages);
    cJSON_Delete(r.tables);
    cJSON_Delete(r.reasons);
    cJSON_Delete(r.sample);
    return result;
}

const struct job_kind job_harmonize = {"harmonize", harmonize_run};
