#include "view_runs.h"

#include "ctl.h"
#include "grid.h"
#include "util/clock.h"
#include "util/text.h"
#include "view.h"
#include "view_dumps.h"
#include "view_harmonize.h"
#include "view_match.h"

#include <cjson/cJSON.h>
#include <stdarg.h>

#define LONGEST_VALUE 60 /* characters of a result's value in the table */

const char *view_run_for(const cJSON *run, char out[80])
{
    if (ctl_text(run, "window_start")[0])
        return view_span(ctl_text(run, "window_start"), ctl_text(run, "window_end"), out);
    return view_time(ctl_text(run, "scheduled_for"), out);
}

bool view_run_is_over(const cJSON *run)
{
    const char *status = ctl_text(run, "status");
    return strcmp(status, "waiting") != 0 && strcmp(status, "running") != 0;
}

_printf_(4, 5) static void put_fact(struct grid *g, const char *label, enum style style, const char *fmt, ...)
{
    va_list ap;
    _cleanup_free_ char *words = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&words, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    grid_row(g);
    grid_cell(g, PLAIN, "  %s", label);
    grid_rest(g, style, "%s", words);
}

static const char *duration_of(const cJSON *run, const char *key, char out[32])
{
    if (!cJSON_IsNumber(ctl_item(run, key)))
        return "";
    return text_duration((int64_t)ctl_number(run, key), out);
}

/* What is worth knowing beyond the columns: why it failed, or what a waiting one waits for. */
static void remark_cell(struct grid *g, const cJSON *run)
{
    char when[32];
    const char *error = ctl_text(run, "error"), *not_before = ctl_text(run, "not_before");
    bool waits = strcmp(ctl_text(run, "status"), "waiting") == 0 && not_before[0] && view_age(not_before) < 0;
    if (waits)
        grid_rest(g, PLAIN, "not before %s%s%s", view_time(not_before, when), error[0] ? ": " : "", error);
    else
        grid_rest(g, PLAIN, "%s", error);
}

static void put_run(struct grid *g, const cJSON *run)
{
    char words[80], took[32], late[32];
    const char *status = ctl_text(run, "status");
    grid_row(g);
    grid_cell(g, PLAIN, "%.0f", ctl_number(run, "id"));
    grid_cell(g, PLAIN, "%s", ctl_text(run, "job"));
    grid_cell(g, PLAIN, "%s", view_run_for(run, words));
    grid_cell(g, PLAIN, "%s", ctl_text(run, "cause"));
    grid_cell(g, view_style(status), "%s%s", status, ctl_true(run, "dry_run") ? " (dry)" : "");
    grid_cell(g, PLAIN, "%.0f", ctl_number(run, "attempt"));
    if (strcmp(status, "running") == 0 && ctl_text(run, "started")[0])
        grid_cell(g, PLAIN, "%s…", view_seconds(view_age(ctl_text(run, "started")), took));
    else
        grid_cell(g, PLAIN, "%s", duration_of(run, "duration_us", took));
    grid_cell(g, PLAIN, "%s", duration_of(run, "lateness_us", late));
    remark_cell(g, run);
}

void view_runs(struct buffer *to, const cJSON *runs, bool color)
{
    static const char *const heads[] = {"run", "job", "for", "cause", "status", "try", "took", "late"};
    _cleanup_(grid_freep) struct grid *g = grid_new("rllllrrrl", color);
    const cJSON *run;
    for (size_t i = 0; i < N_ELEMENTS(heads); i++)
        grid_cell(g, BOLD, "%s", heads[i]);
    cJSON_ArrayForEach(run, runs)
    {
        put_run(g, run);
    }
    grid_write(g, to);
}

/* -- what it counted ------------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/* Counts with their separators, times and sizes with their units (a name says which it is), all else as it
 * stands. A new string. */
static char *stat_words(const cJSON *stat)
{
    char words[32];
    const char *text = cJSON_GetStringValue(stat);
    double v = stat->valuedouble;
    if (text)
        return xstrdup(text);
    if (cJSON_IsBool(stat))
        return xstrdup(cJSON_IsTrue(stat) ? "yes" : "no");
    if (cJSON_IsNumber(stat) && v >= 0 && v < 1e15 && v == (double)(int64_t)v) {
        if (ends_with(stat->string, "_us"))
            return xstrdup(text_duration((int64_t)v, words));
        if (ends_with(stat->string, "_bytes"))
            return xstrdup(text_bytes((uint64_t)v, words));
        return xstrdup(text_count((uint64_t)v, words));
    }
    char *json = cJSON_PrintUnformatted(stat);
    if (!json)
        abort();
    return json;
}

