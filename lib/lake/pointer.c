/* The published pointer: which versions of the tables belong together. The newest has the greatest number. */
#include "lake/inside.h"

#include "util/text.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

#define POINTER_MAX ((size_t)4 << 20)

static char *pointer_key(int64_t number)
{
    return xasprintf(POINTER_FOLDER "%020" PRId64 ".json", number);
}

static bool take_number(void *arg, const struct store_object *object)
{
    int64_t *newest = arg;
    const char *rest;
    int64_t number = lake_key_version(object->key + strlen(POINTER_FOLDER), &rest);
    if (number > *newest && strcmp(rest, ".json") == 0)
        *newest = number;
    return true;
}

static bool has_versions(const cJSON *pointer)
{
    const cJSON *tables = cJSON_GetObjectItemCaseSensitive(pointer, "tables"), *table;
    cJSON_ArrayForEach(table, tables)
    {
        const cJSON *version = cJSON_GetObjectItemCaseSensitive(table, "version");
        if (!cJSON_IsNumber(version) || version->valuedouble < 0 || version->valuedouble > 1e15 ||
            version->valuedouble != (double)(int64_t)version->valuedouble)
            return false;
    }
    return cJSON_IsObject(tables);
}

int lake_pointer_read(struct lake *l, int64_t number, cJSON **ret_pointer, struct db_fault *fault)
{
    struct store_fault broken;
    size_t n;
    _cleanup_free_ char *key = pointer_key(number), *text = NULL;
    if (store_get(l->store, key, POINTER_MAX, &text, &n, &broken) < 0)
        return lake_store_fault(fault, &broken);
    bool sound = text_is_utf8(text, n) && strlen(text) == n;
    cJSON *pointer = sound ? cJSON_ParseWithLengthOpts(text, n + 1, NULL, true) : NULL;
    if (has_versions(pointer)) {
        *ret_pointer = pointer;
        return 0;
    }
    cJSON_Delete(pointer);
    return lake_fault(fault, false,
        "%s of %s is damaged, it does not say the version of each table: restore it, or remove it, and what "
        "the one "
        "before it says is published",
        key, store_label(l->store));
}

int lake_published(struct lake *l, int64_t *ret_number, struct cJSON **ret_pointer, struct db_fault *fault)
{
    struct store_fault broken;
    int64_t newest = 0;
    cJSON *pointer = NULL;
    *fault = (struct db_fault){0};
    if (store_list(l->store, POINTER_FOLDER, NULL, take_number, &newest, &broken) < 0 && !broken.absent)
        return lake_store_fault(fault, &broken);
    if (newest > 0 && lake_pointer_read(l, newest, &pointer, fault) < 0)
        return -1;
    *ret_number = newest;
    *ret_pointer = pointer;
    return 0;
}

static int overtaken(struct lake *l, const char *key, bool *ret_lost, struct db_fault *fault)
{
    *ret_lost = true;
    return lake_fault(fault, true,
        "another program has published %s of %s at the same time: this run begins anew from that", key,
        store_label(l->store));
}

int lake_check_published(struct lake *l, int64_t number, bool *ret_lost, struct db_fault *fault)
{
    struct store_fault broken;
    struct store_object next;
    *fault = (struct db_fault){0};
    *ret_lost = false;
    _cleanup_free_ char *key = pointer_key(number + 1);
    if (store_head(l->store, key, &next, &broken) == 0)
        return overtaken(l, key, ret_lost, fault);
    return broken.absent ? 0 : lake_store_fault(fault, &broken);
}

/* Of an attempt before this one, whose answer never came. */
static int is_our_own(
    struct lake *l, const char *key, const char *text, bool *ret_own, struct db_fault *fault)
{
    struct store_fault broken;
    size_t n;
    _cleanup_free_ char *there = NULL;
    if (store_get(l->store, key, POINTER_MAX, &there, &n, &broken) < 0)
        return lake_store_fault(fault, &broken);
    *ret_own = n == strlen(text) && memcmp(there, text, n) == 0;
    return 0;
}

int lake_publish(
    struct lake *l, int64_t number, const struct cJSON *pointer, bool *ret_lost, struct db_fault *fault)
{
    struct store_fault broken;
    *fault = (struct db_fault){0};
    *ret_lost = false;
    _cleanup_free_ char *key = pointer_key(number + 1);
    _cleanup_free_ char *text = cJSON_PrintUnformatted(pointer);
    if (!text || !has_versions(pointer))
        return lake_fault(fault, false, "what is to be published does not say the version of each table");
    if (store_put_new(l->store, key, text, strlen(text), &broken) == 0)
        return 0;
    bool own = false;
    if (!broken.exists)
        return lake_store_fault(fault, &broken);
    if (is_our_own(l, key, text, &own, fault) < 0)
        return -1;
    return own ? 0 : overtaken(l, key, ret_lost, fault);
}
