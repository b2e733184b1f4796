#include "view_dumps.h"

#include "ctl.h"
#include "grid.h"
#include "util/clock.h"
#include "util/text.h"

#include <cjson/cJSON.h>

static const char *const counts[] = {
    "rows", "added", "changed", "removed", "reactivated", "unchanged", "rejected"};

/* Where the date comes from, as a column. */
static const char *origin(const cJSON *dump)
{
    static const struct {
        const char *word, *shown;
    } origins[] = {
        {"given", "as given"},
        {"name", "its name"},
        {"last-modified", "Last-Modified"},
        {"today", "none: today"},
        {"record", "on record"},
        {"begin", "its beginning"},
    };
    const char *word = ctl_text(dump, "as_of_from");
    for (size_t i = 0; i < N_ELEMENTS(origins); i++)
        if (strcmp(origins[i].word, word) == 0)
            return origins[i].shown;
    return word;
}

static const char *last_part(const char *url)
{
    const char *slash = strrchr(url, '/');
    return slash && slash[1] ? slash + 1 : url;
}

static void put_counts(struct grid *g, const cJSON *of)
{
    char count[28], took[32];
    for (size_t i = 0; i < N_ELEMENTS(counts); i++)
        grid_cell(g, PLAIN, "%s", text_count((uint64_t)ctl_number(of, counts[i]), count));
    grid_cell(g, PLAIN, "%s", text_duration((int64_t)(ctl_number(of, "seconds") * US_PER_SEC), took));
}

/* "dump npi.csv, key NPI: unchanged, nothing was done" */
static void put_rest(struct grid *g, const cJSON *dump)
{
    _cleanup_buffer_ struct buffer words = {0};
    const char *status = ctl_text(dump, "status");
    const cJSON *key;
    buffer_put_string(&words, last_part(ctl_text(dump, "source")));
    const char *gap = ", key ";
    cJSON_ArrayForEach(key, ctl_item(dump, "key"))
    {
        buffer_printf(&words, "%s%s", gap, cJSON_IsString(key) ? key->valuestring : "");
        gap = ", ";
    }
    if (strcmp(status, "unchanged") == 0)
        buffer_put_string(&words, ctl_item(dump, "pass") ? " (nothing changed)" : " (is loaded already)");
    grid_rest(g, PLAIN, "%s", buffer_string(&words));
}

static void put_notes(struct grid *g, const cJSON *dump)
{
    const cJSON *note;
    cJSON_ArrayForEach(note, ctl_item(dump, "notes"))
    {
        grid_row(g);
        grid_rest(g, PLAIN, "  · %s", cJSON_IsString(note) ? note->valuestring : "");
    }
}

static void put_heads(struct grid *g)
{
    grid_cell(g, BOLD, "as of");
    grid_cell(g, BOLD, "by");
    for (size_t i = 0; i < N_ELEMENTS(counts); i++)
        grid_cell(g, BOLD, "%s", counts[i]);
    grid_cell(g, BOLD, "took");
    grid_cell(g, BOLD, "dump");
}

bool view_dumps_has(const cJSON *stats, const char *name)
{
    if (!cJSON_IsArray(ctl_item(stats, "dumps")))
        return false;
    for (size_t i = 0; i < N_ELEMENTS(counts); i++)
        if (strcmp(counts[i], name) == 0)
            return true;
    return strcmp(name, "dumps") == 0 || strcmp(name, "not_listed") == 0 || strcmp(name, "seconds") == 0;
}

void view_dumps(struct buffer *to, const cJSON *stats, bool color)
{
    const cJSON *dumps = ctl_item(stats, "dumps"), *dump;
    if (!cJSON_IsArray(dumps))
        return;
    if (!dumps->child) {
        buffer_put_string(to, "no dump is newer than what is loaded\n");
        return;
    }
    _cleanup_(grid_freep) struct grid *g = grid_new("llrrrrrrrrl", color);
    put_heads(g);
    cJSON_ArrayForEach(dump, dumps)
    {
        grid_row(g);
        grid_cell(g, PLAIN, "%s", ctl_text(dump, "as_of"));
        grid_cell(g, DIM, "%s", origin(dump));
        put_counts(g, dump);
        put_rest(g, dump);
        put_notes(g, dump);
    }
    if (dumps->child->next) {
        grid_row(g);
        grid_cell(g, BOLD, "in all");
        grid_cell(g, PLAIN, "%s", "");
        put_counts(g, stats);
    }
    grid_write(g, to);
    if (ctl_number(stats, "not_listed") >= 1)
        buffer_printf(
            to, "%.0f earlier dumps are part of the sum and not listed\n", ctl_number(stats, "not_listed"));
}
