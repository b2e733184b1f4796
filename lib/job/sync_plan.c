#include "job/sync_plan.h"

#include "fetch/fetch.h"
#include "util/url.h"

static void add(struct sync_plan *plan, char *url, const char *date, bool may_be_missing)
{
    plan->dumps = xrealloc(plan->dumps, plan->n + 1, sizeof(*plan->dumps));
    struct sync_dump *d = &plan->dumps[plan->n++];
    *d = (struct sync_dump){.url = url, .may_be_missing = may_be_missing};
    snprintf(d->date, sizeof(d->date), "%s", date);
}

/* -- a source with a date in it -------------------------------------------------------------------------- */

/* The first date that is worth a try: after the newest, and not before since. */
static int first_date(const struct job_sync *sync, const char *newest, enum date_step step,
    char ret[DATE_SIZE], struct db_fault *fault)
{
    const char *from = newest && (!sync->since || strcmp(newest, sync->since) >= 0) ? newest : sync->since;
    if (!from || !date_is_good(from))
        return error_set(&fault->error, "the source has a date in it, and nothing is loaded yet: `since` "
                                        "must say which date is the first");
    memcpy(ret, from, DATE_SIZE);
    if (from == newest)
        date_next(ret, step);
    else if (step == DATE_MONTH && strcmp(ret + 8, "01") != 0)
        date_next(ret, step);
    return 0;
}

static int plan_dates(struct sync_plan *plan, const struct job_sync *sync, const char *newest,
    const char *today, struct db_fault *fault)
{
    char date[DATE_SIZE];
    enum date_step step = date_pattern(sync->source) == DATE_PATTERN_MONTHS ? DATE_MONTH : DATE_DAY;
    if (date_pattern(sync->source) == DATE_PATTERN_BROKEN)
        return error_set(
            &fault->error, "the source has %%Y in it without %%m: a dump's date is its day, or its month");
    if (first_date(sync, newest, step, date, fault) < 0)
        return -1;
    for (; strcmp(date, today) <= 0; date_next(date, step)) {
        if (plan->n == SYNC_DATES_MAX)
            return error_set(&fault->error,
                "from `since` until today there are more than %d dates to try: begin later", SYNC_DATES_MAX);
        add(plan, date_fill(sync->source, date), date, true);
    }
    return 0;
}

/* -- a page or a folder that lists them ------------------------------------------------------------------ */

static int plan_links(
    struct sync_plan *plan, const struct job_sync *sync, const char *newest, struct db_fault *fault)
{
    const struct fetch_options options = {.retries = -1};
    struct fetch_fault why = {0};
    struct fetch_link *links;
    size_t n;
    if (fetch_list(sync->source, sync->pattern, &options, &links, &n, &why) < 0) {
        fault->transient = why.transient;
        return error_set(&fault->error, "%s", why.error.text);
    }
    size_t n_dated = 0;
    for (size_t i = 0; i < n; i++) {
        const char *date = links[i].date;
        n_dated += date[0] != '\0';
        if (date[0] && (!newest || strcmp(date, newest) > 0) &&
            (!sync->since || strcmp(date, sync->since) >= 0))
            add(plan, xstrdup(links[i].url), date, false);
    }
    fetch_links_free(links, n);
    if (n_dated > 0)
        return 0;
    _cleanup_free_ char *shown = url_redact(sync->source);
    return error_set(&fault->error,
        n ? "no name at %s that matches the pattern has a date: the pattern needs %%Y and %%m, and %%d where "
            "there is one"
          : "nothing at %s matches the pattern of the dumps",
        shown);
}

int sync_plan_make(const struct job_sync *sync, const char *newest, const char *today,
    struct sync_plan *ret_plan, struct db_fault *fault)
{
    struct sync_plan plan = {0};
    int r = 0;
    if (sync->pattern)
        r = plan_links(&plan, sync, newest, fault);
    else if (date_pattern(sync->source) != DATE_PATTERN_NONE)
        r = plan_dates(&plan, sync, newest, today, fault);
    else
        add(&plan, xstrdup(sync->source), "", false);
    if (r < 0) {
        sync_plan_done(&plan);
        return -1;
    }
    *ret_plan = plan;
    return 0;
}

void sync_plan_done(struct sync_plan *plan)
{
    for (size_t i = 0; i < plan->n; i++)
        free(plan->dumps[i].url);
    free(plan->dumps);
    *plan = (struct sync_plan){0};
}
