/*
 * A zone by the C library: localtime_r with TZ set to the zone's file. To set TZ is to read a file, so it is
 * done for a stretch of 400 days at once: offsets are compared from day to day and each change is found by
 * halving. (The shortest time between two changes that the tz database knows of is four days: Freetown, 1939.)
 */
#include "calendar/zone.h"
#include "calendar/inside.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdbool.h>
#include <time.h>

#define ZONE_DIR "/usr/share/zoneinfo"
#define STRETCH  (400 * DAY)
#define N_KEPT   8
#define REACH    (DAY * 3 / 2) /* clocks differ from UTC by less: POSIX has at most 25 hours */
/* Times are brought within FAR, so that nothing overflows; spans are found beyond it too, or a walk from one
 * to the next would not end there. */
#define FAR (INT64_C(5000) * 365 * DAY)

static int64_t within(int64_t time, int64_t bound)
{
    return MAX(MIN(time, bound), -bound);
}

struct stretch {
    int64_t number; /* it is [number, number + 1) times STRETCH */
    size_t n;       /* 0: not looked up yet */
    struct zone_span *spans;
};

/* What was found; by the number's last bits, so that a walk through the years keeps its neighbours. */
struct found {
    struct stretch kept[N_KEPT];
    int64_t last_offset;
};

struct zone {
    char *name;
    char *tz; /* what TZ is set to; NULL: UTC, for which no database is needed */
    struct found *found;
};

/* The name becomes part of a path, so anything but plain words between single slashes is out. */
static bool is_plain(const char *s)
{
    size_t n = strlen(s);
    if (n == 0 || n > 64 || !isalpha((unsigned char)s[0]) || s[n - 1] == '/' || strstr(s, "//"))
        return false;
    return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/") == n;
}

/* "right/" counts leap seconds, which no clock here does; "posix/" is what is there already. */
static bool is_zone_file(const char *name)
{
    if (!is_plain(name) || strncmp(name, "posix/", 6) == 0 || strncmp(name, "right/", 6) == 0)
        return false;
    _cleanup_free_ char *path = xasprintf(ZONE_DIR "/%s", name);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char magic[4];
    return fd >= 0 && read(fd, magic, sizeof(magic)) == sizeof(magic) && memcmp(magic, "TZif", 4) == 0;
}

static void set_tz(const char *tz)
{
    if ((tz ? setenv("TZ", tz, 1) : unsetenv("TZ")) < 0)
        abort(); /* no memory */
    tzset();
}

/* Where TZ is set. A file that the library cannot read leaves it with a zone that is UTC but has no name. */
static bool ask(int64_t instant, int64_t *ret_offset)
{
    struct tm t;
    time_t seconds = instant;
    if (!localtime_r(&seconds, &t) || !t.tm_zone || !t.tm_zone[0])
        return false;
    *ret_offset = t.tm_gmtoff;
    return true;
}

/* Where tzdata was removed under us, what was known last holds on. */
static int64_t offset_at(const struct zone *z, int64_t instant)
{
    ask(instant, &z->found->last_offset);
    return z->found->last_offset;
}

/* The offset differs at the two ends: the first instant with the later one's. */
static int64_t find_change(const struct zone *z, int64_t before, int64_t after)
{
    int64_t offset = offset_at(z, before);
    while (after - before > 1) {
        int64_t middle = before + (after - before) / 2;
        if (offset_at(z, middle) == offset)
            before = middle;
        else
            after = middle;
    }
    return after;
}

static void add_span(struct stretch *s, int64_t from, int64_t to, int64_t offset)
{
    s->spans = xrealloc(s->spans, s->n + 1, sizeof(*s->spans));
    s->spans[s->n++] = (struct zone_span){from, to, offset};
}

static void look_up(const struct zone *z, struct stretch *s)
{
    int64_t from = s->number * STRETCH, end = from + STRETCH;
    int64_t offset = offset_at(z, from);
    for (int64_t day = from; day < end; day += DAY) {
        if (offset_at(z, day + DAY) == offset)
            continue;
        int64_t change = find_change(z, day, day + DAY);
        if (change == end)
            break;
        add_span(s, from, change, offset);
        from = change;
        offset = offset_at(z, day + DAY);
    }
    add_span(s, from, end, offset);
}

