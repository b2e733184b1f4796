/* What must fit together in a match: what a side is, and the columns that its table will have. */
#include "config/entry.h"
#include "config/problems.h"
#include "config/read.h"
#include "util/text.h"

#include <strings.h>

#define COLUMN_MAX 63 /* bytes of a column's name in Postgres */

/* -- the sides ------------------------------------------------------------------------------------------- */

/* What is wrong with it is told at `left` or `right`. */
struct looked_at {
    struct reading *r;
    size_t i;
    const char *key;
    const struct config_side *side;
};

static void wrong(const struct looked_at *l, const char *words)
{
    complain_of(l->r, &section_job, l->i, l->key, "%s", words);
}

static void check_side_source(const struct looked_at *l)
{
    const struct config_side *s = l->side;
    if (s->source && (s->database || s->sql))
        return wrong(l, "a side is a query, with database and sql, or a REST resource, with source; remove "
                        "one of the two");
    if (s->database && !s->sql)
        return wrong(l, "the database needs the sql that is run in it: sql: users.sql");
    if (s->sql && !s->database)
        return wrong(l, "the sql needs the database it is run in: one of databases:, or postgres");
    if (!s->source && !s->database)
        return wrong(l, "where are its rows? A query has a database and sql, a REST resource a source: "
                        "https://host/path");
    if (s->rest.rows && !s->source)
        return wrong(l, "rest is for a REST resource, and the side is a query; remove it");
}

static void check_side_database(const struct looked_at *l)
{
    _cleanup_free_ char *words =
        l->side->database ? no_such_entry(l->r->config, &section_database, l->side->database) : NULL;
    if (words)
        complain_of(l->r, &section_job, l->i, l->key, "database: %s", words);
}

static void check_side_name(const struct looked_at *l)
{
    char quoted[QUOTE_MAX];
    const char *name = l->side->name;
    if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
        complain_of(l->r, &section_job, l->i, l->key,
            "name: %s may hold only a-z, 0-9 and '_': columns of the table begin with it",
            quote_text(name, quoted));
}

static void check_side(struct reading *r, size_t i, const char *key, const struct config_side *side)
{
    const struct looked_at l = {r, i, key, side};
    const char *rest_wrong = side->rest.rows ? config_rest_wrong(&side->rest) : NULL;
    check_side_source(&l);
    check_side_database(&l);
    check_side_name(&l);
    if (rest_wrong)
        complain_of(r, &section_job, i, key, "rest: %s", rest_wrong);
}

/* -- the table's columns --------------------------------------------------------------------------------- */

struct columns {
    struct reading *r;
    size_t i;
    char **names; /* so far */
    size_t n;
};

/* key: what the column comes of, NULL: it is always there. Takes the name. MySQL and DuckDB take capital and small
 * letters for the same. */
static void add_column(struct columns *c, const char *key, char *name)
{
    char quoted[QUOTE_MAX];
    bool doubled = false;
    for (size_t k = 0; k < c->n && !doubled; k++)
        doubled = strcasecmp(c->names[k], name) == 0;
    if (doubled)
        complain_of(c->r, &section_job, c->i, key,
            "the table would have two columns %s; leave one out, or change a name", quote_text(name, quoted));
    else if (strlen(name) > COLUMN_MAX)
        complain_of(c->r, &section_job, c->i, key,
            "the table's column %s would have a name of more than %d bytes; shorten the side's name, or give "
            "the column a shorter one in the SELECT",
            quote_text(name, quoted), COLUMN_MAX);
    c->names = xrealloc(c->names, c->n + 1, sizeof(char *));
    c->names[c->n++] = name;
}

static void add_side(struct columns *c, const char *key, const struct config_side *side)
{
    const char *at = side->columns;
    add_column(c, key, xasprintf("%s_id", side->name));
    add_column(c, key, xasprintf("%s_active", side->name));
    for (char *item; (item = text_next_item(&at)); free(item))
        add_column(c, key, xasprintf("%s_%s", side->name, item));
}

static void check_columns(struct reading *r, size_t i)
{
    static const char *const always[] = {
        "report_date", "outcome", "reason", "score", "n_candidates", "candidates", "side", "raw"};
    const struct config_job *job = &r->config->jobs[i];
    struct columns c = {.r = r, .i = i};
    for (size_t k = 0; k < N_ELEMENTS(always); k++)
        add_column(&c, NULL, xstrdup(always[k]));
    for (size_t k = 0; k < job->tie_breaks.n; k++)
        add_column(&c, "tie_breaks", xasprintf("%s_agrees", job->tie_breaks.list[k].name));
    add_side(&c, "left", &job->left);
    add_side(&c, "right", &job->right);
    for (size_t k = 0; k < c.n; k++)
        free(c.names[k]);
    free(c.names);
}

/* False: it is missing, or what is wrong with it is told already. */
static bool was_read(const struct reading *r, size_t i, const char *key)
{
    const struct place *at = &r->marks[NAMED_JOBS][i].at[section_find(&section_job, key) - section_job.keys];
    return at->line && !at->wrong;
}

void check_match(struct reading *r, size_t i)
{
    const struct config_job *job = &r->config->jobs[i];
    bool left = was_read(r, i, "left"), right = was_read(r, i, "right");
    if (left)
        check_side(r, i, "left", &job->left);
    if (right)
        check_side(r, i, "right", &job->right);
    if (!left || !right)
        return;
    if (strcmp(job->left.name, job->right.name) == 0)
        complain_of(r, &section_job, i, "right",
            "both sides are called %s; give each a name of its own, as name: vendor", job->left.name);
    else
        check_columns(r, i);
}
