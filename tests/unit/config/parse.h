#pragma once
/* What the tests of this room share: parse a text, and look at its mistakes. */
#include "../util/suite.h"
#include "config/config.h"
#include "util/buffer.h"

/* The least that a configuration needs. */
#define POSTGRES "postgres: {url: 'postgresql://dataeng@db/doctor_office'}\n"
#define STREAM(name, source)                                                                                 \
    "  " name ":\n"                                                                                          \
    "    source: " source "\n"                                                                               \
    "    table: claim\n"                                                                                     \
    "    columns: {id: id}\n"
#define CLAIM   STREAM("claim", "redis://localhost/0/claim")
#define MINIMAL POSTGRES "streams:\n" CLAIM

/* The mistakes as text, "f:LINE:COLUMN: words" each; "" when there is none. */
static inline char *mistakes_of_bytes(const char *text, size_t n)
{
    struct config *c = NULL;
    struct config_problems problems = {0};
    int result = config_parse("f", text, n, &c, &problems);
    ck_assert_int_eq(result, problems.n ? -1 : 0);
    ck_assert_int_eq(c == NULL, result != 0);
    char *words = config_problems_to_string("f", &problems);
    config_problems_done(&problems);
    config_free(c);
    return words;
}

static inline char *mistakes_of(const char *text)
{
    return mistakes_of_bytes(text, strlen(text));
}

/* Fails unless the text has exactly one mistake, at that place, and its words hold `words`. */
static inline void expect_mistake(const char *text, const char *place, const char *words)
{
    _cleanup_free_ char *found = mistakes_of(text);
    _cleanup_free_ char *start = xasprintf("f%s%s: ", *place ? ":" : "", place);
    char *end = strchr(found, '\n');
    ck_assert_msg(
        strncmp(found, start, strlen(start)) == 0, "at %s expected \"%s\", found: %s", place, words, found);
    ck_assert_msg(strstr(found, words) != NULL, "expected \"%s\", found: %s", words, found);
    ck_assert_msg(end && end[1] == '\0', "more than one mistake: %s", found);
}

static inline void expect_good(const char *text)
{
    _cleanup_free_ char *found = mistakes_of(text);
    ck_assert_str_eq(found, "");
}

static inline struct config *parse_good(const char *text)
{
    struct config *c = NULL;
    struct config_problems problems = {0};
    int result = config_parse("f", text, strlen(text), &c, &problems);
    ck_assert_msg(result == 0, "%s", problems.n ? problems.list[0].text : "");
    config_problems_done(&problems);
    return c;
}
