/*
 * The query job: a file of SQL against any database, with what it returned on record.
 *
 * With `transaction: yes` the file runs between BEGIN and COMMIT, each a command of its own, so that a worker
 * that dies at any point leaves nothing. A file that ends its transaction itself is noticed and said. Without a
 * transaction each statement stands for itself.
 */
#include "job/job.h"
#include "job/query_result.h"
#include "job/report.h"
#include "job/sql.h"
#include "job/transaction.h"
#include "util/clock.h"
#include "util/text.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

struct query {
    const struct job_spec *spec;
    char *sql;
    struct db *db;
    enum sql_dialect dialect;
    bool ends_itself; /* the file has a statement that may end a transaction */
    struct query_result result;
    const char *warning; /* for the statistics, or NULL */
    int64_t began_us;
};

/* -- what the file holds --------------------------------------------------------------------------------- */

static int refuse_dry_run(const struct query *q, const struct sql_statement *s, struct db_fault *fault)
{
    return job_refuse(fault,
        "a dry run of %.200s is not possible: %s on line %d ends the transaction, so that nothing before it "
        "could be taken back; nothing was run",
        q->spec->sql, s->hidden ? "a comment that the server executes" : s->head, s->line);
}

/* Looks at all statements before the first is run. What is behind the last one goes: MySQL takes a comment there
 * for a statement that is empty. */
static int look_through(struct query *q, struct db_fault *fault)
{
    struct sql_reader reader = sql_reader(q->dialect, q->sql);
    struct sql_statement s;
    size_t n = 0;
    while (sql_next(&reader, &s)) {
        bool ends = transaction_is_ended_by(q->dialect, &s);
        q->ends_itself |= ends;
        if (ends && q->spec->dry_run)
            return refuse_dry_run(q, &s, fault);
        n = (size_t)(s.start - q->sql) + s.n;
    }
    if (n == 0)
        return job_refuse(
            fault, "the SQL file %.300s holds no statement, only blanks and comments", q->spec->sql);
    q->sql[n] = '\0';
    return 0;
}

/* The nth statement, from 0, where it can be told: a procedure's results count as statements too. */
static bool find_statement(const struct query *q, int64_t n, struct sql_statement *ret)
{
    struct sql_reader reader = sql_reader(q->dialect, q->sql);
    for (int64_t i = 0; sql_next(&reader, ret); i++) {
        if (i == n)
            return true;
        if (q->dialect == SQL_MYSQL && (sql_begins(ret, "CALL") || sql_begins(ret, "CREATE")))
            return false;
    }
    return false;
}

/* -- faults ---------------------------------------------------------------------------------------------- */

/* Says which file and which statement, unless the server has said the line. A text that Postgres cannot parse is
 * refused as a whole, before its first statement: there the line is the server's. */
static int say_where(const struct query *q, struct db_fault *fault)
{
    struct sql_statement s;
    const char *file = strrchr(q->spec->sql, '/');
    file = file ? file + 1 : q->spec->sql;
    bool one_by_one =
        q->dialect == SQL_POSTGRES && !q->spec->transaction; /* the server's lines are of the one */
    if ((one_by_one || !strstr(fault->error.text, ", line ")) && find_statement(q, q->result.statements, &s))
        return error_prefix(&fault->error, "%.100s, the statement from line %d on", file, s.line);
    return error_prefix(&fault->error, "%.100s", file);
}

static void say_time_limit(const struct query *q, struct db_fault *fault)
{
    char limit[32];
    int64_t took = clock_mono_us() - q->began_us;
    if (q->spec->time_limit_us > 0 && took >= q->spec->time_limit_us && !transaction_fault_is_loss(fault))
        error_prefix(
            &fault->error, "its time limit of %s is over", text_duration(q->spec->time_limit_us, limit));
}

static int script_failed(const struct query *q, struct db_fault *fault)
{
    say_where(q, fault);
    say_time_limit(q, fault);
    if (q->dialect == SQL_POSTGRES && strcmp(fault->sqlstate, "25001") == 0 && q->spec->transaction)
        error_prefix(&fault->error, "the file has a statement for which the job needs `transaction: no`");
    return -1;
}

/* -- without a transaction ------------------------------------------------------------------------------- */

/* Postgres would make one transaction of a text with several statements, and refuse those that bear none. */
static int run_one_by_one(struct query *q, struct db_sink *sink, struct db_fault *fault)
{
    struct sql_reader reader = sql_reader(q->dialect, q->sql);
    for (struct sql_statement s; sql_next(&reader, &s);) {
        _cleanup_free_ char *one = xstrndup(s.start, s.n);
        if (db_script(q->db, one, sink, fault) < 0)
            return -1;
        q->result.in_transaction &= !sql_begins(&s, "ROLLBACK") && !sql_begins(&s, "ABORT");
    }
    return 0;
}

