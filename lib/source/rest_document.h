#pragma once
/* One page's body: where its rows are, and where it says how to go on; then its rows, one by one. */
#include "source/rest_body.h"

struct rest_document {
    int64_t rows;                /* where the list begins: behind its bracket */
    int64_t n_rows, first, last; /* how many, and where the first and the last of them begin */
    unsigned depth;              /* objects and lists that are open around a row */
    bool has_next;               /* the member is there, whatever its value */
    struct slice next;           /* its text; n 0: null, false, "", or not there */
    char *next_text;             /* what next points to */
};

struct rest_places {
    const char *rows; /* "data", "a.b"; "": the document itself */
    const char *next; /* "meta.next"; NULL: not wanted */
};

/* All of it is checked. False: why is in ret_why (at least 160 bytes), without a word of the body; *ret_is_json tells
 * whether it is JSON, of another shape than was expected. */
bool rest_document_read(struct rest_body *b, const struct rest_places *places, struct rest_document *ret,
    char ret_why[160], bool *ret_is_json);
void rest_document_done(struct rest_document *d);

/* To the first row. */
void rest_document_begin(const struct rest_document *d, struct rest_body *b);
/* The next row, valid until the next reading of the body: 1; 0 at the end; -1: the body cannot be read, b->error says why. */
int rest_document_row(const struct rest_document *d, struct rest_body *b, struct json_token *ret);
/* The row that begins at this offset; the next one is the one behind it. False as -1. */
bool rest_document_row_at(
    const struct rest_document *d, struct rest_body *b, int64_t offset, struct json_token *ret);

/* The URL of a Link header's rel="next" (RFC 8288); n 0: none. */
struct slice rest_link_next(const char *header);
