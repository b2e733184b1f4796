/*
 * A page of a REST resource, as a stranger sends it: the first byte chooses where its rows are and how large the window of a body
 * in a file is, the rest is the body. In memory and in the file it must be the same page, or refused with the same words. Every
 * row is read twice, with the members it has and with two that are chosen. A text that begins with a '<' is a Link header too.
 */
#include "source/rest_inside.h"
#include "util/text.h"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_row(const struct json_columns *c, const struct json_row *row)
{
    require(c->n <= JSON_COLUMNS_MAX + 2);
    for (size_t i = 0; row->cells && row->reason == SOURCE_TAKEN && i < c->n; i++)
        if (row->cells[i].p)
            require(text_is_utf8(row->cells[i].p, row->cells[i].n) &&
                    !memchr(row->cells[i].p, 0, row->cells[i].n));
}

static void read_rows(const struct rest_document *d, struct rest_body *b, bool open)
{
    struct json_columns c;
    struct json_row_reader reader;
    struct json_token t;
    struct json_row row;
    json_columns_init(&c);
    json_row_reader_init(&reader);
    c.open = open;
    c.key = open ? SIZE_MAX : json_columns_add(&c, SLICE("id"));
    c.updated = open ? SIZE_MAX : json_columns_add(&c, SLICE("updated_at"));
    rest_document_begin(d, b);
    while (rest_document_row(d, b, &t) > 0) {
        if (!json_row_read(&reader, &c, &t, &row))
            break;
        check_row(&c, &row);
        if (row.key.p && row.updated.p)
            rest_compare(row.key, row.updated);
    }
    require(b->fault == REST_BODY_GOOD);
    json_row_reader_done(&reader);
    json_columns_done(&c);
}

static void check_same(const struct json_token *a, const struct json_token *b)
{
    require(a->type == b->type && slice_equal(a->raw, b->raw) && slice_equal(a->text, b->text));
    require(a->has_nul == b->has_nul && a->has_big_number == b->has_big_number &&
            a->has_bad_text == b->has_bad_text);
}

struct read {
    struct rest_body body;
    struct rest_document document;
    bool good, is_json;
    char why[160];
};

static void put(struct read *r, const char *p, size_t n, size_t at_once)
{
    for (size_t at = 0; at < n; at += at_once)
        require(rest_body_put(&r->body, p + at, MIN(at_once, n - at)));
}

static void check_pages(struct read *a, struct read *b)
{
    const struct rest_document *x = &a->document, *y = &b->document;
    struct json_token s, t;
    require(x->n_rows == y->n_rows && x->rows == y->rows && x->depth == y->depth);
    require(x->has_next == y->has_next && x->next.n == y->next.n);
    require(x->next.n == 0 || slice_equal(x->next, y->next));
    rest_document_begin(x, &a->body);
    rest_document_begin(y, &b->body);
    int64_t n = 0;
    for (; rest_document_row(x, &a->body, &s) > 0; n++) {
        require(rest_document_row(y, &b->body, &t) > 0);
        check_same(&s, &t);
    }
    require(rest_document_row(y, &b->body, &t) == 0 && n == x->n_rows);
    if (n == 0)
        return;
    for (int i = 0; i < 2; i++) {
        require(rest_document_row_at(x, &a->body, i ? x->first : x->last, &s) &&
                rest_document_row_at(y, &b->body, i ? y->first : y->last, &t));
        check_same(&s, &t);
    }
}

static void read_twice(const char *p, size_t n, const struct rest_places *places, size_t window)
{
    struct read reads[2] = {0};
    for (int i = 0; i < 2; i++) {
        struct read *r = &reads[i];
        rest_body_init(&r->body);
        if (i > 0) {
            r->body.fd = memfd_create("page", MFD_CLOEXEC);
            r->body.window = r->body.room = window;
        }
        put(r, p, n, i ? window : MAX(n, (size_t)1));
        r->good = rest_document_read(&r->body, places, &r->document, r->why, &r->is_json);
    }
    require(reads[0].good == reads[1].good && reads[0].is_json == reads[1].is_json);
    require(strcmp(reads[0].why, reads[1].why) == 0);
    if (reads[0].good) {
        check_pages(&reads[0], &reads[1]);
        read_rows(&reads[0].document, &reads[0].body, true);
        read_rows(&reads[1].document, &reads[1].body, false);
    }
    for (int i = 0; i < 2; i++) {
        rest_document_done(&reads[i].document);
        rest_body_done(&reads[i].body);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const paths[] = {"data", "", "a.b"};
    if (n == 0)
        return 0;
    struct rest_places places = {paths[bytes[0] % N_ELEMENTS(paths)], "meta.next"};
    /* A copy without a byte behind it. */
    _cleanup_free_ char *body = xcalloc(n, 1);
    memcpy(body, bytes + 1, n - 1);
    read_twice(body, n - 1, &places, 1 + (size_t)bytes[0] / N_ELEMENTS(paths));
    struct slice next = rest_link_next(body);
    require(next.n == 0 || (next.p > body && next.p + next.n < body + n));
    return 0;
}
