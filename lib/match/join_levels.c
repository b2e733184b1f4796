#include "match/join_levels.h"

#include "match/join_late.h"

#include <endian.h>

/*
 * A row's key in a level: its group, eight bytes; a mark, whether it takes part; the values that are to agree, each with a
 * NUL behind it; its id, so that what is emitted does not depend on the order rows came in; a byte, whether it is ambiguous
 * already. All up to the id is its class. Who has no value for one of those takes no part: its class ends at the mark.
 */
enum { GROUP_SIZE = 8, MARK_NO_PART = 0, MARK_PART = 1, IS_OPEN = 0, IS_AMBIGUOUS = 1 };

struct level_side {
    struct sorter *now, *next; /* rows of the level that is settled, and of the one below it */
    struct cursor at;
    size_t n_class; /* so many bytes of the key at the cursor are its class */
    struct hand hand;
    struct names names; /* of a class that cannot be told apart */
};

struct levels {
    struct join *join;
    struct level_side sides[2];
    unsigned next; /* the level that the sorters of this name are of; see join_level_has() */
    unsigned now;
    size_t n_values; /* that agree in it */
    char *reason;    /* of its matches */
    char *tied;      /* of those that cannot be told apart in it */
    uint64_t group;
    int64_t n_waiting; /* left rows of the class that wait to be emitted */
    struct late *late;
    struct buffer key;
};

static int open_next(struct levels *l, struct error *err)
{
    for (int side = 0; side < 2; side++) {
        _cleanup_free_ char *path = join_path(l->join, side, "level", (int)l->next);
        struct sorter_options options = {.path = path,
            .memory = join_memory(l->join),
            .share = l->join->sides[side]->share,
            .part = JOIN_PART_LEVEL};
        if (sorter_open(&options, &l->sides[side].next, err) < 0)
            return -1;
    }
    return 0;
}

int levels_open(struct join *j, struct levels **ret_levels, struct error *err)
{
    _cleanup_(levels_freep) struct levels *l = xnew(struct levels);
    l->join = j;
    l->next = (1U << j->options->n_tie_breaks) - 1;
    for (int side = 0; side < 2; side++) {
        hand_init(&l->sides[side].hand, j->sides[side]);
        l->sides[side].names.share = j->sides[side]->share;
    }
    if (open_next(l, err) < 0 || late_open(j, &l->late, err) < 0)
        return -1;
    *ret_levels = TAKE(l);
    return 0;
}

static void close_now(struct levels *l)
{
    for (int side = 0; side < 2; side++) {
        cursor_done(&l->sides[side].at);
        hand_drop(&l->sides[side].hand);
        sorter_free(TAKE(l->sides[side].now));
    }
}

void levels_free(struct levels *l)
{
    if (!l)
        return;
    close_now(l);
    for (int side = 0; side < 2; side++) {
        sorter_free(l->sides[side].next);
        hand_done(&l->sides[side].hand);
        names_done(&l->sides[side].names);
    }
    free(l->reason);
    free(l->tied);
    late_free(l->late);
    buffer_done(&l->key);
    free(l);
}

static bool takes_part(const struct levels *l, const struct match_row *row)
{
    for (size_t i = 0; i < l->join->options->n_tie_breaks; i++)
        if (join_level_has(l->join, l->next, i) && !row->cells[1 + i].p)
            return false;
    return true;
}

static int put_next(struct levels *l, int side, uint64_t group, const struct match_row *row,
    struct slice bytes, char state, struct error *err)
{
    bool part = takes_part(l, row);
    struct slice id = join_id(row);
    buffer_reset(&l->key, 4096);
    buffer_put_u64(&l->key, group);
    buffer_put(&l->key, (char[]){part ? MARK_PART : MARK_NO_PART}, 1);
    for (size_t i = 0; part && i < l->join->options->n_tie_breaks; i++)
        if (join_level_has(l->join, l->next, i)) {
            buffer_put(&l->key, row->cells[1 + i].p, row->cells[1 + i].n);
            buffer_put(&l->key, "", 1);
        }
    buffer_put(&l->key, id.p, id.n);
    buffer_put(&l->key, &state, 1);
    return sorter_put(l->sides[side].next, (struct slice){l->key.p, l->key.n}, bytes, err);
}

