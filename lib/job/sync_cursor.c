#include "job/sync_cursor.h"

#include "job/member.h"
#include "util/cleanup.h"

#include <cjson/cJSON.h>

#define UPDATED "updated"
#define SINCE   "since"
#define FIELDS  "fields"

char *sync_cursor_write(const struct job_rest *rest, const char *since)
{
    if (!since || !rest->updated)
        return NULL;
    cJSON *cursor = cJSON_CreateObject();
    cJSON_AddStringToObject(cursor, UPDATED, rest->updated);
    cJSON_AddStringToObject(cursor, SINCE, since);
    cJSON *fields = rest->fields.n > 0 ? cJSON_AddArrayToObject(cursor, FIELDS) : NULL;
    for (size_t i = 0; i < rest->fields.n; i++)
        cJSON_AddItemToArray(fields, cJSON_CreateString(rest->fields.list[i]));
    return member_print(cursor);
}

static bool has(const cJSON *fields, const char *word)
{
    const cJSON *field;
    cJSON_ArrayForEach(field, fields)
    {
        if (cJSON_IsString(field) && strcmp(field->valuestring, word) == 0)
            return true;
    }
    return false;
}

/* What is kept now, and was not of the rows that have not changed since. A new string. */
static char *more_fields(const struct job_rest *rest, const cJSON *fields)
{
    if (!fields)
        return NULL;
    if (rest->fields.n == 0)
        return xstrdup("all members are kept now, and were not before");
    for (size_t i = 0; i < rest->fields.n; i++)
        if (!has(fields, rest->fields.list[i]))
            return xasprintf("the field %.100s is a new one", rest->fields.list[i]);
    return NULL;
}

static char *judge(const struct job_rest *rest, const cJSON *cursor, char **ret_since)
{
    const cJSON *updated = cJSON_GetObjectItemCaseSensitive(cursor, UPDATED),
                *since = cJSON_GetObjectItemCaseSensitive(cursor, SINCE);
    if (!cJSON_IsString(updated) || !cJSON_IsString(since))
        return xstrdup("the last one left no cursor that can be read");
    if (strcmp(updated->valuestring, rest->updated) != 0)
        return xasprintf("the last one's cursor is of %.100s", updated->valuestring);
    char *why = more_fields(rest, cJSON_GetObjectItemCaseSensitive(cursor, FIELDS));
    if (!why)
        *ret_since = xstrdup(since->valuestring);
    return why;
}

char *sync_cursor_read(const struct job_rest *rest, const char *cursor, char **ret_since)
{
    struct error ignored;
    cJSON *object = NULL;
    if (member_parse_object(cursor, strlen(cursor), "the cursor", &object, &ignored) < 0)
        object = NULL;
    char *why = judge(rest, object, ret_since);
    cJSON_Delete(object);
    return why;
}
