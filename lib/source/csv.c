#include "source/csv.h"

#include "source/csv_record.h"
#include "source/csv_sniff.h"
#include "source/object_reason.h"
#include "util/text.h"

#include <inttypes.h>

#define ROW_MAX ((size_t)16 << 20)

struct csv {
    struct source source;
    char *label;
    char **names;              /* of the columns */
    struct slice *null_tokens; /* their bytes are copies */
    size_t n_null_tokens;
    int64_t rows;
    bool has_failed;
    struct source_fault failure; /* what next() says from then on */
    char detail[160];
    struct buffer raw;
    struct csv_reader reader;
};

static struct csv *csv_of(struct source *s)
{
    return (struct csv *)s; /* its first field */
}

static void free_tokens(struct csv *c)
{
    for (size_t i = 0; i < c->n_null_tokens; i++)
        free((char *)c->null_tokens[i].p);
    free(c->null_tokens);
}

static void free_names(struct csv *c)
{
    for (size_t i = 0; i < c->source.n_columns; i++)
        free(c->names[i]);
    free(c->names);
}

static void release(struct source *s)
{
    struct csv *c = csv_of(s);
    free(c->label);
    free_names(c);
    free_tokens(c);
    buffer_done(&c->raw);
    csv_reader_done(&c->reader);
    free(c);
}

static void facts(const struct source *s, struct source_facts *ret)
{
    const struct csv *c = (const struct csv *)s;
    *ret = (struct source_facts){.rows = c->rows, .received = c->reader.received, .total = -1};
    if (c->reader.bytes.facts)
        c->reader.bytes.facts(c->reader.bytes.arg, &ret->received, &ret->total);
}

#define AGAIN "fetch it again, or have the program that writes it look at that line"

/* What ends without a line end was perhaps being written: it may go well when tried again. */
static int fail_unclosed(const struct csv *c, struct source_fault *fault)
{
    fault->transient = !c->reader.has_end;
    fault->reason = object_reason_code(c->reader.has_end ? OBJECT_DAMAGED : OBJECT_TRUNCATED);
    return error_set(&fault->error,
        "%s: a quote that opens a cell in line %" PRId64
        " is not closed before the end of the file, in line %" PRId64
        ": the file is cut off, or the quote is one too many; " AGAIN,
        c->label, c->reader.cell_line, c->reader.next_line);
}

static int fail_cut_off(const struct csv *c, struct source_fault *fault)
{
    fault->transient = true;
    fault->reason = object_reason_code(OBJECT_TRUNCATED);
    return error_set(&fault->error,
        "%s: line %" PRId64
        ", the last, ends in the middle of a record and without a line end: the file is cut off; " AGAIN,
        c->label, c->reader.line);
}

/* The empty cell and a null token are NULL, in quotes or not: nobody who writes such files tells them apart. */
static bool is_null(const struct csv *c, const char *p, size_t n)
{
    for (size_t i = 0; i < c->n_null_tokens; i++)
        if (n == c->null_tokens[i].n && memcmp(p, c->null_tokens[i].p, n) == 0)
            return true;
    return n == 0;
}

static size_t n_kept(const struct csv_reader *r)
{
    return MIN(r->n_cells, r->max_cells);
}

static void set_cells(struct csv *c)
{
    const char *p = c->reader.first;
    for (size_t i = 0; i < n_kept(&c->reader); i++) {
        struct source_cell *cell = &c->reader.cells[i];
        size_t n = cell->n;
        *cell = is_null(c, p, n) ? (struct source_cell){0} : (struct source_cell){p, n};
        p += n + c->reader.gap;
    }
}

/* What is wrong with the text of the cells. */
static enum source_reason judge_text(const struct csv_reader *r)
{
    for (size_t i = 0; !r->is_plain && i < r->n_cells; i++) {
        const struct source_cell *cell = &r->cells[i];
        if (cell->p && memchr(cell->p, 0, cell->n))
            return SOURCE_NUL_BYTE;
        if (cell->p && !text_is_utf8(cell->p, cell->n))
            return SOURCE_BAD_ENCODING;
    }
    return SOURCE_TAKEN;
}

/* Well-formed, but for a last character that is not all there. */
static bool ends_within_character(const char *p, size_t n)
{
    for (size_t k = 1; k <= MIN(n, (size_t)3); k++) {
        unsigned char c = (unsigned char)p[n - k];
        size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        if ((c & 0xc0) != 0x80)
            return len > k && text_is_utf8(p, n - k);
    }
    return false;
}

/* A last record that has no line end: it stops short of its cells, or within a character. */
static bool is_cut_off(const struct csv *c, enum source_reason reason)
{
    const struct csv_reader *r = &c->reader;
    if (r->has_end)
        return false;
    if (reason != SOURCE_BAD_ENCODING)
        return reason != SOURCE_BAD_QUOTE && r->n_cells < c->source.n_columns;
    const struct source_cell *last = &r->cells[r->n_cells - 1];
    return last->p && ends_within_character(last->p, last->n);
}

