#include "job/match_columns.h"

#include "util/text.h"

#include <strings.h>

#define NAME_MAX_BYTES 63 /* of Postgres; MySQL takes 64 characters */
#define COLUMNS_MAX    1000

/* The name is taken. */
static void add(struct match_columns *to, char *name, enum match_type type, bool may_come)
{
    to->list = xrealloc(to->list, to->n + 1, sizeof(*to->list));
    to->list[to->n++] = (struct match_column){name, type, may_come};
}

static void add_fixed(struct match_columns *to, const char *name, enum match_type type)
{
    add(to, xstrdup(name), type, false);
}

static void add_carried(struct match_columns *to, const struct job_side *side)
{
    for (size_t i = 0; i < side->columns.n; i++)
        add(to, xasprintf("%s_%s", side->name, side->columns.list[i]), MATCH_TYPE_TEXT, true);
}

static void add_all(struct match_columns *to, const struct job_match *match)
{
    const struct job_side *const sides[] = {&match->left, &match->right};
    add_fixed(to, "report_date", MATCH_TYPE_DATE);
    add_fixed(to, "outcome", MATCH_TYPE_WORD);
    add_fixed(to, "reason", MATCH_TYPE_TEXT);
    add_fixed(to, "score", MATCH_TYPE_SCORE);
    for (size_t i = 0; i < match->n_tie_breaks; i++)
        add(to, xasprintf("%s_agrees", match->tie_breaks[i].name), MATCH_TYPE_FLAG, true);
    for (size_t i = 0; i < N_ELEMENTS(sides); i++)
        add(to, xasprintf("%s_id", sides[i]->name), MATCH_TYPE_TEXT, false);
    for (size_t i = 0; i < N_ELEMENTS(sides); i++)
        add(to, xasprintf("%s_active", sides[i]->name), MATCH_TYPE_FLAG, false);
    for (size_t i = 0; i < N_ELEMENTS(sides); i++)
        add_carried(to, sides[i]);
    add_fixed(to, "n_candidates", MATCH_TYPE_COUNT);
    add_fixed(to, "candidates", MATCH_TYPE_TEXT);
    add_fixed(to, "side", MATCH_TYPE_WORD);
    add_fixed(to, "raw", MATCH_TYPE_TEXT);
}

static int check(const struct match_columns *columns, struct error *err)
{
    if (columns->n > COLUMNS_MAX)
        return error_set(err, "the table would have %zu columns, and %d are the most: carry fewer columns",
            columns->n, COLUMNS_MAX);
    for (size_t i = 0; i < columns->n; i++) {
        const char *name = columns->list[i].name;
        if (strlen(name) > NAME_MAX_BYTES)
            return error_set(err,
                "the column %.80s… would have a name of %zu bytes, and databases take %d: give the side a "
                "shorter name, or have a query give the column one",
                name, strlen(name), NAME_MAX_BYTES);
        for (size_t k = 0; k < i; k++)
            if (strcasecmp(columns->list[k].name, name) == 0)
                return error_set(err,
                    "the table would have two columns named %s: give the sides other names, or carry a "
                    "column by another name",
                    name);
    }
    return 0;
}

int match_columns_make(const struct job_match *match, struct match_columns *ret_columns, struct error *err)
{
    _cleanup_match_columns_ struct match_columns columns = {0};
    add_all(&columns, match);
    if (check(&columns, err) < 0)
        return -1;
    *ret_columns = columns;
    columns = (struct match_columns){0};
    return 0;
}

void match_columns_done(struct match_columns *columns)
{
    for (size_t i = 0; i < columns->n; i++)
        free(columns->list[i].name);
    free(columns->list);
    *columns = (struct match_columns){0};
}
