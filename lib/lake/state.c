#include "lake/inside.h"

#include <search.h>

static int by_path(const void *a, const void *b)
{
    const struct log_file *x = a, *y = b;
    return strcmp(x->file.path, y->file.path);
}

void lake_file_done(struct lake_file *f)
{
    free(f->path);
    free(f->entry);
    free(f->stats);
    *f = (struct lake_file){0};
}

void lake_file_copy(struct lake_file *to, const struct lake_file *from)
{
    *to = *from;
    to->path = xstrdup(from->path);
    to->entry = xstrdup(from->entry);
    to->stats = xstrdup(from->stats);
}

static void free_file(void *node)
{
    struct log_file *f = node;
    lake_file_done(&f->file);
    free(f);
}

void log_state_done(struct log_state *s)
{
    tdestroy(s->tree, free_file);
    free(s->id);
    free(s->schema);
    free(s->name);
    free(s->description);
    free(s->configuration);
    *s = (struct log_state){0};
}

static size_t weight(const struct lake_file *f)
{
    return 256 + 2 * strlen(f->path) + (f->stats ? strlen(f->stats) : 0);
}

int log_put_file(struct log_state *s, struct log_file *f, struct error *err)
{
    struct log_file **at = tsearch(f, &s->tree, by_path);
    if (!at)
        return error_set(err, "no memory for what the log says");
    if (*at != f) {
        s->bytes -= weight(&(*at)->file);
        s->n_there -= (*at)->there;
        lake_file_done(&(*at)->file);
        **at = *f;
        *f = (struct log_file){0};
    } else {
        struct log_file *own = xnew(struct log_file);
        *own = *f;
        *f = (struct log_file){0};
        *at = own;
        s->n_files++;
    }
    s->bytes += weight(&(*at)->file);
    s->n_there += (*at)->there;
    if (s->bytes > LOG_STATE_MAX)
        return error_set(err,
            "it lists %zu files, more than %zu MB of words: let a program that can compact the table "
            "(OPTIMIZE, then a "
            "checkpoint)",
            s->n_files, LOG_STATE_MAX >> 20);
    return 0;
}

const struct log_file *log_find(const struct log_state *s, const char *path)
{
    const struct log_file wanted = {.file.path = (char *)(uintptr_t)path};
    struct log_file *const *at = tfind(&wanted, &s->tree, by_path);
    return at ? *at : NULL;
}

struct walk {
    bool there, ended;
    log_each_file *fn;
    void *arg;
};

static void visit(const void *node, VISIT which, void *closure)
{
    const struct log_file *f = *(struct log_file *const *)node;
    struct walk *w = closure;
    if ((which != postorder && which != leaf) || w->ended || f->there != w->there)
        return;
    w->ended = !w->fn(w->arg, f);
}

void log_each(const struct log_state *s, bool there, log_each_file *fn, void *arg)
{
    struct walk w = {there, false, fn, arg};
    twalk_r(s->tree, visit, &w);
}
