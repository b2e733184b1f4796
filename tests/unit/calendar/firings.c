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

static void print_chains(const struct schedule *s, int64_t from, int64_t to)
{
    for (int64_t at = schedule_next(s, from - 1); at < to; at = schedule_next(s, at))
        printf("%" PRId64 "\n", at / US_PER_SEC);
    printf("\n");
    for (int64_t at = schedule_previous(s, to); at >= from; at = schedule_previous(s, at))
        printf("%" PRId64 "\n", at / US_PER_SEC);
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
