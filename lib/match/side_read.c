/* A row of the source becomes three things: bytes under its match keys, its id with its number, or a reject. */
#include "match/side_inside.h"

#include "source/reason.h"
#include "util/clock.h"
#include "util/text.h"

#include <endian.h>

#define KEEP           65536 /* bytes a scratch buffer keeps after a large row */
#define ROWS_A_SAVE    1000  /* at least, or … */
#define US_A_SAVE      (2 * US_PER_SEC)
#define ROWS_A_TELLING 64

struct reader {
    struct match_side *side;
    struct source *source;
    size_t id, active, *keys, *tie_breaks,
        *columns;              /* where in the source's rows; active SIZE_MAX: nowhere */
    struct source_cell *cells; /* of the row as it is staged */
    struct buffer normal;      /* the normalised tie-breaks, one behind the other */
    struct buffer trimmed, key, value;
    int64_t rows_saved, us_saved;
};

static void reader_done(struct reader *r)
{
    free(r->keys);
    free(r->tie_breaks);
    free(r->columns);
    free(r->cells);
    buffer_done(&r->normal);
    buffer_done(&r->trimmed);
    buffer_done(&r->key);
    buffer_done(&r->value);
}

/* ---- columns ---- */

static int no_column(const struct reader *r, const char *column, const char *use, struct error *err)
{
    _cleanup_buffer_ struct buffer words = {0};
    const char *near = text_suggest(column, r->source->columns, r->source->n_columns);
    buffer_printf(&words, "it has no column %s (%s)", column, use);
    if (near)
        buffer_printf(&words, ", did you mean %s?", near);
    buffer_put_string(&words, r->source->n_columns ? "; there are: " : "; there is none");
    for (size_t i = 0; i < r->source->n_columns && words.n < sizeof(err->text); i++)
        buffer_printf(&words, "%s%s", i ? ", " : "", r->source->columns[i]);
    error_set(err, "%s", buffer_string(&words));
    text_make_printable(err->text);
    return -1;
}

static int find(
    const struct reader *r, const char *column, const char *use, size_t *ret_place, struct error *err)
{
    for (size_t i = 0; i < r->source->n_columns; i++)
        if (strcmp(r->source->columns[i], column) == 0) {
            *ret_place = i;
            return 0;
        }
    return no_column(r, column, use, err);
}

static int find_rules(const struct reader *r, const struct side_rule *rules, size_t n, const char *use,
    size_t **ret_places, struct error *err)
{
    *ret_places = xcalloc(n + 1, sizeof(**ret_places));
    for (size_t i = 0; i < n; i++)
        if (find(r, rules[i].column, use, &(*ret_places)[i], err) < 0)
            return -1;
    return 0;
}

static int find_columns(struct reader *r, struct error *err)
{
    const struct side_options *o = &r->side->o;
    r->active = SIZE_MAX;
    if (find(r, o->id, "the id", &r->id, err) < 0 ||
        (o->active && find(r, o->active, "the date of activity", &r->active, err) < 0) ||
        find_rules(r, o->keys, o->n_keys, "a match key", &r->keys, err) < 0 ||
        find_rules(r, o->tie_breaks, o->n_tie_breaks, "a tie-break", &r->tie_breaks, err) < 0)
        return -1;
    r->columns = xcalloc(o->n_columns + 1, sizeof(*r->columns));
    for (size_t i = 0; i < o->n_columns; i++)
        if (find(r, o->columns[i], "a column to carry", &r->columns[i], err) < 0)
            return -1;
    r->cells = xcalloc(side_n_cells(r->side), sizeof(*r->cells));
    return 0;
}

/* ---- rows ---- */

static struct source_cell cell_at(const struct source_row *row, size_t place)
{
    return place < row->n_cells ? row->cells[place] : (struct source_cell){0};
}

