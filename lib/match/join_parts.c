#include "match/join_parts.h"

int join_damaged(const struct join *j, struct error *err)
{
    return error_set(err,
        "a row that was put into a file in %s is not what comes back: the file is damaged; run the job "
        "again, and if it happens again, look at the disk",
        j->options->folder);
}

char *join_path(const struct join *j, int side, const char *what, int number)
{
    const char *of = side == JOIN_LEFT ? "left" : "right";
    if (number < 0)
        return xasprintf("%s/join-%s-%s", j->options->folder, of, what);
    return xasprintf("%s/join-%s-%s-%d", j->options->folder, of, what, number);
}

char *join_reason(const struct join *j, unsigned level, const char *none)
{
    _cleanup_buffer_ struct buffer words = {0};
    for (size_t i = 0; i < j->options->n_tie_breaks; i++)
        if (join_level_has(j, level, i))
            buffer_printf(&words, "%s%s", words.n ? "+" : "", j->options->tie_breaks[i]);
    return xstrdup(level ? buffer_string(&words) : none);
}

int cursor_begin(struct cursor *c, struct join *j, int side, struct sorter *from, struct error *err)
{
    *c = (struct cursor){.join = j, .side = j->sides[side], .from = from};
    c->cells = xcalloc(c->side->n_cells, sizeof(*c->cells));
    share_hold(c->side->share, 1);
    if (sorter_rewind(from, err) < 0)
        return -1;
    return cursor_next(c, err);
}

int cursor_next(struct cursor *c, struct error *err)
{
    int got = sorter_next(c->from, &c->key, &c->bytes, err);
    c->more = got > 0;
    if (got > 0 && !match_row_get(c->bytes, c->side->n_cells, c->cells, &c->row))
        return join_damaged(c->join, err);
    return got < 0 ? -1 : 0;
}

void cursor_done(struct cursor *c)
{
    if (c->side)
        share_hold(c->side->share, -1);
    free(c->cells);
    *c = (struct cursor){0};
}

void hand_init(struct hand *h, const struct join_side *side)
{
    *h = (struct hand){.share = side->share, .cells = xcalloc(side->n_cells, sizeof(*h->cells))};
}

void hand_take(struct hand *h, const struct cursor *c)
{
    hand_drop(h);
    buffer_put(&h->key, c->key.p, c->key.n);
    buffer_put(&h->bytes, c->bytes.p, c->bytes.n);
    h->row = c->row;
    h->row.cells = h->cells;
    for (size_t i = 0; i < c->row.n_cells; i++) {
        const struct source_cell *cell = &c->row.cells[i];
        h->cells[i] = (struct source_cell){cell->p ? h->bytes.p + (cell->p - c->bytes.p) : NULL, cell->n};
    }
    h->full = true;
    share_hold(h->share, 1);
}

void hand_drop(struct hand *h)
{
    if (h->full)
        share_hold(h->share, -1);
    h->full = false;
    buffer_reset(&h->key, 4096);
    buffer_reset(&h->bytes, 65536);
}

void hand_done(struct hand *h)
{
    hand_drop(h);
    buffer_done(&h->key);
    buffer_done(&h->bytes);
    free(h->cells);
    *h = (struct hand){0};
}

void names_add(struct names *names, struct slice id)
{
    names->n++;
    if (names->n_named == MATCH_CANDIDATES_MAX)
        return;
    buffer_put(&names->ids, id.p, id.n);
    names->ends[names->n_named++] = names->ids.n;
    share_hold(names->share, 1);
}

struct slice names_id(const struct names *names, size_t i)
{
    size_t from = i ? names->ends[i - 1] : 0;
    return (struct slice){names->ids.p ? names->ids.p + from : "", names->ends[i] - from};
}

void names_clear(struct names *names)
{
    if (names->n_named)
        share_hold(names->share, -(int64_t)names->n_named);
    names->n = 0;
    names->n_named = 0;
    buffer_reset(&names->ids, 4096);
}

void names_done(struct names *names)
{
    names_clear(names);
    buffer_done(&names->ids);
}

int join_matched(struct join *j, const struct match_row *left, const struct match_row *right,
    const char *reason, struct error *err)
{
    struct match_result result = {.outcome = MATCH_MATCHED, .left = left, .right = right, .reason = reason};
    j->counts.matched++;
    return j->options->emit(j->options->arg, &result, err);
}

static void set_row(struct match_result *result, int side, const struct match_row *row)
{
    *(side == JOIN_LEFT ? &result->left : &result->right) = row;
}

int join_alone(struct join *j, int side, const struct match_row *row, const char *reason, struct error *err)
{
    struct match_result result = {
        .outcome = side == JOIN_LEFT ? MATCH_LEFT_ONLY : MATCH_RIGHT_ONLY, .reason = reason};
    set_row(&result, side, row);
    (*(side == JOIN_LEFT ? &j->counts.left_only : &j->counts.right_only))++;
    return j->options->emit(j->options->arg, &result, err);
}

int join_ambiguous(struct join *j, int side, const struct match_row *row, const char *reason,
    const struct names *others, struct error *err)
{
    struct slice named[MATCH_CANDIDATES_MAX];
    for (size_t i = 0; i < others->n_named; i++)
        named[i] = names_id(others, i);
    struct match_result result = {.outcome = MATCH_AMBIGUOUS,
        .reason = reason,
        .n_named = others->n_named,
        .named = named,
        .n_candidates = others->n};
    set_row(&result, side, row);
    (*(side == JOIN_LEFT ? &j->counts.left_ambiguous : &j->counts.right_ambiguous))++;
    return j->options->emit(j->options->arg, &result, err);
}
