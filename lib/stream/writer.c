/*
 * A batch is written in ranges of its items: first all of it, and halves of a range that the server refused.
 * Each range is one transaction of two steps, in one pipeline:
 *
 *   ROWS   the rows statement, which says how many went in and which rows were refused, and why
 *   BOOKS  the letters of the range and the ledger; then the sync that commits
 *
 * The second step needs the first one's answer, so that counts and letters are in the same transaction. An
 * error ends the transaction at the sync; what kind it was decides: a row's own fault halves the range (a
 * single row becomes a letter), trouble of the server waits and tries again, a misfit of the table is the
 * stream's to mend.
 */
#include "stream/writer.h"

#include "pg/session.h"
#include "stream/account.h"
#include "stream/books.h"
#include "stream/statement.h"
#include "util/clock.h"
#include "util/log.h"

#include <event2/event.h>
#include <inttypes.h>

#define RETRY_MIN_US (200 * US_PER_MS)
#define RETRY_MAX_US (5 * US_PER_SEC)

enum writer_state { WRITER_IDLE, WRITER_ROWS, WRITER_BOOKS, WRITER_FAILING, WRITER_RETRY, WRITER_SUSPENDED };

static const char *const state_names[] = {"idle", "rows", "books", "failing", "retry", "suspended"};

struct range {
    size_t from, to; /* items */
};

struct writer {
    struct event_base *base;
    struct pg_session *session;
    char *schema, *stream;
    struct writer_events events;
    void *arg;
    void (*prepared)(void *arg, const char *why);
    char prepare_error[300];

    const struct table *table;
    struct event *retry;
    int64_t retry_us;
    bool troubled;

    enum writer_state state;
    struct batch *batch;
    const char *was;
    struct range *ranges; /* a stack: the top one is under way */
    size_t n_ranges, cap_ranges;

    struct refusals refusals; /* of the range under way */
    int64_t inserted;
    int64_t began_us;
    struct outcome outcome;
    enum pg_fault fault; /* while FAILING */
    bool gave_up_row;    /* the range's one row is a letter now: a further fault is not the row's */
    char fault_words[300], fault_sqlstate[6], *fault_constraint;
};

static void write_range(struct writer *w);

static void set_state(struct writer *w, enum writer_state state)
{
    if (w->state != state)
        log_debug("writer", ABOUT_STREAM(w->stream), "%s -> %s", state_names[w->state], state_names[state]);
    w->state = state;
}

static struct range *top(struct writer *w)
{
    return &w->ranges[w->n_ranges - 1];
}

static void push(struct writer *w, size_t from, size_t to)
{
    if (w->n_ranges == w->cap_ranges) {
        w->cap_ranges = w->cap_ranges ? w->cap_ranges * 2 : 32;
        w->ranges = xrealloc(w->ranges, w->cap_ranges, sizeof(*w->ranges));
    }
    w->ranges[w->n_ranges++] = (struct range){from, to};
}

/* -- refusals ------------------------------------------------------------------------------------------------ */

/* Rows refused in an earlier attempt at this range are tested anew; what decode refused stays refused. */
static void forget_verdicts(struct writer *w, const struct range *r)
{
    refusals_clear(&w->refusals);
    for (size_t i = r->from; i < r->to; i++) {
        struct batch_item *item = batch_item(w->batch, i);
        if (item->row >= 0)
            item->reason = REASON_NONE;
    }
}

static void note_verdict(struct writer *w, size_t item, int verdict, const char *parent_key)
{
    char words[DETAIL_MAX];
    struct refusal *r = refusals_add(&w->refusals, item);
    if (verdict > 0) {
        const struct foreign_key *f = &w->table->foreign_keys[verdict - 1];
        r->constraint = xstrdup(f->constraint);
        r->parent_key = xstrdup(parent_key);
        snprintf(words, sizeof(words), "foreign key %s: no such row in %s yet", f->constraint, f->parent);
        batch_refuse(w->batch, item, REASON_NO_PARENT, words);
    } else {
        r->constraint = xstrdup(w->table->checks[-verdict - 1].constraint);
        snprintf(words, sizeof(words), "check constraint %s says no", r->constraint);
        batch_refuse(w->batch, item, REASON_CHECK, words);
    }
}

