#include "view_life.h"

#include "ctl.h"
#include "grid.h"
#include "util/date.h"
#include "util/moment.h"
#include "util/text.h"

#include <cjson/cJSON.h>
#include <strings.h>

/* What stands before a version's own cells. */
enum {
    VALID_FROM,
    VALID_TO,
    OPENED_BY,
    CLOSED_BY,
    OPENED_DUMP,
    OPENED_SOURCE,
    CLOSED_DUMP,
    CLOSED_SOURCE,
    LINE,
    N_FIXED
};

struct life {
    char **headers, **names;
    size_t n; /* with the fixed ones */
    char ***versions;
    size_t n_versions;
};

static char **copy_row(size_t n, const char *const *cells)
{
    char **copy = xcalloc(n, sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = xstrdup(cells[i]);
    return copy;
}

static void free_row(char **row, size_t n)
{
    for (size_t i = 0; row && i < n; i++)
        free(row[i]);
    free(row);
}

struct life *life_new(void)
{
    return xnew(struct life);
}

void life_free(struct life *l)
{
    if (!l)
        return;
    free_row(l->headers, l->n);
    free_row(l->names, l->n);
    for (size_t i = 0; i < l->n_versions; i++)
        free_row(l->versions[i], l->n);
    free(l->versions);
    free(l);
}

void life_row(void *arg, bool head, size_t n, const char *const *cells)
{
    struct life *l = arg;
    if (head && !l->headers && n > N_FIXED) {
        l->n = n;
        l->headers = copy_row(n, cells);
    } else if (n != l->n) {
        return;
    } else if (head && !l->names) {
        l->names = copy_row(n, cells);
    } else if (!head) {
        l->versions = xrealloc(l->versions, l->n_versions + 1, sizeof(*l->versions));
        l->versions[l->n_versions++] = copy_row(n, cells);
    }
}

bool life_is_empty(const struct life *l)
{
    return l->n_versions == 0;
}

const char *life_column(const struct life *l, const char *typed, const char **ret_near)
{
    *ret_near = NULL;
    for (size_t i = N_FIXED; i < l->n; i++)
        if (strcmp(l->headers[i], typed) == 0)
            return l->headers[i];
    for (size_t i = N_FIXED; i < l->n; i++)
        if (strcasecmp(l->headers[i], typed) == 0 || (l->names && strcasecmp(l->names[i], typed) == 0))
            return l->headers[i];
    if (l->n > N_FIXED)
        *ret_near = text_suggest(typed, (const char *const *)l->headers + N_FIXED, l->n - N_FIXED);
    return NULL;
}

/* -- to JSON --------------------------------------------------------------------------------------------- */

static cJSON *new_text(const char *text)
{
    return text ? cJSON_CreateString(text) : cJSON_CreateNull();
}

static cJSON *new_number(const char *digits)
{
    return digits && *digits ? cJSON_CreateNumber(strtod(digits, NULL)) : cJSON_CreateNull();
}

static cJSON *new_dump(const char *id, const char *source)
{
    if (!id)
        return cJSON_CreateNull();
    cJSON *dump = cJSON_CreateObject();
    cJSON_AddItemToObject(dump, "id", new_number(id));
    cJSON_AddItemToObject(dump, "source", new_text(source));
    return dump;
}

static bool is_shown(const struct life *l, size_t i, const char *column)
{
    return !column || strcmp(l->headers[i], column) == 0;
}

static cJSON *new_version(const struct life *l, char *const *v, const char *column)
{
    cJSON *version = cJSON_CreateObject();
    cJSON_AddItemToObject(version, "valid_from", new_text(v[VALID_FROM]));
    cJSON_AddItemToObject(version, "valid_to", new_text(v[VALID_TO]));
    cJSON_AddItemToObject(version, "opened_by", new_text(v[OPENED_BY]));
    cJSON_AddItemToObject(version, "closed_by", new_text(v[CLOSED_BY]));
    cJSON_AddItemToObject(version, "opened_dump", new_dump(v[OPENED_DUMP], v[OPENED_SOURCE]));
    cJSON_AddItemToObject(version, "closed_dump", new_dump(v[CLOSED_DUMP], v[CLOSED_SOURCE]));
    cJSON_AddItemToObject(version, "line", new_number(v[LINE]));
    cJSON *values = cJSON_AddObjectToObject(version, "values");
    for (size_t i = N_FIXED; i < l->n; i++)
        if (is_shown(l, i, column))
            cJSON_AddItemToObject(values, l->headers[i], new_text(v[i]));
    return version;
}

static bool same_cell(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What is other than in the version before; of the first, what there is at all. */
static cJSON *new_differences(const struct life *l, size_t at, const char *column)
{
    char *const *now = l->versions[at], *const *before = at ? l->versions[at - 1] : NULL;
    cJSON *columns = cJSON_CreateObject();
    for (size_t i = N_FIXED; i < l->n; i++) {
        const char *from = before ? before[i] : NULL;
        if (!is_shown(l, i, column) || same_cell(from, now[i]))
            continue;
        cJSON *change = cJSON_AddObjectToObject(columns, l->headers[i]);
        cJSON_AddItemToObject(change, "from", new_text(from));
        cJSON_AddItemToObject(change, "to", new_text(now[i]));
    }
    return columns;
}

/* columns is taken. */
static void add_change(
    cJSON *changes, const char *as_of, const char *what, cJSON *dump, const char *line, cJSON *columns)
{
    cJSON *change = cJSON_CreateObject();
    cJSON_AddItemToObject(change, "as_of", new_text(as_of));
    cJSON_AddItemToObject(change, "what", new_text(what));
    cJSON_AddItemToObject(change, "dump", dump);
    cJSON_AddItemToObject(change, "line", new_number(line));
    cJSON_AddItemToObject(change, "columns", columns);
    cJSON_AddItemToArray(changes, change);
}

static void add_changes(cJSON *changes, const struct life *l, size_t at, const char *column)
{
    char *const *v = l->versions[at];
    cJSON *columns = new_differences(l, at, column);
    /* Of one column a change of another is none. */
    if (column && !columns->child && v[OPENED_BY] && strcmp(v[OPENED_BY], "changed") == 0)
        cJSON_Delete(columns);
    else
        add_change(changes, v[VALID_FROM], v[OPENED_BY], new_dump(v[OPENED_DUMP], v[OPENED_SOURCE]), v[LINE],
            columns);
    if (v[CLOSED_BY] && strcmp(v[CLOSED_BY], "removed") == 0)
        add_change(changes, v[VALID_TO], "removed", new_dump(v[CLOSED_DUMP], v[CLOSED_SOURCE]), NULL,
            cJSON_CreateObject());
}

/* The dataset and the key, which the worker says. */
static cJSON *begin_json(const cJSON *stats)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddItemToObject(o, "dataset", cJSON_Duplicate(ctl_item(stats, "dataset"), true));
    cJSON_AddItemToObject(o, "key", cJSON_Duplicate(ctl_item(stats, "key"), true));
    return o;
}

cJSON *life_to_json(const struct life *l, const cJSON *stats, const char *column)
{
    cJSON *o = begin_json(stats), *versions = cJSON_AddArrayToObject(o, "versions");
    cJSON *changes = cJSON_AddArrayToObject(o, "changes");
    for (size_t i = 0; i < l->n_versions; i++) {
        cJSON_AddItemToArray(versions, new_version(l, l->versions[i], column));
        add_changes(changes, l, i, column);
    }
    return o;
}

cJSON *life_as_of(const struct life *l, const cJSON *stats, const char *column, const char *date)
{
    size_t n = strlen(date) == DATE_SIZE - 1 ? DATE_SIZE - 1 : MOMENT_SIZE; /* a day is all of its moments */
    for (size_t i = 0; i < l->n_versions; i++) {
        char *const *v = l->versions[i];
        if (strncmp(v[VALID_FROM], date, n) > 0 || (v[VALID_TO] && strncmp(v[VALID_TO], date, n) <= 0))
            continue;
        cJSON *o = begin_json(stats);
        cJSON_AddStringToObject(o, "as_of", date);
        cJSON_AddItemToObject(o, "version", new_version(l, v, column));
        return o;
    }
    return NULL;
}

/* -- to text --------------------------------------------------------------------------------------------- */

static const char *cell_words(const cJSON *cell)
{
    return cJSON_IsString(cell) ? cell->valuestring : "(nothing)";
}

static const char *last_part(const char *url)
{
    const char *slash = strrchr(url, '/');
    return slash && slash[1] ? slash + 1 : url;
}

/* "npi-sample-2016-05-08.csv, line 12" */
static void put_dump(struct buffer *to, const cJSON *dump, const cJSON *line)
{
    const char *source = ctl_text(dump, "source");
    if (source[0])
        buffer_put_string(to, last_part(source));
    else
        buffer_printf(to, "dump %.0f", ctl_number(dump, "id"));
    if (cJSON_IsNumber(line))
        buffer_printf(to, ", line %.0f", line->valuedouble);
}

static void put_head(struct grid *g, const cJSON *answer)
{
    _cleanup_buffer_ struct buffer words = {0};
    const cJSON *cell;
    cJSON_ArrayForEach(cell, ctl_item(answer, "key"))
    {
        buffer_printf(&words, "%s%s %s", words.n ? ", " : "", cell->string, cell_words(cell));
    }
    grid_rest(g, BOLD, "%s  of %s", buffer_string(&words), ctl_text(answer, "dataset"));
}

static enum style style_of(const char *what)
{
    return strcmp(what, "removed") == 0 ? RED : strcmp(what, "changed") == 0 ? YELLOW : GREEN;
}

/* What there is at first is no change: it is shown as it is. */
static void put_columns(struct grid *g, const cJSON *change, bool first)
{
    const cJSON *column;
    cJSON_ArrayForEach(column, ctl_item(change, "columns"))
    {
        grid_row(g);
        grid_cell(g, DIM, "      %s", column->string);
        if (first)
            grid_rest(g, PLAIN, "%s", cell_words(ctl_item(column, "to")));
        else
            grid_rest(g, PLAIN, "%s → %s", cell_words(ctl_item(column, "from")),
                cell_words(ctl_item(column, "to")));
    }
}

static void put_change(struct buffer *to, const cJSON *change, bool first, bool color)
{
    _cleanup_buffer_ struct buffer dump = {0};
    const char *what = ctl_text(change, "what");
    put_dump(&dump, ctl_item(change, "dump"), ctl_item(change, "line"));
    _cleanup_(grid_freep) struct grid *head = grid_new("lll", color);
    grid_cell(head, PLAIN, "%s", ctl_text(change, "as_of"));
    grid_cell(head, style_of(what), "%s", what);
    grid_rest(head, DIM, "%s", buffer_string(&dump));
    grid_write(head, to);
    _cleanup_(grid_freep) struct grid *g = grid_new("ll", color);
    put_columns(g, change, first);
    grid_write(g, to);
}

void view_life(struct buffer *to, const cJSON *life, bool color)
{
    _cleanup_(grid_freep) struct grid *head = grid_new("l", color);
    put_head(head, life);
    grid_write(head, to);
    const cJSON *changes = ctl_item(life, "changes"), *change;
    cJSON_ArrayForEach(change, changes)
    {
        put_change(to, change, change == changes->child, color);
    }
}

void view_life_as_of(struct buffer *to, const cJSON *answer, bool color)
{
    _cleanup_(grid_freep) struct grid *g = grid_new("ll", color);
    _cleanup_buffer_ struct buffer dump = {0};
    const cJSON *version = ctl_item(answer, "version"), *value;
    put_head(g, answer);
    put_dump(&dump, ctl_item(version, "opened_dump"), ctl_item(version, "line"));
    grid_row(g);
    grid_rest(g, DIM, "as of %s: since %s, until %s, by %s", ctl_text(answer, "as_of"),
        ctl_text(version, "valid_from"),
        ctl_text(version, "valid_to")[0] ? ctl_text(version, "valid_to") : "now", buffer_string(&dump));
    cJSON_ArrayForEach(value, ctl_item(version, "values"))
    {
        grid_row(g);
        grid_cell(g, DIM, "      %s", value->string);
        grid_rest(g, PLAIN, "%s", cell_words(value));
    }
    grid_write(g, to);
}
