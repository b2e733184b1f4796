/*
 * Extract and stage. Sources are staged in groups that are begun anew together: the tables and SELECTs of one database, which see one
 * snapshot; and of objects each source by itself. All are prepared first, so that objects are fetched while tables are read, and
 * the snapshots are of nearly one moment.
 */
#include "job/harmonize/extract.h"
#include "job/harmonize/stage_source.h"

#include "job/job.h"
#include "job/member.h"
#include "job/report.h"
#include "util/clock.h"

#include <cjson/cJSON.h>
#include <strings.h>
#include <time.h>

#define ATTEMPTS_MAX 3
#define MAKE_SQL                                                                                             \
    "CREATE SCHEMA IF NOT EXISTS staged; CREATE SCHEMA IF NOT EXISTS out;"                                   \
    "ATTACH IF NOT EXISTS ':memory:' AS \"" STAGE_ROWS "\""

static const int64_t pauses_us[ATTEMPTS_MAX - 1] = {1 * US_PER_SEC, 4 * US_PER_SEC};

struct group {
    struct stage_source *sources;
    size_t n;
    int attempts;
    bool prepared;
};

struct staging {
    struct harmonize *h;
    struct snapshots *snapshots;
    struct books *books;
    struct stage_source *sources; /* group by group */
    struct group *groups;
    size_t n_sources, n_groups;
    int64_t rows;
};

/* ---- life ---- */

static void staging_done(struct staging *s)
{
    for (size_t i = 0; i < s->n_sources; i++)
        stage_source_done(&s->sources[i]);
    free(s->sources);
    free(s->groups);
    books_free(s->books);
    snapshots_free(s->snapshots);
}

static void add_source(struct staging *s, const struct job_feed *spec, bool begins)
{
    struct stage_source *source = &s->sources[s->n_sources++];
    source->feed = spec->database.url ? feed_of_table(s->h, spec, s->snapshots) : feed_of_objects(s->h, spec);
    if (begins)
        s->groups[s->n_groups++] = (struct group){.sources = source};
    s->groups[s->n_groups - 1].n++;
}

/* The sources of a database, once for its first. */
static void add_database(struct staging *s, size_t at)
{
    const struct job_feed *all = s->h->job->sources;
    for (size_t i = 0; i < at; i++)
        if (job_database_equal(&all[i].database, &all[at].database))
            return;
    for (size_t i = at; i < s->h->job->n_sources; i++)
        if (job_database_equal(&all[i].database, &all[at].database))
            add_source(s, &all[i], i == at);
}

/* Databases first: while they are read, objects are fetched; and no snapshot is kept longer than it must. */
static void add_sources(struct staging *s)
{
    const struct job_harmonize *job = s->h->job;
    s->sources = xcalloc(job->n_sources + 1, sizeof(*s->sources));
    s->groups = xcalloc(job->n_sources + 1, sizeof(*s->groups));
    for (size_t i = 0; i < job->n_sources; i++)
        if (job->sources[i].database.url)
            add_database(s, i);
    for (size_t i = 0; i < job->n_sources; i++)
        if (!job->sources[i].database.url)
            add_source(s, &job->sources[i], true);
}

/* ---- a group ---- */

static void close_group(struct staging *s, struct group *g)
{
    for (size_t i = 0; i < g->n; i++)
        g->sources[i].feed->driver->close(g->sources[i].feed);
    snapshots_forget(s->snapshots, &g->sources[0].feed->spec->database);
    g->prepared = false;
}

static int failed(
    const struct group *g, const struct stage_source *source, const char *stage, struct db_fault *fault)
{
    char tried[40] = "";
    if (g->attempts > 1)
        snprintf(tried, sizeof(tried), ", attempt %d", g->attempts);
    return error_prefix(&fault->error, "%s: the source %.64s%s", stage, source->feed->spec->name, tried);
}

static int prepare_source(struct stage_source *source, struct db_fault *fault)
{
    struct feed *f = source->feed;
    cJSON_Delete(TAKE(f->notes));
    cJSON_Delete(TAKE(f->remembered));
    f->bytes = 0;
    f->deliveries = -1;
    f->full = false;
    return f->driver->prepare(f, fault);
}

