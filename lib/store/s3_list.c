/* The keys of a bucket, a page of a thousand after the other (ListObjectsV2). A page that broke is asked for again before any
 * of it is told. */
#include "store/s3_inside.h"
#include "store/s3_xml.h"

#define EMPTY_PAGES_MAX 1000 /* in a row: a server that says "there is more" for ever */

struct listing {
    struct s3 *s;
    const char *prefix, *after;
    store_listed *fn;
    void *arg;
    struct store_fault *fault;
    char *last; /* the key that came last, with the store's prefix */
    char *token;
    uint64_t n_left_out;
    int empty_pages;
};

static void add_parameter(struct buffer *query, const char *name, const char *before, const char *value)
{
    buffer_printf(query, "%s%s=", query->n ? "&" : "", name);
    s3_encode(query, before, false);
    s3_encode(query, value, false);
}

/* In the order of the names, as they are signed. */
static void make_query(const struct listing *l, struct buffer *query)
{
    const char *own = l->s->prefix;
    if (l->token)
        add_parameter(query, "continuation-token", "", l->token);
    add_parameter(query, "encoding-type", "", "url"); /* XML cannot hold every key */
    add_parameter(query, "list-type", "", "2");
    add_parameter(query, "max-keys", "", "1000");
    add_parameter(query, "prefix", own, l->prefix);
    if (!l->token && *l->after)
        add_parameter(query, "start-after", own, l->after);
}

static int get_page(struct listing *l, struct s3_page *page)
{
    _cleanup_buffer_ struct buffer query = {0}, xml = {0};
    make_query(l, &query);
    struct s3_ask ask = {.method = "GET", .verb = "list", .query = buffer_string(&query)};
    if (s3_talk(l->s, &ask, S3_ANSWER_MAX, &xml, NULL, NULL, l->fault) < 0)
        return -1;
    if (s3_page_read((struct slice){xml.p, xml.n}, page) == 0)
        return 0;
    return store_fault_set(l->fault, false,
        "cannot list %s: the server's answer is not the XML of a list: is the endpoint that of an S3 server, "
        "and, "
        "where that knows no encoding-type, is a key there of characters that XML cannot hold?",
        l->s->base.label);
}

static int unsound(struct listing *l, const char *why)
{
    return store_fault_set(l->fault, false, "cannot list %s: %s", l->s->base.label, why);
}

/* No request can name it: a control character in a path is refused on the way out (fetch/target.c). */
static bool has_control(const char *key)
{
    while (*key && (unsigned char)*key >= ' ')
        key++;
    return *key;
}

/* 1 to go on, 0 when the caller has enough, -1 with the fault. */
static int tell(struct listing *l, const struct s3_entry *e)
{
    size_t own = strlen(l->s->prefix), n = strlen(e->key);
    if (strncmp(e->key, l->s->prefix, own) != 0 || strncmp(e->key + own, l->prefix, strlen(l->prefix)) != 0)
        return unsound(l, "the server lists keys of another prefix than was asked for");
    if (l->last && strcmp(l->last, e->key) >= 0)
        return unsound(l, "the server lists keys twice, or not in the order of their bytes");
    free(l->last);
    l->last = xstrdup(e->key);
    const char *key = e->key + own;
    if (strcmp(key, l->after) <= 0 || strcmp(key, S3_PROBE) == 0 || n == own || e->key[n - 1] == '/')
        return 1;
    if (store_key_wrong(key) || has_control(key)) {
        l->n_left_out++;
        return 1;
    }
    struct store_object object = {key, e->etag, e->size, e->modified_us};
    return l->fn(l->arg, &object);
}

/* As tell(), and 0 too when that was the last page. */
static int take_page(struct listing *l)
{
    _cleanup_s3_page_ struct s3_page page = {0};
    if (get_page(l, &page) < 0)
        return -1;
    int go_on = 1;
    l->n_left_out += page.n_wrong;
    for (size_t i = 0; i < page.n && go_on == 1; i++)
        go_on = tell(l, &page.list[i]);
    if (go_on != 1 || !page.truncated)
        return MIN(go_on, 0);
    l->empty_pages = page.n + page.n_wrong > 0 ? 0 : l->empty_pages + 1;
    if (!page.token || l->empty_pages > EMPTY_PAGES_MAX)
        return unsound(l, "the server says that there is more, and does not give it");
    free(l->token);
    l->token = TAKE(page.token);
    return 1;
}

int s3_list(struct store *s, const char *prefix, const char *after, store_listed *fn, void *arg,
    struct store_fault *fault)
{
    struct listing l = {(struct s3 *)s, prefix, after, fn, arg, fault};
    int go_on;
    do
        go_on = take_page(&l);
    while (go_on == 1);
    store_tell_left_out(s, l.n_left_out);
    free(l.last);
    free(l.token);
    return go_on;
}
