#include "history/statement.h"

struct mark {
    char *name, *value;
};

void marks_done(struct marks *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->list[i].name);
        free(m->list[i].value);
    }
    free(m->list);
    *m = (struct marks){0};
}

static struct mark *find(const struct marks *m, struct slice name)
{
    for (size_t i = 0; i < m->n; i++)
        if (slice_is(name, m->list[i].name))
            return &m->list[i];
    return NULL;
}

void marks_set(struct marks *m, const char *name, const char *value)
{
    char *copy = xstrdup(value ? value : "");
    struct mark *there = find(m, SLICE(name));
    if (there) {
        free(there->value);
        there->value = copy;
        return;
    }
    m->list = xrealloc(m->list, m->n + 1, sizeof(*m->list));
    m->list[m->n++] = (struct mark){xstrdup(name), copy};
}

void marks_set_int(struct marks *m, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)value);
    marks_set(m, name, text);
}

static void put_mark(const struct marks *m, struct slice name, struct buffer *out)
{
    if (name.n == 1 && name.p[0] >= '1' && name.p[0] <= '9') {
        buffer_put(out, m->numbered ? "$" : "?", 1);
        buffer_put(out, name.p, m->numbered);
        return;
    }
    const struct mark *mark = find(m, name);
    if (!mark)
        abort();
    buffer_put_string(out, mark->value);
}

char *marks_expand(const struct marks *m, const char *sql)
{
    _cleanup_buffer_ struct buffer out = {0};
    while (*sql) {
        size_t n = strcspn(sql, "{");
        buffer_put(&out, sql, n);
        sql += n;
        const char *end = *sql ? strchr(sql, '}') : NULL;
        if (!end)
            break;
        put_mark(m, (struct slice){sql + 1, (size_t)(end - sql - 1)}, &out);
        sql = end + 1;
    }
    return xstrdup(buffer_string(&out));
}
