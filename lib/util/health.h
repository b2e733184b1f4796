#pragma once
/*
 * What is wrong, since when, and what to do about it: a short list of conditions that rooms raise and clear,
 * and that status, /healthz and the metrics show. Raising one that stands already keeps its `since`; a
 * condition is logged once when it comes and once when it goes.
 */
#include "util/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

enum severity {
    SEVERITY_NOTE,     /* worth knowing; still healthy */
    SEVERITY_DEGRADED, /* something does not work now; nothing is lost */
    SEVERITY_FAILED,   /* a person has to act */
};

struct condition {
    char subject[64]; /* what it is about: "stream claim", "postgres" */
    char code[32];    /* which condition of that subject: "refused", "away" */
    enum severity severity;
    int64_t since_us; /* wall clock */
    char what[512];   /* what is wrong */
    char remedy[256]; /* what to do */
};

struct health;

struct health *health_new(void);
void health_free(struct health *h);
DEFINE_CLEANUP(struct health *, health_freep, health_free)

/* The words are "what is wrong"; the remedy may be NULL. Never holds row data. */
void health_raise(struct health *h, const char *subject, const char *code, enum severity severity,
    const char *remedy, const char *fmt, ...) _printf_(6, 7);
void health_clear(struct health *h, const char *subject, const char *code);
/* Clears every condition of the subject, as when the stream is gone. */
void health_clear_subject(struct health *h, const char *subject);

size_t health_count(const struct health *h);
/* The i-th condition, gravest first; valid until the next raise or clear. */
const struct condition *health_at(const struct health *h, size_t i);
/* No condition graver than a note. */
bool health_ok(const struct health *h);
const char *severity_to_string(enum severity s);
