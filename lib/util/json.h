#pragma once
/*
 * A strict reader of one JSON text (RFC 8259), one member at a time. Nothing is built and nothing allocated
 * but a scratch buffer for strings that have escapes. What it hands out points into the text or the scratch
 * and is valid until the next call. The whole text is checked: a fault behind the last member is found too.
 */
#include "util/buffer.h"

/* Objects and arrays inside each other, the outermost counted. At most 64: one bit each while skipping. */
#define JSON_MAX_DEPTH 64

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Why reading ended. */
enum json_fault {
    JSON_GOOD,
    JSON_NOT_JSON,
    JSON_NOT_OBJECT, /* good JSON, but no object */
    JSON_NOT_ARRAY,  /* likewise */
    JSON_NOT_UTF8,   /* ill-formed UTF-8, or half of a surrogate pair */
    JSON_TOO_DEEP,
    JSON_TOO_LARGE, /* no memory for a string */
};

struct json_token {
    enum json_type type;
    struct slice text;   /* STRING: unescaped; all others: as it stands in the text */
    struct slice raw;    /* as it stands in the text, quotes and all */
    bool has_nul;        /* U+0000 stands in it, at any depth */
    bool has_big_number; /* a number with an exponent, or a very long one, stands in it, at any depth */
    bool
        has_bad_text; /* of a lenient reader: something in it, or its name, is JSON_NOT_UTF8; text is not unescaped then */
};

/* All zero is a reader ready for json_begin(). */
struct json_reader {
    const char *start, *p, *end;
    bool lenient; /* JSON_NOT_UTF8 is no fault of the text but noted in its tokens; stays from text to text */
    bool inside;  /* the first member or element has been read */
    bool has_nul; /* see json_token; of the value being read */
    bool has_big_number;       /* likewise */
    bool has_bad_text;         /* likewise */
    enum json_fault fault;     /* why reading ended; JSON_GOOD while all is well */
    const char *words;         /* the rule that was broken */
    struct buffer key, string; /* scratch, kept from text to text */
};

void json_begin(struct json_reader *r, struct slice text);
/* Gives back the scratch memory above `keep` bytes each. */
void json_trim(struct json_reader *r, size_t keep);
void json_done(struct json_reader *r);

/* Enters the text's object. False when it is none: the fault is JSON_NOT_OBJECT only if the whole text is
 * good JSON. */
bool json_object(struct json_reader *r);
/* The object's next member. False at its end, or at a fault: r->fault tells. Doubled names come as they
 * stand; the caller compares. */
bool json_member(struct json_reader *r, struct slice *ret_key, struct json_token *ret_value);
/* The same of an array and its elements. */
bool json_array(struct json_reader *r);
bool json_element(struct json_reader *r, struct json_token *ret_value);
/* The whole text as one value of any type; false at a fault. */
bool json_value(struct json_reader *r, struct json_token *ret_value);
/* A value that more may stand behind, within so many open objects and arrays: for who reads those itself. */
bool json_part(struct json_reader *r, unsigned outside, struct json_token *ret_value);

/* How far into the text the reader is: where the fault stands. */
static inline size_t json_offset(const struct json_reader *r)
{
    return (size_t)(r->p - r->start);
}

/* UTF-8 as a JSON string, quotes and all: at most six bytes for each of its own, and two. */
void json_put_string(struct buffer *b, const char *p, size_t n);

/* The length of the JSON number that begins at p, 0 when none does. */
size_t json_number_length(const char *p, const char *end);
