#include "match/saved.h"
#include "match/side_inside.h"

#include <endian.h>

/* ---- opening ---- */

/* ids: eight bytes are the row's number; rejects: by the row as it stood; the reason, a NUL, and a
 * byte more where the row had come before. */
static const struct {
    const char *word;
    double part;
    size_t sixteenths; /* of the memory */
} files[] = {{"rows", ROWS_PART, 10}, {"ids", IDS_PART, 5}, {"rejects", REJECTS_PART, 1}};

static struct sorter **sorter_of(struct match_side *s, size_t i)
{
    return (struct sorter * *[]){&s->rows, &s->ids, &s->rejects}[i];
}

static char *path_of(const struct match_side *s, size_t i)
{
    return xasprintf("%s/%s-%s", s->o.folder, s->o.name, files[i].word);
}

static struct match_side *new_side(const struct side_options *o)
{
    struct match_side *s = xnew(struct match_side);
    s->o = *o;
    s->share.fraction = o->fraction;
    return s;
}

/* saved NULL: anew. */
static int open_sorters(struct match_side *s, const cJSON *saved, struct error *err)
{
    for (size_t i = 0; i < N_ELEMENTS(files); i++) {
        _cleanup_free_ char *path = path_of(s, i);
        const struct sorter_options options = {.path = path,
            .keep = true,
            .memory = s->o.memory / 16 * files[i].sixteenths,
            .share = &s->share,
            .part = files[i].part};
        const cJSON *part = cJSON_GetObjectItemCaseSensitive(saved, files[i].word);
        int rc = saved ? sorter_resume(&options, part, sorter_of(s, i), err)
                       : sorter_open(&options, sorter_of(s, i), err);
        if (rc < 0)
            return -1;
    }
    return 0;
}

int side_open(const struct side_options *options, struct match_side **ret_side, struct error *err)
{
    _cleanup_(side_freep) struct match_side *s = new_side(options);
    if (open_sorters(s, NULL, err) < 0)
        return -1;
    *ret_side = TAKE(s);
    return 0;
}

void side_free(struct match_side *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < N_ELEMENTS(files); i++)
        sorter_free(*sorter_of(s, i));
    buffer_done(&s->id);
    free(s->dropped);
    free(s);
}

void side_discard(struct match_side *s)
{
    for (size_t i = 0; s && i < N_ELEMENTS(files); i++) {
        _cleanup_free_ char *path = path_of(s, i);
        unlink(path);
    }
    side_free(s);
}

/* ---- saving ---- */

static int save_sorters(struct match_side *s, cJSON *saved, struct error *err)
{
    for (size_t i = 0; i < N_ELEMENTS(files); i++) {
        cJSON *part;
        if (sorter_save(*sorter_of(s, i), &part, err) < 0)
            return -1;
        cJSON_AddItemToObject(saved, files[i].word, part);
    }
    return 0;
}

/* position -1: the source was read to its end. */
int side_save(struct match_side *s, int64_t position, struct error *err)
{
    cJSON *saved = cJSON_CreateObject();
    if (position >= 0)
        cJSON_AddNumberToObject(saved, "position", (double)position);
    cJSON_AddNumberToObject(saved, "read", (double)s->counts.rows);
    cJSON_AddNumberToObject(saved, "held_peak", (double)s->share.peak);
    cJSON_AddItemToObject(saved, "seams", side_save_seams(s));
    if (save_sorters(s, saved, err) < 0) {
        cJSON_Delete(saved);
        return -1;
    }
    return s->o.save(s->o.arg, saved, err);
}

static int damaged(const struct match_side *s, const char *what, struct error *err)
{
    return error_set(err,
        "what was kept of side %s in %s is damaged (%s): run it again from the beginning, without it",
        s->o.name, s->o.folder, what);
}

static int take_counts(struct match_side *s, const cJSON *saved, struct error *err)
{
    int64_t peak = saved_number(cJSON_GetObjectItemCaseSensitive(saved, "held_peak"));
    s->share.rows = s->counts.rows = saved_number(cJSON_GetObjectItemCaseSensitive(saved, "read"));
    s->counts.users = sorter_records(s->rows);
    s->counts.rejected = sorter_records(s->rejects);
    if (peak < 0 || sorter_records(s->ids) != s->counts.users ||
        s->counts.rows != s->counts.users + s->counts.rejected)
        return damaged(s, "its counts do not agree", err);
    s->share.peak = MAX(s->share.peak, peak);
    return 0;
}