/* "peak_bytes" -> "peak": the unit stands in the value. A new string. */
static char *stat_name(const cJSON *stat)
{
    static const struct {
        const char *key, *words;
    } known[] = {
        {"cpu_us", "processor time"},
        {"peak_bytes", "memory at most"},
    };
    for (size_t i = 0; i < N_ELEMENTS(known); i++)
        if (strcmp(known[i].key, stat->string) == 0)
            return xstrdup(known[i].words);
    char *name = xstrdup(stat->string);
    if (cJSON_IsNumber(stat) && (ends_with(name, "_us") || ends_with(name, "_bytes")))
        *strrchr(name, '_') = '\0';
    for (char *c = name; *c; c++)
        if (*c == '_')
            *c = ' ';
    return name;
}

static void put_stats(struct grid *g, const cJSON *stats)
{
    const cJSON *stat;
    cJSON_ArrayForEach(stat, stats)
    {
        if (!stat->string || cJSON_IsNull(stat) || view_dumps_has(stats, stat->string) ||
            view_match_has(stats, stat->string) || view_harmonize_has(stats, stat->string))
            continue;
        _cleanup_free_ char *name = stat_name(stat), *words = stat_words(stat);
        put_fact(g, name, PLAIN, "%s", words);
    }
}

void view_run_stats(struct buffer *to, const cJSON *run, bool color)
{
    if (!cJSON_IsObject(ctl_item(run, "stats")))
        return;
    _cleanup_(grid_freep) struct grid *g = grid_new("ll", color);
    view_match(to, ctl_item(run, "stats"), color);
    view_harmonize(to, ctl_item(run, "stats"), color);
    put_stats(g, ctl_item(run, "stats"));
    grid_write(g, to);
    view_dumps(to, ctl_item(run, "stats"), color);
}

/* -- what it returned ------------------------------------------------------------------------------------ */

/* A value as text, cut where it is long; a new string. */
static char *value_words(const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);
    char *words = text                            ? xstrdup(text)
                  : !value || cJSON_IsNull(value) ? xstrdup("-")
                                                  : cJSON_PrintUnformatted(value);
    if (!words)
        abort();
    size_t seen = 0;
    for (char *c = words; *c; c++)
        if (((unsigned char)*c & 0xc0) != 0x80 && seen++ == LONGEST_VALUE) {
            *c = '\0';
            char *cut = xasprintf("%s…", words);
            free(words);
            return cut;
        }
    return words;
}

/* A column's name stands alone, or as the member "name" of an object. */
static const char *column_name(const cJSON *column)
{
    return cJSON_IsObject(column) ? ctl_text(column, "name") : cJSON_GetStringValue(column);
}

static bool is_number(const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);
    char *end = NULL;
    if (text)
        strtod(text, &end);
    return cJSON_IsNumber(value) || (text && *text && *end == '\0');
}

/* Numbers stand to the right: 'r' for each column that holds nothing else. */
static void align_columns(const cJSON *rows, size_t n_columns, char *align)
{
    const cJSON *row;
    memset(align, cJSON_GetArraySize(rows) > 0 ? 'r' : 'l', n_columns);
    cJSON_ArrayForEach(row, rows)
    {
        size_t i = 0;
        const cJSON *value;
        cJSON_ArrayForEach(value, row)
        {
            if (i < n_columns && !is_number(value) && !cJSON_IsNull(value))
                align[i] = 'l';
            i++;
        }
    }
}

static void put_row(struct grid *g, const cJSON *row)
{
    const cJSON *value;
    grid_row(g);
    cJSON_ArrayForEach(value, row)
    {
        _cleanup_free_ char *words = value_words(value);
        grid_cell(g, PLAIN, "%s", words);
    }
}

void view_run_result(struct buffer *to, const cJSON *run, bool color)
{
    const cJSON *result = ctl_item(run, "result"), *columns = ctl_item(result, "columns"), *column, *row;
    const cJSON *rows = ctl_item(result, "rows");
    char align[GRID_MAX_COLUMNS + 1] = "";
    size_t n_columns = MIN((size_t)cJSON_GetArraySize(columns), GRID_MAX_COLUMNS);
    if (n_columns == 0)
        return;
    align_columns(rows, n_columns, align);
    _cleanup_(grid_freep) struct grid *g = grid_new(align, color);
    cJSON_ArrayForEach(column, columns)
    {
        const char *name = column_name(column);
        grid_cell(g, BOLD, "%s", name ? name : "");
    }
    cJSON_ArrayForEach(row, rows)
    {
        put_row(g, row);
    }
    grid_write(g, to);
    if ((size_t)cJSON_GetArraySize(columns) > n_columns)
        buffer_put_string(to, "there are more columns: --json\n");
}

