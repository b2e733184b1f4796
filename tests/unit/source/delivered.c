#include "delivered.h"

#include <inttypes.h>
#include <zlib.h>

#define COLUMNS_MAX 16

static void put_row(struct buffer *out, const struct source_row *row)
{
    buffer_printf(out, "%" PRId64, row->line);
    if (row->reason) {
        ck_assert(row->detail && row->n_cells == 0);
        buffer_printf(out, "! %s ", row->reason);
        buffer_put(out, row->raw, row->n_raw);
    }
    for (size_t i = 0; !row->reason && i < row->n_cells; i++) {
        buffer_put_string(out, i ? "|" : ": ");
        buffer_put(out, row->cells[i].p ? row->cells[i].p : "~", row->cells[i].p ? row->cells[i].n : 1);
    }
    buffer_put_string(out, "\n");
}

static void put_others(const struct source *s, struct buffer *out)
{
    size_t n;
    const char *const *others = object_others(s, &n);
    for (size_t i = 0; i < n; i++)
        buffer_printf(out, "%s%s", i ? "," : "others ", others[i]);
    buffer_put_string(out, n ? "\n" : "");
}

static void put_all(struct source *s, struct buffer *out)
{
    struct source_fault fault, again;
    struct source_row row;
    int got;
    while ((got = source_next(s, &row, &fault)) > 0)
        put_row(out, &row);
    if (got == 0) {
        put_others(s, out);
        buffer_put_string(out, "end\n");
        return;
    }
    ck_assert_int_eq(source_next(s, &row, &again), -1);
    ck_assert_str_eq(again.error.text, fault.error.text);
    ck_assert(!fault.transient);
    buffer_printf(out, "failed %s %s\n", fault.reason ? fault.reason : "-", fault.error.text);
}

/* The words become the options' columns. */
static void split(char *words, struct object_options *options, const char **columns, bool *optional)
{
    for (char *rest, *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        size_t n = strlen(word), i = options->n_columns++;
        ck_assert_uint_lt(i, COLUMNS_MAX);
        optional[i] = word[n - 1] == '?';
        word[n - optional[i]] = '\0';
        columns[i] = word;
    }
    options->columns = columns;
    options->optional = optional;
}

static void put_file(const char *path, const char *p, size_t n)
{
    _cleanup_fclose_ FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(p, 1, n, f), n);
}

void deliver(const struct delivered *d, const char *p, size_t n, struct buffer *out)
{
    char folder[FOLDER_MAX];
    const char *columns[COLUMNS_MAX];
    bool optional[COLUMNS_MAX];
    struct object_options options = d->options;
    _cleanup_free_ char *words = xstrdup(d->columns);
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_fault fault;
    new_folder(folder);
    _cleanup_free_ char *path = xasprintf("%s/it's a %%20 file", folder);
    put_file(path, p, n);
    split(words, &options, columns, optional);
    options.label = d->key;
    if (object_open(path, &options, &s, &fault) == 0) {
        ck_assert_str_eq(s->columns[s->n_columns - 1], "_more");
        put_all(s, out);
        return;
    }
    ck_assert(!fault.transient);
    buffer_printf(out, "failed %s %s\n", fault.reason ? fault.reason : "-", fault.error.text);
}

void pack_gzip(const char *p, size_t n, struct buffer *out)
{
    z_stream z = {0};
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert(buffer_reserve(out, n + 1024));
    z.next_in = (Bytef *)p;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)out->p + out->n;
    z.avail_out = (uInt)(n + 1024);
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->n += z.total_out;
    deflateEnd(&z);
}

void expect_rows(const struct delivered *d, const char *p, size_t n, const char *wanted)
{
    _cleanup_buffer_ struct buffer out = {0};
    deliver(d, p, n, &out);
    ck_assert_str_eq(buffer_string(&out), wanted);
}

void expect_refused(const struct delivered *d, const char *p, size_t n, const char *reason, const char *words)
{
    _cleanup_buffer_ struct buffer out = {0};
    _cleanup_free_ char *wanted = xasprintf("failed %s %s: ", reason, d->key);
    deliver(d, p, n, &out);
    ck_assert_msg(
        strstr(buffer_string(&out), wanted), "%s: no \"%s\" in: %s", d->key, wanted, buffer_string(&out));
    ck_assert_msg(
        strstr(buffer_string(&out), words), "%s: no \"%s\" in: %s", d->key, words, buffer_string(&out));
}