static enum source_reason judge(struct csv *c)
{
    const struct csv_reader *r = &c->reader;
    if (r->reason != SOURCE_TAKEN)
        return r->reason;
    set_cells(c);
    if (r->n_cells != c->source.n_columns)
        return r->n_cells < c->source.n_columns ? SOURCE_TOO_FEW_CELLS : SOURCE_TOO_MANY_CELLS;
    return judge_text(r);
}

/* Words that name the rule and the place, never what stands there. */
static void explain(struct csv *c, enum source_reason reason)
{
    const struct csv_reader *r = &c->reader;
    char size[32];
    if (reason == SOURCE_TOO_FEW_CELLS || reason == SOURCE_TOO_MANY_CELLS)
        snprintf(
            c->detail, sizeof(c->detail), "%zu cells, the header has %zu", r->n_cells, c->source.n_columns);
    else if (reason == SOURCE_TOO_LONG)
        snprintf(c->detail, sizeof(c->detail), "longer than %s; its last cell begins in line %" PRId64,
            text_bytes(r->row_max, size), r->cell_line);
    else
        snprintf(c->detail, sizeof(c->detail), "%s", source_reason_sentence(reason));
}

static const char *raw(struct source *s, size_t *ret_n)
{
    struct csv *c = (struct csv *)s;
    struct slice bytes = csv_reader_raw(&c->reader);
    buffer_reset(&c->raw, SOURCE_RAW_MAX);
    if (buffer_reserve(&c->raw, MIN(bytes.n * 3 + 1, (size_t)SOURCE_RAW_MAX)))
        c->raw.n = text_make_utf8(bytes.p, bytes.n, c->raw.p, MIN(bytes.n * 3, (size_t)SOURCE_RAW_MAX));
    *ret_n = c->raw.n;
    return c->raw.n ? c->raw.p : "";
}

static void reject(struct csv *c, enum source_reason reason, struct source_row *ret)
{
    bool has_cells = c->reader.reason == SOURCE_TAKEN;
    explain(c, reason);
    *ret = (struct source_row){
        .line = c->reader.line,
        .n_cells = has_cells ? n_kept(&c->reader) : 0,
        .cells = has_cells ? c->reader.cells : NULL,
        .reason = source_reason_code(reason),
        .detail = c->detail,
    };
    ret->raw = raw(&c->source, &ret->n_raw);
}

static int next_row(struct csv *c, struct source_row *ret, struct source_fault *fault)
{
    enum source_reason why;
    int got = csv_reader_next(&c->reader, &why, fault);
    if (got < 0)
        return why == SOURCE_BAD_QUOTE ? fail_unclosed(c, fault) : -1;
    if (got == 0)
        return 0;
    enum source_reason reason = judge(c);
    if (is_cut_off(c, reason))
        return fail_cut_off(c, fault);
    c->rows++;
    if (reason != SOURCE_TAKEN) {
        reject(c, reason, ret);
        return 1;
    }
    *ret =
        (struct source_row){.line = c->reader.line, .n_cells = c->reader.n_cells, .cells = c->reader.cells};
    return 1;
}

static int next(struct source *s, struct source_row *ret_row, struct source_fault *fault)
{
    struct csv *c = csv_of(s);
    if (!c->has_failed) {
        c->failure = (struct source_fault){0};
        int got = next_row(c, ret_row, &c->failure);
        c->has_failed = got < 0;
        if (got >= 0)
            return got;
    }
    *fault = c->failure;
    return -1;
}

static const struct source_driver driver = {next, facts, release, raw};

static void copy_tokens(struct csv *c, const struct csv_options *options)
{
    c->n_null_tokens = options->n_null_tokens;
    c->null_tokens = xcalloc(c->n_null_tokens, sizeof(*c->null_tokens));
    for (size_t i = 0; i < c->n_null_tokens; i++)
        c->null_tokens[i] = (struct slice){xstrdup(options->null_tokens[i]), strlen(options->null_tokens[i])};
}

static struct csv *new_csv(const struct csv_bytes *bytes, const struct csv_options *options)
{
    struct csv *c = xnew(struct csv);
    c->source.driver = &driver;
    c->label = xstrdup(options->label);
    csv_reader_init(&c->reader, bytes, options->row_max ? options->row_max : ROW_MAX);
    return c;
}

static int fail_header(const struct csv *c, struct source_fault *fault, const char *what, const char *remedy)
{
    fault->reason = object_reason_code(OBJECT_WRONG_FORMAT);
    return error_set(
        &fault->error, "%s: the header, in line %" PRId64 ", %s: %s", c->label, c->reader.line, what, remedy);
}