/* The one row of the range is what the server refused. */
static void note_fault(struct writer *w, size_t item)
{
    struct refusal *r = refusals_add(&w->refusals, item);
    snprintf(r->sqlstate, sizeof(r->sqlstate), "%s", w->fault_sqlstate);
    r->constraint = TAKE(w->fault_constraint);
    enum reason reason = strcmp(r->sqlstate, "23503") == 0   ? REASON_NO_PARENT
                         : strcmp(r->sqlstate, "23505") == 0 ? REASON_NOT_UNIQUE
                         : strcmp(r->sqlstate, "23514") == 0 ? REASON_CHECK
                                                             : REASON_REFUSED;
    batch_refuse(w->batch, item, reason, w->fault_words);
}

/* -- the second step ------------------------------------------------------------------------------------------ */

static void on_books(void *arg, const PGresult *res);
static void on_commit(void *arg, const PGresult *res);

static struct account account_of_range(const struct writer *w)
{
    const struct range *r = &w->ranges[w->n_ranges - 1];
    return (struct account){w->stream, w->was, w->batch, r->from, r->to, w->inserted, &w->refusals};
}

static void write_books(struct writer *w)
{
    set_state(w, WRITER_BOOKS);
    refusals_sort(&w->refusals);
    const struct account account = account_of_range(w);
    account_send(&account, w->session, on_books, w);
    pg_session_sync(w->session, on_commit, w);
}

/* -- the first step -------------------------------------------------------------------------------------- */

static void note_failure(struct writer *w, const PGresult *res)
{
    const char *constraint = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);
    w->fault = pg_fault_of(res);
    pg_describe(res, w->fault_words, sizeof(w->fault_words));
    snprintf(w->fault_sqlstate, sizeof(w->fault_sqlstate), "%s", pg_sqlstate(res));
    free(w->fault_constraint);
    w->fault_constraint = xstrdup(constraint);
}

/* The statement caught a row's own fault: "SQLSTATE constraint". */
static void note_caught(struct writer *w, const char *words)
{
    const char *constraint = words + strcspn(words, " ");
    constraint += *constraint == ' ';
    w->fault = PG_FAULT_ROW;
    snprintf(w->fault_sqlstate, sizeof(w->fault_sqlstate), "%s", words);
    snprintf(w->fault_words, sizeof(w->fault_words), "SQLSTATE %s%s%s", w->fault_sqlstate,
        *constraint ? ", constraint " : "", constraint);
    free(w->fault_constraint);
    w->fault_constraint = *constraint ? xstrdup(constraint) : NULL;
}

static void on_rows(void *arg, const PGresult *res)
{
    struct writer *w = arg;
    if (!res || w->state != WRITER_ROWS)
        return; /* suspended: the session's loss is told to the stream */
    if (PQresultStatus(res) != PGRES_TUPLES_OK) {
        note_failure(w, res);
        set_state(w, WRITER_FAILING);
        pg_session_sync(w->session, on_commit, w);
        return;
    }
    size_t first_row = batch_rows_before(w->batch, top(w)->from);
    if (PQntuples(res) == 1 && PQgetvalue(res, 0, 0)[0] == '-') {
        note_caught(w, PQgetvalue(res, 0, 2));
        set_state(w, WRITER_FAILING);
        pg_session_sync(w->session, on_commit, w);
        return;
    }
    for (int i = 0; i < PQntuples(res); i++) {
        long long ordinal = strtoll(PQgetvalue(res, i, 0), NULL, 10),
                  v = strtoll(PQgetvalue(res, i, 1), NULL, 10);
        if (ordinal == 0)
            w->inserted = v;
        else
            note_verdict(w, batch_row_item(w->batch, first_row + (size_t)ordinal - 1), (int)v,
                PQgetisnull(res, i, 2) ? NULL : PQgetvalue(res, i, 2));
    }
    write_books(w);
}

