/* What all drivers' faults have in common. */
#include "db/driver.h"

#include "util/text.h"

#include <stdarg.h>

int db_fault_set(struct db_fault *fault, const char *sqlstate, bool transient, const char *fmt, ...)
{
    if (fault->error.text[0])
        return -1;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(fault->error.text, sizeof(fault->error.text), fmt, ap);
    va_end(ap);
    text_make_printable(fault->error.text);
    snprintf(fault->sqlstate, sizeof(fault->sqlstate), "%s", sqlstate ? sqlstate : "");
    fault->transient = transient;
    return -1;
}

int db_fault_given_up(struct db_fault *fault, const char *label)
{
    return db_fault_set(
        fault, "", false, "%s: given up: whoever takes the result wanted no more of it", label);
}

bool db_sqlstate_among(const char *sqlstate, const char *const *prefixes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(sqlstate, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

int db_line_of(const char *sql, long position)
{
    int line = 1;
    long at = 0;
    for (const char *p = sql; *p; p++) {
        if (((unsigned char)*p & 0xC0) != 0x80 && ++at >= position)
            break;
        line += *p == '\n';
    }
    return line;
}