int side_resume(const struct side_options *options, const struct cJSON *saved, struct match_side **ret_side,
    int64_t *ret_position, struct error *err)
{
    _cleanup_(side_freep) struct match_side *s = new_side(options);
    const cJSON *position =
        cJSON_GetObjectItemCaseSensitive(saved, "position"); /* at its end there is none */
    if (!cJSON_IsObject(saved) || (position && saved_number(position) < 0))
        return damaged(s, "where its source goes on", err);
    if (open_sorters(s, saved, err) < 0 || take_counts(s, saved, err) < 0)
        return -1;
    s->repeats = position;
    if (!side_take_seams(s, cJSON_GetObjectItemCaseSensitive(saved, "seams")) ||
        (position && !side_begin_seam(s)))
        return damaged(s, "where it was gone on with before", err);
    *ret_position = saved_number(position);
    *ret_side = TAKE(s);
    return 0;
}

/* ---- duplicates ---- */

static void drop(struct match_side *s, int64_t number)
{
    if (!s->dropped)
        s->dropped = xcalloc((size_t)s->counts.rows / 8 + 1, 1);
    s->dropped[number / 8] |= (uint8_t)(1 << number % 8);
    s->counts.duplicates++;
    s->counts.users--;
}

static bool is_dropped(const void *arg, int64_t number)
{
    const struct match_side *s = arg;
    return s->dropped && number >= 0 && number < s->counts.rows &&
           (s->dropped[number / 8] >> number % 8 & 1) != 0;
}

/* Equal ids come in the order of their rows. s->id: the one before. */
static int look_at_id(
    struct match_side *s, bool first, struct slice id, struct slice value, struct error *err)
{
    uint64_t number = UINT64_MAX;
    if (value.n == sizeof(number))
        memcpy(&number, value.p, sizeof(number));
    number = be64toh(number);
    if (number >= (uint64_t)s->counts.rows)
        return damaged(s, "a row's number cannot be true", err);
    if (!first && slice_equal(id, (struct slice){s->id.p, s->id.n})) {
        drop(s, (int64_t)number);
        return 0;
    }
    s->id.n = 0;
    buffer_put(&s->id, id.p, id.n);
    return 0;
}

static int find_ids(struct match_side *s, struct error *err)
{
    struct slice id, value;
    int got;
    if (sorter_rewind(s->ids, err) < 0)
        return -1;
    for (bool first = true; (got = sorter_next(s->ids, &id, &value, err)) > 0; first = false)
        if (look_at_id(s, first, id, value, err) < 0)
            return -1;
    return got;
}

/* A rejected row has no id to be known by: where a page was read again, the same text is the same row. s->id: the one before. */
static bool is_again(struct match_side *s, struct slice raw, struct slice value)
{
    size_t n_reason = strnlen(value.p, value.n);
    bool repeated = n_reason + 1 < value.n;
    bool same = s->id.n == raw.n + n_reason && memcmp(s->id.p, value.p, n_reason) == 0 &&
                (raw.n == 0 || memcmp(s->id.p + n_reason, raw.p, raw.n) == 0);
    s->id.n = 0;
    buffer_put(&s->id, value.p, n_reason);
    buffer_put(&s->id, raw.p, raw.n);
    return repeated && same;
}

static int find_rejects(struct match_side *s, struct error *err)
{
    struct slice raw, value;
    int got;
    s->id.n = 0;
    if (sorter_rewind(s->rejects, err) < 0)
        return -1;
    while ((got = sorter_next(s->rejects, &raw, &value, err)) > 0)
        if (is_again(s, raw, value)) {
            s->counts.duplicates++;
            s->counts.rejected--;
        }
    return got;
}

int side_find_duplicates(struct match_side *s, struct error *err)
{
    s->counts.users = sorter_records(s->rows);
    s->counts.rejected = sorter_records(s->rejects);
    s->counts.duplicates = 0;
    free(TAKE(s->dropped));
    share_hold(&s->share, 1);
    int r = find_ids(s, err) < 0 ? -1 : find_rejects(s, err);
    share_hold(&s->share, -1);
    buffer_done(&s->id);
    return r;
}

/* ---- what is there ---- */

void side_counts(const struct match_side *s, struct side_counts *ret_counts)
{
    *ret_counts = s->counts;
}

struct match_share *side_share(struct match_side *s)
{
    return &s->share;
}

void side_join(struct match_side *s, struct join_side *ret_join)
{
    *ret_join = (struct join_side){
        .rows = s->rows, .share = &s->share, .n_cells = side_n_cells(s), .is_dropped = is_dropped, .arg = s};
}

int side_next_reject(struct match_side *s, const char **ret_reason, struct slice *ret_raw, struct error *err)
{
    struct slice raw, value;
    if (!s->has_rejects && sorter_rewind(s->rejects, err) < 0)
        return -1;
    s->has_rejects = true;
    int got;
    do {
        got = sorter_next(s->rejects, &raw, &value, err);
    } while (got > 0 && is_again(s, raw, value));
    if (got <= 0)
        return got;
    if (!value.n || !memchr(value.p, '\0', value.n))
        return damaged(s, "a rejected row has no reason", err);
    *ret_reason = value.p;
    *ret_raw = raw;
    return 1;
}
