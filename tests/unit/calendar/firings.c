/*
 * Prints firings for tests/integration/test_calendar.py, in seconds since 1970-01-01T00:00:00Z.
 *
 *   firings ZONE SCHEDULE FROM TO   those in [FROM, TO): going forwards, an empty line, going backwards
 *   firings ZONE SCHEDULE           for each instant on standard input, in microseconds: the previous and the
 *                                   next one
 */
#include "calendar/schedule.h"
#include "util/clock.h"

#include <inttypes.h>
#include <stdbool.h>

/* A chain that turns back would never end. */
static void print_firing(int64_t at, bool advances)
{
    if (!advances) {
        fprintf(stderr, "stuck at %" PRId64 "\n", at);
        exit(3);
    }
    printf("%" PRId64 "\n", at / US_PER_SEC);
}

static void print_chains(const struct schedule *s, int64_t from, int64_t to)
{
    int64_t at, last = from - 1;
    for (; (at = schedule_next(s, last)) < to; last = at)
        print_firing(at, at > last);
    printf("\n");
    for (last = to; (at = schedule_previous(s, last)) >= from; last = at)
        print_firing(at, at < last);
}

static void print_neighbours(const struct schedule *s)
{
    int64_t at;
    while (scanf("%" SCNd64, &at) == 1)
        printf("%" PRId64 " %" PRId64 "\n", schedule_previous(s, at) / US_PER_SEC,
            schedule_next(s, at) / US_PER_SEC);
}

int main(int argc, char **argv)
{
    _cleanup_(schedule_freep) struct schedule *s = NULL;
    struct error err;
    if (argc != 3 && argc != 5) {
        fprintf(stderr, "usage: firings ZONE SCHEDULE [FROM TO]\n");
        return 2;
    }
    if (schedule_parse(argv[2], argv[1], &s, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (argc == 5)
        print_chains(s, atoll(argv[3]) * US_PER_SEC, atoll(argv[4]) * US_PER_SEC);
    else
        print_neighbours(s);
    return 0;
}