static int prepare_group(struct group *g, struct stage_account *extract, struct db_fault *fault)
{
    int64_t began_us = clock_mono_us();
    int r = 0;
    g->attempts++;
    for (size_t i = 0; r == 0 && i < g->n; i++)
        if (prepare_source(&g->sources[i], fault) < 0)
            r = failed(g, &g->sources[i], "extract", fault);
    extract->us += clock_mono_us() - began_us;
    g->prepared = r == 0;
    return r;
}

static int load_group(struct staging *s, struct group *g, struct db_fault *fault)
{
    int64_t rows = s->rows;
    books_begin(s->books);
    for (size_t i = 0; i < g->n; i++) {
        struct stage_source *source = &g->sources[i];
        if (stage_source_load(source, s->books, rows, fault) < 0) {
            books_forget(s->books);
            return failed(g, source, source->broke_off ? "extract" : "stage", fault);
        }
        rows += source->rows;
    }
    s->rows = rows;
    return 0;
}

/* The fault's first word says which of the two stages it is of. */
static void tell_again(const struct group *g, const struct db_fault *fault)
{
    bool reading = strncmp(fault->error.text, "extract", strlen("extract")) == 0;
    struct stage_told told = {.outcome = STAGE_AGAIN, .attempts = g->attempts};
    for (size_t i = 0; i < g->n; i++) {
        const struct stage_source *source = &g->sources[i];
        told.rows += source->rows;
        told.bytes += reading ? source->feed->bytes : source->bytes;
        told.us += reading ? source->extract_us : source->stage_us;
    }
    snprintf(told.name, sizeof(told.name), "%s", reading ? "extract" : "stage");
    snprintf(told.error, sizeof(told.error), "%s", fault->error.text);
    report_stage(&told);
}

/* Is it worth another attempt? Then it has waited for it. */
static bool try_again(struct staging *s, struct group *g, const struct db_fault *fault)
{
    close_group(s, g);
    if (!fault->transient || g->attempts >= ATTEMPTS_MAX)
        return false;
    tell_again(g, fault);
    _cleanup_free_ char *note = xasprintf("begun again after: %s", fault->error.text);
    cJSON_AddItemToArray(s->h->notes, cJSON_CreateString(note));
    int64_t us = pauses_us[g->attempts - 1];
    nanosleep(&(struct timespec){us / US_PER_SEC, us % US_PER_SEC * 1000}, NULL);
    return true;
}

static int stage_group(
    struct staging *s, struct group *g, struct stage_account *extract, struct db_fault *fault)
{
    do {
        *fault = (struct db_fault){0};
        if ((g->prepared || prepare_group(g, extract, fault) == 0) && load_group(s, g, fault) == 0) {
            close_group(s, g);
            return 0;
        }
    } while (try_again(s, g, fault));
    return -1;
}

/* A group that fails for now is begun again when it is its turn. */
static int prepare_all(struct staging *s, struct stage_account *extract, struct db_fault *fault)
{
    for (size_t i = 0; i < s->n_groups; i++) {
        report_progress(
            "extract", "sources", (int64_t)(s->groups[i].sources - s->sources), (int64_t)s->n_sources);
        *fault = (struct db_fault){0};
        if (prepare_group(&s->groups[i], extract, fault) < 0 && !try_again(s, &s->groups[i], fault))
            return -1;
    }
    report_progress("extract", "sources", (int64_t)s->n_sources, (int64_t)s->n_sources);
    return 0;
}

static int stage_all(struct staging *s, struct stage_account *extract, struct db_fault *fault)
{
    for (size_t i = 0; i < s->n_groups; i++)
        if (stage_group(s, &s->groups[i], extract, fault) < 0)
            return -1;
    return 0;
}

/* ---- what is told of it ---- */

static void add_account(const struct staging *s, struct stage_account *extract, struct stage_account *stage)
{
    for (size_t i = 0; i < s->n_sources; i++) {
        const struct stage_source *source = &s->sources[i];
        extract->rows += source->rows + source->rejected;
        extract->bytes += source->feed->bytes;
        extract->us += source->extract_us;
        stage->rows += source->rows;
        stage->bytes += source->bytes;
        stage->us += source->stage_us;
    }
    for (size_t i = 0; i < s->n_groups; i++) {
        extract->attempts = MAX(extract->attempts, s->groups[i].attempts);
        stage->attempts = MAX(stage->attempts, s->groups[i].attempts);
    }
}

