#pragma once
/* Small questions to the ephemeral DuckDB, and what a person is told. */
#include "db/load.h"
#include "job/harmonize/harmonize.h"

#include <stdarg.h>

/* The first row of the statement: n whole numbers. */
int harmonize_numbers(struct harmonize *h, const char *sql, size_t n, int64_t *ret, struct db_fault *fault);
/* How many rows there are in what SQL names so. */
int harmonize_count(struct harmonize *h, const char *rows, int64_t *ret, struct db_fault *fault);
/* Its rows as an array of objects, values as text or null, but for columns whose name is in `numbers` (NULL behind the last). */
int harmonize_rows(struct harmonize *h, const char *sql, const char *const *numbers, struct cJSON **ret_rows,
    struct db_fault *fault);
/* The columns of a table or view, in order: an array of strings. */
int harmonize_columns(struct harmonize *h, const char *schema, const char *table, struct cJSON **ret_columns,
    struct db_fault *fault);
/* One more of an array of strings, which is made where there is none. */
void harmonize_note_to(struct cJSON **notes, const char *fmt, va_list args) _printf_(2, 0);
/* One more of h->notes. */
void harmonize_note(struct harmonize *h, const char *fmt, ...) _printf_(2, 3);
