#pragma once
/* What the publisher was asked for. */
#include "outlet.h"

#define N_STREAMS 2
extern const char *const stream_names[N_STREAMS];

struct options {
    int transports[N_STREAMS]; /* TRANSPORT_… bits; 0: the stream is not published */
    const char *redis;
    const char *pipes[N_STREAMS];
    double rate;
    uint64_t count;
    double seconds;
    struct event_shares shares;
    uint64_t seed;
    int64_t start_id;
    const char *record;
    bool as_fields;
    bool wait_on_full;
    size_t pipeline;
};

/* Fills *o, which holds the defaults. An ENDED_… when the program is to end with it, or -1. */
int parse_options(int argc, char **argv, struct options *o);
