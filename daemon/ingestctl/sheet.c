#include "sheet.h"

#include "grid.h"
#include "util/text.h"

#define LOOK_AT   1000 /* rows */
#define WIDEST    60   /* characters of a value */
#define GAP_WORDS "  "

struct sheet {
    FILE *to;
    bool color;
    size_t n;
    char **held; /* n cells a row, the names first; NULL: no value */
    size_t n_held;
    size_t *widths;
    bool *numbers; /* nothing else stands in the column */
    bool flows;    /* the widths are fixed */
};

/* At most WIDEST characters, with nothing in them that a terminal would obey. A new string; NULL stays NULL. */
static char *shorten(const char *cell)
{
    if (!cell)
        return NULL;
    size_t n = 0, at = 0;
    for (; cell[at]; at++)
        if (((unsigned char)cell[at] & 0xc0) != 0x80 && n++ == WIDEST)
            break;
    _cleanup_free_ char *part = cell[at] ? xasprintf("%.*s…", (int)at, cell) : xstrdup(cell);
    return printable(part);
}

static bool is_number(const char *cell)
{
    char *end;
    strtod(cell, &end);
    return *cell && *end == '\0' && cell[strspn(cell, "0123456789+-.eE")] == '\0';
}

static size_t width_of(const char *cell)
{
    return cell ? text_utf8_length(cell, strlen(cell)) : 1;
}

struct sheet *sheet_new(FILE *to, bool color, size_t n, const char *const *names)
{
    struct sheet *s = xnew(struct sheet);
    *s = (struct sheet){.to = to, .color = color, .n = n};
    s->held = xcalloc(n * (LOOK_AT + 1), sizeof(char *));
    s->widths = xcalloc(n, sizeof(size_t));
    s->numbers = xcalloc(n, sizeof(bool));
    for (size_t i = 0; i < n; i++) {
        s->held[i] = shorten(names[i]);
        s->widths[i] = width_of(s->held[i]);
        s->numbers[i] = true;
    }
    s->n_held = 1;
    return s;
}

static void put_row(struct sheet *s, char *const *cells, bool head)
{
    _cleanup_buffer_ struct buffer line = {0};
    size_t owed = 0; /* blanks before the next words: a line ends without any */
    for (size_t i = 0; i < s->n; i++) {
        const char *words = cells[i] ? cells[i] : "-";
        size_t width = width_of(cells[i]), fill = s->widths[i] > width ? s->widths[i] - width : 0;
        size_t before = owed + (s->numbers[i] ? fill : 0);
        if (*words) {
            buffer_printf(&line, "%*s", (int)before, "");
            style_write(&line, s->color, head ? BOLD : PLAIN, words);
        }
        owed = (*words ? 0 : before) + (s->numbers[i] ? 0 : fill) + strlen(GAP_WORDS);
    }
    buffer_put(&line, "\n", 1);
    fwrite(line.p, 1, line.n, s->to);
}

static void flow(struct sheet *s)
{
    for (size_t row = 0; row < s->n_held; row++) {
        put_row(s, s->held + row * s->n, row == 0);
        for (size_t i = 0; i < s->n; i++)
            free(s->held[row * s->n + i]);
    }
    s->n_held = 0;
    s->flows = true;
}

static void measure(struct sheet *s, char *const *cells)
{
    for (size_t i = 0; i < s->n; i++) {
        s->widths[i] = MAX(s->widths[i], width_of(cells[i]));
        s->numbers[i] &= !cells[i] || is_number(cells[i]);
    }
}

void sheet_row(struct sheet *s, const char *const *cells)
{
    char **row = s->held + s->n_held * s->n; /* after the first ones: the place of the names */
    for (size_t i = 0; i < s->n; i++)
        row[i] = shorten(cells[i]);
    if (!s->flows) {
        measure(s, row);
        if (++s->n_held > LOOK_AT)
            flow(s);
        return;
    }
    put_row(s, row, false);
    for (size_t i = 0; i < s->n; i++)
        free(row[i]);
}

void sheet_end(struct sheet *s)
{
    if (!s->flows)
        flow(s);
}

void sheet_free(struct sheet *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_held * s->n; i++)
        free(s->held[i]);
    free(s->held);
    free(s->widths);
    free(s->numbers);
    free(s);
}
