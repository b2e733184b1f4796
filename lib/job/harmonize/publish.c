/*
 * The pointer that says which versions of the tables belong together, and what the next run is to begin behind. Once a day what
 * no version needs any more is removed from the lake after it.
 */
#include "job/harmonize/ask.h"
#include "job/harmonize/harmonize.h"
#include "job/harmonize/seen.h"
#include "job/member.h"
#include "job/report.h"
#include "util/clock.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

#define VACUUM_EVERY_US (INT64_C(24) * 3600 * US_PER_SEC)

static void add_time(cJSON *to, const char *name, int64_t us)
{
    char when[40];
    clock_format_utc(us, when, sizeof(when));
    cJSON_AddStringToObject(to, name, when);
}

static void add_or_null(cJSON *to, const char *name, const char *text)
{
    cJSON_AddItemToObject(to, name, text ? cJSON_CreateString(text) : cJSON_CreateNull());
}

/* When that was last; the first pointer counts as one: there is nothing old. */
static int64_t vacuumed_us(const struct harmonize *h)
{
    int64_t us;
    const char *at = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(h->pointer, "vacuum_at"));
    return at && clock_parse_utc(at, &us) == 0 ? us : h->at_us;
}

/* A clock that was set back makes it no later. Who keeps all versions has nothing to remove. */
static bool is_vacuum_due(const struct harmonize *h)
{
    int64_t last = vacuumed_us(h);
    if (h->job->keep_versions_us == 0)
        return false;
    return h->at_us - last >= VACUUM_EVERY_US || last > h->at_us;
}

/* What the pointer before it says of tables that the job does not fill any more: they stay published, and one that comes back goes
 * on from there. */
static void add_others(const struct harmonize *h, cJSON *tables)
{
    const cJSON *before = cJSON_GetObjectItemCaseSensitive(h->pointer, "tables"), *table;
    cJSON_ArrayForEach(table, before)
    {
        if (!cJSON_GetObjectItemCaseSensitive(tables, table->string))
            cJSON_AddItemToObject(tables, table->string, cJSON_Duplicate(table, true));
    }
}

static void add_tables(const struct harmonize *h, cJSON *pointer)
{
    cJSON *tables = cJSON_AddObjectToObject(pointer, "tables");
    for (size_t i = 0; i < h->n_tables; i++) {
        if (h->versions[i] < 0)
            continue;
        cJSON *table = cJSON_AddObjectToObject(tables, lake_table_name(h->tables[i]));
        int64_t rows = MAX(lake_table_rows(h->tables[i]), 0);
        cJSON_AddNumberToObject(table, "version", (double)h->versions[i]);
        member_add_int(table, "rows", rows + h->changes[i].inserted);
    }
    add_others(h, tables);
}

static cJSON *new_pointer(const struct harmonize *h)
{
    cJSON *pointer = cJSON_CreateObject();
    member_add_int(pointer, "number", h->published + 1);
    add_time(pointer, "at", clock_wall_us());
    member_add_int(pointer, "run", h->spec->run);
    cJSON_AddStringToObject(pointer, "job", h->spec->job);
    add_or_null(pointer, "tenant", h->job->tenant);
    add_or_null(pointer, "revision", h->job->revision);
    add_tables(h, pointer);
    cJSON_AddItemToObject(
        pointer, "sources", h->sources ? cJSON_Duplicate(h->sources, true) : cJSON_CreateObject());
    add_time(pointer, "vacuum_at", is_vacuum_due(h) ? h->at_us : vacuumed_us(h));
    cJSON_AddStringToObject(pointer, "writer", "ingestd " INGESTD_VERSION);
    return pointer;
}

/* What is published stays so, whatever becomes of this. */
static void vacuum(struct harmonize *h)
{
    struct db_fault fault = {0};
    int64_t n, bytes;
    const char **names = xcalloc(h->n_tables, sizeof(*names));
    report_progress("vacuum", "", 0, -1);
    for (size_t i = 0; i < h->n_tables; i++)
        names[i] = lake_table_name(h->tables[i]);
    if (lake_vacuum(h->lake, names, h->n_tables, h->job->keep_versions_us, &n, &bytes, &fault) < 0)
        harmonize_note(h,
            "what is too old could not be removed from the lake, and is tried again in a day: %s",
            fault.error.text);
    else if (n > 0)
        harmonize_note(h, "%" PRId64 " files that no version of the last time needs were removed", n);
    free(names);
}

int harmonize_publish(struct harmonize *h, struct stage_account *account, struct db_fault *fault)
{
    report_progress("publish", "", 0, -1);
    if (!h->next)
        h->next = new_pointer(h);
    if (lake_publish(h->lake, h->published, h->next, &h->lost, fault) < 0)
        return -1;
    _cleanup_free_ char *text = member_print(TAKE(h->next));
    account->bytes = (int64_t)strlen(text);
    h->published++;
    seen_keep(h);
    if (is_vacuum_due(h))
        vacuum(h);
    return 0;
}
