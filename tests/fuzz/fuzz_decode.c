/*
 * The decoder. The first byte chooses the entry's shape and whether columns take NULL; the rest is the
 * payload, or for an entry of fields "name=value" lines. Held true: a refused entry leaves no trace in any
 * buffer, a row is one whole element a column, and a detail is UTF-8 that fits.
 */
#include "stream/decode.h"
#include "util/text.h"

#include <assert.h>
#include <endian.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char *labels[] = {(char[]){"sad"}, (char[]){"ok"}};

#define COLUMN(letter, of_kind, ...)                                                                         \
    {                                                                                                        \
        .name = (char[]){letter}, .field = (char[]){letter}, .type_sql = (char[]){"its type"},               \
        .kind = (of_kind), __VA_ARGS__                                                                       \
    }

static struct column columns[] = {
    COLUMN("a", VALUE_INT2),
    COLUMN("b", VALUE_INT4),
    COLUMN("c", VALUE_INT8),
    COLUMN("d", VALUE_NUMERIC),
    COLUMN("d", VALUE_NUMERIC, .precision = 10, .scale = 2),
    COLUMN("e", VALUE_NUMERIC, .precision = 1000, .scale = 500),
    COLUMN("e", VALUE_NUMERIC, .precision = 3, .scale = -5),
    COLUMN("f", VALUE_FLOAT4),
    COLUMN("g", VALUE_FLOAT8),
    COLUMN("h", VALUE_BOOL),
    COLUMN("i", VALUE_TEXT, .max_chars = 5),
    COLUMN("j", VALUE_TEXT),
    COLUMN("k", VALUE_DATE),
    COLUMN("l", VALUE_TIMESTAMP),
    COLUMN("m", VALUE_TIMESTAMPTZ),
    COLUMN("n", VALUE_UUID),
    COLUMN("o", VALUE_JSON, .type_oid = 114),
    COLUMN("p", VALUE_JSON, .type_oid = 3802),
    COLUMN("q", VALUE_ENUM, .labels = labels, .n_labels = 2),
    {.name = (char[]){"r"}, .received = true, .kind = VALUE_TIMESTAMP},
};

#define N_COLUMNS  N_ELEMENTS(columns)
#define FIELDS_MAX 64

static size_t split_fields(struct slice text, struct entry_field fields[FIELDS_MAX])
{
    size_t n = 0;
    const char *p = text.p, *end = text.p + text.n;
    while (p < end && n < FIELDS_MAX) {
        const char *line = memchr(p, '\n', (size_t)(end - p));
        if (!line)
            line = end;
        const char *equals = memchr(p, '=', (size_t)(line - p));
        if (!equals)
            equals = line;
        const char *value = equals < line ? equals + 1 : line;
        fields[n++] = (struct entry_field){{p, (size_t)(equals - p)}, {value, (size_t)(line - value)}};
        p = line < end ? line + 1 : end;
    }
    return n;
}

static void check_element(const struct buffer *b, size_t from)
{
    uint32_t length;
    assert(b->n >= from + sizeof(length));
    memcpy(&length, b->p + from, sizeof(length));
    length = be32toh(length);
    assert(b->n == from + sizeof(length) + (length == UINT32_MAX ? 0 : length));
}

static void check_row(const struct buffer *row, enum reason r, const char *detail)
{
    for (size_t i = 0; i < N_COLUMNS; i++)
        if (r == REASON_NONE)
            check_element(&row[i], i);
        else
            assert(row[i].n == i);
    assert(strnlen(detail, DETAIL_MAX) < DETAIL_MAX);
    assert(text_is_utf8(detail, strlen(detail)));
    assert((r == REASON_NONE) == (detail[0] == '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const struct table table = {.columns = columns, .n_columns = N_COLUMNS};
    if (n == 0)
        return 0;
    struct entry_field fields[FIELDS_MAX];
    struct entry e = {.shape = (enum entry_shape)(bytes[0] % 3), .payload = {(const char *)bytes + 1, n - 1}};
    e.broken = bytes[0];
    e.fields = fields;
    e.n_fields = split_fields(e.payload, fields);
    for (size_t i = 0; i < N_COLUMNS; i++)
        columns[i].not_null = bytes[0] & 0x80 && i % 2;
    _cleanup_(decoder_freep) struct decoder *d = decoder_new(&table);
    struct buffer row[N_COLUMNS] = {0};
    char detail[DETAIL_MAX];
    for (size_t i = 0; i < N_COLUMNS; i++)
        buffer_put(&row[i], "something that stands there", i);
    check_row(row, decoder_row(d, &e, row, detail), detail);
    for (size_t i = 0; i < N_COLUMNS; i++)
        buffer_done(&row[i]);
    return 0;
}