static cJSON *tell_source(const struct stage_source *source)
{
    const struct feed *f = source->feed;
    cJSON *told = cJSON_CreateObject();
    cJSON_AddStringToObject(told, "name", f->spec->name);
    member_add_int(told, "rows", source->rows);
    member_add_int(told, "bytes", f->bytes);
    member_add_int(told, "rejected", source->rejected);
    cJSON_AddBoolToObject(told, "full", f->full);
    member_add_int(told, "objects", f->driver->of_table ? 0 : source->deliveries);
    member_add_int(told, "refused", source->refused);
    return told;
}

static void take_source(struct harmonize *h, struct stage_source *source)
{
    struct feed *f = source->feed;
    h->staged_rows += source->rows;
    h->rejected_rows += source->rejected;
    cJSON_AddItemToArray(h->told, tell_source(source));
    if (f->full || f->again)
        cJSON_AddItemToArray(h->again, cJSON_CreateString(f->spec->name));
    while (cJSON_GetArraySize(f->notes) > 0)
        cJSON_AddItemToArray(h->notes, cJSON_DetachItemFromArray(f->notes, 0));
    if (f->remembered)
        cJSON_AddItemToObject(h->sources, f->spec->name, TAKE(f->remembered));
}

/* In the order of the job. */
static void take_all(struct staging *s)
{
    for (size_t i = 0; i < s->h->job->n_sources; i++)
        for (size_t j = 0; j < s->n_sources; j++)
            if (s->sources[j].feed->spec == &s->h->job->sources[i])
                take_source(s->h, &s->sources[j]);
    if (books_bare(s->books) > 0) {
        _cleanup_free_ char *note =
            xasprintf("%lld rejected rows are without `raw` in the quarantine: there were too many",
                (long long)books_bare(s->books));
        cJSON_AddItemToArray(s->h->notes, cJSON_CreateString(note));
    }
}

/* ---- the stage ---- */

static int refuse_name(const struct harmonize *h, struct db_fault *fault)
{
    for (size_t i = 0; i < h->job->n_sources; i++)
        if (strcasecmp(h->job->sources[i].name, "delivery") == 0)
            return job_refuse(
                fault, "stage: no source can be called delivery: staged.delivery is a table of ours");
    return 0;
}

static int begin(struct staging *s, struct db_fault *fault)
{
    struct harmonize *h = s->h;
    h->sources = h->sources ? h->sources : cJSON_CreateObject();
    h->told = h->told ? h->told : cJSON_CreateArray();
    h->again = h->again ? h->again : cJSON_CreateArray();
    h->notes = h->notes ? h->notes : cJSON_CreateArray();
    s->snapshots = snapshots_new(h->spec);
    add_sources(s);
    if (refuse_name(h, fault) < 0)
        return -1;
    if (books_open(h, &s->books, fault) < 0 || db_script(h->duck, MAKE_SQL, NULL, fault) < 0)
        return error_prefix(&fault->error, "stage");
    return 0;
}

static int finish(struct staging *s, struct db_fault *fault)
{
    if (books_load(s->books, fault) < 0)
        return error_prefix(&fault->error, "stage: what was rejected, and the deliveries");
    for (size_t i = 0; i < s->n_sources; i++)
        if (stage_source_view(&s->sources[i], fault) < 0)
            return error_prefix(&fault->error, "stage: the source %.64s", s->sources[i].feed->spec->name);
    return 0;
}

int harmonize_stage(
    struct harmonize *h, struct stage_account *extract, struct stage_account *stage, struct db_fault *fault)
{
    _cleanup_(staging_done) struct staging s = {.h = h};
    *fault = (struct db_fault){0};
    if (begin(&s, fault) < 0)
        return -1;
    int r = prepare_all(&s, extract, fault);
    if (r == 0)
        r = stage_all(&s, extract, fault);
    int64_t began_us = clock_mono_us();
    if (r == 0)
        r = finish(&s, fault);
    add_account(&s, extract, stage);
    stage->us += clock_mono_us() - began_us;
    if (r == 0)
        take_all(&s);
    return r;
}
