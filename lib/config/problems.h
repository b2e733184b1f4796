#pragma once
/* Collecting mistakes. Texts may quote what stands in the file, but only through quote_text(). */
#include "config/config.h"

#define PROBLEMS_MAX 100 /* a file that is wrong everywhere is not worth more */

void problem_add(struct config_problems *p, int line, int column, const char *fmt, ...) _printf_(4, 5);
/* In the order of the file. */
void problems_sort(struct config_problems *p);

#define QUOTE_MAX 72
/* "text" in quotes, safe to print: clipped, without control characters, and with passwords masked. */
const char *quote_text(const char *text, char out[QUOTE_MAX]);
