/* Which dumps there are: the links of an index page, or the files of a directory, that are like a pattern. */
#include "fetch/open.h"
#include "util/text.h"
#include "util/url.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#define PAGE_MAX  ((size_t)16 << 20)
#define LINKS_MAX 100000
#define URLS_MAX  ((size_t)64 << 20) /* bytes of all of them: a page can make each longer than it was in it */

struct listing {
    const char *label;
    const char *pattern;
    size_t n_slashes; /* of the pattern: how many parts of a path it is about */
    struct fetch_link *found;
    size_t n, cap, n_bytes;
};

static void listing_done(struct listing *l)
{
    fetch_links_free(l->found, l->n);
}

static void add(struct listing *l, char *url, const char *name, const char date[11])
{
    if (l->n == l->cap) {
        l->cap = MAX(l->cap * 2, 64);
        l->found = xrealloc(l->found, l->cap, sizeof(*l->found));
    }
    struct fetch_link *f = &l->found[l->n++];
    *f = (struct fetch_link){.url = url, .name = xstrdup(name)};
    memcpy(f->date, date, sizeof(f->date));
    l->n_bytes += strlen(url) + strlen(name);
}

static bool is_like(const struct listing *l, const char *path, char ret_date[11])
{
    return *fetch_last_parts(path, 0) &&
           glob_matches(l->pattern, fetch_last_parts(path, l->n_slashes), ret_date);
}

static int check_size(const struct listing *l, struct fetch_fault *fault)
{
    if (l->n <= LINKS_MAX && l->n_bytes <= URLS_MAX)
        return 0;
    return fetch_fault_set(fault, false,
        "%s lists more than %d names like %s, or longer ones than can be kept: make the pattern narrower",
        l->label, LINKS_MAX, l->pattern);
}

/* ---- in order, each once ---- */

static int compare(const void *a, const void *b)
{
    const struct fetch_link *one = a, *other = b;
    int order = strcmp(one->date, other->date);
    if (order == 0)
        order = strcmp(one->name, other->name);
    return order ? order : strcmp(one->url, other->url);
}

static void link_done(struct fetch_link *link)
{
    free(link->url);
    free(link->name);
}

static void drop_equals(struct listing *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        if (n > 0 && compare(&l->found[n - 1], &l->found[i]) == 0)
            link_done(&l->found[i]);
        else
            l->found[n++] = l->found[i];
    l->n = n;
}

static void hand_over(struct listing *l, struct fetch_link **ret_links, size_t *ret_n)
{
    if (l->n > 0)
        qsort(l->found, l->n, sizeof(*l->found), compare);
    drop_equals(l);
    for (size_t i = 0; i < l->n; i++)
        text_make_printable(l->found[i].name);
    *ret_links = TAKE(l->found);
    *ret_n = l->n;
    l->n = 0;
}

void fetch_links_free(struct fetch_link *links, size_t n)
{
    for (size_t i = 0; i < n; i++)
        link_done(&links[i]);
    free(links);
}

/* ---- a directory ---- */

static bool is_file(DIR *dir, const char *name)
{
    struct stat st;
    return fstatat(dirfd(dir), name, &st, 0) == 0 && S_ISREG(st.st_mode);
}

/* url ends in a slash. */
static void add_file(struct listing *l, const char *url, const char *path, const char *name)
{
    char date[11];
    _cleanup_free_ char *whole = xasprintf("%s%s", path, name);
    if (!is_like(l, whole, date))
        return;
    char *escaped = curl_easy_escape(NULL, name, 0);
    if (escaped)
        add(l, xasprintf("%s%s", url, escaped), name, date);
    curl_free(escaped);
}

static int list_directory(struct listing *l, const char *url, struct fetch_fault *fault)
{
    _cleanup_free_ char *path = file_path(url, fault);
    if (!path)
        return -1;
    if (path[strlen(path) - 1] != '/')
        return fetch_fault_set(
            fault, false, "cannot list %s: the URL of a directory ends in a slash", l->label);
    DIR *dir = opendir(path);
    if (!dir)
        return fetch_fault_set(fault, false, "cannot list %s: %s", l->label, strerror(errno));
    int result = 0;
    for (struct dirent *e; result == 0 && (e = readdir(dir));)
        if (is_file(dir, e->d_name)) {
            add_file(l, url, path, e->d_name);
            result = check_size(l, fault);
        }
    closedir(dir);
    return result;
}

