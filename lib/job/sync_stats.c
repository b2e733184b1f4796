#include "job/sync_stats.h"

#include "job/member.h"
#include "util/clock.h"

#include <cjson/cJSON.h>

#define LISTED_MAX 200 /* dumps: a run's record stays small */
#define NOTES_MAX  50  /* of a dump */

void stats_init(struct sync_stats *s, const struct job_sync *sync)
{
    *s = (struct sync_stats){.sync = sync, .dumps = cJSON_CreateArray(), .began_us = clock_mono_us()};
}

static void add_seconds(cJSON *to, int64_t began_us)
{
    char seconds[32];
    snprintf(seconds, sizeof(seconds), "%.3f", (double)(clock_mono_us() - began_us) / US_PER_SEC);
    cJSON_AddRawToObject(to, "seconds", seconds);
}

static void add_counts(cJSON *to, const struct history_counts *c)
{
    const struct {
        const char *name;
        int64_t n;
    } counts[] = {
        {"rows", c->rows},
        {"added", c->added},
        {"changed", c->changed},
        {"removed", c->removed},
        {"reactivated", c->reactivated},
        {"unchanged", c->unchanged},
        {"rejected", c->rejected},
    };
    for (size_t i = 0; i < N_ELEMENTS(counts); i++)
        member_add_int(to, counts[i].name, counts[i].n);
}

static void add_sum(struct history_counts *sum, const struct history_counts *c)
{
    sum->rows += c->rows;
    sum->added += c->added;
    sum->changed += c->changed;
    sum->removed += c->removed;
    sum->reactivated += c->reactivated;
    sum->unchanged += c->unchanged;
    sum->rejected += c->rejected;
}

/* As it was given, else as the dataset has it; of one that there is not yet, the first column. */
static cJSON *new_key(const struct sync_stats *s, const struct sync_feed *f, const struct history *history)
{
    size_t n;
    cJSON *key = cJSON_CreateArray();
    const struct history_column *columns = history_columns(history, &n);
    for (size_t i = 0; i < s->sync->key.n; i++)
        cJSON_AddItemToArray(key, cJSON_CreateString(s->sync->key.list[i]));
    for (size_t i = 0; i < n && s->sync->key.n == 0; i++)
        if (columns[i].is_key)
            cJSON_AddItemToArray(key, cJSON_CreateString(columns[i].header));
    if (!key->child && f->source && f->source->n_columns > 0)
        cJSON_AddItemToArray(key, cJSON_CreateString(f->source->columns[0]));
    return key;
}

static cJSON *new_notes(const char *text)
{
    cJSON *notes = cJSON_CreateArray();
    _cleanup_free_ char *copy = xstrdup(text ? text : "");
    int n = 0;
    for (char *save, *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (n++ < NOTES_MAX)
            cJSON_AddItemToArray(notes, cJSON_CreateString(line));
    return notes;
}

void stats_add(struct sync_stats *s, const struct sync_feed *f, const struct sync_result *result,
    const struct history *history)
{
    cJSON *dump = cJSON_CreateObject();
    cJSON_AddStringToObject(dump, "source", f->shown);
    cJSON_AddStringToObject(dump, "as_of", f->as_of);
    cJSON_AddStringToObject(dump, "as_of_from", f->as_of_from);
    cJSON_AddItemToObject(dump, "key", new_key(s, f, history));
    add_counts(dump, &result->counts);
    add_seconds(dump, result->began_us);
    cJSON_AddStringToObject(dump, "status", result->status);
    cJSON *notes = new_notes(result->notes);
    f->driver->add_stats(f, dump, notes);
    cJSON_AddItemToObject(dump, "notes", notes);
    cJSON_AddItemToArray(s->dumps, dump);
    add_sum(&s->sum, &result->counts);
    s->n_loaded += strcmp(result->status, "loaded") == 0;
    if (cJSON_GetArraySize(s->dumps) > LISTED_MAX) {
        cJSON_DeleteItemFromArray(s->dumps, 0);
        s->n_not_listed++;
    }
}

void stats_note(struct sync_stats *s, const char *note)
{
    cJSON *last = cJSON_GetArrayItem(s->dumps, cJSON_GetArraySize(s->dumps) - 1);
    if (last)
        cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(last, "notes"), cJSON_CreateString(note));
}

cJSON *stats_end(struct sync_stats *s, bool dry_run)
{
    cJSON *stats = cJSON_CreateObject();
    cJSON_AddItemToObject(stats, "dumps", TAKE(s->dumps));
    add_counts(stats, &s->sum);
    if (s->n_not_listed > 0)
        cJSON_AddNumberToObject(stats, "not_listed", (double)s->n_not_listed);
    if (dry_run)
        cJSON_AddTrueToObject(stats, "dry_run");
    add_seconds(stats, s->began_us);
    return stats;
}
