#include "job/harmonize/feed.h"

#include <cjson/cJSON.h>
#include <stdarg.h>

void feed_note(struct feed *f, const char *fmt, ...)
{
    char *note = NULL;
    va_list args;
    va_start(args, fmt);
    if (vasprintf(&note, fmt, args) < 0)
        abort();
    va_end(args);
    if (!f->notes)
        f->notes = cJSON_CreateArray();
    cJSON_AddItemToArray(f->notes, cJSON_CreateString(note));
    free(note);
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
