#include "job/match_stats.h"

#include "job/member.h"
#include "util/clock.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

/* What became of one side's users. */
struct fates {
    int64_t matched, ambiguous, only, no_key;
};

static struct fates fates_of(const struct join_counts *c, int which)
{
    return which == MATCH_LEFT
               ? (struct fates){c->matched, c->left_ambiguous, c->left_only, c->left_keyless}
               : (struct fates){c->matched, c->right_ambiguous, c->right_only, c->right_keyless};
}

static const char *name_of(const struct match_reading *all, int which)
{
    const struct job_match *match = &all->spec->match;
    return which == MATCH_LEFT ? match->left.name : match->right.name;
}

int match_stats_check(const struct match_reading *all, const struct match_tally *tally, struct error *err)
{
    for (int i = 0; i < 2; i++) {
        struct side_counts c;
        struct fates f = fates_of(&tally->join, i);
        side_counts(match_reader_side(all->readers[i]), &c);
        if (c.rows != c.users + c.duplicates + c.rejected || c.users != f.matched + f.ambiguous + f.only)
            return error_set(err,
                "the account of the %s side is not even (%" PRId64 " rows: %" PRId64 " users, %" PRId64
                " duplicates, %" PRId64 " rejected; %" PRId64 " matched, %" PRId64 " ambiguous, %" PRId64
                " only there): nothing was written; this is a fault of ours, please report it",
                name_of(all, i), c.rows, c.users, c.duplicates, c.rejected, f.matched, f.ambiguous, f.only);
    }
    return 0;
}

static void add_share(cJSON *to, int64_t peak, int64_t rows)
{
    char share[32];
    snprintf(share, sizeof(share), "%.4f", rows > 0 ? (double)peak / (double)rows : 0.0);
    member_add_int(to, "held_peak", peak);
    cJSON_AddRawToObject(to, "held_share", share);
}

static cJSON *new_side(const struct match_reading *all, const struct match_tally *tally, int which)
{
    struct side_counts c;
    struct match_requests requests;
    const struct match_reader *reader = all->readers[which];
    const int64_t *activity = tally->activity[which];
    struct fates f = fates_of(&tally->join, which);
    side_counts(match_reader_side(reader), &c);
    const struct {
        const char *name;
        int64_t n;
    } counts[] = {
        {"rows", c.rows},
        {"users", c.users},
        {"duplicates", c.duplicates},
        {"rejected", c.rejected},
        {"matched", f.matched},
        {"ambiguous", f.ambiguous},
        {"only", f.only},
        {"no_key", f.no_key},
        {"active", activity[ACTIVITY_WITHIN]},
        {"inactive", c.users - activity[ACTIVITY_WITHIN]},
        {"no_date", activity[ACTIVITY_NEVER]},
        {"future_dates", activity[ACTIVITY_FUTURE]},
        {"unreadable_dates", activity[ACTIVITY_UNREADABLE]},
    };
    cJSON *side = cJSON_CreateObject();
    cJSON_AddStringToObject(side, "name", name_of(all, which));
    for (size_t i = 0; i < N_ELEMENTS(counts); i++)
        member_add_int(side, counts[i].name, counts[i].n);
    add_share(side, side_share(match_reader_side(reader))->peak + tally->results.peak, c.rows);
    if (match_reader_requests(reader, &requests)) {
        member_add_int(side, "pages", requests.pages);
        member_add_int(side, "requests", requests.requests);
        member_add_int(side, "again", requests.again);
    }
    return side;
}

cJSON *match_stats_found(const struct match_reading *all, const struct match_tally *tally)
{
    cJSON *found = cJSON_CreateObject();
    member_add_int(found, "matched", tally->join.matched);
    member_add_int(found, "contested", tally->join.contested);
    cJSON_AddItemToObject(found, "left", new_side(all, tally, MATCH_LEFT));
    cJSON_AddItemToObject(found, "right", new_side(all, tally, MATCH_RIGHT));
    return found;
}

void match_stats_add_seconds(cJSON *to, const char *name, int64_t us)
{
    char seconds[32];
    snprintf(seconds, sizeof(seconds), "%.3f", (double)us / US_PER_SEC);
    cJSON_AddRawToObject(to, name, seconds);
}
