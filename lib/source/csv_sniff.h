#pragma once
/* What the beginning of a file tells: whether it can be CSV at all, and what parts its cells. */
#include <stdbool.h>
#include <stddef.h>

#define CSV_SNIFF_MIN 64 /* bytes that are enough to know another format by */

/* Begin with zeros. */
struct csv_sniff {
    size_t at; /* so far; in the end the end of the header */
    bool in_quotes, has_text, is_done;
    size_t counts[4];
};

/* Looks at the bytes it has not seen, of n in all. True: that was enough, more bytes would change nothing. */
bool csv_sniff_more(struct csv_sniff *s, const char *p, size_t n);
/* The delimiter that the header has most of; a comma when it has none. */
char csv_sniff_delimiter(const struct csv_sniff *s);
/* "a PDF", …, and what to do about it; false when it may be CSV. */
bool csv_sniff_foreign(
    const struct csv_sniff *s, const char *p, size_t n, const char **ret_what, const char **ret_remedy);
/* A beginning that only JSON has. */
bool csv_sniff_json(const char *p, size_t n);
