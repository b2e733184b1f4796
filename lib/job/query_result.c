#include "job/query_result.h"

#include "job/member.h"
#include "job/report.h"
#include "util/buffer.h"
#include "util/clock.h"
#include "util/text.h"

#include <cjson/cJSON.h>

#define RESULT_MAX    (56 * 1024) /* of columns and rows; with the rest it stays below 64 KB */
#define COLUMNS_MAX   100
#define COLUMN_MAX    128 /* bytes of a column's name */
#define STATEMENT_MAX 50
#define TAG_MAX       32
#define TELL_EVERY_US (300 * US_PER_MS)

void query_result_init(struct query_result *r, uint64_t max_rows)
{
    *r = (struct query_result){
        .max_rows = max_rows,
        .statement = cJSON_CreateArray(),
        .columns = cJSON_CreateArray(),
        .kept = cJSON_CreateArray(),
        .told_us = clock_mono_us(),
    };
}

void query_result_done(struct query_result *r)
{
    cJSON_Delete(r->statement);
    cJSON_Delete(r->columns);
    cJSON_Delete(r->kept);
    *r = (struct query_result){0};
}

/* -- values ---------------------------------------------------------------------------------------------- */

/* The length of at most max bytes of UTF-8, cut between characters. */
static size_t cut(const char *p, size_t n, size_t max)
{
    if (n <= max)
        return n;
    for (n = max; n > 0 && ((unsigned char)p[n] & 0xc0) == 0x80;)
        n--;
    return n;
}

static cJSON *new_text(const char *p, size_t n, size_t max, bool *truncated)
{
    _cleanup_buffer_ struct buffer b = {0};
    bool text = text_is_utf8(p, n) && !memchr(p, '\0', n);
    size_t shown = text ? cut(p, n, max) : MIN(n, max / 2 - 1);
    if (text)
        buffer_put(&b, p, shown);
    else /* zero bytes are not for jsonb, where this will be kept */
        buffer_put_hex(&b, p, shown);
    if (shown < n) {
        buffer_put_string(&b, "…");
        *truncated = true;
    }
    return cJSON_CreateString(buffer_string(&b));
}

static cJSON *new_cell(const struct db_value *v, bool *truncated)
{
    return v->p ? new_text(v->p, v->n, QUERY_CELL_MAX, truncated) : cJSON_CreateNull();
}

static size_t printed_size(const cJSON *item)
{
    char *text = cJSON_PrintUnformatted(item);
    size_t n = text ? strlen(text) : RESULT_MAX;
    free(text);
    return n + 1; /* and a comma */
}

/* -- the sink -------------------------------------------------------------------------------------------- */

static void tell(struct query_result *r)
{
    int64_t now = clock_mono_us();
    if (now - r->told_us < TELL_EVERY_US)
        return;
    r->told_us = now;
    report_progress("run", "rows", r->rows + r->rows_now, -1);
}

static void empty(cJSON **array)
{
    cJSON_Delete(*array);
    *array = cJSON_CreateArray();
}

static bool on_columns(void *arg, int n, const char *const *names)
{
    struct query_result *r = arg;
    empty(&r->columns);
    empty(&r->kept);
    r->full = false;
    r->truncated = n > COLUMNS_MAX;
    for (int i = 0; i < MIN(n, COLUMNS_MAX); i++)
        cJSON_AddItemToArray(r->columns, new_text(names[i], strlen(names[i]), COLUMN_MAX, &r->truncated));
    r->size = printed_size(r->columns);
    return true;
}

static void keep(struct query_result *r, int n, const struct db_value *values)
{
    cJSON *row = cJSON_CreateArray();
    for (int i = 0; i < MIN(n, COLUMNS_MAX); i++)
        cJSON_AddItemToArray(row, new_cell(&values[i], &r->truncated));
    r->size += printed_size(row);
    if (r->size <= RESULT_MAX) {
        cJSON_AddItemToArray(r->kept, row);
        return;
    }
    cJSON_Delete(row);
    r->full = true;
    r->truncated = true;
}

static bool on_row(void *arg, int n, const struct db_value *values)
{
    struct query_result *r = arg;
    if (!r->full && (uint64_t)r->rows_now < r->max_rows)
        keep(r, n, values);
    else
        r->truncated = true;
    r->rows_now++;
    tell(r);
    return true;
}

/* Where the server names its statements, these are all that begin and end a transaction. A ROLLBACK may be one
 * to a savepoint: it is asked for where that matters. */
static void note_transaction(struct query_result *r, const char *tag)
{
    bool begins = strcmp(tag, "BEGIN") == 0 || strcmp(tag, "START TRANSACTION") == 0;
    bool ends = strcmp(tag, "COMMIT") == 0 || strcmp(tag, "PREPARE TRANSACTION") == 0;
    r->committed |= ends;
    r->in_transaction = begins || (r->in_transaction && !ends);
}

static bool on_end(void *arg, const char *tag, int64_t rows)
{
    struct query_result *r = arg;
    rows = MAX(rows, 0);
    r->statements++;
    r->rows += rows;
    r->rows_now = 0;
    note_transaction(r, tag);
    if (r->statements <= STATEMENT_MAX) {
        bool ignored;
        cJSON *s = cJSON_CreateObject();
        cJSON_AddItemToObject(s, "tag", new_text(tag, strlen(tag), TAG_MAX, &ignored));
        member_add_int(s, "rows", rows);
        cJSON_AddItemToArray(r->statement, s);
    }
    tell(r);
    return true;
}

struct db_sink query_result_sink(struct query_result *r)
{
    return (struct db_sink){.columns = on_columns, .row = on_row, .end = on_end, .arg = r};
}

cJSON *query_result_stats(struct query_result *r)
{
    cJSON *stats = cJSON_CreateObject();
    member_add_int(stats, "statements", r->statements);
    member_add_int(stats, "rows", r->rows);
    cJSON_AddItemToObject(stats, "statement", TAKE(r->statement));
    cJSON_AddItemToObject(stats, "columns", TAKE(r->columns));
    cJSON_AddItemToObject(stats, "result", TAKE(r->kept));
    cJSON_AddBoolToObject(stats, "truncated", r->truncated);
    return stats;
}
