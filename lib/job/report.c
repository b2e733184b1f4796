#include "job/report.h"

#include "job/member.h"
#include "util/text.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>

#define ERROR_MAX 4096

/* -- the worker's side ----------------------------------------------------------------------------------- */

/* Nobody is there to read how the work goes: it must not go on unseen. What is open in a database is rolled
 * back by its server when our end of the connection is gone. */
static _noreturn_ void nobody_reads(void)
{
    fprintf(stderr, "the reader of our reports is gone (%s), ending\n", strerror(errno));
    _exit(EXIT_FAILURE);
}

static void write_whole(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t written = write(STDOUT_FILENO, p, n);
        if (written < 0 && errno == EAGAIN)
            poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
        else if (written < 0 && errno != EINTR)
            nobody_reads();
        if (written > 0) {
            p += written;
            n -= (size_t)written;
        }
    }
}

static void write_line(cJSON *object)
{
    _cleanup_free_ char *text = member_print(object);
    size_t n = strlen(text);
    text[n] = '\n'; /* in place of its NUL, so that the line goes out in one write */
    write_whole(text, n + 1);
}

/* At most max bytes of it, cut between characters, on one line. Bytes that are no UTF-8 become "?", and what a
 * terminal would obey a blank: a server's words are in it. */
static char *clean(const char *s, size_t max)
{
    char *copy = xstrdup(s);
    bool utf8 = text_is_utf8(copy, strlen(copy));
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
        else if (!utf8 && (unsigned char)*p >= 0x80)
            *p = '?';
    size_t n = strlen(copy);
    for (n = MIN(n, max); n > 0 && ((unsigned char)copy[n] & 0xc0) == 0x80;)
        n--;
    copy[n] = '\0';
    return copy;
}

static void add_clean(cJSON *object, const char *name, const char *value, size_t max)
{
    _cleanup_free_ char *text = clean(value ? value : "", max);
    cJSON_AddStringToObject(object, name, text);
}

static void write_progress(const char *stage, const char *unit, int64_t done, int64_t total, int64_t rows)
{
    cJSON *line = cJSON_CreateObject(), *progress = cJSON_AddObjectToObject(line, "progress");
    add_clean(progress, "stage", stage, sizeof(((struct job_progress *)0)->stage) - 1);
    add_clean(progress, "unit", unit, sizeof(((struct job_progress *)0)->unit) - 1);
    member_add_int(progress, "done", MAX(done, 0));
    member_add_int(progress, "total", MAX(total, -1));
    if (rows > 0)
        member_add_int(progress, "rows", rows);
    write_line(line);
}

void report_progress(const char *stage, const char *unit, int64_t done, int64_t total)
{
    write_progress(stage, unit, done, total, 0);
}

void report_bytes(const char *stage, int64_t done, int64_t total, int64_t rows)
{
    write_progress(stage, "bytes", done, total, rows);
}

void report_pages(const char *stage, int64_t done, int64_t rows)
{
    write_progress(stage, "pages", done, -1, rows);
}

static void set_clean(char *to, size_t size, const char *value)
{
    _cleanup_free_ char *text = clean(value, size - 1);
    strcpy(to, text);
}

void report_stage(const struct stage_told *s)
{
    struct stage_told told = *s;
    cJSON *line = cJSON_CreateObject();
    set_clean(told.name, sizeof(told.name), s->name);
    set_clean(told.error, sizeof(told.error), s->error);
    cJSON_AddItemToObject(line, "stage", stage_told_json(&told));
    write_line(line);
}

/* -- rows ------------------------------------------------------------------------------------------------ */

/* Bytes of cells in a line: as JSON one may become six. */
#define PIECE_MAX (REPORT_LINE_MAX / 8)

static void write_piece(cJSON *cells, bool head, const char *more)
{
    cJSON *line = cJSON_CreateObject(), *row = cJSON_AddObjectToObject(line, "row");
    cJSON_AddItemToObject(row, "cells", cells);
    if (head)
        cJSON_AddTrueToObject(row, "head");
    if (more)
        cJSON_AddStringToObject(row, "more", more);
    write_line(line);
}

