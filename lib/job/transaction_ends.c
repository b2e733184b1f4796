/* Which statements end a transaction. Apart from what runs one, so that whoever only reads SQL needs no driver of a
 * database. */
#include "job/transaction.h"
#include "util/cleanup.h"

static const char *const ends_postgres[] = {"COMMIT", "END", "ROLLBACK", "ABORT", "PREPARE TRANSACTION"};

/* MySQL 8.0 Reference Manual, 13.3.3 "Statements That Cause an Implicit Commit", MariaDB's page of that name,
 * and those that run a text which is not seen here. */
static const char *const ends_mysql[] = {"ALTER", "ANALYZE", "BACKUP", "BEGIN", "CACHE", "CHANGE", "CHECK",
    "COMMIT", "CREATE", "DROP", "EXECUTE", "FLUSH", "GRANT", "IMPORT", "INSTALL", "LOAD INDEX", "LOCK",
    "OPTIMIZE", "PREPARE", "PURGE", "RENAME", "REPAIR", "RESET", "REVOKE", "ROLLBACK", "SET AUTOCOMMIT",
    "SET PASSWORD", "START", "STOP", "TRUNCATE", "UNINSTALL", "UNLOCK", "XA"};

/* Looks like one of them and is none. */
static const char *const harmless[] = {"CREATE TEMPORARY", "CREATE OR REPLACE TEMPORARY", "DROP TEMPORARY",
    "ROLLBACK TO", "ROLLBACK WORK TO", "ROLLBACK TRANSACTION TO"};

static bool is_among(const struct sql_statement *s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (sql_begins(s, list[i]))
            return true;
    return false;
}

bool transaction_is_ended_by(enum sql_dialect dialect, const struct sql_statement *s)
{
    if (is_among(s, harmless, N_ELEMENTS(harmless)))
        return false;
    if (dialect == SQL_POSTGRES)
        return is_among(s, ends_postgres, N_ELEMENTS(ends_postgres));
    return s->hidden || is_among(s, ends_mysql, N_ELEMENTS(ends_mysql));
}
