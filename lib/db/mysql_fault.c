/*
 * MySQL's and MariaDB's faults, by number where there is one of our own making, else by SQLSTATE (MySQL 8.0 Error
 * Message Reference; MariaDB Error Codes). A server's text may quote values, and its SQLSTATE says little (HY000 is
 * everything): it is shown for classes that speak of names, syntax and rights, and for numbers known to be harmless.
 */
#include "db/mysql_inside.h"

#include <errmsg.h>
#include <mysqld_error.h>

enum { TRY_AGAIN = 1, SHOW = 2 };

/* What is known of a number. words: ours, in place of the server's. */
static const struct {
    unsigned code;
    int flags;
    const char *words;
} known[] = {
    {1020, TRY_AGAIN | SHOW, NULL}, /* record has changed since last read */
    {1021, TRY_AGAIN | SHOW, NULL}, /* disk full */
    {1036, SHOW, NULL},             /* table is read only */
    {1037, TRY_AGAIN | SHOW, NULL}, /* out of memory */
    {1038, TRY_AGAIN | SHOW, NULL}, /* out of sort memory */
    {1040, TRY_AGAIN | SHOW, NULL}, /* too many connections */
    {1041, TRY_AGAIN | SHOW, NULL}, /* out of resources */
    {1042, TRY_AGAIN | SHOW, NULL}, /* bad host error: its name service */
    {1044, SHOW, NULL},             /* access denied to the database */
    {1045, SHOW, NULL},             /* access denied */
    {1046, SHOW, NULL},             /* no database selected */
    {1047, TRY_AGAIN | SHOW, NULL}, /* a Galera node that is not ready */
    {1048, 0, "NULL where NOT NULL is demanded"},
    {1053, TRY_AGAIN | SHOW, NULL}, /* shutdown in progress */
    {1062, 0, "a unique key that is there already"},
    {1099, SHOW, NULL},             /* table locked with READ */
    {1100, SHOW, NULL},             /* table not locked */
    {1114, TRY_AGAIN | SHOW, NULL}, /* table is full */
    {1129, SHOW, NULL},             /* host blocked after many errors */
    {1130, SHOW, NULL},             /* host not allowed */
    {1158, TRY_AGAIN | SHOW, NULL}, /* network: these four */
    {1159, TRY_AGAIN | SHOW, NULL},
    {1160, TRY_AGAIN | SHOW, NULL},
    {1161, TRY_AGAIN | SHOW, NULL},
    {1193, SHOW, NULL},             /* unknown system variable */
    {1203, TRY_AGAIN | SHOW, NULL}, /* too many connections of this user */
    {1205, TRY_AGAIN | SHOW, NULL}, /* lock wait timeout */
    {1206, TRY_AGAIN | SHOW, NULL}, /* lock table full */
    {1213, TRY_AGAIN | SHOW, NULL}, /* deadlock */
    {1226, TRY_AGAIN | SHOW, NULL}, /* user's resources exceeded */
    {1261, 0, "a row with too few cells"},
    {1262, 0, "a row with too many cells"},
    {1263, 0, "NULL where NOT NULL is demanded"},
    {1264, 0, "a number out of range of its column"},
    {1265, 0, "text too long for its column, or not of its type"},
    {1290, SHOW, NULL}, /* the server runs with an option that forbids it, --read-only among them */
    {1292, 0, "text that is not of the type it is used as"},
    {1295, SHOW, NULL}, /* not possible with parameters */
    {1298, SHOW, NULL}, /* unknown time zone */
    {1300, 0, "bytes that are not of the column's encoding"},
    {1317, SHOW, NULL}, /* query interrupted */
    {1356, SHOW, NULL}, /* view refers to what is gone */
    {1364, 0, "a column without a default got no value"},
    {1365, 0, "division by zero"},
    {1366, 0, "text that is not of its column's type"},
    {1406, 0, "text too long for its column"},
    {1449, SHOW, NULL}, /* a view's definer does not exist */
    {1451, 0, "a row that a foreign key still points at"},
    {1452, 0, "a foreign key without its row"},
    {1524, SHOW, NULL}, /* plugin not loaded */
    {1644, 0, "raised by SIGNAL"},
    {1690, 0, "a number out of range"},
    {1698, SHOW, NULL}, /* access denied without a password */
    {1792, SHOW, NULL}, /* read-only transaction */
    {1820, SHOW, NULL}, /* the password must be changed: these two */
    {1862, SHOW, NULL},
    {1836, TRY_AGAIN | SHOW, NULL}, /* running in read-only mode */
    {1927, TRY_AGAIN | SHOW, NULL}, /* MariaDB: connection was killed */
    {1969, SHOW, NULL},             /* MariaDB: max_statement_time exceeded */
    {3024, SHOW, NULL},             /* MySQL: max_execution_time exceeded */
    {3572, TRY_AGAIN | SHOW, NULL}, /* MySQL: NOWAIT */
    {4025, 0, "a check constraint is violated"},
    {3819, 0, "a check constraint is violated"},
    {4031, TRY_AGAIN | SHOW, NULL}, /* MySQL: disconnected for inactivity */
    {4166, SHOW, NULL},             /* MariaDB: LOAD DATA LOCAL is off */
    {3948, SHOW, NULL},             /* MySQL: the same */
    {CR_SOCKET_CREATE_ERROR, TRY_AGAIN | SHOW, NULL},
    {CR_CONNECTION_ERROR, TRY_AGAIN | SHOW, NULL},
    {CR_CONN_HOST_ERROR, TRY_AGAIN | SHOW, NULL},
    {CR_UNKNOWN_HOST, TRY_AGAIN | SHOW, NULL}, /* or a name service that is away */
    {CR_SERVER_GONE_ERROR, TRY_AGAIN | SHOW, NULL},
    {CR_SERVER_HANDSHAKE_ERR, TRY_AGAIN | SHOW, NULL},
    {CR_SERVER_LOST, TRY_AGAIN | SHOW, NULL},
    {CR_SERVER_LOST_EXTENDED, TRY_AGAIN | SHOW, NULL},
    {CR_ERR_NET_READ, TRY_AGAIN | SHOW, NULL},
    {CR_ERR_NET_WRITE, TRY_AGAIN | SHOW, NULL},
};

