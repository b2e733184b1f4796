/*
 * Any text as a schedule. The first byte chooses the zone, the next five an instant between 1900 and 3000 (a
 * number of seconds, and what is left of it as a fraction); the rest is the text. What is taken must walk
 * forwards and come back the same way.
 */
#include "calendar/schedule.h"
#include "util/clock.h"

#include <stdbool.h>

#define HEAD   6
#define STEPS  4
#define FIRST  INT64_C(-2208988800)
#define PERIOD INT64_C(34712668800)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
    "Pacific/Apia", "Africa/Casablanca", "America/Havana", "Pacific/Kwajalein"};

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Between two neighbours there is no other, from wherever one looks. */
static void check_neighbours(const struct schedule *s, int64_t one, int64_t next)
{
    int64_t between = one + (next - one) / 2;
    require(schedule_next(s, one) == next && schedule_previous(s, next) == one);
    require(schedule_next(s, next - 1) == next && schedule_previous(s, one + 1) == one);
    if (between > one)
        require(schedule_next(s, between) == next && schedule_previous(s, between) == one);
}

static void walk(const struct schedule *s, int64_t at)
{
    int64_t before = schedule_previous(s, at), after = schedule_next(s, at - 1);
    require(before == INT64_MIN || before < at);
    require(after >= at);
    for (int i = 0; i < STEPS && before != INT64_MIN && after != INT64_MAX; i++) {
        check_neighbours(s, before, after);
        before = after;
        after = schedule_next(s, before);
        require(after > before);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    _cleanup_(schedule_freep) struct schedule *s = NULL;
    struct error err = {0};
    if (n < HEAD)
        return 0;
    int64_t at = 0;
    for (size_t i = 1; i < HEAD; i++)
        at = at << 8 | bytes[i];
    _cleanup_free_ char *text = xstrndup((const char *)bytes + HEAD, n - HEAD);
    if (schedule_parse(text, zones[bytes[0] % N_ELEMENTS(zones)], &s, &err) < 0) {
        require(err.text[0] != '\0');
        for (const char *p = err.text; *p; p++)
            require(*p >= ' ' && *p <= '~');
        return 0;
    }
    walk(s, (FIRST + at % PERIOD) * US_PER_SEC + at % US_PER_SEC);
    return 0;
}
