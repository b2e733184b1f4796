#pragma once
/*
 * The events of a doctor's office, made up: claims and diagnoses with the practice's own codes and prices,
 * its re-used ids, its now and then unknown patient and, when asked for, every kind of bad event there is.
 * The same seed makes the same events.
 */
#include "util/buffer.h"

#define EVENT_MAX_FIELDS 4

/* What is wrong with the event's pipe frame, beyond its payload. */
enum frame_fault {
    FRAME_WHOLE,
    FRAME_HUGE, /* the length cannot be true */
    FRAME_CUT,  /* the pipe is closed in the middle */
};

struct event_field {
    const char *name;
    char value[24];
};

struct event {
    const char *stream;
    const char *kind; /* "event", "again", "unknown_patient", or the name of a kind of poison */
    bool good;        /* it is a row, or the later delivery of one */
    bool no_data;     /* Redis: to be sent without its field `data` */
    enum frame_fault fault;
    struct buffer payload;
    struct event_field fields[EVENT_MAX_FIELDS]; /* the same, one a column */
    size_t n_fields;                             /* 0: only the payload can say it */
};

enum transport { TRANSPORT_REDIS = 1, TRANSPORT_PIPE = 2 };

struct event_shares {
    double again;           /* an earlier id with other values */
    double unknown_patient; /* patient 0 */
    double poison;          /* a bad event */
    const char *kinds;      /* "a,b": only these kinds of poison; NULL: all that harm no other event */
};

struct event_maker;

/* stream: "claim" or "diagnose". transports: what the events must fit. NULL when no kind of poison fits. */
struct event_maker *event_maker_new(
    const char *stream, uint64_t seed, int64_t first_id, int transports, const struct event_shares *shares);
void event_maker_free(struct event_maker *m);
/* The next event, valid until the one after. */
const struct event *event_make(struct event_maker *m);

/* Calls say with the name and meaning of each kind of poison. */
void poison_list(void (*say)(const char *name, const char *meaning));