static const char *const transient[] = {"08S01", "40"};
static const char *const shown[] = {"08", "0A", "24", "25", "28", "2F", "3D", "40", "42", "70100"};

static const struct {
    unsigned code;
    const char *advice;
} advices[] = {
    {1040, "it has too many connections"},
    {1044, "check the database's name and the user's rights on it"},
    {1045, "check user and password"},
    {1698, "check user and password"},
    {1049, "check the database's name"},
    {1130, "let it accept this user from this host"},
    {CR_UNKNOWN_HOST, "check the host's name"},
    {CR_SSL_CONNECTION_ERROR, "check ssl= of the URL and the server's certificate"},
    {CR_AUTH_PLUGIN_CANNOT_LOAD, "the client library has no such way to log in: is libmariadb3 installed "
                                 "with its plugin folder? else set "
                                 "MARIADB_PLUGIN_DIR, or let the user log in with mysql_native_password"},
    {CR_PLUGIN_NOT_ALLOWED, "it wants the password in clear text: that needs ssl=verify"},
};

/* The client library's own numbers; they speak of connections, never of rows. */
static bool by_client(unsigned code)
{
    return (code >= CR_MIN_ERROR && code <= CR_MAX_ERROR) || (code >= CER_MIN_ERROR && code <= CER_MAX_ERROR);
}

/* -1: not known */
static int flags_of(unsigned code, const char **ret_words)
{
    *ret_words = NULL;
    for (size_t i = 0; i < N_ELEMENTS(known); i++)
        if (known[i].code == code) {
            *ret_words = known[i].words;
            return known[i].flags;
        }
    return by_client(code) ? SHOW : -1;
}