/* ---- a page ---- */

/* Where a page's links stand, and who asked for it. */
struct place {
    struct target first; /* as typed, with its user and password */
    struct target base;
    bool has_base; /* the page says itself where they stand */
};

static void place_done(struct place *p)
{
    target_done(&p->first);
    target_done(&p->base);
}

/* A link that cannot be followed from here (mailto:, plain http from https) is none of ours. */
static int add_link(struct listing *l, const struct place *place, const char *href, struct fetch_fault *fault)
{
    _cleanup_target_ struct target t = {0};
    struct fetch_fault ignored = {0};
    char date[11];
    if (!*href || *href == '#' || target_parse(href, &place->base, &t, &ignored) < 0 ||
        !is_like(l, t.path, date))
        return 0;
    if (target_is_https(&place->base) && !target_is_https(&t))
        return 0;
    if (target_same_origin(&t, &place->first) && !t.user) {
        free(t.password);
        t.user = xstrdup(place->first.user);
        t.password = xstrdup(place->first.password);
    }
    add(l, target_full_url(&t), fetch_last_parts(t.path, 0), date);
    return check_size(l, fault);
}

/* The first <base> of a page is the one that counts. */
static void take_base(struct place *place, const char *href)
{
    struct target base;
    struct fetch_fault ignored = {0};
    if (place->has_base || target_parse(href, &place->base, &base, &ignored) < 0)
        return;
    target_done(&place->base);
    place->base = base;
    place->has_base = true;
}

static int add_links(struct listing *l, struct place *place, struct slice page, struct fetch_fault *fault)
{
    size_t at = 0;
    int result = 0;
    bool is_base = false;
    for (char *href; result == 0 && (href = page_next_link(page, &at, &is_base)); free(href)) {
        if (is_base)
            take_base(place, href);
        else
            result = add_link(l, place, href, fault);
    }
    return result;
}

static int read_page(struct fetch *f, const struct listing *l, struct buffer *page, struct fetch_fault *fault)
{
    for (;;) {
        if (!buffer_reserve(page, 65536))
            return fetch_fault_set(fault, false, "cannot read %s: no memory", l->label);
        ssize_t got = fetch_read(f, page->p + page->n, 65536, fault);
        if (got <= 0)
            return (int)got;
        page->n += (size_t)got;
        if (page->n > PAGE_MAX)
            return fetch_fault_set(
                fault, false, "%s is longer than 16 MB, which is no index page any more", l->label);
    }
}

static int list_page(
    struct listing *l, const char *url, const struct fetch_options *options, struct fetch_fault *fault)
{
    _cleanup_(fetch_freep) struct fetch *f = NULL;
    _cleanup_(place_done) struct place place = {0};
    _cleanup_buffer_ struct buffer page = {0};
    enum fetch_answer answer;
    if (target_parse(url, NULL, &place.first, fault) < 0 ||
        fetch_open(url, options, &f, &answer, fault) < 0 || read_page(f, l, &page, fault) < 0 ||
        target_parse(fetch_target(f)->url, NULL, &place.base, fault) < 0)
        return -1;
    return add_links(l, &place, (struct slice){page.p, page.n}, fault);
}

static size_t count_slashes(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '/';
    return n;
}

int fetch_list(const char *url, const char *pattern, const struct fetch_options *options,
    struct fetch_link **ret_links, size_t *ret_n, struct fetch_fault *fault)
{
    struct fetch_options o = options ? *options : (struct fetch_options){.retries = -1};
    _cleanup_free_ char *label = url_redact(url);
    _cleanup_(listing_done) struct listing l = {
        .label = label, .pattern = pattern, .n_slashes = count_slashes(pattern)};
    *fault = (struct fetch_fault){0};
    o.etag = o.last_modified = o.member = NULL;
    if (!glob_is_sound(pattern, &fault->error))
        return -1;
    if ((fetch_is_file(url) ? list_directory(&l, url, fault) : list_page(&l, url, &o, fault)) < 0)
        return -1;
    hand_over(&l, ret_links, ret_n);
    return 0;
}
