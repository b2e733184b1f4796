#include "schedule/lines.h"

void lines_done(struct lines *l)
{
    buffer_done(&l->bytes);
    *l = (struct lines){0};
}

char *lines_room(struct lines *l, size_t n)
{
    buffer_drop(&l->bytes, l->begin);
    l->n_searched -= l->begin;
    l->begin = 0;
    return buffer_reserve(&l->bytes, n) ? l->bytes.p + l->bytes.n : NULL;
}

void lines_add(struct lines *l, size_t n)
{
    l->bytes.n += n;
}

bool lines_next(struct lines *l, struct slice *ret_line)
{
    if (l->n_searched == l->bytes.n)
        return false;
    const char *end = memchr(l->bytes.p + l->n_searched, '\n', l->bytes.n - l->n_searched);
    if (!end) {
        l->n_searched = l->bytes.n;
        return false;
    }
    size_t at = (size_t)(end - l->bytes.p);
    *ret_line = (struct slice){l->bytes.p + l->begin, at - l->begin};
    l->begin = l->n_searched = at + 1;
    return true;
}

size_t lines_n_open(const struct lines *l)
{
    return l->bytes.n - l->begin;
}