static struct slice slice_at(const struct source_row *row, size_t place)
{
    struct source_cell cell = cell_at(row, place);
    return (struct slice){cell.p, cell.p ? cell.n : 0};
}

static struct slice slice_of(const struct buffer *b)
{
    return (struct slice){b->p, b->n};
}

static int no_memory(const struct reader *r, struct error *err)
{
    return error_set(err, "no memory for a row of side %s", r->side->o.name);
}

/* Nothing but blanks is nothing, also where they are not trimmed. */
static int put_normal(
    struct reader *r, struct buffer *to, struct slice value, unsigned normal, struct error *err)
{
    size_t before = to->n;
    if (value.p && !normal_put(to, value, normal))
        return no_memory(r, err);
    if ((normal & NORMAL_TRIM) || to->n == before)
        return 0;
    buffer_reset(&r->trimmed, KEEP);
    if (!normal_put(&r->trimmed, (struct slice){to->p + before, to->n - before}, NORMAL_TRIM))
        return no_memory(r, err);
    if (r->trimmed.n == 0)
        to->n = before;
    return 0;
}

/* A key that is NULL, or becomes nothing, makes the row equal to no other. */
static int make_key(struct reader *r, const struct source_row *row, struct error *err)
{
    const struct side_options *o = &r->side->o;
    buffer_reset(&r->key, KEEP);
    buffer_put(&r->key, &(char){MATCH_KEYED}, 1);
    for (size_t i = 0; i < o->n_keys; i++) {
        if (i > 0)
            buffer_put(&r->key, "", 1);
        size_t before = r->key.n;
        if (put_normal(r, &r->key, slice_at(row, r->keys[i]), o->keys[i].normal, err) < 0)
            return -1;
        if (r->key.n > before)
            continue;
        r->key.n = 0;
        buffer_put(&r->key, &(char){MATCH_KEYLESS}, 1);
        return 0;
    }
    return 0;
}

/* What becomes nothing is NULL, as with keys. The cells are pointed at when all are there: the buffer moves while it grows. */
static int make_tie_breaks(struct reader *r, const struct source_row *row, struct error *err)
{
    const struct side_options *o = &r->side->o;
    struct source_cell *cells = r->cells + 1;
    size_t at = 0;
    buffer_reset(&r->normal, KEEP);
    for (size_t i = 0; i < o->n_tie_breaks; i++) {
        size_t before = r->normal.n;
        if (put_normal(r, &r->normal, slice_at(row, r->tie_breaks[i]), o->tie_breaks[i].normal, err) < 0)
            return -1;
        cells[i].n = r->normal.n - before;
    }
    for (size_t i = 0; i < o->n_tie_breaks; at += cells[i++].n)
        cells[i].p = cells[i].n ? r->normal.p + at : NULL;
    return 0;
}

static int make_value(struct reader *r, const struct source_row *row, struct error *err)
{
    const struct side_options *o = &r->side->o;
    struct slice date = r->active == SIZE_MAX ? (struct slice){0} : slice_at(row, r->active);
    if (make_tie_breaks(r, row, err) < 0)
        return -1;
    r->cells[0] = cell_at(row, r->id);
    for (size_t i = 0; i < o->n_columns; i++)
        r->cells[1 + o->n_tie_breaks + i] = cell_at(row, r->columns[i]);
    const struct match_row staged = {.number = r->side->counts.rows,
        .activity = match_activity(date, o->report_day, o->active_days),
        .n_cells = side_n_cells(r->side),
        .cells = r->cells};
    buffer_reset(&r->value, KEEP);
    return match_row_put(&r->value, &staged) ? 0 : no_memory(r, err);
}

static int reject(struct reader *r, const char *reason, struct slice raw, struct error *err)
{
    raw.n = raw.p ? MIN(raw.n, (size_t)SOURCE_RAW_MAX) : 0;
    r->side->counts.rejected++;
    buffer_reset(&r->value, KEEP);
    buffer_put(&r->value, reason, strlen(reason) + 1);
    if (r->side->repeats)
        buffer_put(&r->value, "", 1);
    return sorter_put(r->side->rejects, raw, slice_of(&r->value), err);
}

