/*
 * The first merge: both sides come by their keys, so a group is the rows of one key that come now. Most groups have one row
 * on each side, or none on one: those are settled here, and no more than one row of each side is kept for it. The others go
 * to the levels.
 */
#include "match/join_levels.h"

struct merge {
    struct join join;
    struct cursor at[2];
    struct hand hands[2];
    struct levels *levels;
    uint64_t n_groups; /* contested ones */
};

static void merge_done(struct merge *m)
{
    for (int side = 0; side < 2; side++) {
        cursor_done(&m->at[side]);
        hand_done(&m->hands[side]);
    }
    levels_free(m->levels);
}

static int skip_dropped(struct merge *m, int side, struct error *err)
{
    struct cursor *c = &m->at[side];
    while (c->more) {
        if (c->key.n == 0)
            return join_damaged(&m->join, err);
        if (!c->side->is_dropped(c->side->arg, c->row.number))
            break;
        if (cursor_next(c, err) < 0)
            return -1;
    }
    return 0;
}

static int step(struct merge *m, int side, struct error *err)
{
    if (cursor_next(&m->at[side], err) < 0)
        return -1;
    return skip_dropped(m, side, err);
}

static int begin(struct merge *m, struct error *err)
{
    for (int side = 0; side < 2; side++) {
        const struct join_side *of = m->join.sides[side];
        hand_init(&m->hands[side], of);
        if (cursor_begin(&m->at[side], &m->join, side, of->rows, err) < 0 || skip_dropped(m, side, err) < 0)
            return -1;
    }
    return 0;
}

static int settle_keyless(struct merge *m, int side, struct error *err)
{
    struct cursor *c = &m->at[side];
    int64_t *keyless = side == JOIN_LEFT ? &m->join.counts.left_keyless : &m->join.counts.right_keyless;
    for (; c->more && c->key.p[0] == MATCH_KEYLESS; (*keyless)++)
        if (join_alone(&m->join, side, &c->row, "no_key", err) < 0 || step(m, side, err) < 0)
            return -1;
    return 0;
}

/* Whether the cursor still stands on a row of the key that the hand's has. */
static bool is_in_group(const struct merge *m, int side)
{
    const struct buffer *key = &m->hands[side].key;
    return m->at[side].more && slice_equal(m->at[side].key, (struct slice){key->p, key->n});
}

static int contest(struct merge *m, int side, struct error *err)
{
    const struct hand *h = &m->hands[side];
    struct cursor *c = &m->at[side];
    struct slice bytes = {h->bytes.p, h->bytes.n};
    if (levels_put(m->levels, side, m->n_groups, &h->row, bytes, err) < 0)
        return -1;
    while (is_in_group(m, side))
        if (levels_put(m->levels, side, m->n_groups, &c->row, c->bytes, err) < 0 || step(m, side, err) < 0)
            return -1;
    return 0;
}

/* Both cursors stand on the first row of one key. */
static int settle_group(struct merge *m, struct error *err)
{
    for (int side = 0; side < 2; side++) {
        hand_take(&m->hands[side], &m->at[side]);
        if (step(m, side, err) < 0)
            return -1;
    }
    if (!is_in_group(m, JOIN_LEFT) && !is_in_group(m, JOIN_RIGHT))
        return join_matched(&m->join, &m->hands[JOIN_LEFT].row, &m->hands[JOIN_RIGHT].row, "keys", err);
    if (contest(m, JOIN_LEFT, err) < 0 || contest(m, JOIN_RIGHT, err) < 0)
        return -1;
    m->n_groups++;
    return 0;
}

static int merge_all(struct merge *m, struct error *err)
{
    const struct cursor *left = &m->at[JOIN_LEFT], *right = &m->at[JOIN_RIGHT];
    while (left->more || right->more) {
        int order = !left->more ? 1 : !right->more ? -1 : slice_order(left->key, right->key);
        int side = order < 0 ? JOIN_LEFT : JOIN_RIGHT;
        if (order == 0) {
            if (settle_group(m, err) < 0)
                return -1;
        } else if (join_alone(&m->join, side, &m->at[side].row, "no_counterpart", err) < 0 ||
                   step(m, side, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int match_join(const struct join_options *options, struct join_counts *ret_counts, struct error *err)
{
    _cleanup_(merge_done) struct merge m = {
        .join = {.options = options, .sides = {&options->left, &options->right}}};
    if (levels_open(&m.join, &m.levels, err) < 0 || begin(&m, err) < 0)
        return -1;
    if (settle_keyless(&m, JOIN_LEFT, err) < 0 || settle_keyless(&m, JOIN_RIGHT, err) < 0)
        return -1;
    if (merge_all(&m, err) < 0)
        return -1;
    for (int side = 0; side < 2; side++) {
        cursor_done(&m.at[side]);
        hand_drop(&m.hands[side]);
    }
    if (levels_settle(m.levels, err) < 0)
        return -1;
    *ret_counts = m.join.counts;
    return 0;
}
