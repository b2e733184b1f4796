#include "job/harmonize/stage_books.h"

#include "db/load.h"
#include "job/job.h"
#include "match/spill.h"
#include "util/buffer.h"

#include <inttypes.h>

#define BUFFER  ((size_t)256 * 1024)
#define RAW_MAX (INT64_C(256) << 20) /* bytes of rejected rows that are kept in all */

static const char *const delivery_columns[] = {
    "number", "source", "object", "version", "size", "modified_us", "rows", "rejected", "refused", "detail"};
static const char *const rejected_columns[] = {"number", "line", "reason", "detail", "raw"};

/* No source's name begins with a dot. */
#define MAKE_SQL                                                                                             \
    "CREATE OR REPLACE TABLE \".rows\".\".delivery\" (number INTEGER, source VARCHAR, object VARCHAR, "      \
    "version VARCHAR,"                                                                                       \
    " size BIGINT, modified_us BIGINT, rows BIGINT, rejected BIGINT, refused VARCHAR, detail VARCHAR);"      \
    "CREATE OR REPLACE TABLE \".rows\".\".rejected\" (number INTEGER, line BIGINT, reason VARCHAR, detail "  \
    "VARCHAR,"                                                                                               \
    " raw VARCHAR)"
#define FILL_SQL                                                                                             \
    "CREATE OR REPLACE TABLE staged.delivery AS SELECT number, source, object, version, size,"               \
    " make_timestamp(modified_us) AS modified, rows, rejected, refused FROM \".rows\".\".delivery\";"        \
    "CREATE OR REPLACE TABLE out.quarantine (target VARCHAR, reason VARCHAR NOT NULL, kind VARCHAR NOT "     \
    "NULL,"                                                                                                  \
    " detail VARCHAR, source VARCHAR, object VARCHAR, version VARCHAR, line BIGINT, raw VARCHAR);"           \
    "INSERT INTO out.quarantine SELECT NULL, refused, 'rejected', detail, source, object, version, NULL, "   \
    "NULL"                                                                                                   \
    " FROM \".rows\".\".delivery\" WHERE refused IS NOT NULL;"                                               \
    "INSERT INTO out.quarantine SELECT NULL, r.reason, 'rejected', r.detail, d.source, d.object, "           \
    "d.version, r.line,"                                                                                     \
    " to_json(r.raw)::VARCHAR FROM \".rows\".\".rejected\" r JOIN \".rows\".\".delivery\" d USING (number)"  \
    " WHERE d.refused IS NULL;"                                                                              \
    "DROP TABLE \".rows\".\".rejected\"; DROP TABLE \".rows\".\".delivery\""

/* One of the two: records of cells, the first of them the attempt. */
struct book {
    const char *table;
    const char *const *columns;
    size_t n_columns;
    struct spill *spill;
};

struct books {
    struct harmonize *h;
    struct book deliveries, rejected;
    bool *failed; /* of each attempt */
    size_t attempt, n_attempts;
    int64_t number, first; /* of the delivery under way; of the attempt's first */
    int64_t raw_left, bare;
    struct buffer record;
    struct db_value values[N_ELEMENTS(delivery_columns)];
    struct book *read; /* while it is loaded */
};

/* ---- life ---- */

static int open_book(
    const struct harmonize *h, const char *name, struct spill **ret_spill, struct db_fault *fault)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", h->run_folder, name);
    const struct spill_options options = {.path = path, .memory = BUFFER};
    *fault = (struct db_fault){0};
    return spill_open(&options, ret_spill, &fault->error);
}

int books_open(struct harmonize *h, struct books **ret_books, struct db_fault *fault)
{
    _cleanup_(books_freep) struct books *b = xnew(struct books);
    b->h = h;
    b->number = b->first = 1;
    b->raw_left = RAW_MAX;
    b->deliveries = (struct book){".delivery", delivery_columns, N_ELEMENTS(delivery_columns), NULL};
    b->rejected = (struct book){".rejected", rejected_columns, N_ELEMENTS(rejected_columns), NULL};
    if (open_book(h, "deliveries", &b->deliveries.spill, fault) < 0 ||
        open_book(h, "rejected", &b->rejected.spill, fault) < 0)
        return -1;
    *ret_books = TAKE(b);
    return 0;
}

void books_free(struct books *b)
{
    if (!b)
        return;
    spill_free(b->deliveries.spill);
    spill_free(b->rejected.spill);
    buffer_done(&b->record);
    free(b->failed);
    free(b);
}

void books_begin(struct books *b)
{
    b->failed = xrealloc(b->failed, b->n_attempts + 1, sizeof(*b->failed));
    b->attempt = b->n_attempts++;
    b->failed[b->attempt] = false;
    b->first = b->number;
}

