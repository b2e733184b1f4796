#include "job/transaction.h"

#include "util/cleanup.h"

/*
 * How it is noticed. Postgres: a setting of our own, made for the length of the transaction, is gone after it.
 * (It needs no snapshot, so that SET TRANSACTION is still possible after it.) MySQL: a savepoint is gone. DuckDB: a
 * temporary table holds the transaction's number.
 */
#define MARK   "ingestd.transaction"
#define NUMBER "ingestd_transaction"

enum sql_dialect transaction_dialect(const struct db *db)
{
    return strcmp(db_driver(db), "mysql") == 0 ? SQL_MYSQL : SQL_POSTGRES;
}

static bool is_duckdb(const struct db *db)
{
    return strcmp(db_driver(db), "duckdb") == 0;
}

int transaction_begin(struct db *db, struct db_fault *fault)
{
    if (is_duckdb(db))
        return db_script(
            db, "BEGIN; CREATE TEMP TABLE " NUMBER " AS SELECT txid_current() AS id", NULL, fault);
    bool mysql = transaction_dialect(db) == SQL_MYSQL;
    if (db_script(db, mysql ? "START TRANSACTION" : "BEGIN", NULL, fault) < 0)
        return -1;
    return db_script(
        db, mysql ? "SAVEPOINT ingestd_transaction" : "SET LOCAL " MARK " = 'ours'", NULL, fault);
}

/* SQLSTATE 42000, error 1305: there is no such savepoint. */
static int savepoint_is_there(struct db *db, bool *ret_ours, struct db_fault *fault)
{
    int r = db_script(db, "RELEASE SAVEPOINT ingestd_transaction", NULL, fault);
    if (r < 0 && strcmp(fault->sqlstate, "42000") != 0)
        return -1;
    *ret_ours = r == 0;
    return 0;
}

/* A fault ends a transaction of DuckDB's: then it is rolled back here, and the table is there still if one before it was
 * committed. */
static int number_is_the_same(struct db *db, bool *ret_ours, struct db_fault *fault)
{
    _cleanup_free_ char *same = NULL, *there = NULL;
    int r = db_value(db, "SELECT id = txid_current() FROM temp." NUMBER, 0, NULL, &same, fault);
    bool aborted = r < 0 && strcmp(fault->sqlstate, "25P02") == 0;
    if (r < 0 && !aborted && strcmp(fault->sqlstate, "42000") != 0)
        return -1;
    *ret_ours = same && strcmp(same, "true") == 0;
    if (aborted && db_script(db, "ROLLBACK", NULL, fault) == 0)
        *ret_ours = db_value(db, "SELECT id FROM temp." NUMBER, 0, NULL, &there, fault) < 0;
    return 0;
}

int transaction_is_ours(struct db *db, bool *ret_ours, struct db_fault *fault)
{
    if (is_duckdb(db))
        return number_is_the_same(db, ret_ours, fault);
    if (transaction_dialect(db) == SQL_MYSQL)
        return savepoint_is_there(db, ret_ours, fault);
    _cleanup_free_ char *mark = NULL;
    if (db_value(db, "SELECT pg_catalog.current_setting('" MARK "', true)", 0, NULL, &mark, fault) < 0)
        return -1;
    *ret_ours = mark && strcmp(mark, "ours") == 0;
    return 0;
}

bool transaction_fault_is_loss(const struct db_fault *fault)
{
    const char *s = fault->sqlstate;
    return *s == '\0' || strncmp(s, "08", 2) == 0 || strncmp(s, "57P", 3) == 0;
}

int transaction_commit(struct db *db, struct db_fault *fault)
{
    if (db_script(db, "COMMIT", NULL, fault) == 0)
        return 0;
    if (!transaction_fault_is_loss(fault))
        return error_prefix(&fault->error, "the COMMIT failed, nothing was changed");
    fault->transient = false;
    return error_prefix(&fault->error,
        "the connection was lost during the COMMIT: whether the changes are there is not known, look before "
        "you run it again");
}

static bool find_kept(void *arg, int n, const struct db_value *values)
{
    /* Level, Code, Message; 1196: "Some non-transactional changed tables couldn't be rolled back" */
    if (n > 1 && values[1].p && values[1].n == 4 && memcmp(values[1].p, "1196", 4) == 0)
        *(bool *)arg = true;
    return true;
}

int transaction_roll_back(struct db *db, bool *ret_kept, struct db_fault *fault)
{
    bool kept = false;
    struct db_sink sink = {.row = find_kept, .arg = &kept};
    if (db_script(db, "ROLLBACK", NULL, fault) < 0)
        return -1;
    if (transaction_dialect(db) == SQL_MYSQL && db_script(db, "SHOW WARNINGS", &sink, fault) < 0)
        return -1;
    *ret_kept = kept;
    return 0;
}