static int reject_idless(struct reader *r, struct error *err)
{
    struct slice raw = {0};
    if (r->source->driver->raw)
        raw.p = r->source->driver->raw(r->source, &raw.n);
    return reject(r, source_reason_code(SOURCE_NULL_KEY), raw, err);
}

static int take(struct reader *r, const struct source_row *row, struct error *err)
{
    struct match_side *s = r->side;
    if (row->reason)
        return reject(r, row->reason, (struct slice){row->raw, row->n_raw}, err);
    struct slice id = slice_at(row, r->id);
    if (id.n == 0)
        return reject_idless(r, err);
    const uint64_t number = htobe64((uint64_t)s->counts.rows);
    if (make_key(r, row, err) < 0 || make_value(r, row, err) < 0 ||
        sorter_put(s->rows, slice_of(&r->key), slice_of(&r->value), err) < 0)
        return -1;
    s->counts.users++;
    return sorter_put(s->ids, id, (struct slice){(const char *)&number, sizeof(number)}, err);
}

/* The row at hand is held too. */
static int take_held(struct reader *r, const struct source_row *row, struct error *err)
{
    struct match_side *s = r->side;
    s->share.rows++;
    share_hold(&s->share, 1);
    int rc = take(r, row, err);
    share_hold(&s->share, -1);
    s->counts.rows++;
    return rc;
}

/* ---- the whole ---- */

/* Where the source could be gone on with, and enough came since it was saved: the more there is, the more must come. */
static int save_sometimes(struct reader *r, struct error *err)
{
    struct match_side *s = r->side;
    int64_t position = s->o.position ? s->o.position(s->o.arg) : -1;
    int64_t more = s->counts.rows - r->rows_saved;
    if (position < 0)
        return 0;
    s->repeats = false;
    side_end_seam(s);
    if (more < MAX(ROWS_A_SAVE, r->rows_saved / 4) && clock_mono_us() - r->us_saved < US_A_SAVE)
        return 0;
    if (side_save(s, position, err) < 0)
        return -1;
    r->rows_saved = s->counts.rows;
    r->us_saved = clock_mono_us();
    return 0;
}

/* The source has failed, perhaps for good at one place: what came before is kept for the next run. */
static void save_what_came(struct reader *r)
{
    struct error ignored;
    struct match_side *s = r->side;
    int64_t position = s->o.position ? s->o.position(s->o.arg) : -1;
    if (position >= 0 && s->counts.rows > r->rows_saved)
        side_save(s, position, &ignored);
}

static int tell(const struct reader *r, struct error *err)
{
    const struct side_options *o = &r->side->o;
    return o->progress ? o->progress(o->arg, r->side->counts.rows, err) : 0;
}

static int read_rows(struct reader *r, struct source_fault *fault)
{
    struct match_side *s = r->side;
    struct source_row row;
    int got;
    while ((got = source_next(r->source, &row, fault)) > 0) {
        if (take_held(r, &row, &fault->error) < 0 || save_sometimes(r, &fault->error) < 0)
            return -1;
        if (s->counts.rows % ROWS_A_TELLING == 0 && tell(r, &fault->error) < 0)
            return -1;
    }
    if (got < 0)
        save_what_came(r);
    if (got < 0 || tell(r, &fault->error) < 0)
        return -1;
    side_end_seam(s);
    return side_save(s, -1, &fault->error);
}

int side_read(struct match_side *side, struct source *source, struct source_fault *fault)
{
    _cleanup_(reader_done) struct reader r = {
        .side = side, .source = source, .rows_saved = side->counts.rows, .us_saved = clock_mono_us()};
    return find_columns(&r, &fault->error) < 0 ? -1 : read_rows(&r, fault);
}
