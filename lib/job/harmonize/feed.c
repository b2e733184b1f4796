#include "job/harmonize/feed.h"

#include "job/harmonize/ask.h"

#include <cjson/cJSON.h>
#include <stdarg.h>

void feed_note(struct feed *f, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    harmonize_note_to(&f->notes, fmt, args);
    va_end(args);
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    f->driver->close(f);
    cJSON_Delete(TAKE(f->notes));
    cJSON_Delete(TAKE(f->remembered));
    f->driver->free(f);
}
