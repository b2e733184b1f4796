#include "source/rest_document.h"

#include "util/text.h"

#include <errno.h>
#include <strings.h>

#define WHY_MAX 160

/* ---- the way through the document ---- */

/* Objects are gone into, lists gone through, and what is in them passed over by the JSON reader. */
struct walk {
    struct rest_body *body;
    struct rest_document *document;
    enum { NOT_THERE, NO_LIST, LIST } found; /* where the rows should be */
};

/* Each of the paths is what is left of it: "" here it is, NULL it is elsewhere. */
struct paths {
    const char *rows, *next;
};

/* Calls itself as deep as JSON_MAX_DEPTH. */
static bool walk_value(struct walk *w, unsigned outside, struct paths at);

/* What is left of the path behind this member. */
static const char *step(const char *path, struct slice name)
{
    size_t n = path ? strcspn(path, ".") : 0;
    if (!path || !*path || !slice_equal(name, (struct slice){path, n}))
        return NULL;
    return path[n] ? path + n + 1 : path + n;
}

static bool check_depth(struct walk *w, unsigned outside)
{
    return outside < JSON_MAX_DEPTH || rest_body_refuse(w->body, "objects and arrays nested too deep");
}

static bool walk_list(struct walk *w, unsigned outside, bool is_rows)
{
    struct rest_body *b = w->body;
    struct json_token t;
    if (!check_depth(w, outside) || !rest_body_take(b, '['))
        return false;
    struct rest_document other, *d = is_rows ? w->document : &other;
    d->rows = rest_body_at(b);
    d->depth = outside + 1;
    d->n_rows = 0;
    if (rest_body_peek(b) != ']')
        do {
            rest_body_peek(b);
            d->last = rest_body_at(b);
            if (d->n_rows++ == 0)
                d->first = d->last;
            if (!rest_body_value(b, outside + 1, &t))
                return false;
        } while (rest_body_take(b, ','));
    return rest_body_take(b, ']') || rest_body_refuse(b, "a comma or the end of the array was expected");
}

static void forget_next(struct rest_document *d)
{
    free(TAKE(d->next_text));
    d->next = (struct slice){0};
    d->has_next = false;
}

static bool walk_member(struct walk *w, unsigned outside, struct paths at)
{
    struct rest_body *b = w->body;
    struct json_token name;
    if (rest_body_peek(b) != '"')
        return rest_body_refuse(b, "a name in quotes was expected");
    if (!rest_body_value(b, outside, &name))
        return false;
    struct paths in = {step(at.rows, name.text), step(at.next, name.text)};
    if (!rest_body_take(b, ':'))
        return rest_body_refuse(b, "a colon was expected");
    if (in.rows) /* of two members of one name the last counts, as everywhere */
        w->found = NOT_THERE;
    if (in.next)
        forget_next(w->document);
    return walk_value(w, outside, in);
}

static bool walk_object(struct walk *w, unsigned outside, struct paths at)
{
    struct rest_body *b = w->body;
    if (!check_depth(w, outside) || !rest_body_take(b, '{'))
        return false;
    if (rest_body_peek(b) != '}')
        do
            if (!walk_member(w, outside + 1, at))
                return false;
        while (rest_body_take(b, ','));
    return rest_body_take(b, '}') || rest_body_refuse(b, "a comma or the end of the object was expected");
}

static void keep_next(struct rest_document *d, const struct json_token *t)
{
    if (t->type == JSON_NULL || t->type == JSON_FALSE || t->has_nul || t->has_bad_text)
        return;
    d->next_text = xstrndup(t->text.p, t->text.n);
    d->next = (struct slice){d->next_text, t->text.n};
}

static bool walk_value(struct walk *w, unsigned outside, struct paths at)
{
    struct json_token t;
    int c = rest_body_peek(w->body);
    bool is_rows = at.rows && !*at.rows, is_next = at.next && !*at.next;
    if (is_rows)
        w->found = c == '[' ? LIST : NO_LIST;
    if (is_next)
        w->document->has_next = true;
    if (c == '[')
        return walk_list(w, outside, is_rows);
    if (c == '{')
        return walk_object(w, outside, at);
    if (!rest_body_value(w->body, outside, &t))
        return false;
    if (is_next)
        keep_next(w->document, &t);
    return true;
}

/* ---- the verdict ---- */

