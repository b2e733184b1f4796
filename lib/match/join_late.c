#include "match/join_late.h"

#include "match/spill.h"

#include <endian.h>

struct late_side {
    /* Both by group, then id: which rows became ambiguous, without their bytes; and rows that are left over. */
    struct sorter *ambiguous, *over;
    struct names names;
};

/* One for each class whose left rows wait. Behind it come n_named ids. */
struct class_record {
    uint64_t level;
    int64_t n_left, n_right, n_named;
};

struct late {
    struct join *join;
    struct late_side sides[2];
    struct spill *rows;    /* the left ones that wait */
    struct spill *classes; /* what they wait for: ids of right ones */
    struct buffer key;
};

static int open_sorter(struct late *late, int side, const char *what, struct sorter **ret, struct error *err)
{
    _cleanup_free_ char *path = join_path(late->join, side, what, -1);
    struct sorter_options options = {.path = path,
        .memory = join_memory(late->join),
        .share = late->join->sides[side]->share,
        .part = JOIN_PART_LATE};
    return sorter_open(&options, ret, err);
}

static int open_spill(struct late *late, int side, const char *what, struct spill **ret, struct error *err)
{
    _cleanup_free_ char *path = join_path(late->join, side, what, -1);
    struct spill_options options = {.path = path,
        .memory = join_memory(late->join),
        .share = late->join->sides[side]->share,
        .part = JOIN_PART_LATE};
    return spill_open(&options, ret, err);
}

int late_open(struct join *j, struct late **ret_late, struct error *err)
{
    _cleanup_(late_freep) struct late *late = xnew(struct late);
    late->join = j;
    for (int side = 0; side < 2; side++) {
        late->sides[side].names.share = j->sides[side]->share;
        if (open_sorter(late, side, "ambiguous", &late->sides[side].ambiguous, err) < 0 ||
            open_sorter(late, side, "over", &late->sides[side].over, err) < 0)
            return -1;
    }
    if (open_spill(late, JOIN_LEFT, "waiting", &late->rows, err) < 0 ||
        open_spill(late, JOIN_RIGHT, "classes", &late->classes, err) < 0)
        return -1;
    *ret_late = TAKE(late);
    return 0;
}

void late_free(struct late *late)
{
    if (!late)
        return;
    for (int side = 0; side < 2; side++) {
        sorter_free(late->sides[side].ambiguous);
        sorter_free(late->sides[side].over);
        names_done(&late->sides[side].names);
    }
    spill_free(late->rows);
    spill_free(late->classes);
    buffer_done(&late->key);
    free(late);
}

int late_left(struct late *late, struct slice bytes, struct error *err)
{
    return spill_put(late->rows, bytes, err);
}

int late_class(
    struct late *late, unsigned level, int64_t n_left, const struct names *rights, struct error *err)
{
    struct class_record class = {level, n_left, rights->n, (int64_t)rights->n_named};
    if (spill_put(late->classes, (struct slice){(const char *)&class, sizeof(class)}, err) < 0)
        return -1;
    for (size_t i = 0; i < rights->n_named; i++)
        if (spill_put(late->classes, names_id(rights, i), err) < 0)
            return -1;
    return 0;
}

static int put_by_group(struct late *late, struct sorter *to, uint64_t group, struct slice id,
    struct slice value, struct error *err)
{
    buffer_reset(&late->key, 4096);
    buffer_put_u64(&late->key, group);
    buffer_put(&late->key, id.p, id.n);
    return sorter_put(to, (struct slice){late->key.p, late->key.n}, value, err);
}

int late_ambiguous(struct late *late, int side, uint64_t group, struct slice id, struct error *err)
{
    return put_by_group(late, late->sides[side].ambiguous, group, id, (struct slice){"", 0}, err);
}

int late_over(struct late *late, int side, uint64_t group, const struct match_row *row, struct slice bytes,
    struct error *err)
{
    return put_by_group(late, late->sides[side].over, group, join_id(row), bytes, err);
}

/* The next record of the spill, which must be there. */
static int must_have(struct late *late, struct spill *from, struct slice *ret, struct error *err)
{
    int got = spill_next(from, ret, err);
    return got == 0 ? join_damaged(late->join, err) : MIN(got, 0);
}

