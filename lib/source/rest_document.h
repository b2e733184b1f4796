#pragma once
/* One page's body: where its rows are, and where it says how to go on. Pure; the rows themselves are read later. */
#include "util/json.h"

struct rest_document {
    struct slice rows; /* the JSON array, as it stands */
    bool has_next;     /* the member is there, whatever its value */
    struct slice next; /* its text; n 0: null, false, "", or not there */
    char *next_text;   /* what next points to */
};

struct rest_places {
    const char *rows; /* "data", "a.b"; "": the document itself */
    const char *next; /* "meta.next"; NULL: not wanted */
};

/* All of it is checked. False: why is in ret_why (at least 160 bytes), without a word of the body; *ret_is_json tells
 * whether it is JSON, of another shape than was expected. */
bool rest_document_read(struct json_reader *r, struct slice body, const struct rest_places *places,
    struct rest_document *ret, char ret_why[160], bool *ret_is_json);
void rest_document_done(struct rest_document *d);

/* The URL of a Link header's rel="next" (RFC 8288); n 0: none. */
struct slice rest_link_next(const char *header);