static void write_range(struct writer *w)
{
    struct range *r = top(w);
    forget_verdicts(w, r);
    w->gave_up_row = false;
    w->inserted = 0;
    w->began_us = clock_mono_us();
    size_t from = batch_rows_before(w->batch, r->from), to = batch_rows_before(w->batch, r->to);
    if (from == to) {
        write_books(w);
        return;
    }
    size_t n = w->table->n_columns;
    _cleanup_free_ const char **values = xcalloc(n, sizeof(*values));
    _cleanup_free_ int *lengths = xcalloc(n, sizeof(*lengths)), *formats = xcalloc(n, sizeof(*formats));
    for (size_t i = 0; i < n; i++)
        formats[i] = 1;
    batch_arrays(w->batch, from, to, values, lengths);
    set_state(w, WRITER_ROWS);
    struct pg_params p = {.n = (int)n, .values = values, .lengths = lengths, .formats = formats};
    pg_session_send(w->session, true, "rows", &p, 0, on_rows, w);
    pg_session_flush(w->session);
}

/* -- how it ended ---------------------------------------------------------------------------------------- */

static void on_books(void *arg, const PGresult *res)
{
    struct writer *w = arg;
    if (!res || w->state != WRITER_BOOKS)
        return;
    if (pg_fault_of(res) != PG_FAULT_NONE) {
        note_failure(w, res);
        set_state(w, WRITER_FAILING);
    } else {
        const struct account account = account_of_range(w);
        account_read(&account, res, &w->outcome);
    }
}

static void tell_trouble(struct writer *w, const char *why)
{
    if (!why && !w->troubled)
        return;
    w->troubled = why != NULL;
    w->events.trouble(w->arg, why);
}

static void next_range(struct writer *w)
{
    if (w->n_ranges) {
        write_range(w);
        return;
    }
    struct batch *batch = TAKE(w->batch);
    set_state(w, WRITER_IDLE);
    w->events.done(w->arg, batch);
}

static void range_committed(struct writer *w)
{
    struct range r = *top(w);
    w->n_ranges--;
    w->retry_us = RETRY_MIN_US;
    w->outcome.took_us = clock_mono_us() - w->began_us;
    tell_trouble(w, NULL);
    w->events.committed(w->arg, w->batch, r.from, r.to, &w->outcome);
    next_range(w);
}

static void try_later(struct writer *w)
{
    struct timeval tv = {w->retry_us / US_PER_SEC, w->retry_us % US_PER_SEC};
    set_state(w, WRITER_RETRY);
    event_add(w->retry, &tv);
    w->retry_us = MIN(w->retry_us * 2, RETRY_MAX_US);
    tell_trouble(w, w->fault_words);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct writer *w = arg;
    if (w->state == WRITER_RETRY)
        write_range(w);
}

/* Somebody else settled these letters meanwhile: ours is rolled back and nothing is left to do. */
static bool taken_by_another(const struct writer *w)
{
    return w->was && strcmp(w->fault_sqlstate, "22012") == 0;
}

/* The server refused a row of the range: halves of it, the first half on top; or the one row becomes a
 * letter. */
static void isolate(struct writer *w)
{
    struct range r = *top(w);
    size_t first = batch_rows_before(w->batch, r.from), n = batch_rows_before(w->batch, r.to) - first;
    if (n > 1) {
        size_t middle = batch_row_item(w->batch, first + n / 2);
        w->n_ranges--;
        push(w, middle, r.to);
        push(w, r.from, middle);
        write_range(w);
        return;
    }
    size_t item = batch_row_item(w->batch, first);
    char id[ENTRY_ID_MAX];
    struct log_about about = {w->stream, entry_id_to_string(batch_item(w->batch, item)->id, id),
        w->fault_sqlstate, w->fault_constraint};
    log_info("writer", &about, "the server refused one row; it is kept as a dead letter");
    forget_verdicts(w, &r);
    note_fault(w, item);
    w->gave_up_row = true;
    w->inserted = 0;
    write_books(w);
}