int levels_put(struct levels *l, int side, uint64_t group, const struct match_row *row, struct slice bytes,
    struct error *err)
{
    l->join->counts.contested++;
    return put_next(l, side, group, row, bytes, IS_OPEN, err);
}

static int find_class(struct levels *l, int side, struct error *err)
{
    struct level_side *s = &l->sides[side];
    struct slice key = s->at.key;
    if (!s->at.more)
        return 0;
    if (key.n <= GROUP_SIZE)
        return join_damaged(l->join, err);
    s->n_class = GROUP_SIZE + 1;
    for (size_t i = 0; key.p[GROUP_SIZE] == MARK_PART && i < l->n_values; i++) {
        const char *end = memchr(key.p + s->n_class, '\0', key.n - s->n_class);
        if (!end)
            return join_damaged(l->join, err);
        s->n_class = (size_t)(end - key.p) + 1;
    }
    return 0;
}

static int step(struct levels *l, int side, struct error *err)
{
    return cursor_next(&l->sides[side].at, err) < 0 ? -1 : find_class(l, side, err);
}

static struct slice class_at(const struct levels *l, int side)
{
    return (struct slice){l->sides[side].at.key.p, l->sides[side].n_class};
}

static bool is_in_class(const struct levels *l, int side, struct slice class)
{
    return l->sides[side].at.more && slice_equal(class_at(l, side), class);
}

static uint64_t group_at(const struct levels *l, int side)
{
    uint64_t group;
    memcpy(&group, l->sides[side].at.key.p, sizeof(group));
    return be64toh(group);
}

static bool is_in_group(const struct levels *l, int side)
{
    return l->sides[side].at.more && group_at(l, side) == l->group;
}

static char state_of(struct slice key)
{
    return key.p[key.n - 1];
}

/* One of a class that cannot be told apart. Right ones come when the left ones have been named. It stays in the way at the
 * levels below: nobody who agrees with it there is told from others. */
static int tie_row(struct levels *l, int side, const struct match_row *row, struct slice key,
    struct slice bytes, struct error *err)
{
    const struct names *lefts = &l->sides[JOIN_LEFT].names;
    int done = 0;
    if (state_of(key) == IS_OPEN && side == JOIN_LEFT) {
        l->n_waiting++;
        done = late_left(l->late, bytes, err);
    } else if (state_of(key) == IS_OPEN) {
        done = join_ambiguous(l->join, side, row, l->tied, lefts, err);
    }
    if (done < 0)
        return -1;
    names_add(&l->sides[side].names, join_id(row));
    return l->now > 0 ? put_next(l, side, l->group, row, bytes, IS_AMBIGUOUS, err) : 0;
}

/* Both hands have the first row of the class. */
static int tie_class(struct levels *l, struct slice class, struct error *err)
{
    l->n_waiting = 0;
    for (int side = 0; side < 2; side++) {
        const struct hand *h = &l->sides[side].hand;
        const struct cursor *c = &l->sides[side].at;
        struct slice key = {h->key.p, h->key.n}, bytes = {h->bytes.p, h->bytes.n};
        if (tie_row(l, side, &h->row, key, bytes, err) < 0)
            return -1;
        while (is_in_class(l, side, class))
            if (tie_row(l, side, &c->row, c->key, c->bytes, err) < 0 || step(l, side, err) < 0)
                return -1;
    }
    struct names *lefts = &l->sides[JOIN_LEFT].names, *rights = &l->sides[JOIN_RIGHT].names;
    if (l->n_waiting > 0 && late_class(l->late, l->now, l->n_waiting, rights, err) < 0)
        return -1;
    names_clear(lefts);
    names_clear(rights);
    return 0;
}