static const struct stretch *stretch_at(const struct zone *z, int64_t instant)
{
    int64_t number = floor_div(instant, STRETCH);
    struct stretch *s = &z->found->kept[(uint64_t)number % N_KEPT];
    if (s->n > 0 && s->number == number)
        return s;
    s->number = number;
    s->n = 0;
    _cleanup_free_ char *before = xstrdup(getenv("TZ"));
    set_tz(z->tz);
    look_up(z, s);
    set_tz(before);
    return s;
}

struct zone_span zone_span_at(const struct zone *z, int64_t instant)
{
    instant = within(instant, 2 * FAR);
    if (!z->tz)
        return (struct zone_span){-3 * FAR, 3 * FAR, 0};
    const struct stretch *s = stretch_at(z, instant);
    size_t i = 0;
    while (s->spans[i].to <= instant)
        i++;
    return s->spans[i];
}

int64_t zone_local(const struct zone *z, int64_t instant)
{
    instant = within(instant, FAR);
    return instant + zone_span_at(z, instant).offset;
}

int zone_instants(const struct zone *z, int64_t local, int64_t ret_instants[2])
{
    int n = 0;
    local = within(local, FAR);
    for (int64_t at = local - REACH; at < local + REACH && n < 2;) {
        struct zone_span span = zone_span_at(z, at);
        int64_t instant = local - span.offset;
        if (instant >= span.from && instant < span.to)
            ret_instants[n++] = instant;
        at = span.to;
    }
    return n;
}

int64_t zone_reached(const struct zone *z, int64_t local)
{
    local = within(local, FAR);
    struct zone_span span = zone_span_at(z, local - REACH);
    while (local - span.offset >= span.to)
        span = zone_span_at(z, span.to);
    return MAX(local - span.offset, span.from);
}

int64_t zone_latest(const struct zone *z, int64_t instant)
{
    instant = within(instant, FAR);
    struct zone_span span = zone_span_at(z, instant);
    int64_t latest = instant + span.offset;
    while (span.from > instant - REACH) {
        span = zone_span_at(z, span.from - 1);
        latest = MAX(latest, span.to - 1 + span.offset);
    }
    return latest;
}

static int refuse(const char *name, struct error *err)
{
    char quoted[TYPED_MAX];
    if (is_plain(name) && access(ZONE_DIR "/UTC", F_OK) < 0)
        return error_set(err,
            "time zone %s cannot be looked up, there is no tz database in " ZONE_DIR
            ": install tzdata, or use UTC",
            typed(name, quoted));
    return error_set(err, "%s is not a time zone that this machine knows: a name as UTC or Europe/Berlin",
        typed(name, quoted));
}

/* The library says nothing of a broken file, so it is asked something. */
static int try_zone(const struct zone *z, struct error *err)
{
    char quoted[TYPED_MAX];
    _cleanup_free_ char *before = xstrdup(getenv("TZ"));
    set_tz(z->tz);
    bool known = ask(0, &z->found->last_offset);
    set_tz(before);
    if (known)
        return 0;
    return error_set(err, "time zone %s: its file in " ZONE_DIR " is broken; install tzdata again",
        typed(z->name, quoted));
}

int zone_open(const char *name, struct zone **ret_zone, struct error *err)
{
    bool utc = strcmp(name, "UTC") == 0;
    if (!utc && !is_zone_file(name))
        return refuse(name, err);
    _cleanup_(zone_freep) struct zone *z = xnew(struct zone);
    z->name = xstrdup(name);
    z->tz = utc ? NULL : xasprintf(":" ZONE_DIR "/%s", name);
    z->found = xnew(struct found);
    if (!utc && try_zone(z, err) < 0)
        return -1;
    *ret_zone = TAKE(z);
    return 0;
}

void zone_free(struct zone *z)
{
    if (!z)
        return;
    for (size_t i = 0; i < N_KEPT; i++)
        free(z->found->kept[i].spans);
    free(z->found);
    free(z->tz);
    free(z->name);
    free(z);
}

const char *zone_name(const struct zone *z)
{
    return z->name;
}
