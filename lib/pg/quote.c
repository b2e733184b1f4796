#include "pg/quote.h"

static void put_quoted(struct buffer *out, char quote, const char *text)
{
    buffer_put(out, &quote, 1);
    for (; *text; text++) {
        if (*text == quote)
            buffer_put(out, &quote, 1);
        buffer_put(out, text, 1);
    }
    buffer_put(out, &quote, 1);
}

void pg_put_identifier(struct buffer *out, const char *name)
{
    put_quoted(out, '"', name);
}

void pg_put_literal(struct buffer *out, const char *text)
{
    put_quoted(out, '\'', text);
}
