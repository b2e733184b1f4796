#include "util/health.h"

#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#include <stdarg.h>

struct health {
    struct condition **conditions; /* sorted, gravest first */
    size_t n_conditions;
};

struct health *health_new(void)
{
    return xnew(struct health);
}

void health_free(struct health *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->n_conditions; i++)
        free(h->conditions[i]);
    free(h->conditions);
    free(h);
}

const char *severity_to_string(enum severity s)
{
    static const char *const names[] = {"note", "degraded", "failed"};
    return names[s];
}

static int by_gravity(const void *a, const void *b)
{
    const struct condition *x = *(struct condition *const *)a, *y = *(struct condition *const *)b;
    if (x->severity != y->severity)
        return x->severity < y->severity ? 1 : -1;
    return x->since_us < y->since_us ? -1 : x->since_us > y->since_us;
}

/* Names are kept as far as they fit, so a longer one is compared as far as that too: else it would be raised
 * anew each time and never be found to be cleared. */
static bool is_about(const struct condition *c, const char *subject)
{
    return strncmp(c->subject, subject, sizeof(c->subject) - 1) == 0;
}

static bool is_condition(const struct condition *c, const char *subject, const char *code)
{
    return is_about(c, subject) && strncmp(c->code, code, sizeof(c->code) - 1) == 0;
}

static struct condition *find(const struct health *h, const char *subject, const char *code)
{
    for (size_t i = 0; i < h->n_conditions; i++)
        if (is_condition(h->conditions[i], subject, code))
            return h->conditions[i];
    return NULL;
}

static struct condition *add(struct health *h, const char *subject, const char *code)
{
    struct condition *c = xnew(struct condition);
    snprintf(c->subject, sizeof(c->subject), "%s", subject);
    snprintf(c->code, sizeof(c->code), "%s", code);
    c->since_us = clock_wall_us();
    h->conditions = xrealloc(h->conditions, h->n_conditions + 1, sizeof(*h->conditions));
    h->conditions[h->n_conditions++] = c;
    return c;
}

static void say(const struct condition *c)
{
    enum log_level level = c->severity == SEVERITY_FAILED     ? LOG_LEVEL_ERROR
                           : c->severity == SEVERITY_DEGRADED ? LOG_LEVEL_WARNING
                                                              : LOG_LEVEL_NOTICE;
    log_line(level, "health", NULL, "%s: %s%s%s", c->subject, c->what, c->remedy[0] ? "; " : "", c->remedy);
}

void health_raise(struct health *h, const char *subject, const char *code, enum severity severity,
    const char *remedy, const char *fmt, ...)
{
    struct condition *c = find(h, subject, code);
    bool is_new = !c || c->severity != severity;
    if (!c)
        c = add(h, subject, code);
    c->severity = severity;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->what, sizeof(c->what), fmt, ap);
    va_end(ap);
    snprintf(c->remedy, sizeof(c->remedy), "%s", remedy ? remedy : "");
    qsort(h->conditions, h->n_conditions, sizeof(*h->conditions), by_gravity);
    if (is_new)
        say(c);
}

static void remove_at(struct health *h, size_t i)
{
    struct condition *c = h->conditions[i];
    char lasted[32];
    log_line(c->severity == SEVERITY_NOTE ? LOG_LEVEL_INFO : LOG_LEVEL_NOTICE, "health", NULL,
        "%s: over after %s: %s", c->subject, text_duration(clock_wall_us() - c->since_us, lasted), c->what);
    free(c);
    memmove(&h->conditions[i], &h->conditions[i + 1], (--h->n_conditions - i) * sizeof(*h->conditions));
}

void health_clear(struct health *h, const char *subject, const char *code)
{
    for (size_t i = 0; i < h->n_conditions; i++)
        if (is_condition(h->conditions[i], subject, code)) {
            remove_at(h, i);
            return;
        }
}

void health_clear_subject(struct health *h, const char *subject)
{
    for (size_t i = h->n_conditions; i-- > 0;)
        if (is_about(h->conditions[i], subject))
            remove_at(h, i);
}

size_t health_count(const struct health *h)
{
    return h->n_conditions;
}

const struct condition *health_at(const struct health *h, size_t i)
{
    return h->conditions[i];
}

bool health_ok(const struct health *h)
{
    return h->n_conditions == 0 || h->conditions[0]->severity == SEVERITY_NOTE;
}
