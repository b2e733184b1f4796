#include "history/columns.h"

/* Columns of the tables that are ours, and names that Postgres, InnoDB and DuckDB keep for themselves: in all, so that
 * a header has one name everywhere. */
static const char *const reserved[] = {"valid_from", "valid_to", "opened_by", "closed_by", "opened_dump",
    "closed_dump", "line", "kind", "ctid", "tableoid", "xmin", "xmax", "cmin", "cmax", "db_row_id",
    "db_trx_id", "db_roll_ptr", "fts_doc_id", "rowid"};

void columns_done(struct columns *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->list[i].name);
        free(c->list[i].header);
    }
    free(c->list);
    *c = (struct columns){0};
}

void columns_add(
    struct columns *c, const char *name, const char *header, int64_t nth, bool is_key, bool recorded)
{
    c->list = xrealloc(c->list, c->n + 1, sizeof(*c->list));
    c->list[c->n++] = (struct column){
        .name = xstrdup(name), .header = xstrdup(header), .nth = nth, .is_key = is_key, .recorded = recorded};
}

static char plain(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
}

void column_name_make(const char *header, size_t position, char *out)
{
    size_t n = 0;
    for (; *header && n < COLUMN_NAME_MAX; header++) {
        if ((unsigned char)*header >= 0x80)
            continue;
        char c = plain(*header);
        if (n == 0 && c >= '0' && c <= '9') {
            memcpy(out, "col_", 4);
            n = 4;
        }
        if (c != '_' || (n > 0 && out[n - 1] != '_'))
            out[n++] = c;
    }
    while (n > 0 && out[n - 1] == '_')
        n--;
    out[n] = '\0';
    if (n == 0)
        snprintf(out, COLUMN_NAME_MAX + 1, "col_%zu", position);
}

static bool taken(const struct columns *c, const char *name)
{
    for (size_t i = 0; i < N_ELEMENTS(reserved); i++)
        if (strcmp(name, reserved[i]) == 0)
            return true;
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(name, c->list[i].name) == 0)
            return true;
    return false;
}

/* The name itself, or the first of name_2, name_3, … that is free. */
static void make_unique(const struct columns *c, const char *name, char *out)
{
    snprintf(out, COLUMN_NAME_MAX + 1, "%s", name);
    for (size_t i = 2; taken(c, out); i++) {
        char suffix[24];
        int n = snprintf(suffix, sizeof(suffix), "_%zu", i);
        snprintf(out, COLUMN_NAME_MAX + 1, "%.*s%s", COLUMN_NAME_MAX - n, name, suffix);
    }
}

static size_t find_header(const struct columns *c, const char *header, int64_t nth)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->list[i].nth == nth && strcmp(c->list[i].header, header) == 0)
            return i;
    return c->n;
}

void columns_match(struct columns *c, const char *const *headers, size_t n, size_t *ret_map)
{
    char plain_name[COLUMN_NAME_MAX + 1], name[COLUMN_NAME_MAX + 1];
    for (size_t i = 0; i < c->n; i++)
        c->list[i].dumped = false;
    for (size_t i = 0; i < n; i++) {
        int64_t nth = 1;
        for (size_t j = 0; j < i; j++)
            nth += strcmp(headers[j], headers[i]) == 0;
        ret_map[i] = find_header(c, headers[i], nth);
        if (ret_map[i] == c->n) {
            column_name_make(headers[i], i + 1, plain_name);
            make_unique(c, plain_name, name);
            columns_add(c, name, headers[i], nth, false, false);
        }
        c->list[ret_map[i]].dumped = true;
    }
}

struct column *columns_find(const struct columns *c, const char *word)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->list[i].header, word) == 0)
            return &c->list[i];
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->list[i].name, word) == 0)
            return &c->list[i];
    return NULL;
}

/* ---- types ---- */

void column_see(struct column *column, const struct db_value *v, int64_t line)
{
    enum type wide = column->wide;
    if (!v->p || wide == TYPE_TEXT)
        return;
    bool may_be_big = wide == TYPE_NONE || wide == TYPE_BIGINT;
    bool fits = type_takes(wide, v);
    if (fits && !may_be_big)
        return;
    enum type type = fits ? wide : type_of_cell(v);
    column->big |= type == TYPE_BIGINT && type_is_big(v);
    if (fits)
        return;
    column->wide = type_join(wide, type, column->big);
    if (column->wide_line == 0)
        column->wide_line = line;
}

void column_widened(struct column *column)
{
    if (column->wide != TYPE_TEXT)
        column->form = column->wide;
    else if (column->type != TYPE_TEXT)
        column->form = type_rewrites(column->type) ? column->type : TYPE_TEXT;
    column->type = column->wide;
    column->wide_line = 0;
}

void column_write_type(const struct column *column, char *out)
{
    bool was_other = column->type == TYPE_TEXT && column->form != TYPE_TEXT;
    snprintf(out, COLUMN_TYPE_MAX, "%s%s%s", type_word(column->type), was_other ? "/" : "",
        was_other ? type_word(column->form) : "");
}

void column_read_type(struct column *column, const char *text)
{
    size_t n = strcspn(text, "/");
    enum type type = type_of_word(text, n);
    enum type form = text[n] ? type_of_word(text + n + 1, strlen(text + n + 1)) : type;
    column->type = column->wide = type < N_TYPES ? type : TYPE_NONE;
    column->form = form < N_TYPES ? form : column->type;
}