/* To be called when there is more than it, or no more to come. */
static void pass_bom(struct csv_reader *r)
{
    if (r->at == 0 && r->n >= 3 && memcmp(r->in, "\xef\xbb\xbf", 3) == 0)
        r->at = 3;
}

/* Reads as far as is needed to know whether this is CSV, and of which delimiter. */
static int sniff(struct csv *c, char *ret_delimiter, struct source_fault *fault)
{
    struct csv_reader *r = &c->reader;
    struct csv_sniff s = {0};
    bool is_known = false;
    for (int got = 1; got > 0 && !is_known;) {
        got = csv_reader_fill(r, fault);
        if (got < 0)
            return -1;
        if (r->n < CSV_SNIFF_MIN)
            continue;
        pass_bom(r);
        is_known = csv_sniff_more(&s, r->in + r->at, r->n - r->at);
    }
    pass_bom(r);
    csv_sniff_more(&s, r->in + r->at, r->n - r->at);
    const char *what, *remedy;
    if (csv_sniff_foreign(&s, r->in + r->at, r->n - r->at, &what, &remedy)) {
        fault->reason = object_reason_code(OBJECT_WRONG_FORMAT);
        return error_set(&fault->error, "%s: what came is no CSV but %s: %s", c->label, what, remedy);
    }
    *ret_delimiter = csv_sniff_delimiter(&s);
    return 0;
}

static int set_delimiter(struct csv *c, char delimiter, struct source_fault *fault)
{
    if (delimiter == CSV_QUOTE || delimiter == CSV_CR || delimiter == CSV_LF || (signed char)delimiter <= 0)
        return error_set(&fault->error,
            "%s: the delimiter that is configured cannot part cells: give one ASCII character, neither a "
            "quote "
            "nor a line end",
            c->label);
    csv_set_delim(&c->reader.parser, (unsigned char)delimiter);
    return 0;
}

static int check_header(struct csv *c, struct source_fault *fault)
{
    const struct csv_reader *r = &c->reader;
    char what[160];
    if (r->reason != SOURCE_TAKEN)
        return fail_header(c, fault,
            r->reason == SOURCE_TOO_LONG ? "is longer than a record may be"
                                         : "has text behind a closing quote",
            "is this CSV, and with this delimiter?");
    snprintf(what, sizeof(what), "has %zu columns, more than %d", r->n_cells, CSV_CELLS_MAX);
    if (r->n_cells > CSV_CELLS_MAX) {
        fail_header(c, fault, what, "is this the right delimiter?");
        fault->reason = object_reason_code(OBJECT_TOO_MANY_COLUMNS);
        return -1;
    }
    set_cells(c);
    enum source_reason reason = judge_text(r);
    if (reason == SOURCE_NUL_BYTE)
        return fail_header(
            c, fault, "holds the byte 0", "it is a binary file, or text in UTF-16: have it written as UTF-8");
    if (reason == SOURCE_BAD_ENCODING)
        return fail_header(c, fault, "is not UTF-8", "have it written as UTF-8; or it is no text at all");
    return 0;
}

static void take_header(struct csv *c)
{
    struct csv_reader *r = &c->reader;
    c->names = xcalloc(r->n_cells, sizeof(*c->names));
    for (size_t i = 0; i < r->n_cells; i++)
        c->names[i] = xstrndup(r->cells[i].n ? r->cells[i].p : "", r->cells[i].n);
    c->source.columns = (const char *const *)c->names;
    c->source.n_columns = r->max_cells = r->n_cells;
}

static int read_header(struct csv *c, const struct csv_options *options, struct source_fault *fault)
{
    char delimiter = 0;
    enum source_reason why;
    if (sniff(c, &delimiter, fault) < 0 ||
        set_delimiter(c, options->delimiter ? options->delimiter : delimiter, fault) < 0)
        return -1;
    int got = csv_reader_next(&c->reader, &why, fault);
    if (got < 0)
        return why == SOURCE_BAD_QUOTE ? fail_unclosed(c, fault) : -1;
    if (got == 0) {
        fault->reason = object_reason_code(OBJECT_EMPTY);
        return error_set(&fault->error,
            "%s: there is nothing in it, not even a header: was it written to its end?", c->label);
    }
    if (check_header(c, fault) < 0)
        return -1;
    take_header(c);
    copy_tokens(c, options); /* from here on: a column may well be called NULL */
    return 0;
}

int csv_open(const struct csv_bytes *bytes, const struct csv_options *options, struct source **ret_source,
    struct source_fault *fault)
{
    struct csv *c = new_csv(bytes, options);
    _cleanup_(source_freep) struct source *s = &c->source;
    *fault = (struct source_fault){0};
    if (read_header(c, options, fault) < 0)
        return -1;
    *ret_source = TAKE(s);
    return 0;
}
