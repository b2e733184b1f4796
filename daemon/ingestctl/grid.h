#pragma once
/* Rows of words in aligned columns, as wide as what stands in them. Colours take no width. */
#include "util/buffer.h"

#include <stdbool.h>

enum style { PLAIN, BOLD, DIM, RED, GREEN, YELLOW };

struct grid;

#define GRID_MAX_COLUMNS 40

/* align: one letter a column, 'l' or 'r'. */
struct grid *grid_new(const char *align, bool color);
void grid_free(struct grid *g);
DEFINE_CLEANUP(struct grid *, grid_freep, grid_free)

/* The next cell of the row that is being filled. */
void grid_cell(struct grid *g, enum style style, const char *fmt, ...) _printf_(3, 4);
/* The last cell of a row, of any width: the columns do not follow it. */
void grid_rest(struct grid *g, enum style style, const char *fmt, ...) _printf_(3, 4);
/* Text that stands between the rows as it is: whole lines, whose columns are their own. */
void grid_block(struct grid *g, const char *text);
/* Begins the next row; cells that were not filled stay empty. */
void grid_row(struct grid *g);

void grid_write(const struct grid *g, struct buffer *to);

/* One word in a style. */
void style_write(struct buffer *to, bool color, enum style style, const char *words);
/* A copy in which nothing can steer a terminal: control characters become '?', line ends and tabs
 * blanks. */
char *printable(const char *words);
