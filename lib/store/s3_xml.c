#include "store/s3_xml.h"

#include "util/clock.h"

#include <expat.h>

#define PATH_MAX_BYTES 200
#define TEXT_MAX_BYTES ((size_t)8192)

struct reader {
    XML_Parser parser;
    s3_leaf *fn;
    void *arg;
    char path[PATH_MAX_BYTES + 1];
    struct buffer text;
    bool refused;
};

static void refuse(struct reader *r)
{
    r->refused = true;
    XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *r = arg;
    size_t n = strlen(r->path), more = strlen(name);
    if (r->refused || n + 1 + more > PATH_MAX_BYTES)
        return refuse(r);
    snprintf(r->path + n, sizeof(r->path) - n, "%s%s", n ? "/" : "", name);
    r->text.n = 0;
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
    struct reader *r = arg;
    if (r->refused)
        return;
    if (!r->fn(r->arg, r->path, buffer_string(&r->text)))
        return refuse(r);
    char *slash = strrchr(r->path, '/');
    *(slash ? slash : r->path) = '\0';
    r->text.n = 0;
}

static void XMLCALL on_text(void *arg, const XML_Char *p, int n)
{
    struct reader *r = arg;
    if (r->refused || r->text.n + (size_t)n > TEXT_MAX_BYTES)
        return refuse(r);
    buffer_put(&r->text, p, (size_t)n);
}

/* With one come entities, and with them what grows without end. */
static void XMLCALL on_doctype(
    void *arg, const XML_Char *name, const XML_Char *system, const XML_Char *public, int has_subset)
{
    refuse(arg);
}

bool s3_xml_read(struct slice xml, s3_leaf *fn, void *arg)
{
    struct reader r = {.parser = XML_ParserCreate(NULL), .fn = fn, .arg = arg};
    if (!r.parser || xml.n > INT32_MAX) {
        if (r.parser)
            XML_ParserFree(r.parser);
        return false;
    }
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    bool sound = XML_Parse(r.parser, xml.p ? xml.p : "", (int)xml.n, XML_TRUE) == XML_STATUS_OK && !r.refused;
    XML_ParserFree(r.parser);
    buffer_done(&r.text);
    return sound;
}

struct search {
    const char *path;
    char *found;
};

static bool note_found(void *arg, const char *path, const char *text)
{
    struct search *s = arg;
    if (!s->found && strcmp(path, s->path) == 0)
        s->found = xstrdup(text);
    return true;
}

char *s3_xml_find(struct slice xml, const char *path)
{
    struct search s = {path, NULL};
    if (s3_xml_read(xml, note_found, &s))
        return s.found;
    free(s.found);
    return NULL;
}

/* ---- a page of a list ---- */

static void entry_done(struct s3_entry *e)
{
    free(e->key);
    free(e->etag);
    *e = (struct s3_entry){.size = -1};
}

void s3_page_done(struct s3_page *page)
{
    for (size_t i = 0; i < page->n; i++)
        entry_done(&page->list[i]);
    entry_done(&page->open);
    free(page->list);
    free(page->token);
}

/* Without its quotes. */
static char *plain_etag(const char *text)
{
    size_t n = strlen(text);
    return n >= 2 && text[0] == '"' && text[n - 1] == '"' ? xstrndup(text + 1, n - 2) : xstrdup(text);
}

static int64_t number(const char *text)
{
    int64_t n = 0;
    for (const char *p = text; *p; p++)
        if (*p < '0' || *p > '9' || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, *p - '0', &n))
            return -1;
    return *text ? n : -1;
}

static bool set(char **where, char *text)
{
    free(*where);
    *where = text;
    return true;
}

/* The entry has come to its end: is all of it there? */
static bool add_entry(struct s3_page *page)
{
    if (!page->open.key || page->open.size < 0)
        return false;
    if (!page->open.etag)
        page->open.etag = xstrdup("");
    if (page->n == page->cap) {
        page->cap = MAX(page->cap * 2, 64);
        page->list = xrealloc(page->list, page->cap, sizeof(page->list[0]));
    }
    page->list[page->n++] = page->open;
    page->open = (struct s3_entry){.size = -1};
    return true;
}

static bool note_leaf(void *arg, const char *path, const char *text)
{
    static const char root[] = "ListBucketResult", contents[] = "ListBucketResult/Contents";
    struct s3_page *page = arg;
    if (strcmp(path, root) == 0)
        return page->is_page = true;
    if (strncmp(path, contents, strlen(contents)) == 0) {
        const char *leaf = path + strlen(contents);
        if (!*leaf)
            return add_entry(page);
        if (strcmp(leaf, "/Key") == 0)
            return set(&page->open.key, xstrdup(text));
        if (strcmp(leaf, "/ETag") == 0)
            return set(&page->open.etag, plain_etag(text));
        if (strcmp(leaf, "/Size") == 0)
            return (page->open.size = number(text)) >= 0;
        if (strcmp(leaf, "/LastModified") == 0)
            return clock_parse_utc(text, &page->open.modified_us) == 0;
        return true;
    }
    if (strcmp(path, "ListBucketResult/EncodingType") == 0)
        page->encoded = strcmp(text, "url") == 0;
    else if (strcmp(path, "ListBucketResult/IsTruncated") == 0)
        page->truncated = strcmp(text, "true") == 0;
    else if (strcmp(path, "ListBucketResult/NextContinuationToken") == 0)
        return set(&page->token, xstrdup(text));
    return true;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* In place. As in a form: a space is a plus. False: it is not encoded so, or has a NUL. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *p = text; *p; p++) {
        int byte = *p == '+' ? ' ' : (unsigned char)*p;
        if (*p == '%') {
            int high = hex(p[1]), low = high < 0 ? -1 : hex(p[2]);
            byte = low < 0 ? 0 : high * 16 + low;
            p += 2;
        }
        if (byte == 0)
            return false;
        *to++ = (char)byte;
    }
    *to = '\0';
    return true;
}

static void decode_keys(struct s3_page *page)
{
    size_t n = 0;
    for (size_t i = 0; i < page->n; i++)
        if (decode(page->list[i].key))
            page->list[n++] = page->list[i];
        else
            entry_done(&page->list[i]);
    page->n_wrong = page->n - n;
    page->n = n;
}

int s3_page_read(struct slice xml, struct s3_page *page)
{
    page->open.size = -1;
    if (!s3_xml_read(xml, note_leaf, page) || !page->is_page)
        return -1;
    if (page->encoded)
        decode_keys(page);
    return 0;
}
