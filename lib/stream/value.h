#pragma once
/*
 * A value of an entry becomes an element of a Postgres binary array: a 4-byte length and the type's binary
 * form, or length -1 for NULL. What the column cannot hold is refused here, by the server's own rules, so
 * that no row fails there for what could be known before.
 */
#include "stream/reason.h"
#include "stream/table.h"
#include "util/json.h"

/* What a text that is no good JSON is dead of. */
enum reason value_json_reason(enum json_fault fault);

/* A JSON value: its type must be the one the column needs. On refusal `out` is as it was, and detail has the
 * words. */
enum reason value_append(
    struct buffer *out, const struct column *c, const struct json_token *token, char detail[DETAIL_MAX]);
/* The same from plain text, of an entry that knows no types: numbers are written as in JSON, booleans as
 * true, false, t, f, 1 or 0; there is no NULL. */
enum reason value_append_text(
    struct buffer *out, const struct column *c, struct slice text, char detail[DETAIL_MAX]);

void value_append_null(struct buffer *out);
/* The entry's own time (Unix microseconds), as a timestamptz whatever the column's type: see decode.h. */
enum reason value_append_received(
    struct buffer *out, const struct column *c, int64_t received_us, char detail[DETAIL_MAX]);

/* Writes "field NAME: words" into detail, cut to fit between two characters, and returns the reason. */
enum reason value_refuse(
    enum reason reason, const struct column *c, char detail[DETAIL_MAX], const char *fmt, ...) _printf_(4, 5);
