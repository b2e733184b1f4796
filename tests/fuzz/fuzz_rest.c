/*
 * A page of a REST resource, as a stranger sends it: the first byte chooses where its rows are, the rest is the body. Every row is
 * read twice, with the members it has and with two that are chosen. A text that begins with a '<' is a Link header too.
 */
#include "source/rest_inside.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_row(const struct rest_columns *c, const struct rest_row *row)
{
    require(c->n <= REST_COLUMNS_MAX + 2);
    for (size_t i = 0; row->cells && row->reason == SOURCE_TAKEN && i < c->n; i++)
        if (row->cells[i].p)
            require(text_is_utf8(row->cells[i].p, row->cells[i].n) &&
                    !memchr(row->cells[i].p, 0, row->cells[i].n));
}

static void read_rows(struct slice rows, bool open)
{
    struct rest_columns c;
    struct rest_row_reader reader;
    struct json_reader list = {.lenient = true};
    struct json_token t;
    struct rest_row row;
    rest_columns_init(&c);
    rest_row_reader_init(&reader);
    c.open = open;
    c.key = open ? SIZE_MAX : rest_columns_add(&c, SLICE("id"));
    c.updated = open ? SIZE_MAX : rest_columns_add(&c, SLICE("updated_at"));
    json_begin(&list, rows);
    require(json_array(&list));
    while (json_element(&list, &t)) {
        if (!rest_row_read(&reader, &c, &t, &row))
            break;
        check_row(&c, &row);
        if (row.key.p && row.updated.p)
            rest_compare(row.key, row.updated);
    }
    require(list.fault == JSON_GOOD);
    json_done(&list);
    rest_row_reader_done(&reader);
    rest_columns_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const paths[] = {"data", "", "a.b"};
    if (n == 0)
        return 0;
    struct rest_places places = {paths[bytes[0] % N_ELEMENTS(paths)], "meta.next"};
    struct json_reader r = {0};
    struct rest_document d = {0};
    char why[160];
    bool is_json;
    /* A copy without a byte behind it. */
    _cleanup_free_ char *body = xcalloc(n, 1);
    memcpy(body, bytes + 1, n - 1);
    if (rest_document_read(&r, (struct slice){body, n - 1}, &places, &d, why, &is_json)) {
        read_rows(d.rows, true);
        read_rows(d.rows, false);
        rest_document_done(&d);
    }
    json_done(&r);
    struct slice next = rest_link_next(body);
    require(next.n == 0 || (next.p > body && next.p + next.n < body + n));
    return 0;
}