bool mysql_is_transient(unsigned code, const char *sqlstate)
{
    const char *words;
    int flags = flags_of(code, &words);
    if (flags >= 0)
        return flags & TRY_AGAIN;
    return sqlstate && db_sqlstate_among(sqlstate, transient, N_ELEMENTS(transient));
}

/* A syntax error quotes what it met: that is the text that was sent, or one that a PREPARE made from values. */
static bool quotes_other_text(const struct mysql_failure *f)
{
    const char *near = f->code == ER_PARSE_ERROR ? strstr(f->text, "near '") : NULL;
    const char *end = near ? strstr(near + 6, "' at line") : NULL;
    for (const char *later = end; later; later = strstr(later + 1, "' at line"))
        end = later;
    if (!end)
        return f->code == ER_PARSE_ERROR;
    _cleanup_free_ char *quoted = xstrndup(near + 6, (size_t)(end - near - 6));
    return !f->sql || !strstr(f->sql, quoted);
}

static const char *words_of(const struct mysql_failure *f, const char *sqlstate)
{
    const char *words;
    int flags = flags_of(f->code, &words);
    if (words)
        return words;
    if (quotes_other_text(f))
        return "a syntax error";
    if (flags >= 0 ? flags & SHOW : db_sqlstate_among(sqlstate, shown, N_ELEMENTS(shown)))
        return f->text;
    return "its text may quote values, see the server's own documentation of the number";
}

int mysql_fault(struct db_fault *fault, const char *label, const struct mysql_failure *f, int statement)
{
    const char *sqlstate = by_client(f->code) || !f->sqlstate ? "" : f->sqlstate;
    bool again = mysql_is_transient(f->code, sqlstate);
    char where[32] = "";
    if (statement > 1)
        snprintf(where, sizeof(where), ", statement %d", statement);
    if (by_client(f->code))
        return db_fault_set(
            fault, "", again, "the connection to %s failed%s: %.300s (%u)", label, where, f->text, f->code);
    return db_fault_set(fault, sqlstate, again, "%s: the statement failed%s: SQLSTATE %s, error %u: %.250s",
        label, where, sqlstate, f->code, words_of(f, sqlstate));
}

/* The text ends in "… column 'name' at row 7" or "… `name` at row 7", in English; the value that it quotes before may
 * say anything, so only a name of the load counts. */
static const char *column_of(const char *text, const struct db_load *load, long *ret_row)
{
    static const char at_row[] = " at row ";
    const char *at = NULL;
    for (const char *p = text; (p = strstr(p, at_row)); p++)
        at = p;
    if (!at || at == text)
        return NULL;
    *ret_row = strtol(at + sizeof(at_row) - 1, NULL, 10);
    const char *end = at - 1; /* the quote behind the name */
    for (size_t i = 0; i < load->n_columns; i++) {
        size_t n = strlen(load->columns[i]);
        if ((size_t)(end - text) > n && *(end - n - 1) == *end && strchr("'`", *end) &&
            memcmp(end - n, load->columns[i], n) == 0)
            return load->columns[i];
    }
    return NULL;
}

int mysql_fault_warning(
    struct db_fault *fault, const char *label, const struct db_load *load, const struct mysql_failure *f)
{
    long row = 0;
    char where[128] = "";
    const char *column = column_of(f->text, load, &row);
    if (column)
        snprintf(where, sizeof(where), ", column %.64s, row %ld", column, row);
    return db_fault_set(fault, "", false,
        "%s: the table %s does not take the rows as they are%s: error %u: %.200s", label, load->table, where,
        f->code, words_of(f, ""));
}

int mysql_fault_connect(struct db_fault *fault, const char *label, const struct mysql_failure *f)
{
    const char *sqlstate = by_client(f->code) || !f->sqlstate ? "" : f->sqlstate;
    const char *advice = "is it up, and is its address right?";
    for (size_t i = 0; i < N_ELEMENTS(advices); i++)
        if (advices[i].code == f->code)
            advice = advices[i].advice;
    return db_fault_set(fault, sqlstate, mysql_is_transient(f->code, sqlstate),
        "cannot connect to %s: %.250s (error %u): %s", label, f->text, f->code, advice);
}
