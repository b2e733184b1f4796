#include "fetch/inside.h"

#include "util/text.h"

#include <stdarg.h>

static int set(struct fetch_fault *fault, const char *fmt, va_list ap) _printf_(2, 0);
static int set(struct fetch_fault *fault, const char *fmt, va_list ap)
{
    vsnprintf(fault->error.text, sizeof(fault->error.text), fmt, ap);
    text_make_printable(fault->error.text);
    return -1;
}

int fetch_fault_set(struct fetch_fault *fault, bool transient, const char *fmt, ...)
{
    if (fault->error.text[0])
        return -1;
    va_list ap;
    va_start(ap, fmt);
    set(fault, fmt, ap);
    va_end(ap);
    fault->transient = transient;
    return -1;
}

int fetch_fault_changed(struct fetch_fault *fault, const char *fmt, ...)
{
    if (fault->error.text[0])
        return -1;
    va_list ap;
    va_start(ap, fmt);
    set(fault, fmt, ap);
    va_end(ap);
    fault->transient = fault->changed = true;
    return -1;
}
