/* Several tenants on one machine: their files, and what two of them must not share. */
#include "config/config.h"
#include "config/problems.h"
#include "config/value.h"
#include "util/buffer.h"
#include "util/url.h"

#include <dirent.h>
#include <errno.h>

/* -- their files ----------------------------------------------------------------------------------------- */

static void add_name(struct config_tenants *t, const char *file, size_t n)
{
    t->names = xrealloc(t->names, t->n + 1, sizeof(char *));
    t->names[t->n++] = xstrndup(file, n);
}

/* Hidden ones are no business of ours, nor what an editor leaves behind. */
static void see_file(struct config_tenants *t, const char *file, struct config_problems *problems)
{
    char quoted[QUOTE_MAX];
    const char *dot = strrchr(file, '.');
    if (!dot || file[0] == '.' || (strcmp(dot, ".yaml") != 0 && strcmp(dot, ".yml") != 0))
        return;
    size_t n = (size_t)(dot - file);
    if (strcmp(dot, ".yaml") == 0 && is_tenant_name(file, n))
        return add_name(t, file, n);
    problem_add(problems, 0, 0,
        "%s is no tenant's file: it is called NAME.yaml, the name of a-z, 0-9, '_' and '-', beginning with a "
        "letter or "
        "digit, of at most %d characters",
        quote_text(file, quoted), TENANT_NAME_MAX);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int config_list_tenants(
    const char *folder, struct config_tenants *ret, struct config_problems *problems, struct error *err)
{
    DIR *d = opendir(folder);
    if (!d)
        return error_set(err,
            "the folder of the tenants' files %s cannot be read: %s; it is named by --tenants DIR", folder,
            strerror(errno));
    struct config_tenants t = {0};
    for (struct dirent *e; (e = readdir(d));)
        see_file(&t, e->d_name, problems);
    closedir(d);
    if (t.n > 1)
        qsort(t.names, t.n, sizeof(char *), by_text);
    t.paths = xcalloc(t.n + 1, sizeof(char *));
    for (size_t i = 0; i < t.n; i++)
        t.paths[i] = xasprintf("%s/%s.yaml", folder, t.names[i]);
    *ret = t;
    return 0;
}

void config_tenants_done(struct config_tenants *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->names[i]);
        free(t->paths[i]);
    }
    free(t->names);
    free(t->paths);
    *t = (struct config_tenants){0};
}

char *config_tenant_path(const char *folder, const char *name, struct error *err)
{
    char quoted[QUOTE_MAX];
    if (is_tenant_name(name, strlen(name)))
        return xasprintf("%s/%s.yaml", folder, name);
    error_set(err,
        "%s is no tenant's name: a-z, 0-9, '_' and '-', beginning with a letter or digit, at most %d "
        "characters",
        quote_text(name, quoted), TENANT_NAME_MAX);
    return NULL;
}

/* -- what two share -------------------------------------------------------------------------------------- */

/* One within the other, or the same; both are absolute. */
static bool folders_meet(const char *a, const char *b)
{
    struct config_store x = {.url = xasprintf("file://%s", a)}, y = {.url = xasprintf("file://%s", b)};
    bool meet = store_within(&x, &y, NULL) || store_within(&y, &x, NULL);
    free(x.url);
    free(y.url);
    return meet;
}

/* The word of a connection string, "host=db port=5433": a new string, or NULL. */
static char *word_of(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *at = text; (at = strstr(at, key)); at++)
        if ((at == text || at[-1] == ' ') && at[n] == '=')
            return xstrndup(at + n + 1, strcspn(at + n + 1, " "));
    return NULL;
}

/* "host:port/database", as far as it is said. */
static char *database_identity(const char *url)
{
    _cleanup_url_ struct url u = {0};
    if (strstr(url, "://") && url_parse(url, &u, NULL) == 0) {
        int port = u.port ? u.port : 5432;
        return xasprintf("%s:%d%s", u.host ? u.host : "", port, u.path);
    }
    _cleanup_free_ char *host = word_of(url, "host"), *port = word_of(url, "port"),
                        *db = word_of(url, "dbname");
    return xasprintf("%s:%s/%s", host ? host : "", port ? port : "5432", db ? db : "");
}

static bool have_one_database(const struct config *a, const struct config *b)
{
    _cleanup_free_ char *x = database_identity(a->postgres.url), *y = database_identity(b->postgres.url);
    return strcmp(a->postgres.schema, b->postgres.schema) == 0 && strcmp(x, y) == 0;
}

static char *shared_store(const struct config *a, const struct config *b)
{
    for (size_t i = 0; i < a->n_stores; i++)
        for (size_t k = 0; k < b->n_stores; k++) {
            const struct config_store *x = &a->stores[i], *y = &b->stores[k];
            if (store_within(x, y, NULL) || store_within(y, x, NULL))
                return xasprintf("the store %s (%s), which is, or is within, or holds, %s (%s)", x->name,
                    x->url, y->name, y->url);
        }
    return NULL;
}

static char *shared_source(const struct config *a, const struct config *b)
{
    for (size_t i = 0; i < a->n_streams; i++)
        for (size_t k = 0; k < b->n_streams; k++) {
            const struct config_stream *x = &a->streams[i], *y = &b->streams[k];
            _cleanup_free_ char *p = source_identity(x->source, x->group),
                                *q = source_identity(y->source, y->group);
            if (p && q && strcmp(p, q) == 0)
                return xasprintf("the source of the stream %s", x->name);
        }
    return NULL;
}

char *config_shared(const struct config *a, const struct config *b)
{
    if (strcmp(a->control, b->control) == 0)
        return xasprintf("the control socket %s", a->control);
    if (folders_meet(a->state_dir, b->state_dir))
        return xasprintf("the state_dir %s (%s)", a->state_dir, b->state_dir);
    if (have_one_database(a, b))
        return xasprintf("the schema %s of one database", a->postgres.schema);
    if (a->http && b->http && strcmp(a->http, b->http) == 0)
        return xasprintf("the address %s", a->http);
    char *store = shared_store(a, b);
    return store ? store : shared_source(a, b);
}