void books_forget(struct books *b)
{
    b->failed[b->attempt] = true;
    b->number = b->first;
}

int64_t books_number(const struct books *b)
{
    return b->number;
}

int64_t books_bare(const struct books *b)
{
    return b->bare;
}

/* ---- what is written ---- */

static void put_cell(struct buffer *to, const char *p, size_t n)
{
    buffer_put_u32(to, p ? (uint32_t)n : UINT32_MAX);
    if (p)
        buffer_put(to, p, n);
}

static void put_text(struct buffer *to, const char *text)
{
    put_cell(to, text, text ? strlen(text) : 0);
}

/* Less than 0: there is none. */
static void put_number(struct buffer *to, int64_t number)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, number);
    put_text(to, number < 0 ? NULL : text);
}

static void begin_record(struct books *b)
{
    buffer_reset(&b->record, BUFFER);
    buffer_put_u32(&b->record, (uint32_t)b->attempt);
    put_number(&b->record, b->number);
}

static int end_record(struct books *b, struct book *book, struct db_fault *fault)
{
    *fault = (struct db_fault){0};
    return spill_put(book->spill, (struct slice){b->record.p, b->record.n}, &fault->error);
}

int books_reject(struct books *b, const struct feed_item *item, struct db_fault *fault)
{
    size_t n = MIN(item->n_raw, (size_t)SOURCE_RAW_MAX);
    bool kept = item->raw && (int64_t)n <= b->raw_left;
    b->bare += item->raw && !kept;
    b->raw_left -= kept ? (int64_t)n : 0;
    begin_record(b);
    put_number(&b->record, item->line);
    put_text(&b->record, item->reason);
    put_text(&b->record, item->detail);
    put_cell(&b->record, kept ? item->raw : NULL, n);
    return end_record(b, &b->rejected, fault);
}

int books_deliver(struct books *b, const char *source, const struct feed_item *item, int64_t rows,
    int64_t rejected, struct db_fault *fault)
{
    begin_record(b);
    put_text(&b->record, source);
    put_text(&b->record, item->object);
    put_text(&b->record, item->version);
    put_number(&b->record, item->size);
    put_number(&b->record, item->modified_us);
    put_number(&b->record, rows);
    put_number(&b->record, rejected);
    put_text(&b->record, item->reason);
    put_text(&b->record, item->detail);
    if (b->number++ == INT32_MAX)
        return job_refuse(fault, "more than %d deliveries in one run", INT32_MAX);
    return end_record(b, &b->deliveries, fault);
}

/* ---- what is read ---- */

static uint32_t take_u32(struct slice *from)
{
    const unsigned char *p = (const unsigned char *)from->p;
    uint32_t v = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    from->p += 4;
    from->n -= 4;
    return v;
}

static bool take_cell(struct slice *from, struct db_value *ret)
{
    if (from->n < 4)
        return false;
    uint32_t n = take_u32(from);
    bool there = n != UINT32_MAX;
    if (there && n > from->n)
        return false;
    *ret = (struct db_value){there ? from->p : NULL, there ? n : 0};
    from->p += ret->n;
    from->n -= ret->n;
    return true;
}

static int next_record(void *arg, const struct db_value **ret_values, struct db_fault *fault)
{
    struct books *b = arg;
    struct slice record;
    uint32_t attempt;
    int more;
    *fault = (struct db_fault){0};
    do {
        more = spill_next(b->read->spill, &record, &fault->error);
        if (more <= 0)
            return more;
        attempt = record.n >= 4 ? take_u32(&record) : UINT32_MAX;
    } while (attempt < b->n_attempts && b->failed[attempt]);
    for (size_t i = 0; i < b->read->n_columns; i++)
        if (attempt >= b->n_attempts || !take_cell(&record, &b->values[i]))
            return job_refuse(fault, "what was noted in %s is damaged", b->h->run_folder);
    *ret_values = b->values;
    return 1;
}

static int load_book(struct books *b, struct book *book, struct db_fault *fault)
{
    int64_t n;
    const struct db_load load = {STAGE_ROWS, book->table, book->n_columns, book->columns, next_record, b};
    *fault = (struct db_fault){0};
    b->read = book;
    if (spill_rewind(book->spill, &fault->error) < 0)
        return -1;
    return db_load(b->h->duck, &load, &n, fault);
}

int books_load(struct books *b, struct db_fault *fault)
{
    if (db_script(b->h->duck, MAKE_SQL, NULL, fault) < 0 || load_book(b, &b->deliveries, fault) < 0 ||
        load_book(b, &b->rejected, fault) < 0)
        return -1;
    return db_script(b->h->duck, FILL_SQL, NULL, fault);
}
