/*
 * What libcsv does that one would not expect, and what is done about it:
 *
 * - It strips blanks around cells. A function that calls nothing a blank ends that; it is asked for every byte outside of
 *   quotes, which costs a fifth of the speed.
 * - In its lax mode, text behind a closing quote ("a"b,) reopens the cell and swallows the file up to the next quote. In
 *   its strict mode it stops there, and we give up that line alone. But strict it also stops at a quote within a cell
 *   that has none around it (5" pipe): that means itself, as everywhere, so that one byte is fed laxly.
 * - Its buffer for a cell only grows, by 128 bytes a time. We set larger steps, give it back after a large cell, and of a
 *   record that is too long drop what it holds: the one place where a field of the parser is written.
 * - It says nothing of where it is: hence the feeding by lines.
 * - It passes over blank lines by itself, and over the LF of a CRLF as one of them.
 */
#include "source/csv_record.h"

#define IN_SIZE 65536
#define KEEP    (IN_SIZE * 4) /* memory above it that a long record took is given back */
#define OPTIONS (CSV_STRICT | CSV_STRICT_FINI)

static int never_a_blank(unsigned char c)
{
    return 0;
}

void csv_reader_init(struct csv_reader *r, const struct csv_bytes *bytes, size_t row_max)
{
    *r = (struct csv_reader){.bytes = *bytes,
        .row_max = row_max,
        .max_cells = CSV_CELLS_MAX,
        .cr = -1,
        .lf = -1,
        .quote = -1,
        .next_line = 1};
    r->in = xcalloc(IN_SIZE, 1);
    csv_init(&r->parser, OPTIONS);
    csv_set_space_func(&r->parser, never_a_blank);
    csv_set_blk_size(&r->parser, IN_SIZE);
}

void csv_reader_done(struct csv_reader *r)
{
    csv_free(&r->parser);
    free(r->in);
    buffer_done(&r->before);
    buffer_done(&r->text);
}

/* Keeps the record's bytes of `in`, as many as raw text takes: with 3 more, so that a character is cut off whole. */
static void keep_raw(struct csv_reader *r, size_t end)
{
    size_t room = SOURCE_RAW_MAX + 3 - r->before.n;
    buffer_put(&r->before, r->in + r->begin, MIN(end - r->begin, room));
    r->begin = end;
}

int csv_reader_fill(struct csv_reader *r, struct source_fault *fault)
{
    if (r->at == r->n) {
        if (r->is_begun)
            keep_raw(r, r->n);
        r->at = r->n = r->begin = 0;
        r->cr = r->lf = r->quote = -1;
    }
    if (r->n == IN_SIZE)
        return 0;
    ssize_t n = r->bytes.read(r->bytes.arg, r->in + r->n, IN_SIZE - r->n, fault);
    if (n <= 0)
        return (int)n;
    r->n += (size_t)n;
    r->received += n;
    return 1;
}

static void on_cell(void *p, size_t n, void *arg)
{
    struct csv_reader *r = arg;
    size_t i = r->n_cells++;
    if (i >= r->max_cells || r->reason != SOURCE_TAKEN)
        return;
    memcpy(r->text.p + r->text.n, p, n); /* feed() made room for the whole of the record */
    r->text.n += n;
    r->cells[i].n = n;
}

static void on_record(int c, void *arg)
{
    struct csv_reader *r = arg;
    r->is_complete = true;
    r->first = r->text.p;
    r->gap = 0;
}

/* Of a record that is too long its cells are counted and no longer kept. libcsv takes the last byte back when a closing
 * quote turns out to be one: it keeps one. */
static void drop_text(struct csv_reader *r)
{
    r->reason = SOURCE_TOO_LONG;
    r->text.n = 0;
    r->parser.entry_pos = MIN(r->parser.entry_pos, (size_t)1);
}

/* libcsv stopped at p. How many bytes that settles, or -1: there is no memory even for a cell that is not kept. */
static int go_on(struct csv_reader *r, const char *p)
{
    if (csv_error(&r->parser) != CSV_EPARSE) {
        bool is_dropped = r->parser.entry_pos <= 1;
        drop_text(r);
        return is_dropped ? -1 : 0;
    }
    if (*p == CSV_QUOTE) {
        csv_set_opts(&r->parser, 0);
        size_t took = csv_parse(&r->parser, p, 1, on_cell, on_record, r);
        csv_set_opts(&r->parser, OPTIONS);
        return (int)took;
    }
    r->reason = SOURCE_BAD_QUOTE;
    csv_fini(&r->parser, NULL, NULL, NULL);
    return 0;
}

/* The cells of a record are together never longer than the record. */
static bool make_room(struct csv_reader *r, size_t n)
{
    return buffer_reserve(&r->text, r->size + n - r->text.n);
}

static int feed(struct csv_reader *r, const char *p, size_t n, struct source_fault *fault)
{
    if (r->reason == SOURCE_BAD_QUOTE)
        return 0;
    if (r->reason == SOURCE_TOO_LONG || !make_room(r, n))
        drop_text(r);
    while (n > 0 && r->reason != SOURCE_BAD_QUOTE) {
        size_t took = csv_parse(&r->parser, p, n, on_cell, on_record, r);
        p += took;
        n -= took;
        if (n == 0)
            break;
        int more = go_on(r, p);
        if (more < 0)
            return error_set(&fault->error, "there is no memory left to read the dump with");
        p += more;
        n -= (size_t)more;
    }
    return 0;
}

