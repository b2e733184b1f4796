/*
 * Postgres' faults by SQLSTATE (PostgreSQL manual, appendix A). A message may quote values of a row: the text of a
 * class is shown only where the class speaks of names, rights, locks and resources. All else is in the server's log.
 */
#include "db/postgres.h"

/* Worth another try: connection (08P01 is a mistake of the caller's), rollback, resources, locks, shutdown, a standby during a failover. */
static const char *const transient[] = {
    "0800", "25006", "40", "53", "55006", "55P03", "57P01", "57P02", "57P03", "57P05", "58030"};

/* 25 transaction state, 28 authorization, 3D and 3F names, 42 syntax and rights, 54 limits of the server, 55 and 57 locks and the operator. */
static const char *const shown[] = {"08", "0A", "0B", "21", "24", "25", "26", "28", "2B", "2D", "34", "3B",
    "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "XX001", "XX002"};

/* Condition names of the most frequent states that are not shown. */
static const struct {
    const char *sqlstate, *name;
} names[] = {
    {"22001", "text too long for its column"},
    {"22003", "a number out of range"},
    {"22007", "text that is no date or time"},
    {"22008", "a date or time out of range"},
    {"22012", "division by zero"},
    {"22021", "bytes that are not of the database's encoding"},
    {"22023", "a parameter's value is invalid"},
    {"22P02", "text that is not of the type it is used as"},
    {"22P05", "a character that the encoding does not have"},
    {"23502", "NULL where NOT NULL is demanded"},
    {"23503", "a foreign key without its row"},
    {"23505", "a unique key that is there already"},
    {"23514", "a check constraint is violated"},
    {"23P01", "an exclusion constraint is violated"},
    {"44000", "a view's check option is violated"},
    {"P0001", "raised by a function"},
    {"P0004", "an assertion of a function failed"},
};

static const struct {
    const char *sqlstate, *advice;
} advices[] = {
    {"28P01", "check user and password"},
    {"28", "check the user, and the server's pg_hba.conf"},
    {"3D000", "check the database's name"},
    {"42501", "check the user's rights on the database"},
    {"53300", "it has too many connections"},
    {"57P03", "it is starting or stopping: it is tried again"},
};

bool postgres_is_transient(const char *sqlstate)
{
    return db_sqlstate_among(sqlstate, transient, N_ELEMENTS(transient));
}

/* The words for what failed: the server's own where they hold no values. */
static const char *words_of(const struct postgres_error *e)
{
    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (strcmp(e->sqlstate, names[i].sqlstate) == 0)
            return names[i].name;
    /* A function that makes its SQL from values has them in its syntax errors too. */
    if (e->text && !e->inner && db_sqlstate_among(e->sqlstate, shown, N_ELEMENTS(shown)))
        return e->text;
    return e->inner ? "in a statement of a function, see the server's log"
                    : "its text may quote values, see the server's log";
}

static void put_name(char *out, size_t size, const char *what, const char *name)
{
    size_t n = strlen(out);
    if (name && *name)
        snprintf(out + n, size - n, ", %s %s", what, name);
}

/* Where in the text: the line when the server says so, else which statement when there are several. */
static void put_place(char *out, size_t size, const struct postgres_error *e, const char *sql, int statement)
{
    long position = e->position ? strtol(e->position, NULL, 10) : 0;
    size_t n = strlen(out);
    if (position > 0)
        snprintf(out + n, size - n, ", line %d", db_line_of(sql, position));
    else if (statement > 1)
        snprintf(out + n, size - n, ", statement %d", statement);
}

int postgres_fault(
    struct db_fault *fault, const char *label, const struct postgres_error *e, const char *sql, int statement)
{
    char where[256] = "";
    put_place(where, sizeof(where), e, sql, statement);
    put_name(where, sizeof(where), "table", e->table);
    put_name(where, sizeof(where), "column", e->column);
    put_name(where, sizeof(where), "constraint", e->constraint);
    return db_fault_set(fault, e->sqlstate, postgres_is_transient(e->sqlstate),
        "%s: the statement failed%s: SQLSTATE %s: %.200s", label, where, e->sqlstate, words_of(e));
}

/* libpq does not give the state of a failed connect but in its verbose message: "FATAL:  28P01: password …". The word
 * before it may be in any language. */
static const char *find_state(const char *message)
{
    for (const char *p = strstr(message, ":  "); p; p = strstr(p + 1, ":  "))
        if (strspn(p + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && p[8] == ':')
            return p + 3;
    return NULL;
}

static const char *advice_for(const char *sqlstate)
{
    for (size_t i = 0; i < N_ELEMENTS(advices); i++)
        if (strncmp(sqlstate, advices[i].sqlstate, strlen(advices[i].sqlstate)) == 0)
            return advices[i].advice;
    return "check its settings";
}

int postgres_fault_connect(
    struct db_fault *fault, const char *label, const char *message, bool needs_password)
{
    const char *state = find_state(message);
    if (needs_password)
        return db_fault_set(fault, "", false,
            "cannot connect to %s: it wants a password: give one with password_file", label);
    if (!state) {
        int n = (int)strcspn(message, "\n");
        return db_fault_set(fault, "", true,
            "cannot connect to %s: %.*s: is it up, and is its address right?", label, MIN(n, 300), message);
    }
    char sqlstate[6];
    snprintf(sqlstate, sizeof(sqlstate), "%.5s", state);
    int n = (int)strcspn(state + 6, "\n");
    return db_fault_set(fault, sqlstate, postgres_is_transient(sqlstate),
        "cannot connect to %s: SQLSTATE %s:%.*s: %s", label, sqlstate, MIN(n, 300), state + 6,
        advice_for(sqlstate));
}