static int run_plain(struct query *q, struct db_fault *fault)
{
    struct db_sink sink = query_result_sink(&q->result);
    int r =
        q->dialect == SQL_POSTGRES ? run_one_by_one(q, &sink, fault) : db_script(q->db, q->sql, &sink, fault);
    if (r == 0) {
        if (q->result.in_transaction)
            q->warning = "the file began a transaction and did not end it: the server took it back";
        return 0;
    }
    script_failed(q, fault);
    /* What was done once must not be done twice unasked. */
    if (q->result.statements > 0 || transaction_fault_is_loss(fault))
        fault->transient = false;
    if (q->result.statements > 0 && !q->result.in_transaction)
        return error_prefix(&fault->error,
            "what was done before it (%" PRId64 " of the file's statements) stays", q->result.statements);
    return -1;
}

/* -- in a transaction ------------------------------------------------------------------------------------ */

/* Whether something was committed in the middle of a text that then failed. A deadlock ends a transaction too, but
 * by taking it back. */
static bool was_committed(struct query *q, const struct db_fault *fault)
{
    struct db_fault ignored;
    bool ours = true;
    if (strcmp(db_driver(q->db), "postgres") == 0 || transaction_fault_is_loss(fault) ||
        strncmp(fault->sqlstate, "40", 2) == 0)
        return q->result.committed;
    return transaction_is_ours(q->db, &ours, &ignored) == 0 && !ours;
}

static int take_back(struct query *q, struct db_fault *fault)
{
    struct db_fault ignored;
    bool kept = false, committed = was_committed(q, fault);
    script_failed(q, fault);
    transaction_roll_back(q->db, &kept, &ignored);
    if (q->ends_itself || committed || kept)
        fault->transient = false;
    if (committed)
        return error_prefix(&fault->error, "what the file had committed itself stays");
    if (kept)
        return error_prefix(&fault->error, "tables without transactions (MyISAM) were changed and stay so");
    return -1;
}

static int end_dry_run(struct query *q, bool ours, struct db_fault *fault)
{
    bool kept = false;
    if (transaction_roll_back(q->db, &kept, fault) < 0)
        return -1;
    if (!ours)
        return job_refuse(fault,
            "the dry run of %.200s CHANGED the database: the file ended its transaction itself, what it did "
            "before "
            "that is committed",
            q->spec->sql);
    if (kept)
        return job_refuse(fault,
            "the dry run of %.200s CHANGED the database: tables without transactions (MyISAM) cannot be "
            "taken back",
            q->spec->sql);
    return 0;
}

static int run_in_transaction(struct query *q, struct db_fault *fault)
{
    struct db_sink sink = query_result_sink(&q->result);
    bool ours;
    if (transaction_begin(q->db, fault) < 0)
        return -1;
    if (db_script(q->db, q->sql, &sink, fault) < 0)
        return take_back(q, fault);
    if (transaction_is_ours(q->db, &ours, fault) < 0)
        return take_back(q, fault);
    if (q->spec->dry_run)
        return end_dry_run(q, ours, fault);
    if (!ours)
        q->warning =
            "the file ended its transaction itself, by a COMMIT or ROLLBACK, or in MySQL by a statement "
            "that commits: had it failed in the middle, half of it would have stayed";
    report_progress("commit", "rows", q->result.rows, -1);
    return transaction_commit(q->db, fault);
}

/* -- the recipe ------------------------------------------------------------------------------------------ */

static int prepare(struct query *q, struct db_fault *fault)
{
    const struct job_spec *spec = q->spec;
    struct error err;
    if (spec->dry_run && !spec->transaction)
        return job_refuse(
            fault, "a dry run needs a transaction that can be taken back: the job has `transaction: no`");
    if (job_read_sql(spec->sql, &q->sql, &err) < 0)
        return job_refuse(fault, "%s", err.text);
    report_progress("connect", "", 0, -1);
    _cleanup_free_ char *name = xasprintf("ingestd job %s", spec->job);
    struct db_options options = {
        .password_file = spec->database.password_file,
        .application_name = name,
        .statement_timeout_us = spec->time_limit_us,
    };
    if (db_open(spec->database.url, &options, &q->db, fault) < 0)
        return -1;
    q->dialect = transaction_dialect(q->db);
    return look_through(q, fault);
}

static cJSON *make_stats(struct query *q)
{
    char seconds[32];
    cJSON *stats = query_result_stats(&q->result);
    snprintf(seconds, sizeof(seconds), "%.3f", (double)(clock_mono_us() - q->began_us) / US_PER_SEC);
    cJSON_AddRawToObject(stats, "seconds", seconds);
    if (q->spec->dry_run)
        cJSON_AddTrueToObject(stats, "dry_run");
    if (q->warning)
        cJSON_AddStringToObject(stats, "warning", q->warning);
    return stats;
}

static void query_done(struct query *q)
{
    query_result_done(&q->result);
    db_close(q->db);
    free(q->sql);
}

static int query_run(const struct job_spec *spec, cJSON **ret_stats, struct db_fault *fault)
{
    _cleanup_(query_done) struct query q = {.spec = spec, .began_us = clock_mono_us()};
    *fault = (struct db_fault){0};
    query_result_init(&q.result, spec->result_rows);
    if (prepare(&q, fault) < 0)
        return -1;
    report_progress("run", "rows", 0, -1);
    if ((spec->transaction ? run_in_transaction : run_plain)(&q, fault) < 0)
        return -1;
    *ret_stats = make_stats(&q);
    return 0;
}

const struct job_kind job_query = {"query", query_run};
