#include "util/error.h"

#include <stdarg.h>

int error_set(struct error *err, const char *fmt, ...)
{
    if (!err)
        return -1;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    return -1;
}

int error_prefix(struct error *err, const char *fmt, ...)
{
    if (!err)
        return -1;
    char words[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    struct error whole;
    int room = (int)(sizeof(whole.text) - strlen(words) - 3);
    snprintf(whole.text, sizeof(whole.text), "%s: %.*s", words, room, err->text);
    *err = whole;
    return -1;
}