static void add_text(cJSON *cells, const char *p, size_t n)
{
    _cleanup_free_ char *text = xstrndup(p, n);
    cJSON_AddItemToArray(cells, cJSON_CreateString(text));
}

/* How much of a text fits, cut between characters. */
static size_t fit(const char *p, size_t n, size_t room)
{
    if (n <= room)
        return n;
    for (n = room; n > 0 && ((unsigned char)p[n] & 0xc0) == 0x80;)
        n--;
    return n;
}

/* What is left of room in a line, after as many lines as the cell needs. */
static size_t write_cell(cJSON **cells, bool head, struct slice cell, size_t room)
{
    for (;;) {
        size_t n = fit(cell.p, cell.n, room);
        add_text(*cells, cell.p, n);
        if (n == cell.n)
            return room - n;
        write_piece(*cells, head, "cell");
        *cells = cJSON_CreateArray();
        cell = (struct slice){cell.p + n, cell.n - n};
        room = PIECE_MAX;
    }
}

static size_t write_as_text(cJSON **cells, bool head, struct slice cell, size_t room)
{
    if (text_is_utf8(cell.p, cell.n) && !memchr(cell.p, '\0', cell.n))
        return write_cell(cells, head, cell, room);
    _cleanup_buffer_ struct buffer hex = {0};
    buffer_put_hex(&hex, cell.p, cell.n);
    return write_cell(cells, head, (struct slice){hex.p, hex.n}, room);
}

void report_row(bool head, size_t n, const struct slice *cells)
{
    cJSON *piece = cJSON_CreateArray();
    size_t room = PIECE_MAX;
    for (size_t i = 0; i < n; i++) {
        if (room < 16) { /* a cell costs a few bytes even where it is empty */
            write_piece(piece, head, "row");
            piece = cJSON_CreateArray();
            room = PIECE_MAX;
        }
        room -= 8;
        if (cells[i].p)
            room = write_as_text(&piece, head, cells[i], room);
        else
            cJSON_AddItemToArray(piece, cJSON_CreateNull());
    }
    write_piece(piece, head, NULL);
}

/* Statistics that no reader would take are not worth the run they are about. */
static cJSON *within_limit(cJSON *stats)
{
    char *text = cJSON_PrintUnformatted(stats);
    size_t n = text ? strlen(text) : SIZE_MAX;
    free(text);
    if (n <= REPORT_LINE_MAX - 64)
        return stats;
    cJSON_Delete(stats);
    stats = cJSON_CreateObject();
    cJSON_AddStringToObject(
        stats, "warning", "the statistics were too long to be reported and were left out");
    return stats;
}

void report_done(cJSON *stats)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddItemToObject(line, "done", within_limit(stats ? stats : cJSON_CreateObject()));
    write_line(line);
}

void report_failed(const char *error, const char *sqlstate, bool transient)
{
    cJSON *line = cJSON_CreateObject(), *failed = cJSON_AddObjectToObject(line, "failed");
    add_clean(failed, "error", error, ERROR_MAX);
    add_clean(failed, "sqlstate", sqlstate, 5);
    cJSON_AddBoolToObject(failed, "transient", transient);
    write_line(line);
}

/* -- the daemon's side ----------------------------------------------------------------------------------- */

#define WHAT "the worker's report"

