/*
 * ingest-demo-publisher: the practice's software, made up. It publishes claims and diagnoses to Redis Streams
 * or named pipes at a rate of so many per stream and second, or as fast as can be, which makes it the load
 * generator too. What it published can be recorded line by line, so that a test can compare row by row.
 */
#include "options.h"
#include "record.h"

#include "util/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

volatile sig_atomic_t stopping;

struct publisher {
    const struct options *o;
    struct event_maker *makers[N_STREAMS];
    struct pipe_outlet *pipes[N_STREAMS];
    struct redis_outlet *redis;
    struct record *record;
    uint64_t n_sent[N_STREAMS], n_bad[N_STREAMS];
    int64_t started_us;
};

static void end_in_order(int sig)
{
    stopping = 1;
}

static int open_outlets(struct publisher *p, struct error *err)
{
    const struct options *o = p->o;
    int all = o->transports[0] | o->transports[1];
    if (o->record && record_open(o->record, &p->record, err) < 0)
        return -1;
    if ((all & TRANSPORT_REDIS) && redis_outlet_open(o->redis, o->pipeline, o->as_fields, &p->redis, err) < 0)
        return -1;
    for (size_t i = 0; i < N_STREAMS; i++)
        if ((o->transports[i] & TRANSPORT_PIPE) &&
            pipe_outlet_make(o->pipes[i], o->wait_on_full, &p->pipes[i], err) < 0)
            return -1;
    for (size_t i = 0; i < N_STREAMS; i++)
        if (p->pipes[i] && pipe_outlet_open(p->pipes[i], err) < 0)
            return -1;
    return 0;
}

/* One event of stream i; an ENDED_… */
static int publish(struct publisher *p, size_t i, struct error *err)
{
    const struct event *e = event_make(p->makers[i]);
    if ((p->o->transports[i] & TRANSPORT_REDIS) && redis_outlet_send(p->redis, e, err) < 0)
        return ENDED_FAILED;
    int ended = p->pipes[i] ? pipe_outlet_send(p->pipes[i], e, err) : ENDED_WELL;
    /* Of a frame that broke off nobody knows how much arrived: it is not on record, but for the one we were
     * asked to cut. */
    if (p->record && (ended == ENDED_WELL || e->fault == FRAME_CUT))
        record_event(p->record, e);
    if (ended == ENDED_WELL)
        p->n_sent[i]++;
    p->n_bad[i] += !e->good;
    return ended;
}

/* Waits until it is time for the events of round n, with nothing left unsent. Who is late does not wait, nor
 * send one by one. */
static int await_round(const struct publisher *p, uint64_t n, struct error *err)
{
    int64_t at = p->started_us + (int64_t)((double)n * 1e6 / p->o->rate);
    struct timespec ts = {.tv_sec = at / US_PER_SEC, .tv_nsec = at % US_PER_SEC * 1000};
    if (clock_mono_us() >= at)
        return 0;
    if (p->redis && redis_outlet_flush(p->redis, err) < 0)
        return -1;
    while (!stopping && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
        continue;
    return 0;
}

static bool is_over(const struct publisher *p, uint64_t n)
{
    if (stopping || (p->o->count && n >= p->o->count))
        return true;
    return p->o->seconds > 0 && (double)(clock_mono_us() - p->started_us) >= p->o->seconds * 1e6;
}

/* Round after round, one event of each stream in each. */
static int publish_all(struct publisher *p, struct error *err)
{
    p->started_us = clock_mono_us();
    for (uint64_t n = 0; !is_over(p, n); n++) {
        if (p->o->rate > 0 && await_round(p, n, err) < 0)
            return ENDED_FAILED;
        for (size_t i = 0; i < N_STREAMS && !stopping; i++) {
            int ended = p->o->transports[i] ? publish(p, i, err) : ENDED_WELL;
            if (ended != ENDED_WELL)
                return ended;
        }
    }
    return ENDED_WELL;
}

static int close_outlets(struct publisher *p, int ended, struct error *err)
{
    if (!redis_outlet_close(p->redis, ended == ENDED_WELL ? err : NULL) && ended == ENDED_WELL)
        ended = ENDED_FAILED;
    for (size_t i = 0; i < N_STREAMS; i++) {
        pipe_outlet_close(p->pipes[i]);
        event_maker_free(p->makers[i]);
    }
    if (!record_close(p->record, ended == ENDED_WELL ? err : NULL) && ended == ENDED_WELL)
        ended = ENDED_FAILED;
    return ended;
}

static void say_summary(const struct publisher *p)
{
    double seconds = p->started_us ? (double)(clock_mono_us() - p->started_us) / 1e6 : 0;
    printf("published");
    for (size_t i = 0; i < N_STREAMS; i++)
        if (p->o->transports[i])
            printf(" %s=%" PRIu64 " (bad %" PRIu64 ")", stream_names[i], p->n_sent[i], p->n_bad[i]);
    printf(
        " in %.2f s, %.0f/s\n", seconds, seconds > 0 ? (double)(p->n_sent[0] + p->n_sent[1]) / seconds : 0.0);
}

int main(int argc, char **argv)
{
    struct options o = {
        .redis = "redis://127.0.0.1:6379/0",
        .pipes = {"./claim-pipe", "./diagnose-pipe"},
        .rate = 0.5,
        .shares = {.again = 0.10, .unknown_patient = 0.001},
        .seed = 1,
    };
    int ended = parse_options(argc, argv, &o);
    if (ended >= 0)
        return ended;
    struct sigaction stop = {.sa_handler = end_in_order};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);

    struct error err = {0};
    struct publisher p = {.o = &o};
    for (size_t i = 0; i < N_STREAMS; i++) {
        p.makers[i] = event_maker_new(stream_names[i], o.seed, o.start_id, o.transports[i], &o.shares);
        if (!p.makers[i]) {
            fprintf(
                stderr, "--poison-kinds %s: no such kind for this transport; see --help\n", o.shares.kinds);
            return ENDED_USAGE;
        }
    }
    ended = open_outlets(&p, &err) < 0 ? ENDED_FAILED : publish_all(&p, &err);
    ended = close_outlets(&p, ended, &err);
    say_summary(&p);
    if (ended != ENDED_WELL)
        fprintf(stderr, "ingest-demo-publisher: %s\n", err.text);
    return ended;
}
