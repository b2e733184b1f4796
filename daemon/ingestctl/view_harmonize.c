#include "view_harmonize.h"

#include "ctl.h"
#include "grid.h"
#include "util/text.h"
#include "view.h"

#include <cjson/cJSON.h>

static bool is_harmonize(const cJSON *stats)
{
    return cJSON_IsArray(ctl_item(stats, "stages")) && cJSON_IsArray(ctl_item(stats, "tables")) &&
           cJSON_IsArray(ctl_item(stats, "sources"));
}

static void put_heads(struct grid *g, const char *const *heads, size_t n)
{
    for (size_t i = 0; i < n; i++)
        grid_cell(g, BOLD, "%s", heads[i]);
}

static void count_cell(struct grid *g, const cJSON *of, const char *name)
{
    char count[28];
    grid_cell(
        g, PLAIN, "%s", cJSON_IsNumber(ctl_item(of, name)) ? view_count(ctl_number(of, name), count) : "");
}

/* ---- the tables ---- */

static void put_stages(struct buffer *to, const cJSON *stats, bool color)
{
    static const char *const heads[] = {"stage", "rows", "bytes", "took", "attempts", "outcome"};
    _cleanup_(grid_freep) struct grid *g = grid_new("lrrrrl", color);
    const cJSON *stage;
    put_heads(g, heads, N_ELEMENTS(heads));
    cJSON_ArrayForEach(stage, ctl_item(stats, "stages"))
    {
        char bytes[32], took[32];
        const char *outcome = ctl_text(stage, "outcome");
        grid_row(g);
        grid_cell(g, PLAIN, "%s", ctl_text(stage, "name"));
        count_cell(g, stage, "rows");
        grid_cell(g, PLAIN, "%s", text_bytes((uint64_t)MAX(ctl_number(stage, "bytes"), 0), bytes));
        grid_cell(g, PLAIN, "%s", text_duration((int64_t)ctl_number(stage, "us"), took));
        count_cell(g, stage, "attempts");
        grid_rest(g, view_style(outcome), "%s%s%s", outcome, ctl_text(stage, "error")[0] ? ": " : "",
            ctl_text(stage, "error"));
    }
    grid_write(g, to);
}

static void put_sources(struct buffer *to, const cJSON *stats, bool color)
{
    static const char *const heads[] = {"source", "rows", "bytes", "rejected", "objects", "refused", ""};
    _cleanup_(grid_freep) struct grid *g = grid_new("lrrrrrl", color);
    const cJSON *source, *sources = ctl_item(stats, "sources");
    if (!sources->child)
        return;
    put_heads(g, heads, N_ELEMENTS(heads));
    cJSON_ArrayForEach(source, sources)
    {
        char bytes[32];
        grid_row(g);
        grid_cell(g, PLAIN, "%s", ctl_text(source, "name"));
        count_cell(g, source, "rows");
        grid_cell(g, PLAIN, "%s", text_bytes((uint64_t)MAX(ctl_number(source, "bytes"), 0), bytes));
        count_cell(g, source, "rejected");
        count_cell(g, source, "objects");
        count_cell(g, source, "refused");
        grid_rest(g, DIM, "%s", ctl_true(source, "full") ? "all of it" : "what is new");
    }
    grid_write(g, to);
}

static void put_tables(struct buffer *to, const cJSON *stats, bool color)
{
    static const char *const heads[] = {"table", "inserted", "updated", "unchanged", "rows", "version"};
    static const char *const counts[] = {"inserted", "updated", "unchanged", "rows"};
    _cleanup_(grid_freep) struct grid *g = grid_new("lrrrrr", color);
    const cJSON *table;
    char count[28];
    put_heads(g, heads, N_ELEMENTS(heads));
    cJSON_ArrayForEach(table, ctl_item(stats, "tables"))
    {
        grid_row(g);
        grid_cell(g, PLAIN, "%s", ctl_text(table, "name"));
        for (size_t i = 0; i < N_ELEMENTS(counts); i++)
            count_cell(g, table, counts[i]);
        double version = ctl_number(table, "version");
        grid_cell(g, PLAIN, "%s", version < 0 ? "none" : view_count(version, count));
    }
    grid_write(g, to);
}

/* ---- what was quarantined ---- */

static void put_reasons(struct buffer *to, const cJSON *stats, bool color)
{
    static const char *const heads[] = {"reason", "table", "rows", "what became of them"};
    _cleanup_(grid_freep) struct grid *g = grid_new("llrl", color);
    const cJSON *reason, *reasons = ctl_item(stats, "quarantine");
    if (!cJSON_IsArray(reasons) || !reasons->child)
        return;
    put_heads(g, heads, N_ELEMENTS(heads));
    cJSON_ArrayForEach(reason, reasons)
    {
        grid_row(g);
        grid_cell(g, PLAIN, "%s", ctl_text(reason, "reason"));
        grid_cell(g, PLAIN, "%s", ctl_text(reason, "table"));
        count_cell(g, reason, "rows");
        grid_rest(g, PLAIN, "%s", ctl_text(reason, "kind"));
    }
    grid_write(g, to);
    buffer_put_string(
        to, "What each reason means stands in docs/bad-data.md, each row in the lake's table quarantine\n");
}

/* ---- the lines ---- */

/* "1,010 rows staged, 12 quarantined, 30 repaired; published as number 7" */
static void put_sums(struct buffer *to, const cJSON *stats)
{
    char staged[28], quarantined[28], repaired[28], number[28];
    bool published = !ctl_true(stats, "dry_run") && !ctl_true(stats, "nothing_new");
    buffer_printf(to, "%s rows staged, %s quarantined, %s repaired",
        view_count(ctl_number(stats, "staged"), staged),
        view_count(ctl_number(stats, "quarantined"), quarantined),
        view_count(ctl_number(stats, "repaired"), repaired));
    if (published)
        buffer_printf(to, "; published as number %s", view_count(ctl_number(stats, "published"), number));
    buffer_put_string(to, "\n");
}

static void put_notes(struct buffer *to, const cJSON *stats)
{
    const cJSON *note;
    cJSON_ArrayForEach(note, ctl_item(stats, "notes"))
    {
        _cleanup_free_ char *words = printable(cJSON_IsString(note) ? note->valuestring : "");
        buffer_printf(to, "  · %s\n", words);
    }
}

bool view_harmonize_has(const cJSON *stats, const char *name)
{
    static const char *const shown[] = {"elapsed_us", "stages", "sources", "tables", "staged", "quarantined",
        "repaired", "quarantine", "published", "nothing_new", "notes", "sample", "dry_run"};
    for (size_t i = 0; i < N_ELEMENTS(shown) && is_harmonize(stats); i++)
        if (strcmp(shown[i], name) == 0)
            return true;
    return false;
}

void view_harmonize(struct buffer *to, const cJSON *stats, bool color)
{
    if (!is_harmonize(stats))
        return;
    buffer_printf(to, "Elapsed Time: %.1f s\n", ctl_number(stats, "elapsed_us") / 1e6);
    put_stages(to, stats, color);
    put_sources(to, stats, color);
    put_tables(to, stats, color);
    put_sums(to, stats);
    put_reasons(to, stats, color);
    put_notes(to, stats);
    view_sample(to, "Sample of the quarantine", stats);
}
