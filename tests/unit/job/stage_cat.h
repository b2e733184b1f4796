#pragma once
/* What the files of stage_cat share. */
#include <cjson/cJSON.h>

static inline const char *word(const cJSON *from, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(from, name));
}

static inline int number(const cJSON *from, const char *name, int otherwise)
{
    const cJSON *n = cJSON_GetObjectItem(from, name);
    return n ? n->valueint : otherwise;
}
