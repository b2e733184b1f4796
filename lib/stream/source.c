#include "stream/source.h"

/* Adding a source: its file, and its line here. */
static const struct source_ops *const sources[] = {&source_redis, &source_fifo};

const struct source_ops *source_for_url(const char *url, struct error *err)
{
    const char *end = strstr(url, "://");
    size_t n = end ? (size_t)(end - url) : 0;
    char known[128] = "";
    for (size_t i = 0; i < N_ELEMENTS(sources); i++) {
        const char *scheme = sources[i]->scheme;
        if (n == strlen(scheme) && memcmp(url, scheme, n) == 0)
            return sources[i];
        size_t at = strlen(known);
        snprintf(known + at, sizeof(known) - at, "%s%s://", i ? ", " : "", scheme);
    }
    if (!end)
        error_set(err, "a source is a URL that starts with one of %s", known);
    else
        error_set(
            err, "no source has the scheme \"%.*s\"; there are %s", (int)MIN(n, (size_t)40), url, known);
    return NULL;
}
