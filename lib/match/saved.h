#pragma once
/* Numbers that were saved as JSON. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdint.h>

/* A whole number from 0 on that a double holds exactly; -1: it is none. */
static inline int64_t saved_number(const cJSON *item)
{
    double n = item && cJSON_IsNumber(item) ? item->valuedouble : -1;
    return n >= 0 && n <= 9007199254740992.0 && floor(n) == n ? (int64_t)n : -1;
}
