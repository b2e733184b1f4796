#include "job/match_watch.h"

#include <cjson/cJSON.h>

struct watch {
    struct source base;
    struct source *source;
    bool *seen;
    size_t n_seen;
};

static struct watch *watch_of(const struct source *s)
{
    return (struct watch *)(uintptr_t)s; /* its first field */
}

static int watch_next(struct source *s, struct source_row *ret_row, struct source_fault *fault)
{
    struct watch *w = watch_of(s);
    int got = source_next(w->source, ret_row, fault);
    if (got <= 0 || ret_row->reason || w->n_seen == s->n_columns)
        return got;
    for (size_t i = 0; i < ret_row->n_cells; i++)
        if (ret_row->cells[i].p && !w->seen[i]) {
            w->seen[i] = true;
            w->n_seen++;
        }
    return got;
}

static void watch_facts(const struct source *s, struct source_facts *ret_facts)
{
    const struct source *inner = watch_of(s)->source;
    inner->driver->facts(inner, ret_facts);
}

static const char *watch_raw(struct source *s, size_t *ret_n)
{
    struct source *inner = watch_of(s)->source;
    return inner->driver->raw ? inner->driver->raw(inner, ret_n) : NULL;
}

static void watch_free(struct source *s)
{
    struct watch *w = watch_of(s);
    source_free(w->source);
    free(w->seen);
    free(w);
}

struct source *watch_source(struct source *source, const cJSON *seen)
{
    static const struct source_driver driver = {watch_next, watch_facts, watch_free, watch_raw};
    struct watch *w = xnew(struct watch);
    w->base = (struct source){&driver, source->columns, source->n_columns};
    w->source = source;
    w->seen = xcalloc(source->n_columns + 1, sizeof(bool));
    for (const cJSON *c = seen ? seen->child : NULL; c; c = c->next)
        for (size_t i = 0; i < source->n_columns; i++)
            if (cJSON_IsString(c) && strcmp(c->valuestring, source->columns[i]) == 0 && !w->seen[i]) {
                w->seen[i] = true;
                w->n_seen++;
            }
    return &w->base;
}

struct source *watched(const struct source *watch)
{
    return watch_of(watch)->source;
}

cJSON *watch_seen(const struct source *watch)
{
    const struct watch *w = watch_of(watch);
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < watch->n_columns; i++)
        if (w->seen[i])
            cJSON_AddItemToArray(list, cJSON_CreateString(watch->columns[i]));
    return list;
}