/* The rows of one class, which was read up to its ids. */
static int emit_class(struct late *late, const struct class_record *class, struct error *err)
{
    struct names *rights = &late->sides[JOIN_RIGHT].names;
    const struct join_side *left = late->join->sides[JOIN_LEFT];
    _cleanup_free_ char *reason = join_reason(late->join, (unsigned)class->level, "keys");
    _cleanup_free_ struct source_cell *cells = xcalloc(left->n_cells, sizeof(*cells));
    struct slice record;
    struct match_row row;
    names_clear(rights);
    for (int64_t i = 0; i < class->n_named; i++) {
        if (must_have(late, late->classes, &record, err) < 0)
            return -1;
        names_add(rights, record);
    }
    rights->n = class->n_right;
    for (int64_t i = 0; i < class->n_left; i++) {
        if (must_have(late, late->rows, &record, err) < 0)
            return -1;
        if (!match_row_get(record, left->n_cells, cells, &row))
            return join_damaged(late->join, err);
        if (join_ambiguous(late->join, JOIN_LEFT, &row, reason, rights, err) < 0)
            return -1;
    }
    return 0;
}

static int emit_classes(struct late *late, struct error *err)
{
    struct slice record;
    struct class_record class;
    int got;
    if (spill_rewind(late->rows, err) < 0 || spill_rewind(late->classes, err) < 0)
        return -1;
    while ((got = spill_next(late->classes, &record, err)) > 0) {
        if (record.n != sizeof(class))
            return join_damaged(late->join, err);
        memcpy(&class, record.p, sizeof(class));
        if (emit_class(late, &class, err) < 0)
            return -1;
    }
    names_clear(&late->sides[JOIN_RIGHT].names);
    return got;
}

/* A list of ambiguous ids, which goes on as far as the rows that are left over do. */
struct ids {
    struct sorter *from;
    bool more;
    struct slice key; /* of the next one */
};

static int next_id(struct ids *ids, struct error *err)
{
    struct slice ignored;
    int got = sorter_next(ids->from, &ids->key, &ignored, err);
    ids->more = got > 0;
    return MIN(got, 0);
}

/* Names those of the group; the ones before it nobody asks for. group: the eight bytes. */
static int name_group(struct ids *ids, struct slice group, struct names *names, struct error *err)
{
    for (; ids->more;) {
        int order = memcmp(ids->key.p, group.p, group.n);
        if (order > 0)
            break;
        if (order == 0)
            names_add(names, (struct slice){ids->key.p + group.n, ids->key.n - group.n});
        if (next_id(ids, err) < 0)
            return -1;
    }
    return 0;
}

static int emit_over(struct late *late, int side, struct cursor *c, struct error *err)
{
    struct names *others = &late->sides[!side].names;
    struct ids ids = {.from = late->sides[!side].ambiguous};
    uint64_t group = UINT64_MAX; /* none yet: they are counted from 0 */
    if (sorter_rewind(ids.from, err) < 0 || next_id(&ids, err) < 0)
        return -1;
    while (c->more) {
        if (memcmp(&group, c->key.p, sizeof(group)) != 0) {
            memcpy(&group, c->key.p, sizeof(group));
            names_clear(others);
            if (name_group(&ids, (struct slice){(const char *)&group, sizeof(group)}, others, err) < 0)
                return -1;
        }
        if ((others->n ? join_ambiguous(late->join, side, &c->row, "left_over", others, err)
                       : join_alone(late->join, side, &c->row, "taken", err)) < 0 ||
            cursor_next(c, err) < 0)
            return -1;
    }
    names_clear(others);
    return 0;
}

int late_emit(struct late *late, struct error *err)
{
    if (emit_classes(late, err) < 0)
        return -1;
    for (int side = 0; side < 2; side++) {
        _cleanup_(cursor_done) struct cursor c = {0};
        if (cursor_begin(&c, late->join, side, late->sides[side].over, err) < 0 ||
            emit_over(late, side, &c, err) < 0)
            return -1;
    }
    return 0;
}
