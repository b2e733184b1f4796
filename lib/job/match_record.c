#include "job/match_record.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

struct match_record {
    const struct job_match *match;
    struct source_cell *cells; /* of the table's row; the date is put in when it is read */
    struct db_value *values;
    size_t n;
    char *report_date;
    char score[8], n_candidates[24];
    struct buffer bytes;
};

struct match_record *match_record_new(const struct job_match *match, const char *report_date)
{
    struct match_record *r = xnew(struct match_record);
    r->match = match;
    r->n = match_at_end(match) + MATCH_N_END;
    r->cells = xcalloc(r->n, sizeof(*r->cells));
    r->values = xcalloc(r->n, sizeof(*r->values));
    r->report_date = xstrdup(report_date);
    return r;
}

void match_record_free(struct match_record *r)
{
    if (!r)
        return;
    buffer_done(&r->bytes);
    free(r->cells);
    free(r->values);
    free(r->report_date);
    free(r);
}

static struct source_cell text(const char *s)
{
    return (struct source_cell){s, s ? strlen(s) : 0};
}

static struct source_cell flag(bool is_so)
{
    return text(is_so ? "1" : "0");
}

/* Of a match: whether each tie-break agrees, and their share. The cells of a row are its id, then the tie-breaks. */
static void put_agreement(struct match_record *r, const struct match_row *left, const struct match_row *right)
{
    size_t n = r->match->n_tie_breaks, agreed = 0;
    for (size_t i = 0; i < n; i++) {
        const struct source_cell *a = &left->cells[1 + i], *b = &right->cells[1 + i];
        if (!a->p || !b->p)
            continue;
        bool agrees = a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
        agreed += agrees;
        r->cells[MATCH_AT_AGREES + i] = flag(agrees);
    }
    snprintf(r->score, sizeof(r->score), "%.3f", n ? (double)agreed / (double)n : 1.0);
    r->cells[MATCH_AT_SCORE] = text(r->score);
}

static void put_side(struct match_record *r, const struct match_row *row, bool right)
{
    const struct job_side *side = right ? &r->match->right : &r->match->left;
    size_t ids = match_at_ids(r->match), carried = match_at_carried(r->match, right);
    if (!row)
        return;
    r->cells[ids + right] = row->cells[0];
    r->cells[ids + 2 + right] = flag(row->activity == ACTIVITY_WITHIN);
    for (size_t i = 0; i < side->columns.n; i++)
        r->cells[carried + i] = row->cells[1 + r->match->n_tie_breaks + i];
}

/* A new string: a JSON array of the ids. */
static char *name_candidates(const struct match_result *result)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < result->n_named; i++) {
        _cleanup_free_ char *id = xstrndup(result->named[i].p, result->named[i].n);
        cJSON_AddItemToArray(list, cJSON_CreateString(id));
    }
    char *printed = cJSON_PrintUnformatted(list);
    cJSON_Delete(list);
    return printed;
}

/* Whose row it is; NULL: both have a part in it. */
static const char *side_of(
    const struct job_match *match, const struct match_result *result, const struct match_reject *reject)
{
    if (reject)
        return reject->side;
    if (result->left && result->right)
        return NULL;
    return result->left ? match->left.name : match->right.name;
}

static void put_facts(
    struct match_record *r, const struct match_result *result, const struct match_reject *reject)
{
    struct source_cell *end = &r->cells[match_at_end(r->match)];
    r->cells[MATCH_AT_OUTCOME] = text(match_outcomes[result->outcome]);
    r->cells[MATCH_AT_REASON] = text(result->reason);
    if (result->outcome == MATCH_MATCHED)
        put_agreement(r, result->left, result->right);
    put_side(r, result->left, false);
    put_side(r, result->right, true);
    end[MATCH_END_SIDE] = text(side_of(r->match, result, reject));
    if (reject)
        end[MATCH_END_RAW] = (struct source_cell){reject->raw.p, reject->raw.n};
    if (result->outcome != MATCH_AMBIGUOUS)
        return;
    snprintf(r->n_candidates, sizeof(r->n_candidates), "%" PRId64, result->n_candidates);
    end[MATCH_END_COUNT] = text(r->n_candidates);
}

int match_record_make(struct match_record *r, const struct match_result *result,
    const struct match_reject *reject, struct slice *ret_bytes, struct error *err)
{
    _cleanup_free_ char *candidates = result->outcome == MATCH_AMBIGUOUS ? name_candidates(result) : NULL;
    memset(r->cells, 0, r->n * sizeof(*r->cells));
    put_facts(r, result, reject);
    r->cells[match_at_end(r->match) + MATCH_END_CANDIDATES] = text(candidates);
    buffer_reset(&r->bytes, 65536);
    const struct match_row row = {.n_cells = r->n, .cells = r->cells};
    if (!match_row_put(&r->bytes, &row))
        return error_set(err, "there is no memory for a row of the result: raise memory_max of the job");
    *ret_bytes = (struct slice){r->bytes.p, r->bytes.n};
    return 0;
}

bool match_record_read(struct match_record *r, struct slice bytes, const struct db_value **ret_values)
{
    struct match_row row;
    if (!match_row_get(bytes, r->n, r->cells, &row))
        return false;
    for (size_t i = 0; i < r->n; i++)
        r->values[i] = (struct db_value){row.cells[i].p, row.cells[i].n};
    r->values[MATCH_AT_DATE] = (struct db_value){r->report_date, strlen(r->report_date)};
    *ret_values = r->values;
    return true;
}
