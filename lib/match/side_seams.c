/*
 * Between the run that broke off and the one that goes on a list may have moved up, because users went. The page before is
 * asked for once more: as long as one of its rows is known, nobody is missing in between. When none is, some may be.
 */
#include "match/saved.h"
#include "match/side_inside.h"

bool side_begin_seam(struct match_side *s)
{
    if (s->n_seams == SEAMS_MAX)
        return false;
    s->seams[s->n_seams++] = (struct seam){s->counts.rows, -1};
    return true;
}

void side_end_seam(struct match_side *s)
{
    if (s->n_seams && s->seams[s->n_seams - 1].to < 0)
        s->seams[s->n_seams - 1].to = s->counts.rows;
}

cJSON *side_save_seams(const struct match_side *s)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < s->n_seams; i++) {
        cJSON_AddItemToArray(list, cJSON_CreateNumber((double)s->seams[i].from));
        cJSON_AddItemToArray(list, cJSON_CreateNumber((double)s->seams[i].to));
    }
    return list;
}

bool side_take_seams(struct match_side *s, const cJSON *saved)
{
    if (!cJSON_IsArray(saved))
        return false;
    for (const cJSON *from = saved->child; from; from = from->next->next) {
        if (!from->next || s->n_seams == SEAMS_MAX)
            return false;
        struct seam seam = {saved_number(from), saved_number(from->next)};
        if (seam.from < 0 || seam.to < seam.from || seam.to > s->counts.rows)
            return false;
        s->seams[s->n_seams++] = seam;
    }
    return true;
}

static bool holds(const struct match_side *s, const struct seam *seam)
{
    for (int64_t i = seam->from; i < seam->to; i++)
        if (s->dropped && s->dropped[i / 8] >> i % 8 & 1)
            return true;
    return false;
}

bool side_has_gap(const struct match_side *s)
{
    for (size_t i = 0; i < s->n_seams; i++)
        if (!holds(s, &s->seams[i]))
            return true;
    return false;
}
