/* How an entry is kept in the dead letters, and how it is read back for a replay. */
#include "stream/batch.h"

static const char *const shapes[] = {
    [ENTRY_JSON] = "json", [ENTRY_FIELDS] = "fields", [ENTRY_BROKEN] = "bytes"};

const char *entry_shape_to_string(enum entry_shape shape)
{
    return shapes[shape];
}

enum entry_shape entry_shape_from_string(const char *word)
{
    for (size_t i = 0; i < N_ELEMENTS(shapes); i++)
        if (strcmp(shapes[i], word) == 0)
            return (enum entry_shape)i;
    return ENTRY_BROKEN;
}

static void put_bulk(struct buffer *out, struct slice s)
{
    buffer_printf(out, "$%zu\r\n", s.n);
    buffer_put(out, s.p, s.n);
    buffer_put(out, "\r\n", 2);
}

void entry_payload(const struct entry *entry, struct buffer *out)
{
    if (entry->shape != ENTRY_FIELDS) {
        buffer_put(out, entry->payload.p, entry->payload.n);
        return;
    }
    buffer_printf(out, "*%zu\r\n", entry->n_fields * 2);
    for (size_t i = 0; i < entry->n_fields; i++) {
        put_bulk(out, entry->fields[i].name);
        put_bulk(out, entry->fields[i].value);
    }
}

/* One "$<n>\r\n<bytes>\r\n" at *at. The fields point into the payload, so hiredis' reader, which copies, is
 * no use. */
static bool take_bulk(struct slice payload, size_t *at, struct slice *ret)
{
    if (*at >= payload.n || payload.p[*at] != '$')
        return false;
    char *end;
    unsigned long long n = strtoull(payload.p + *at + 1, &end, 10);
    size_t begin = (size_t)(end - payload.p) + 2;
    if (begin > payload.n || n > payload.n - begin)
        return false;
    *ret = (struct slice){payload.p + begin, (size_t)n};
    *at = begin + (size_t)n + 2;
    return *at <= payload.n;
}

int entry_from_payload(
    enum entry_shape shape, struct slice payload, struct entry *entry, struct entry_field **ret_fields)
{
    entry->shape = shape;
    entry->payload = payload;
    if (shape != ENTRY_FIELDS)
        return 0;
    if (payload.n < 4 || payload.p[0] != '*' || payload.p[payload.n - 1] != '\n')
        return -1;
    char *end;
    size_t n = strtoul(payload.p + 1, &end, 10) / 2, at = (size_t)(end - payload.p) + 2;
    if (n > payload.n / 8 + 1)
        return -1;
    struct entry_field *fields = xcalloc(n, sizeof(*fields));
    for (size_t i = 0; i < n; i++)
        if (!take_bulk(payload, &at, &fields[i].name) || !take_bulk(payload, &at, &fields[i].value)) {
            free(fields);
            return -1;
        }
    entry->payload = (struct slice){0};
    entry->fields = *ret_fields = fields;
    entry->n_fields = n;
    return 0;
}