static int wrong(struct error *err, const char *member)
{
    return error_set(err, WHAT " has no good \"%s\"", member);
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static int read_progress(cJSON *o, struct report *r, struct error *err)
{
    struct job_progress *p = &r->progress;
    r->kind = REPORT_PROGRESS;
    if (!member_word(member(o, "stage"), p->stage, sizeof(p->stage)))
        return wrong(err, "stage");
    if (!member_word(member(o, "unit"), p->unit, sizeof(p->unit)))
        return wrong(err, "unit");
    if (!member_int(member(o, "done"), &p->done) || p->done < 0)
        return wrong(err, "done");
    if (!member_int(member(o, "total"), &p->total) || p->total < -1)
        return wrong(err, "total");
    if (member(o, "rows") && (!member_int(member(o, "rows"), &p->rows) || p->rows < 0))
        return wrong(err, "rows");
    return 0;
}

static int read_stage(cJSON *o, struct report *r, struct error *err)
{
    const char *member;
    r->kind = REPORT_STAGE;
    return stage_told_read(o, &r->stage, &member) ? 0 : wrong(err, member);
}

static bool are_cells(const cJSON *cells)
{
    if (!cJSON_IsArray(cells))
        return false;
    for (const cJSON *cell = cells->child; cell; cell = cell->next)
        if (!cJSON_IsString(cell) && !cJSON_IsNull(cell))
            return false;
    return true;
}

static int read_row(cJSON *o, struct report *r, struct error *err)
{
    r->kind = REPORT_ROW;
    if (!are_cells(member(o, "cells")))
        return wrong(err, "cells");
    const char *more = cJSON_GetStringValue(member(o, "more"));
    if (member(o, "more") && (!more || (strcmp(more, "row") != 0 && strcmp(more, "cell") != 0)))
        return wrong(err, "more");
    r->more = !more ? REPORT_WHOLE : strcmp(more, "row") == 0 ? REPORT_MORE_CELLS : REPORT_MORE_OF_CELL;
    r->head = cJSON_IsTrue(member(o, "head"));
    r->cells = cJSON_DetachItemFromObjectCaseSensitive(o, "cells");
    return 0;
}

static int read_failed(cJSON *o, struct report *r, struct error *err)
{
    r->kind = REPORT_FAILED;
    const char *words = cJSON_GetStringValue(member(o, "error"));
    if (!words)
        return wrong(err, "error");
    r->error = clean(words, ERROR_MAX);
    if (!member_word(member(o, "sqlstate"), r->sqlstate, sizeof(r->sqlstate)))
        return wrong(err, "sqlstate");
    const cJSON *transient = member(o, "transient");
    if (!cJSON_IsBool(transient))
        return wrong(err, "transient");
    r->transient = cJSON_IsTrue(transient);
    return 0;
}

static int read_done(cJSON *o, struct report *r, struct error *err)
{
    r->kind = REPORT_DONE;
    r->stats = cJSON_Duplicate(o, true);
    return r->stats ? 0 : error_set(err, "no memory for " WHAT);
}

static const struct {
    const char *name;
    int (*read)(cJSON *o, struct report *r, struct error *err);
} kinds[] = {
    {"progress", read_progress},
    {"stage", read_stage},
    {"row", read_row},
    {"done", read_done},
    {"failed", read_failed},
};

static int read_report(const cJSON *line, struct report *r, struct error *err)
{
    cJSON *only = line->child;
    for (size_t i = 0; only && i < N_ELEMENTS(kinds); i++)
        if (!only->next && cJSON_IsObject(only) && strcmp(only->string, kinds[i].name) == 0)
            return kinds[i].read(only, r, err);
    return error_set(err, WHAT " is none of progress, stage, row, done and failed");
}

int report_parse(const char *line, size_t n, struct report *ret_report, struct error *err)
{
    if (n > REPORT_LINE_MAX)
        return error_set(err, WHAT " is longer than %d KB", REPORT_LINE_MAX / 1024);
    cJSON *object;
    if (member_parse_object(line, n, WHAT, &object, err) < 0)
        return -1;
    struct report r = {0};
    int result = read_report(object, &r, err);
    cJSON_Delete(object);
    if (result < 0) {
        report_clear(&r);
        return -1;
    }
    *ret_report = r;
    return 0;
}

void report_clear(struct report *r)
{
    cJSON_Delete(r->cells);
    cJSON_Delete(r->stats);
    free(r->error);
    *r = (struct report){0};
}

struct cJSON *report_take_result(cJSON *stats)
{
    static const struct {
        const char *from, *to;
    } parts[] = {{"columns", "columns"}, {"result", "rows"}, {"truncated", "truncated"}};
    cJSON *result = cJSON_CreateObject();
    for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
        cJSON *part = cJSON_DetachItemFromObjectCaseSensitive(stats, parts[i].from);
        if (part)
            cJSON_AddItemToObject(result, parts[i].to, part);
    }
    if (result && result->child)
        return result;
    cJSON_Delete(result);
    return NULL;
}
