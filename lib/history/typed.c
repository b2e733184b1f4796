/*
 * The types of a load, where the database keeps them. On record a column has the narrowest type that takes all its
 * cells; a first dump shows its first rows before the tables are made, and what does not fit later widens them.
 */
#include "history/sample.h"
#include "history/tables.h"
#include "history/work.h"
#include "util/text.h"

/* ---- what is given ---- */

static int refuse_type(struct work *w, const struct column *c, enum type given, struct db_fault *fault)
{
    if (c->is_key)
        return work_refuse(w, fault, "column %.100s is of the key: its type is bigint or text%s%s", c->header,
            c->type ? ", and on record it is " : "", type_word(c->type));
    return work_refuse(w, fault,
        "column %.100s is %s on record and cannot become %s: leave out its type, or load into another table",
        c->header, type_word(c->type), type_word(given));
}

static int give_type(struct work *w, const char *words, struct db_fault *fault)
{
    struct columns *columns = &w->h->columns;
    const char *equals = strrchr(words, '=');
    _cleanup_free_ char *header = xstrndup(words, equals ? (size_t)(equals - words) : strlen(words));
    enum type given = equals ? type_of_word(equals + 1, strlen(equals + 1)) : N_TYPES;
    struct column *c = columns_find(columns, header);
    if (given == N_TYPES)
        return work_refuse(w, fault, "the type of column %.100s is one of " TYPES_LISTED, header);
    if (!c) {
        const struct source *source = w->load->source;
        const char *near = text_suggest(header, source->columns, source->n_columns);
        return work_refuse(w, fault, "column %.100s, whose type is given, is not in the dump%s%.100s%s",
            header, near ? ": is it " : "", near ? near : "", near ? "?" : "");
    }
    bool wrong_key =
        c->is_key && ((given != TYPE_BIGINT && given != TYPE_TEXT) || (c->type && c->type != given));
    if (wrong_key || type_join(c->type, given, false) != given)
        return refuse_type(w, c, given, fault);
    c->wide = given;
    c->given = true;
    return 0;
}

/* ---- what the screen looks at ---- */

static void watch(struct work *w)
{
    struct screen *s = &w->screen;
    const struct columns *columns = &w->h->columns;
    free(s->watched);
    s->n_watched = 0;
    s->columns = columns->list;
    s->watched = xcalloc(columns->n, sizeof(*s->watched));
    for (size_t i = 0; i < columns->n; i++)
        if (columns->list[i].dumped && (columns->list[i].given || columns->list[i].is_key) &&
            columns->list[i].wide != TYPE_TEXT)
            s->watched[s->n_watched++] = i;
}

int work_give_types(struct work *w, bool known, struct db_fault *fault)
{
    const struct history_load *load = w->load;
    for (size_t i = 0; i < w->h->columns.n; i++)
        w->h->columns.list[i].given = w->h->columns.list[i].big = false;
    if (!w->h->dialect->types && load->n_types > 0)
        return work_refuse(w, fault,
            "types are given, but this database keeps all cells as text: only DuckDB "
            "keeps types");
    for (size_t i = 0; i < load->n_types; i++)
        if (give_type(w, load->types[i], fault) < 0)
            return -1;
    if (known && w->h->dialect->types)
        watch(w);
    return 0;
}

/* ---- a first dump ---- */

static void look(void *arg, const struct source_row *row)
{
    struct work *w = arg;
    for (size_t i = 0; i < row->n_cells; i++) {
        struct column *c = &w->h->columns.list[w->map[i]];
        struct db_value v = {row->cells[i].p, row->cells[i].n};
        if (!c->given)
            column_see(c, &v, row->line);
    }
}

/* The key's columns are what they are from then on. */
static int sample(struct work *w, struct db_fault *fault)
{
    struct columns *columns = &w->h->columns;
    struct source_fault why = {0};
    if (sample_open(w->load->source, look, w, &w->sample, &why) < 0) {
        *fault = (struct db_fault){.error = why.error, .transient = why.transient || why.restart};
        return -1;
    }
    for (size_t i = 0; i < columns->n; i++)
        if (columns->list[i].is_key && columns->list[i].wide != TYPE_BIGINT)
            columns->list[i].wide = TYPE_TEXT;
    w->screen.source = w->sample;
    watch(w);
    return 0;
}

int work_sample(struct work *w, struct db_fault *fault)
{
    struct columns *columns = &w->h->columns;
    if (!w->h->dialect->types)
        return 0;
    if (sample(w, fault) < 0)
        return -1;
    for (size_t i = 0; i < columns->n; i++)
        column_widened(&columns->list[i]);
    return 0;
}

int work_sample_again(struct work *w, struct db_fault *fault)
{
    return w->h->dialect->types && w->h->columns.list[w->key[0]].type == TYPE_NONE ? sample(w, fault) : 0;
}

void work_forget_key(struct work *w)
{
    bool forgets = w->sample && w->counts.added + w->counts.reactivated == 0;
    for (size_t i = 0; i < w->n_key; i++) {
        const struct column *c = &w->h->columns.list[w->key[i]];
        forgets = forgets && c->type == TYPE_TEXT && !c->given;
    }
    for (size_t i = 0; forgets && i < w->n_key; i++)
        w->h->columns.list[w->key[i]].type = TYPE_NONE;
}

/* ---- widening ---- */

bool work_see(struct work *w, const struct merge_event *e)
{
    bool fits = true;
    for (size_t i = 0; w->h->dialect->types && i < w->n_compared; i++) {
        struct column *c = &w->h->columns.list[w->compared[i]];
        column_see(c, &e->values[w->compared[i]], e->line);
        fits &= c->wide == c->type;
    }
    return fits;
}

/* Has a column of integers one on record that a double may not hold? */
static int has_big(struct work *w, const struct column *c, bool *ret_big, struct db_fault *fault)
{
    static const char *const tables[] = {"{current}", "{past}"};
    struct history *h = w->h;
    _cleanup_free_ char *name = db_quote_name(h->db, NULL, c->name);
    *ret_big = c->big;
    for (size_t i = 0; i < N_ELEMENTS(tables) && !*ret_big; i++) {
        _cleanup_free_ char *found = NULL;
        _cleanup_free_ char *sql =
            xasprintf("SELECT 1 FROM %s WHERE %s > 9007199254740992 OR %s < -9007199254740992"
                      " LIMIT 1",
                tables[i], name, name);
        if (history_value(h, sql, 0, NULL, &found, fault) < 0)
            return -1;
        *ret_big = found != NULL;
    }
    return 0;
}

static void note_widened(struct work *w, const struct column *c)
{
    if (c->type == TYPE_NONE || c->type == c->wide)
        return;
    buffer_printf(
        &w->notes, "column %s is %s now (it was %s)", c->name, type_word(c->wide), type_word(c->type));
    if (c->wide_line > 0)
        buffer_printf(&w->notes, ": line %lld\n", (long long)c->wide_line);
    else
        buffer_put_string(&w->notes, ", as its type is given\n");
}

int work_decide_types(struct work *w, struct db_fault *fault)
{
    struct columns *columns = &w->h->columns;
    for (size_t i = 0; w->h->dialect->types && i < columns->n; i++) {
        struct column *c = &columns->list[i];
        bool big = false;
        if (c->type == TYPE_BIGINT && c->wide == TYPE_DOUBLE && has_big(w, c, &big, fault) < 0)
            return -1;
        if (big && c->given)
            return refuse_type(w, c, c->wide, fault);
        if (big)
            c->wide = TYPE_TEXT;
        note_widened(w, c);
    }
    return 0;
}