/* first: the first character that is no blank. */
static bool say_fault(const struct rest_body *b, int first, char *why)
{
    char size[32];
    if (b->fault == REST_BODY_FILE)
        snprintf(why, WHY_MAX, "what was kept of it in a file cannot be read: %.60s", strerror(b->error));
    else if (b->fault == REST_BODY_LARGE_VALUE)
        snprintf(why, WHY_MAX, "one row, or something beside the rows, is larger than %s",
            text_bytes(REST_PAGE_MAX, size));
    else if (first < 0)
        snprintf(why, WHY_MAX, "the body is empty");
    else if (first == '<')
        snprintf(
            why, WHY_MAX, "what came is HTML or XML and no JSON: an error page, or a login page perhaps");
    else
        snprintf(why, WHY_MAX, "what came is no JSON, or cut off: at byte %lld: %s",
            (long long)rest_body_at(b), b->words);
    return false;
}

static bool say_shape(const struct walk *w, const char *path, char *why)
{
    if (w->found == NOT_THERE)
        snprintf(why, WHY_MAX, "there is no member `%.80s` in it: is that where the rows are?", path);
    else
        snprintf(why, WHY_MAX, "its member `%.80s` is no list of rows", path);
    return false;
}

bool rest_document_read(struct rest_body *b, const struct rest_places *places, struct rest_document *ret,
    char ret_why[WHY_MAX], bool *ret_is_json)
{
    struct rest_document d = {0};
    struct walk w = {.body = b, .document = &d};
    rest_body_go(b, 0);
    rest_body_skip_mark(b);
    int first = rest_body_peek(b);
    bool is_good = walk_value(&w, 0, (struct paths){places->rows, places->next}) &&
                   (rest_body_peek(b) < 0 || rest_body_refuse(b, "something stands behind the value"));
    *ret_is_json = b->fault == REST_BODY_GOOD || b->fault == REST_BODY_LARGE_VALUE;
    if (b->fault || !is_good)
        is_good = say_fault(b, first, ret_why);
    else if (w.found != LIST)
        is_good = say_shape(&w, places->rows, ret_why);
    if (!is_good) {
        forget_next(&d);
        return false;
    }
    *ret = d;
    return true;
}

void rest_document_done(struct rest_document *d)
{
    free(d->next_text);
    *d = (struct rest_document){0};
}

/* ---- rows ---- */

void rest_document_begin(const struct rest_document *d, struct rest_body *b)
{
    rest_body_go(b, d->rows);
}

/* It has been checked: what fails now is the file. */
static bool read_row(const struct rest_document *d, struct rest_body *b, struct json_token *ret)
{
    if (rest_body_value(b, d->depth, ret))
        return true;
    b->error = b->fault == REST_BODY_FILE ? b->error : EIO;
    return false;
}

int rest_document_row(const struct rest_document *d, struct rest_body *b, struct json_token *ret)
{
    bool is_first = rest_body_at(b) == d->rows;
    if (d->n_rows == 0 || (!is_first && !rest_body_take(b, ',')))
        return b->fault ? -1 : 0;
    return read_row(d, b, ret) ? 1 : -1;
}

bool rest_document_row_at(
    const struct rest_document *d, struct rest_body *b, int64_t offset, struct json_token *ret)
{
    rest_body_go(b, offset);
    return read_row(d, b, ret);
}

/* ---- links ---- */

/* Whether one of the blank-separated words is "next". */
static bool says_next(const char *p, size_t n)
{
    while (n > 0) {
        while (n > 0 && (*p == ' ' || *p == '"'))
            p++, n--;
        size_t word = 0;
        while (word < n && p[word] != ' ' && p[word] != '"')
            word++;
        if (word == 4 && strncasecmp(p, "next", 4) == 0)
            return true;
        p += word;
        n -= word;
    }
    return false;
}

/* The end of one link's parameters: a comma that is in no quotes. */
static const char *link_end(const char *p)
{
    for (bool quoted = false; *p && (quoted || *p != ','); p++)
        quoted ^= *p == '"';
    return p;
}

static bool link_is_next(const char *p, const char *end)
{
    for (; p < end; p++) {
        if (*p != ';')
            continue;
        const char *q = p + 1 + strspn(p + 1, " \t");
        if (strncasecmp(q, "rel=", 4) != 0)
            continue;
        q += 4;
        const char *stop = *q == '"' ? strchr(q + 1, '"') : q + strcspn(q, ";, ");
        return stop && stop <= end && says_next(q, (size_t)(stop - q));
    }
    return false;
}

struct slice rest_link_next(const char *header)
{
    for (const char *p = header; *p;) {
        p += strspn(p, " \t,");
        const char *close = *p == '<' ? strchr(p, '>') : NULL;
        if (!close)
            break;
        const char *end = link_end(close + 1);
        if (link_is_next(close + 1, end))
            return (struct slice){p + 1, (size_t)(close - p - 1)};
        p = end;
    }
    return (struct slice){"", 0};
}