/* -- how it ended ---------------------------------------------------------------------------------------- */

/* Each line of the worker's last words, indented. */
static void put_last_words(struct buffer *to, const char *words)
{
    if (*words)
        buffer_put_string(to, "  last words\n");
    while (*words) {
        size_t n = strcspn(words, "\n");
        _cleanup_free_ char *line = xstrndup(words, n), *clean = printable(line);
        if (n > 0)
            buffer_printf(to, "    %s\n", clean);
        words += n + (words[n] == '\n');
    }
}

static void put_end(struct grid *g, const cJSON *run)
{
    const cJSON *exit_code = ctl_item(run, "exit_code"), *signal = ctl_item(run, "signal");
    if (ctl_text(run, "error")[0])
        put_fact(g, "error", view_style(ctl_text(run, "status")), "%s", ctl_text(run, "error"));
    if (ctl_text(run, "sqlstate")[0])
        put_fact(g, "sqlstate", PLAIN, "%s", ctl_text(run, "sqlstate"));
    if (cJSON_IsNumber(signal) && signal->valueint > 0) {
        const char *words = strsignal(signal->valueint);
        put_fact(g, "ended by", PLAIN, "signal %d, %s", signal->valueint, words ? words : "unknown");
    } else if (cJSON_IsNumber(exit_code) && exit_code->valueint > 0) {
        put_fact(g, "exit code", PLAIN, "%d", exit_code->valueint);
    }
}

void view_run_failure(struct buffer *to, const cJSON *run, bool color)
{
    _cleanup_(grid_freep) struct grid *g = grid_new("ll", color);
    put_end(g, run);
    grid_write(g, to);
    put_last_words(to, ctl_text(run, "last_words"));
}

/* -- one run, whole -------------------------------------------------------------------------------------- */

static void put_facts(struct grid *g, const cJSON *run)
{
    static const struct {
        const char *label, *key;
        enum { WORDS, WHEN, LASTED } form;
    } facts[] = {
        {"cause", "cause", WORDS},
        {"asked by", "asked_by", WORDS},
        {"scheduled for", "scheduled_for", WHEN},
        {"recorded", "created", WHEN},
        {"not before", "not_before", WHEN},
        {"started", "started", WHEN},
        {"finished", "finished", WHEN},
        {"took", "duration_us", LASTED},
        {"late by", "lateness_us", LASTED},
        {"daemon", "daemon", WORDS},
    };
    char words[32];
    for (size_t i = 0; i < N_ELEMENTS(facts); i++) {
        const char *text = ctl_text(run, facts[i].key);
        if (facts[i].form == LASTED)
            text = duration_of(run, facts[i].key, words);
        else if (facts[i].form == WHEN && text[0])
            text = view_time(text, words);
        if (!text[0])
            continue;
        put_fact(g, facts[i].label, PLAIN, "%s", text);
    }
}

static void put_progress(struct grid *g, const cJSON *progress)
{
    char words[96];
    if (!cJSON_IsObject(progress))
        return;
    view_progress(progress, words);
    put_fact(g, "progress", PLAIN, "%s%s%s", ctl_text(progress, "stage"), words[0] ? ", " : "", words);
}

void view_run(struct buffer *to, const cJSON *run, bool color)
{
    _cleanup_(grid_freep) struct grid *g = grid_new("ll", color);
    char words[80];
    const char *status = ctl_text(run, "status");
    grid_cell(g, BOLD, "run %.0f", ctl_number(run, "id"));
    put_fact(g, "job", PLAIN, "%s", ctl_text(run, "job"));
    put_fact(g, "status", view_style(status), "%s%s, attempt %.0f", status,
        ctl_true(run, "dry_run") ? " (a dry run: nothing is changed)" : "", ctl_number(run, "attempt"));
    if (ctl_text(run, "window_start")[0])
        put_fact(g, "window", PLAIN, "%s", view_run_for(run, words));
    put_facts(g, run);
    put_progress(g, ctl_item(run, "progress"));
    put_stats(g, ctl_item(run, "stats"));
    put_end(g, run);
    grid_write(g, to);
    put_last_words(to, ctl_text(run, "last_words"));
    view_match(to, ctl_item(run, "stats"), color);
    view_harmonize(to, ctl_item(run, "stats"), color);
    view_dumps(to, ctl_item(run, "stats"), color);
    view_run_result(to, run, color);
}
