#include "stream/tally.h"

#include "util/clock.h"

void tally_init(struct tally *t)
{
    *t = (struct tally){.totals = {-1, -1, -1, -1, -1, -1}};
}

void tally_delivered(struct tally *t)
{
    t->per_second[t->second]++;
    t->delivered++;
}

static void add(struct stream_totals *to, const struct outcome *o)
{
    to->delivered += o->delivered;
    to->inserted += o->inserted;
    to->duplicate += o->duplicate;
    to->dead += o->dead;
    to->parked += o->parked;
    to->dead_letters += o->dead_letters;
}

void tally_committed(struct tally *t, const struct outcome *o)
{
    if (t->totals.delivered >= 0)
        add(&t->totals, o);
    t->commits++;
    t->last_commit_us = clock_wall_us();
    t->commit_us_mean = t->commit_us_mean ? (t->commit_us_mean * 7 + o->took_us) / 8 : o->took_us;
}

void tally_written(struct tally *t, size_t n_items)
{
    t->batches++;
    t->batch_rows_max = MAX(t->batch_rows_max, (int64_t)n_items);
}

void tally_tick(struct tally *t)
{
    t->second = (t->second + 1) % TALLY_SECONDS;
    t->per_second[t->second] = 0;
}

double tally_rate(const struct tally *t)
{
    uint64_t n = 0;
    for (size_t i = 0; i < TALLY_SECONDS; i++)
        n += i == t->second ? 0 : t->per_second[i];
    return (double)n / (TALLY_SECONDS - 1);
}

void tally_take_totals(struct tally *t, const struct stream_totals *totals, uint64_t commits)
{
    if (commits == t->commits)
        t->totals = *totals;
}
