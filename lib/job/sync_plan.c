#include "job/sync_plan.h"

#include "fetch/fetch.h"
#include "util/url.h"

static struct sync_dump *add(struct sync_plan *plan, char *url, const char *date)
{
    plan->dumps = xrealloc(plan->dumps, plan->n + 1, sizeof(*plan->dumps));
    struct sync_dump *d = &plan->dumps[plan->n++];
    *d = (struct sync_dump){.url = url};
    snprintf(d->date, sizeof(d->date), "%s", date);
    return d;
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
        add(plan, date_fill(sync->source, date), date)->may_be_missing = true;
    }
    return 0;
}

/* -- a page or a folder that lists them ------------------------------------------------------------------ */

/* How long it is without what says how it is packed. */
static size_t bare_length(const char *name)
{
    static const char *const packed[] = {".gz", ".zip"};
    size_t n = strlen(name);
    for (size_t i = 0; i < N_ELEMENTS(packed); i++) {
        size_t end = strlen(packed[i]);
        if (n > end && strcasecmp(name + n - end, packed[i]) == 0)
            return n - end;
    }
    return n;
}

/* Another file of a dump's date. x.csv and x.csv.gz are one dump, and less of the packed one is to be fetched; which of
 * two other files is right cannot be known. */
static int add_rival(struct sync_dump *d, const struct fetch_link *link, struct db_fault *fault)
{
    size_t n = bare_length(d->name);
    if (bare_length(link->name) != n || strncmp(d->name, link->name, n) != 0)
        return error_set(&fault->error,
            "there are two dumps of %s, %.100s and %.100s, and which one is right cannot be known: make the "
            "pattern "
            "narrower",
            d->date, d->name, link->name);
    bool swap = d->name[n] == '\0';
    _cleanup_free_ char *left = swap ? d->name : xstrdup(link->name);
    if (swap) {
        free(d->url);
        d->url = xstrdup(link->url);
        d->name = xstrdup(link->name);
    }
    free(d->note);
    d->note =
        xasprintf("%.100s is there too, and left alone: %.100s is packed, and the same dump by its name",
            left, d->name);
    return 0;
}

/* The one name at two places is not ours to judge: the bytes will tell. */
static int add_link(struct sync_plan *plan, const struct fetch_link *link, struct db_fault *fault)
{
    struct sync_dump *last = plan->n > 0 ? &plan->dumps[plan->n - 1] : NULL;
    if (last && strcmp(last->date, link->date) == 0 && strcmp(last->name, link->name) != 0)
        return add_rival(last, link, fault);
    add(plan, xstrdup(link->url), link->date)->name = xstrdup(link->name);
    return 0;
}

/* Those that are newer than what is loaded; *ret_dated: how many have a date at all. */
static int add_links(struct sync_plan *plan, const struct job_sync *sync, const char *newest,
    const struct fetch_link *links, size_t n, size_t *ret_dated, struct db_fault *fault)
{
    size_t n_dated = 0;
    for (size_t i = 0; i < n; i++) {
        const char *date = links[i].date;
        n_dated += date[0] != '\0';
        if (date[0] && (!newest || strcmp(date, newest) > 0) &&
            (!sync->since || strcmp(date, sync->since) >= 0) && add_link(plan, &links[i], fault) < 0)
            return -1;
    }
    *ret_dated = n_dated;
    return 0;
}

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
    size_t n_dated;
    int added = add_links(plan, sync, newest, links, n, &n_dated, fault);
    fetch_links_free(links, n);
    if (added < 0 || n_dated > 0)
        return added;
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
        add(&plan, xstrdup(sync->source), "");
    if (r < 0) {
        sync_plan_done(&plan);
        return -1;
    }
    *ret_plan = plan;
    return 0;
}

void sync_plan_done(struct sync_plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        free(plan->dumps[i].url);
        free(plan->dumps[i].name);
        free(plan->dumps[i].note);
    }
    free(plan->dumps);
    *plan = (struct sync_plan){0};
}