static void range_failed(struct writer *w)
{
    size_t n_rows = batch_rows_before(w->batch, top(w)->to) - batch_rows_before(w->batch, top(w)->from);
    if (taken_by_another(w)) {
        w->n_ranges = 0;
        next_range(w);
    } else if (w->fault == PG_FAULT_ROW && n_rows && !w->gave_up_row) {
        isolate(w);
    } else if (w->fault == PG_FAULT_SCHEMA) {
        set_state(w, WRITER_SUSPENDED);
        w->events.misfit(w->arg, w->fault_words);
    } else {
        try_later(w);
    }
}

static void on_commit(void *arg, const PGresult *res)
{
    struct writer *w = arg;
    if (!res || w->state == WRITER_SUSPENDED || w->state == WRITER_IDLE)
        return;
    if (pg_fault_of(res) != PG_FAULT_NONE) {
        note_failure(w, res);
        set_state(w, WRITER_FAILING);
    }
    if (w->state == WRITER_FAILING)
        range_failed(w);
    else
        range_committed(w);
}

/* -- life ------------------------------------------------------------------------------------------------ */

struct writer *writer_new(struct event_base *base, struct pg_session *session, const char *schema,
    const char *stream, const struct writer_events *events, void *arg)
{
    struct writer *w = xnew(struct writer);
    w->base = base;
    w->session = session;
    w->schema = xstrdup(schema);
    w->stream = xstrdup(stream);
    w->events = *events;
    w->arg = arg;
    w->retry = evtimer_new(base, on_retry, w);
    w->retry_us = RETRY_MIN_US;
    return w;
}

void writer_free(struct writer *w)
{
    if (!w)
        return;
    event_free(w->retry);
    refusals_done(&w->refusals);
    free(w->ranges);
    free(w->fault_constraint);
    free(w->schema);
    free(w->stream);
    free(w);
}

static void on_prepare(void *arg, const PGresult *res)
{
    struct writer *w = arg;
    if (res && PQresultStatus(res) == PGRES_FATAL_ERROR && !w->prepare_error[0])
        pg_describe(res, w->prepare_error, sizeof(w->prepare_error));
}

static void on_prepared(void *arg, const PGresult *res)
{
    struct writer *w = arg;
    if (!res)
        return; /* lost: the stream hears of it from the session */
    bool failed = w->prepare_error[0] != '\0';
    w->prepared(w->arg, failed ? w->prepare_error : NULL);
    if (!failed && w->state == WRITER_SUSPENDED)
        next_range(w);
}

void writer_resume(struct writer *w, const struct table *table, void (*prepared)(void *arg, const char *why))
{
    if (w->batch && batch_table(w->batch) != table)
        batch_rebuild(w->batch, table);
    w->table = table;
    w->prepared = prepared;
    w->prepare_error[0] = '\0';
    size_t n = table->n_columns;
    _cleanup_free_ Oid *types = xcalloc(n, sizeof(*types));
    for (size_t i = 0; i < n; i++)
        types[i] = table->columns[i].array_oid;
    pg_session_send(w->session, false, "DEALLOCATE ALL", NULL, 0, on_prepare, w);
    _cleanup_free_ char *function = statement_function(table), *call = statement_call(table);
    pg_session_send(w->session, false, function, NULL, 0, on_prepare, w);
    pg_session_prepare(w->session, "rows", call, (int)n, types, on_prepare, w);
    for (int i = 0; i < N_BOOKS_STATEMENTS; i++) {
        _cleanup_free_ char *sql = books_statement_sql(i, w->schema);
        pg_session_prepare(w->session, books_statement_name(i), sql, 0, NULL, on_prepare, w);
    }
    pg_session_sync(w->session, on_prepared, w);
}

void writer_suspend(struct writer *w)
{
    event_del(w->retry);
    set_state(w, w->batch ? WRITER_SUSPENDED : WRITER_IDLE);
}

void writer_write(struct writer *w, struct batch *batch, const char *was)
{
    if (batch_table(batch) != w->table) /* letters that waited while the table changed */
        batch_rebuild(batch, w->table);
    w->batch = batch;
    w->was = was;
    w->n_ranges = 0;
    push(w, 0, batch_n_items(batch));
    write_range(w);
}

bool writer_suspended(const struct writer *w)
{
    return w->state == WRITER_SUSPENDED;
}
