/*
 * A cron line's firings are instants, its fields speak of clock times, and the zone stands between.
 *
 * A line that follows the instants fires whenever the clocks show a time that fits: within a span of one
 * offset that is the same arithmetic as in UTC, so it is looked for span by span.
 *
 * Any other fires once for each clock time, when clocks first show it or, where they skip it, when they are
 * put forward: in both cases at the first instant at which they show that time or a later one. That instant
 * never goes back as the clock time goes on, so the next firing belongs to the first fitting time later than
 * any that clocks have shown.
 */
#include "calendar/schedule.h"
#include "calendar/cron.h"
#include "calendar/inside.h"
#include "calendar/zone.h"
#include "util/clock.h"
#include "util/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <strings.h>

#define EVERY_MOST_DAYS 366
/* The first second of 1900 and the last one of 2999; and how many years either way from where one asks. */
#define EARLIEST  INT64_C(-2208988800)
#define LATEST    INT64_C(32503679999)
#define LOOKED_AT (INT64_C(50) * 366 * DAY)

struct schedule {
    char *text;
    int64_t every;     /* seconds; 0: a cron line */
    struct cron cron;  /* and its */
    struct zone *zone; /* or NULL */
};

/* -- reading --------------------------------------------------------------------------------------------- */

/* What follows "every", as "10m"; NULL when the text begins otherwise. */
static const char *after_every(const char *text)
{
    text += strspn(text, " \t\r\n");
    if (strncasecmp(text, "every", 5) != 0 || isalnum((unsigned char)text[5]))
        return NULL;
    return text + 5 + strspn(text + 5, " \t\r\n");
}

static int parse_every(const char *text, int64_t *ret_seconds, struct error *err)
{
    char quoted[TYPED_MAX];
    int64_t us;
    _cleanup_free_ char *word = xstrndup(text, 64);
    for (size_t n = strlen(word); n > 0 && strchr(" \t\r\n", word[n - 1]);)
        word[--n] = '\0';
    if (word[0] == '-')
        return error_set(err, "every %s is negative: at least 1s, as \"every 10m\"", typed(word, quoted));
    if (text_parse_duration(word, &us) < 0)
        return error_set(err,
            "every %s is no interval: one whole number and its unit (s, m, h or d), as \"every 10m\"",
            typed(word, quoted));
    if (us == 0)
        return error_set(err, "every %s is never or always: at least 1s", typed(word, quoted));
    if (us % US_PER_SEC != 0)
        return error_set(err, "every %s is not a number of whole seconds: at least 1s", typed(word, quoted));
    if (us / US_PER_SEC > EVERY_MOST_DAYS * DAY)
        return error_set(err, "every %s is too long: at most %dd", typed(word, quoted), EVERY_MOST_DAYS);
    *ret_seconds = us / US_PER_SEC;
    return 0;
}

int schedule_parse(const char *text, const char *zone, struct schedule **ret_schedule, struct error *err)
{
    _cleanup_(schedule_freep) struct schedule *s = xnew(struct schedule);
    const char *interval = after_every(text);
    if (interval && parse_every(interval, &s->every, err) < 0)
        return -1;
    if (!interval && cron_parse(text, &s->cron, err) < 0)
        return -1;
    if (!interval && zone_open(zone ? zone : "UTC", &s->zone, err) < 0)
        return -1;
    s->text = xstrdup(text);
    *ret_schedule = TAKE(s);
    return 0;
}

void schedule_free(struct schedule *s)
{
    if (!s)
        return;
    zone_free(s->zone);
    free(s->text);
    free(s);
}

const char *schedule_text(const struct schedule *s)
{
    return s->text;
}

/* -- firings, in seconds --------------------------------------------------------------------------------- */

static int64_t next_by_instant(const struct schedule *s, int64_t after, int64_t last)
{
    for (int64_t at = after + 1; at <= last;) {
        struct zone_span span = zone_span_at(s->zone, at);
        int64_t local = cron_after(&s->cron, at + span.offset - 1);
        if (local == INT64_MAX || local - span.offset < span.to)
            return local == INT64_MAX ? local : local - span.offset;
        at = span.to;
    }
    return INT64_MAX;
}

static int64_t previous_by_instant(const struct schedule *s, int64_t before, int64_t first)
{
    for (int64_t at = before - 1; at >= first;) {
        struct zone_span span = zone_span_at(s->zone, at);
        int64_t local = cron_before(&s->cron, at + span.offset + 1);
        if (local == INT64_MIN || local - span.offset >= span.from)
            return local == INT64_MIN ? local : local - span.offset;
        at = span.from - 1;
    }
    return INT64_MIN;
}

static int64_t next_second(const struct schedule *s, int64_t after, int64_t last)
{
    if (s->every)
        return (floor_div(after, s->every) + 1) * s->every;
    if (s->cron.by_instant)
        return next_by_instant(s, after, last);
    int64_t local = cron_after(&s->cron, zone_latest(s->zone, after));
    return local == INT64_MAX ? local : zone_reached(s->zone, local);
}

static int64_t previous_second(const struct schedule *s, int64_t before, int64_t first)
{
    if (s->every)
        return floor_div(before - 1, s->every) * s->every;
    if (s->cron.by_instant)
        return previous_by_instant(s, before, first);
    int64_t local = cron_before(&s->cron, zone_latest(s->zone, before - 1) + 1);
    return local == INT64_MIN ? local : zone_reached(s->zone, local);
}

int64_t schedule_next(const struct schedule *s, int64_t after_us)
{
    int64_t after = MAX(floor_div(after_us, US_PER_SEC), EARLIEST - 1);
    int64_t last = MIN(LATEST, after + LOOKED_AT);
    int64_t found = after < LATEST ? next_second(s, after, last) : INT64_MAX;
    return found > last ? INT64_MAX : found * US_PER_SEC;
}

int64_t schedule_previous(const struct schedule *s, int64_t before_us)
{
    /* A fraction of a second after a firing is after it. */
    int64_t before = floor_div(before_us, US_PER_SEC) + (before_us % US_PER_SEC != 0);
    before = MIN(before, LATEST + 1);
    int64_t first = MAX(EARLIEST, before - LOOKED_AT);
    int64_t found = before > EARLIEST ? previous_second(s, before, first) : INT64_MIN;
    return found < first ? INT64_MIN : found * US_PER_SEC;
}
