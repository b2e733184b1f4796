#pragma once
/*
 * A result of any length as an aligned table: as wide as its first 1,000 rows want, and from then on each row as it
 * comes. Long values are cut; whoever wants them whole asks for CSV or JSON.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct sheet;

/* names: of n columns. */
struct sheet *sheet_new(FILE *to, bool color, size_t n, const char *const *names);
/* NULL: there is no value. */
void sheet_row(struct sheet *s, const char *const *cells);
/* Writes what is held back. */
void sheet_end(struct sheet *s);
void sheet_free(struct sheet *s);
