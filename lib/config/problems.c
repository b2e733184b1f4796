#include "config/problems.h"

#include "util/buffer.h"
#include "util/url.h"

#include <stdarg.h>

void problem_add(struct config_problems *p, int line, int column, const char *fmt, ...)
{
    if (p->n > PROBLEMS_MAX)
        return;
    p->list = xrealloc(p->list, p->n + 1, sizeof(*p->list));
    struct config_problem *one = &p->list[p->n++];
    *one = (struct config_problem){.line = line, .column = column, .in_template = p->of_template};
    if (p->n > PROBLEMS_MAX) {
        one->line = one->column = 0;
        snprintf(one->text, sizeof(one->text), "more is wrong; only the first %d mistakes are listed",
            PROBLEMS_MAX);
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(one->text, sizeof(one->text), fmt, ap);
    va_end(ap);
}

static int by_place(const void *a, const void *b)
{
    const struct config_problem *x = a, *y = b;
    if (x->in_template != y->in_template)
        return x->in_template ? 1 : -1;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

void problems_sort(struct config_problems *p)
{
    if (p->n > 1) /* what is said of the list itself stays at its end */
        qsort(p->list, MIN(p->n, (size_t)PROBLEMS_MAX), sizeof(*p->list), by_place);
}

void config_problems_done(struct config_problems *p)
{
    free(p->list);
    free(p->template);
    *p = (struct config_problems){0};
}

char *config_problems_to_string(const char *path, const struct config_problems *p)
{
    _cleanup_buffer_ struct buffer b = {0};
    for (size_t i = 0; i < p->n; i++) {
        const struct config_problem *one = &p->list[i];
        const char *file = one->in_template ? p->template : path;
        if (one->line > 0)
            buffer_printf(&b, "%s:%d:%d: %s\n", file, one->line, one->column, one->text);
        else
            buffer_printf(&b, "%s: %s\n", file, one->text);
    }
    return xstrdup(buffer_string(&b));
}

/* C0 and C1 controls and DEL: what a terminal could take for a command. */
static bool is_control(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return u[0] < 0x20 || u[0] == 0x7f || (u[0] == 0xc2 && u[1] >= 0x80 && u[1] <= 0x9f);
}

const char *quote_text(const char *text, char out[QUOTE_MAX])
{
    _cleanup_free_ char *masked =
        strstr(text, "://") || strchr(text, '=') ? url_redact_connection(text) : xstrdup(text);
    size_t n = 0;
    out[n++] = '"';
    const char *p = masked;
    for (; *p && n < QUOTE_MAX - 6; p++) {
        bool control = is_control(p);
        p += control && (*p & 0x80);
        out[n++] = control ? '?' : *p;
    }
    while (*p && n > 1 && (out[n - 1] & 0x80)) /* no half characters at the cut */
        n--;
    snprintf(out + n, QUOTE_MAX - n, "%s\"", *p ? "…" : "");
    return out;
}
