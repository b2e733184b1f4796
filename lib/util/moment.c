#include "util/moment.h"

#include "util/clock.h"
#include "util/date.h"

#include <ctype.h>

static const char midnight[] = " 00:00:00";

/* "2026-11-21 13:45:10", and up to six digits behind a point. */
static bool has_shape(const char *text)
{
    static const char shape[] = "0000-00-00 00:00:00.000000";
    size_t n = strlen(text);
    if (n != 19 && (n < 21 || n > 26))
        return false;
    for (size_t i = 0; i < n; i++)
        if (shape[i] == '0' ? !isdigit((unsigned char)text[i]) : text[i] != shape[i])
            return false;
    return true;
}

static bool is_time(const char *text)
{
    char day[DATE_SIZE], whole[MOMENT_SIZE + 1];
    int64_t ignored;
    if (!has_shape(text))
        return false;
    snprintf(day, sizeof(day), "%.10s", text);
    snprintf(whole, sizeof(whole), "%.26sZ", text);
    return date_is_good(day) && clock_parse_utc(whole, &ignored) == 0;
}

enum moment_kind moment_read(const char *text, char ret[MOMENT_SIZE])
{
    enum moment_kind kind = date_is_good(text) ? MOMENT_DAY : is_time(text) ? MOMENT_TIME : MOMENT_NONE;
    if (kind == MOMENT_NONE)
        return kind;
    snprintf(ret, MOMENT_SIZE, "%s", text);
    moment_tidy(ret, false);
    return kind;
}

void moment_tidy(char *text, bool day)
{
    size_t n = strlen(text);
    if (strchr(text, '.')) {
        while (text[n - 1] == '0')
            n--;
        n -= text[n - 1] == '.';
        text[n] = '\0';
    }
    if (day && n > strlen(midnight) && strcmp(text + n - strlen(midnight), midnight) == 0)
        text[n - strlen(midnight)] = '\0';
}
