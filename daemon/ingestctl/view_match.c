#include "view_match.h"

#include "ctl.h"
#include "grid.h"
#include "util/text.h"
#include "view.h"

#include <cjson/cJSON.h>

static const char *const sides[] = {"left", "right"};
static const char *const counts[] = {
    "rows", "matched", "ambiguous", "only", "rejected", "duplicates", "active"};

static bool is_match(const cJSON *stats)
{
    return cJSON_IsObject(ctl_item(stats, "left")) && cJSON_IsObject(ctl_item(stats, "right"));
}

static void put_account(struct buffer *to, const cJSON *stats, bool color)
{
    char count[28];
    _cleanup_(grid_freep) struct grid *g = grid_new("lrrrrrrr", color);
    grid_cell(g, BOLD, "side");
    for (size_t i = 0; i < N_ELEMENTS(counts); i++)
        grid_cell(g, BOLD, "%s", counts[i]);
    for (size_t s = 0; s < N_ELEMENTS(sides); s++) {
        const cJSON *side = ctl_item(stats, sides[s]);
        grid_row(g);
        grid_cell(g, PLAIN, "%s", ctl_text(side, "name"));
        for (size_t i = 0; i < N_ELEMENTS(counts); i++)
            grid_cell(g, PLAIN, "%s", view_count(ctl_number(side, counts[i]), count));
    }
    grid_write(g, to);
}

/* "at most 3.4 % of ours and 2.1 % of vendor in memory at once" */
static void put_memory(struct buffer *to, const cJSON *stats)
{
    for (size_t s = 0; s < N_ELEMENTS(sides); s++) {
        const cJSON *side = ctl_item(stats, sides[s]);
        _cleanup_free_ char *name = printable(ctl_text(side, "name"));
        buffer_printf(
            to, "%s%.1f %% of %s", s ? " and " : "at most ", ctl_number(side, "held_share") * 100, name);
    }
    buffer_put_string(to, " in memory at once\n");
}

/* "  · ours: 525 were active after the report date", and how a REST resource was asked. */
static void put_remarks(struct buffer *to, const cJSON *side)
{
    static const struct {
        const char *key, *words;
    } remarks[] = {
        {"no_key", "have no key"},
        {"no_date", "have no date of activity"},
        {"future_dates", "were active after the report date"},
        {"unreadable_dates", "have a date that cannot be read"},
        {"pages", "pages"},
        {"requests", "requests"},
        {"again", "of them again"},
    };
    char count[28];
    const char *gap = ": ";
    _cleanup_buffer_ struct buffer line = {0};
    for (size_t i = 0; i < N_ELEMENTS(remarks); i++) {
        double n = ctl_number(side, remarks[i].key);
        if (n < 1)
            continue;
        buffer_printf(&line, "%s%s %s", gap, view_count(n, count), remarks[i].words);
        gap = ", ";
    }
    _cleanup_free_ char *name = printable(ctl_text(side, "name"));
    if (line.n > 0)
        buffer_printf(to, "  · %s%s\n", name, buffer_string(&line));
}

/* "151,677 rows written for 2017-02-02, in place of 0; read in 3.1 s, joined in 0.8 s, loaded in 0.3 s" */
static void put_written(struct buffer *to, const cJSON *stats)
{
    char written[28], replaced[28];
    const cJSON *seconds = ctl_item(stats, "seconds");
    _cleanup_free_ char *date = printable(ctl_text(stats, "report_date"));
    if (!ctl_true(stats, "dry_run")) /* of one a note says what it would be */
        buffer_printf(to, "%s rows written for %s, in place of %s; ",
            view_count(ctl_number(stats, "written"), written), date,
            view_count(ctl_number(stats, "replaced"), replaced));
    buffer_printf(to, "read in %.1f s, joined in %.1f s, loaded in %.1f s\n", ctl_number(seconds, "read"),
        ctl_number(seconds, "join"), ctl_number(seconds, "load"));
}

static void put_notes(struct buffer *to, const cJSON *stats)
{
    const cJSON *note;
    const char *resumed = ctl_text(stats, "resumed");
    for (size_t s = 0; s < N_ELEMENTS(sides); s++)
        put_remarks(to, ctl_item(stats, sides[s]));
    if (resumed[0])
        buffer_printf(to, "  · an earlier run had died; this one went on where it was, while %s\n",
            strcmp(resumed, "loading") == 0 ? "loading" : "reading");
    cJSON_ArrayForEach(note, ctl_item(stats, "notes"))
    {
        _cleanup_free_ char *words = printable(cJSON_IsString(note) ? note->valuestring : "");
        buffer_printf(to, "  · %s\n", words);
    }
}

static void put_ddl(struct buffer *to, const cJSON *stats)
{
    for (const char *at = ctl_text(stats, "ddl"); *at; at += *at == '\n') {
        size_t n = strcspn(at, "\n");
        _cleanup_free_ char *line = xstrndup(at, n), *clean = printable(line);
        buffer_printf(to, "%s\n", clean);
        at += n;
    }
}

bool view_match_has(const cJSON *stats, const char *name)
{
    static const char *const shown[] = {"elapsed_us", "matched", "left", "right", "written", "replaced",
        "report_date", "seconds", "resumed", "notes", "sample", "ddl"};
    for (size_t i = 0; i < N_ELEMENTS(shown) && is_match(stats); i++)
        if (strcmp(shown[i], name) == 0)
            return true;
    return false;
}

void view_match(struct buffer *to, const cJSON *stats, bool color)
{
    char matched[28];
    if (!is_match(stats))
        return;
    buffer_printf(to, "Elapsed Time: %.1f s\n", ctl_number(stats, "elapsed_us") / 1e6);
    buffer_printf(to, "Total Matches: %s\n", view_count(ctl_number(stats, "matched"), matched));
    put_account(to, stats, color);
    put_memory(to, stats);
    put_written(to, stats);
    put_notes(to, stats);
    view_sample(to, "Sample", stats);
    put_ddl(to, stats);
}