/* Both cursors stand on the first row of one class. */
static int settle_class(struct levels *l, struct error *err)
{
    size_t n_class = l->sides[JOIN_LEFT].n_class;
    for (int side = 0; side < 2; side++) {
        hand_take(&l->sides[side].hand, &l->sides[side].at);
        if (step(l, side, err) < 0)
            return -1;
    }
    const struct hand *left = &l->sides[JOIN_LEFT].hand, *right = &l->sides[JOIN_RIGHT].hand;
    struct slice class = {left->key.p, n_class};
    struct slice left_key = {left->key.p, left->key.n}, right_key = {right->key.p, right->key.n};
    if (is_in_class(l, JOIN_LEFT, class) || is_in_class(l, JOIN_RIGHT, class) ||
        state_of(left_key) != IS_OPEN || state_of(right_key) != IS_OPEN)
        return tie_class(l, class, err);
    return join_matched(l->join, &left->row, &right->row, l->reason, err);
}

/* Whose row at the cursor nobody of the other side agrees with; -1: they agree. One at least is in the group. */
static int find_alone(const struct levels *l)
{
    if (!is_in_group(l, JOIN_LEFT))
        return JOIN_RIGHT;
    if (!is_in_group(l, JOIN_RIGHT))
        return JOIN_LEFT;
    struct slice left = class_at(l, JOIN_LEFT), right = class_at(l, JOIN_RIGHT);
    if (left.p[GROUP_SIZE] == MARK_NO_PART)
        return JOIN_LEFT;
    int order = slice_order(left, right);
    return order < 0 ? JOIN_LEFT : order > 0 ? JOIN_RIGHT : -1;
}

static int settle_group(struct levels *l, struct error *err)
{
    while (is_in_group(l, JOIN_LEFT) || is_in_group(l, JOIN_RIGHT)) {
        int alone = find_alone(l);
        if (alone < 0) {
            if (settle_class(l, err) < 0)
                return -1;
            continue;
        }
        const struct cursor *c = &l->sides[alone].at;
        if (put_next(l, alone, l->group, &c->row, c->bytes, state_of(c->key), err) < 0 ||
            step(l, alone, err) < 0)
            return -1;
    }
    return 0;
}

/* The group has none of the other side any more, and so no ambiguous ones either. */
static int leave_over(struct levels *l, int side, struct error *err)
{
    const struct cursor *c = &l->sides[side].at;
    while (is_in_group(l, side))
        if (join_alone(l->join, side, &c->row, "taken", err) < 0 || step(l, side, err) < 0)
            return -1;
    return 0;
}

static int settle_level(struct levels *l, struct error *err)
{
    const struct cursor *left = &l->sides[JOIN_LEFT].at, *right = &l->sides[JOIN_RIGHT].at;
    while (left->more || right->more) {
        uint64_t of_left = left->more ? group_at(l, JOIN_LEFT) : UINT64_MAX;
        uint64_t of_right = right->more ? group_at(l, JOIN_RIGHT) : UINT64_MAX;
        int done;
        l->group = MIN(of_left, of_right);
        if (of_left == of_right)
            done = settle_group(l, err);
        else
            done = leave_over(l, of_left < of_right ? JOIN_LEFT : JOIN_RIGHT, err);
        if (done < 0)
            return -1;
    }
    return 0;
}

/* What was next is now. At the lowest level all of a group agree, so nothing goes on from there. */
static int begin_level(struct levels *l, struct error *err)
{
    close_now(l);
    l->now = l->next;
    l->n_values = (size_t)__builtin_popcount(l->now);
    free(l->reason);
    free(l->tied);
    l->reason = join_reason(l->join, l->now, "elimination");
    l->tied = join_reason(l->join, l->now, "keys");
    for (int side = 0; side < 2; side++) {
        struct level_side *s = &l->sides[side];
        s->now = TAKE(s->next);
        if (cursor_begin(&s->at, l->join, side, s->now, err) < 0 || find_class(l, side, err) < 0)
            return -1;
    }
    if (l->now == 0)
        return 0;
    l->next = l->now - 1;
    return open_next(l, err);
}

int levels_settle(struct levels *l, struct error *err)
{
    do {
        if (begin_level(l, err) < 0 || settle_level(l, err) < 0)
            return -1;
    } while (l->now > 0);
    close_now(l);
    return late_emit(l->late, err);
}
