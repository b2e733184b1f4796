#include "grid.h"

#include "util/text.h"

#include <stdarg.h>

#define GAP 2

struct cell {
    char *words;
    enum style style;
    bool rest;
};

struct row {
    struct cell cells[GRID_MAX_COLUMNS];
    size_t n;
    char *block; /* or NULL; then there are no cells */
};

struct grid {
    const char *align;
    bool color;
    struct row *rows;
    size_t n_rows;
};

struct grid *grid_new(const char *align, bool color)
{
    struct grid *g = xnew(struct grid);
    g->align = align;
    g->color = color;
    grid_row(g);
    return g;
}

void grid_free(struct grid *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n_rows; i++) {
        free(g->rows[i].block);
        for (size_t j = 0; j < g->rows[i].n; j++)
            free(g->rows[i].cells[j].words);
    }
    free(g->rows);
    free(g);
}

void grid_row(struct grid *g)
{
    g->rows = xrealloc(g->rows, g->n_rows + 1, sizeof(*g->rows));
    g->rows[g->n_rows++] = (struct row){0};
}

void grid_block(struct grid *g, const char *text)
{
    grid_row(g);
    g->rows[g->n_rows - 1].block = xstrdup(text);
}

char *printable(const char *words)
{
    char *copy = xstrdup(words);
    for (unsigned char *c = (unsigned char *)copy; *c; c++) {
        /* U+0080 to U+009F are control characters too, two bytes each. */
        bool is_c1 = c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f;
        if (is_c1)
            c[1] = '?';
        if (strchr("\t\n\r", *c))
            *c = ' ';
        else if (*c < 0x20 || *c == 0x7f || is_c1)
            *c = '?';
    }
    return copy;
}

_printf_(4, 0) static void add_cell(struct grid *g, enum style style, bool rest, const char *fmt, va_list ap)
{
    struct row *row = &g->rows[g->n_rows - 1];
    _cleanup_free_ char *words = NULL;
    if (row->n >= strlen(g->align) || row->n == GRID_MAX_COLUMNS || vasprintf(&words, fmt, ap) < 0)
        return;
    row->cells[row->n++] = (struct cell){printable(words), style, rest};
}

void grid_cell(struct grid *g, enum style style, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_cell(g, style, false, fmt, ap);
    va_end(ap);
}

void grid_rest(struct grid *g, enum style style, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_cell(g, style, true, fmt, ap);
    va_end(ap);
}

void style_write(struct buffer *to, bool color, enum style style, const char *words)
{
    static const char *const codes[] = {
        [PLAIN] = "", [BOLD] = "1", [DIM] = "2", [RED] = "1;31", [GREEN] = "1;32", [YELLOW] = "1;33"};
    if (color && style != PLAIN)
        buffer_printf(to, "\033[%sm%s\033[0m", codes[style], words);
    else
        buffer_put_string(to, words);
}

static size_t width_of(const char *words)
{
    return text_utf8_length(words, strlen(words));
}

static void put_spaces(struct buffer *to, size_t n)
{
    while (n-- > 0)
        buffer_put(to, " ", 1);
}

static void write_row(const struct grid *g, const struct row *row, const size_t *widths, struct buffer *to)
{
    size_t owed = 0; /* spaces before the next words: a row ends without any */
    for (size_t j = 0; j < row->n; j++) {
        const struct cell *cell = &row->cells[j];
        size_t width = width_of(cell->words), fill = widths[j] > width ? widths[j] - width : 0;
        bool right = g->align[j] == 'r' && !cell->rest;
        if (width > 0) {
            put_spaces(to, owed + (right ? fill : 0));
            style_write(to, g->color, cell->style, cell->words);
            owed = 0;
        } else {
            owed += right ? fill : 0;
        }
        owed += (right ? 0 : fill) + GAP;
    }
    buffer_put(to, "\n", 1);
}

void grid_write(const struct grid *g, struct buffer *to)
{
    size_t widths[GRID_MAX_COLUMNS] = {0};
    for (size_t i = 0; i < g->n_rows; i++)
        for (size_t j = 0; j < g->rows[i].n; j++)
            if (!g->rows[i].cells[j].rest)
                widths[j] = MAX(widths[j], width_of(g->rows[i].cells[j].words));
    for (size_t i = 0; i < g->n_rows; i++)
        if (g->rows[i].block)
            buffer_put_string(to, g->rows[i].block);
        else if (g->rows[i].n > 0)
            write_row(g, &g->rows[i], widths, to);
}
