#include "job/job.h"

#include <stdarg.h>

int job_refuse(struct db_fault *fault, const char *fmt, ...)
{
    *fault = (struct db_fault){0};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(fault->error.text, sizeof(fault->error.text), fmt, ap);
    va_end(ap);
    return -1;
}
