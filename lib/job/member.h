#pragma once
/*
 * Members of the JSON objects that the daemon and its workers exchange. A whole number is a JSON number where
 * every reader holds it exactly (up to 2^53), else a string of its digits; what reads them takes both.
 */
#include "util/error.h"

#include <stdbool.h>
#include <stdint.h>

struct cJSON;

void member_add_int(struct cJSON *object, const char *name, int64_t v);
void member_add_uint(struct cJSON *object, const char *name, uint64_t v);
/* The number as an item of its own, for arrays. */
struct cJSON *member_new_int(int64_t v);

/* false when the item is no whole number of that range, or NULL. Also of one that member_add_int() made. */
bool member_int(const struct cJSON *item, int64_t *ret);
bool member_uint(const struct cJSON *item, uint64_t *ret);
/* A word for people; false when it does not fit, or holds what a terminal would obey, or is no string. */
bool member_word(const struct cJSON *item, char *ret, size_t size);

/* One object of n bytes of UTF-8, with nothing behind it; the message does not quote it. what: "the spec". */
int member_parse_object(
    const char *text, size_t n, const char *what, struct cJSON **ret_object, struct error *err);
/* Its text on one line, a new string; the object is taken. */
char *member_print(struct cJSON *object);
