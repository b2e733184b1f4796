#include "match/join_late.h"

#include "match/spill.h"

/* One for each class whose left rows wait. Behind it come n_named ids. */
struct class_record {
    uint64_t level;
    int64_t n_left, n_right, n_named;
};

struct late {
    struct join *join;
    struct spill *rows;    /* the left ones that wait */
    struct spill *classes; /* what they wait for: ids of right ones */
    struct names rights;
};

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
    late->rights.share = j->sides[JOIN_RIGHT]->share;
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
    spill_free(late->rows);
    spill_free(late->classes);
    names_done(&late->rights);
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

/* The next record of the spill, which must be there. */
static int must_have(struct late *late, struct spill *from, struct slice *ret, struct error *err)
{
    int got = spill_next(from, ret, err);
    return got == 0 ? join_damaged(late->join, err) : MIN(got, 0);
}

/* The rows of one class, which was read up to its ids. */
static int emit_class(struct late *late, const struct class_record *class, struct error *err)
{
    struct names *rights = &late->rights;
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

int late_emit(struct late *late, struct error *err)
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
    names_clear(&late->rights);
    return got;
}