/* Every byte is in 1..0x7f. */
static bool is_plain(const char *p, size_t n)
{
    static const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    uint64_t odd = 0, w;
    for (; n >= sizeof(w); p += sizeof(w), n -= sizeof(w)) {
        memcpy(&w, p, sizeof(w));
        odd |= w | (w - ones);
    }
    for (; n > 0; p++, n--)
        odd |= (unsigned char)(*p | (*p - 1));
    return (odd & tops) == 0;
}

/* Where the next of that byte is. Remembered, so that no byte is looked at twice. */
static size_t next_of(const struct csv_reader *r, char what, ssize_t *known)
{
    if (*known < (ssize_t)r->at) {
        const char *p = memchr(r->in + r->at, what, r->n - r->at);
        *known = p ? p - r->in : (ssize_t)r->n;
    }
    return (size_t)*known;
}

/* A physical line, or what there is of it. */
struct piece {
    size_t n;   /* without its end */
    size_t end; /* bytes of its end: 0, 1 or 2 */
};

static struct piece next_piece(struct csv_reader *r)
{
    size_t cr = next_of(r, '\r', &r->cr), lf = next_of(r, '\n', &r->lf), first = MIN(cr, lf);
    struct piece piece = {first - r->at, first == r->n ? 0 : 1};
    if (cr < lf && cr + 1 == lf && lf < r->n)
        piece.end = 2;
    r->lf_pending = cr < r->n && cr < lf && cr + 1 == r->n;
    return piece;
}

/* Whether it is a record, and has no quote. */
static bool is_simple(struct csv_reader *r, struct piece piece)
{
    return !r->is_begun && piece.end > 0 && piece.n <= r->row_max &&
           next_of(r, CSV_QUOTE, &r->quote) >= r->at + piece.n;
}

static void split_off(struct csv_reader *r, size_t n)
{
    if (r->n_cells < r->max_cells)
        r->cells[r->n_cells].n = n;
    r->n_cells++;
}

/* The cells of a line without quotes are what is between its delimiters. */
static void split(struct csv_reader *r, const char *p, size_t n)
{
    const char *end = p + n, *next;
    r->first = p;
    r->gap = 1;
    while ((next = memchr(p, r->parser.delim_char, (size_t)(end - p)))) {
        split_off(r, (size_t)(next - p));
        p = next + 1;
    }
    split_off(r, (size_t)(end - p));
    r->is_complete = true;
}

static void begin_record(struct csv_reader *r)
{
    r->is_begun = true;
    r->is_plain = true;
    r->begin = r->at;
    r->line = r->cell_line = r->next_line;
}

/* The LF of a CRLF that was parted: of the record only where it is within a cell. */
static int take_lf(struct csv_reader *r, struct source_fault *fault)
{
    r->at++;
    r->lf_pending = false;
    if (!r->is_begun)
        return 0;
    if (feed(r, "\n", 1, fault) < 0)
        return -1;
    r->size++;
    return 0;
}

static void end_line(struct csv_reader *r, struct piece piece)
{
    r->at += piece.n + piece.end;
    r->has_end = piece.end > 0;
    if (!r->has_end)
        return;
    r->next_line++;
    if (r->reason == SOURCE_BAD_QUOTE)
        r->is_complete = true;
}

/* A line, or a part of one, of a record that is not simple. */
static int take_part(struct csv_reader *r, struct piece piece, struct source_fault *fault)
{
    size_t n_cells = r->n_cells, n = piece.n + piece.end;
    if (r->reason == SOURCE_TAKEN && r->size + piece.n > r->row_max)
        drop_text(r);
    if (feed(r, r->in + r->at, n, fault) < 0)
        return -1;
    if (r->n_cells > n_cells)
        r->cell_line = r->next_line;
    r->size += n;
    return 0;
}

static int take_piece(struct csv_reader *r, struct source_fault *fault)
{
    if (r->lf_pending && r->in[r->at] == '\n')
        return take_lf(r, fault);
    struct piece piece = next_piece(r);
    bool simple = is_simple(r, piece);
    if (!r->is_begun && piece.n == 0) {
        end_line(r, piece);
        return 0;
    }
    if (!r->is_begun)
        begin_record(r);
    r->is_plain = r->is_plain && is_plain(r->in + r->at, piece.n);
    r->end = r->at + piece.n;
    if (simple)
        split(r, r->in + r->at, piece.n);
    else if (take_part(r, piece, fault) < 0)
        return -1;
    end_line(r, piece);
    return 0;
}

/* The bytes are over within a record. */
static int finish(struct csv_reader *r, enum source_reason *ret_why)
{
    r->end = r->at;
    if (r->reason != SOURCE_BAD_QUOTE && csv_fini(&r->parser, on_cell, on_record, r) != 0) {
        *ret_why = SOURCE_BAD_QUOTE;
        return -1;
    }
    return 1;
}

static void forget_record(struct csv_reader *r)
{
    r->is_begun = r->is_complete = false;
    r->reason = SOURCE_TAKEN;
    r->size = r->n_cells = 0;
    buffer_reset(&r->before, KEEP);
    buffer_reset(&r->text, KEEP);
    if (csv_get_buffer_size(&r->parser) > KEEP)
        csv_free(&r->parser);
}

int csv_reader_next(struct csv_reader *r, enum source_reason *ret_why, struct source_fault *fault)
{
    *ret_why = SOURCE_TAKEN;
    forget_record(r);
    while (!r->is_complete) {
        int got = r->at < r->n ? 1 : csv_reader_fill(r, fault);
        if (got < 0 || (got > 0 && take_piece(r, fault) < 0))
            return -1;
        if (got == 0)
            return r->is_begun ? finish(r, ret_why) : 0;
    }
    return 1;
}

struct slice csv_reader_raw(struct csv_reader *r)
{
    keep_raw(r, r->end);
    return (struct slice){r->before.n ? r->before.p : "", r->before.n};
}
