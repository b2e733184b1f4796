/*
 * A delivered object of any bytes. What a row promises must hold, also of the raw text; and lines of it are in order. The first
 * byte chooses the format and how long a row may be.
 */
#include "source/object.h"
#include "util/buffer.h"
#include "util/text.h"

#include <fcntl.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_row(struct source *s, const struct source_row *row)
{
    size_t n;
    const char *raw = s->driver->raw(s, &n);
    must(n <= SOURCE_RAW_MAX && text_is_utf8(raw, n) && !memchr(raw, 0, n));
    must(!row->reason || (row->detail && row->n_cells == 0 && row->n_raw == n));
    must(row->reason || row->n_cells == s->n_columns);
    for (size_t i = 0; i < row->n_cells; i++) {
        const struct source_cell *cell = &row->cells[i];
        must(cell->p ? text_is_utf8(cell->p, cell->n) && !memchr(cell->p, 0, cell->n) : cell->n == 0);
    }
}

static void read_all(const char *path, const struct object_options *options)
{
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_fault fault;
    struct source_row row;
    int64_t line = 0;
    int got = object_open(path, options, &s, &fault);
    while (got >= 0 && (got = source_next(s, &row, &fault)) > 0) {
        must(row.line >= line);
        line = row.line;
        check_row(s, &row);
    }
    must(got == 0 || (fault.error.text[0] && fault.reason && !fault.transient));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const formats[] = {NULL, "csv", "json", "ndjson"};
    static const char *const columns[] = {"a", "b", "c"};
    static const bool optional[] = {true, false, true};
    char path[64];
    if (n < 1)
        return 0;
    struct object_options options = {.label = "fuzz",
        .format = formats[bytes[0] & 3],
        .columns = columns,
        .optional = optional,
        .n_columns = N_ELEMENTS(columns),
        .row_max = bytes[0] >> 2};
    _cleanup_close_ int fd = memfd_create("object", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes + 1, n - 1) != (ssize_t)(n - 1))
        return 0;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    read_all(path, &options);
    return 0;
}
