/*
 * DuckDB's faults. It knows types of them, and no SQLSTATE: they get the one of the standard that says the same, so that
 * who decides by a state need not know whose it is. Its texts may quote values of a row: a text is shown only where its
 * type speaks of names, syntax, rights, files and memory.
 */
#include "db/duckdb_inside.h"

enum { TRY_AGAIN = 1, SHOW = 2 };

static const struct known {
    duckdb_error_type type;
    const char *name; /* how a text without a type begins */
    const char *sqlstate;
    int flags;
    const char *words; /* ours, in place of DuckDB's */
} known[] = {
    {DUCKDB_ERROR_OUT_OF_RANGE, "Out of Range Error", "22003", 0, "a number or time out of range"},
    {DUCKDB_ERROR_CONVERSION, "Conversion Error", "22018", 0, "text that is not of the type it is used as"},
    {DUCKDB_ERROR_DECIMAL, "Decimal Error", "22003", 0, "a number out of range"},
    {DUCKDB_ERROR_MISMATCH_TYPE, "Mismatch Type Error", "22018", 0,
        "a value of another type than it is used as"},
    {DUCKDB_ERROR_DIVIDE_BY_ZERO, "Divide by Zero Error", "22012", 0, "division by zero"},
    {DUCKDB_ERROR_OBJECT_SIZE, "Object Size Error", "22001", 0, "a value that is too large"},
    {DUCKDB_ERROR_INVALID_TYPE, "Invalid type Error", "22018", 0,
        "a value of another type than it is used as"},
    {DUCKDB_ERROR_INVALID_INPUT, "Invalid Input Error", "22023", 0, NULL},
    {DUCKDB_ERROR_CONSTRAINT, "Constraint Error", "23000", 0, "a constraint is violated"},
    {DUCKDB_ERROR_TRANSACTION, "TransactionContext Error", "25000", 0, NULL},
    {DUCKDB_ERROR_NOT_IMPLEMENTED, "Not implemented Error", "0A000", SHOW, NULL},
    {DUCKDB_ERROR_CATALOG, "Catalog Error", "42000", SHOW, NULL},
    {DUCKDB_ERROR_PARSER, "Parser Error", "42601", SHOW, NULL},
    {DUCKDB_ERROR_SYNTAX, "Syntax Error", "42601", SHOW, NULL},
    {DUCKDB_ERROR_BINDER, "Binder Error", "42000", SHOW, NULL},
    {DUCKDB_ERROR_SETTINGS, "Settings Error", "42000", SHOW, NULL},
    {DUCKDB_INVALID_CONFIGURATION, "Invalid Configuration Error", "42000", SHOW, NULL},
    {DUCKDB_ERROR_DEPENDENCY, "Dependency Error", "2BP01", SHOW, NULL},
    {DUCKDB_ERROR_PERMISSION, "Permission Error", "42501", SHOW, NULL},
    {DUCKDB_ERROR_MISSING_EXTENSION, "Missing Extension Error", "0A000", SHOW, NULL},
    {DUCKDB_ERROR_AUTOLOAD, "Extension Autoloading Error", "0A000", SHOW, NULL},
    {DUCKDB_ERROR_PARAMETER_NOT_RESOLVED, "Parameter Not Resolved Error", "42P18", SHOW, NULL},
    {DUCKDB_ERROR_PARAMETER_NOT_ALLOWED, "Parameter Not Allowed Error", "42601", SHOW, NULL},
    {DUCKDB_ERROR_SEQUENCE, "Sequence Error", "2200H", SHOW, NULL},
    {DUCKDB_ERROR_IO, "IO Error", "58030", TRY_AGAIN | SHOW, NULL},
    {DUCKDB_ERROR_CONNECTION, "Connection Error", "", TRY_AGAIN | SHOW, NULL},
    {DUCKDB_ERROR_OUT_OF_MEMORY, "Out of Memory Error", "53200", SHOW, NULL},
    {DUCKDB_ERROR_INTERRUPT, "INTERRUPT Error", "57014", SHOW, NULL},
    {DUCKDB_ERROR_FATAL, "FATAL Error", "", TRY_AGAIN,
        "the database cannot go on after an earlier fault: it is opened anew"},
    {DUCKDB_ERROR_INTERNAL, "INTERNAL Error", "XX000", 0, "a fault inside DuckDB"},
};

/* What a text says more exactly than its type. The first that is found in it counts. */
static const struct {
    duckdb_error_type type;
    const char *in_text, *sqlstate;
    int flags;
    const char *words;
} closer[] = {
    {DUCKDB_ERROR_CONSTRAINT, "NOT NULL constraint", "23502", SHOW, NULL},
    {DUCKDB_ERROR_CONSTRAINT, "CHECK constraint", "23514", 0, "a check constraint is violated"},
    {DUCKDB_ERROR_CONSTRAINT, "oreign key", "23503", 0,
        "a foreign key without its row, or a row that one still points at"},
    {DUCKDB_ERROR_CONSTRAINT, "uplicate key", "23505", 0, "a unique key that is there already"},
    {DUCKDB_ERROR_TRANSACTION, "uplicate key", "23505", 0, "a unique key that is there already"},
    {DUCKDB_ERROR_TRANSACTION, "onstraint", "23000", 0, "a constraint is violated"},
    {DUCKDB_ERROR_TRANSACTION, "onflict", "40001", TRY_AGAIN,
        "another transaction changed the same at the same time"},
    {DUCKDB_ERROR_TRANSACTION, "is aborted", "25P02", SHOW, NULL},
    {DUCKDB_ERROR_TRANSACTION, "within a transaction", "25001", SHOW, NULL},
    {DUCKDB_ERROR_TRANSACTION, "no transaction", "25P01", SHOW, NULL},
    {DUCKDB_ERROR_TRANSACTION, "read-only", "25006", SHOW, NULL},
    {DUCKDB_ERROR_INVALID_INPUT, "read-only", "25006", SHOW, NULL},
    {DUCKDB_ERROR_INVALID_INPUT, "not a DuckDB database", "42000", SHOW, NULL},
    {DUCKDB_ERROR_INVALID_INPUT, "Values were not provided", "07001", SHOW, NULL},
    {DUCKDB_ERROR_INVALID_INPUT, "Cannot change", "42000", SHOW, NULL},
    {DUCKDB_ERROR_IO, "Corrupt database", "XX001", 0, "the file is damaged: restore it from a copy"},
    {DUCKDB_ERROR_IO, "Could not read enough", "XX001", 0, "the file is damaged: restore it from a copy"},
    {DUCKDB_ERROR_IO, "No space left", "53100", TRY_AGAIN, "the disk is full: make room on it"},
};

static const struct known *known_of(duckdb_error_type type)
{
    for (size_t i = 0; i < N_ELEMENTS(known); i++)
        if (known[i].type == type)
            return &known[i];
    return NULL;
}

/* "LINE 3: …" of a text; 0 where there is none. */
static int line_of(const char *text)
{
    const char *at = strstr(text, "\nLINE ");
    return at ? atoi(at + 6) : 0;
}

static void put_place(char *out, size_t size, const char *text, bool shown, int statement)
{
    int line = shown ? line_of(text) : 0;
    if (line > 0)
        snprintf(out, size, ", line %d", line);
    else if (statement > 1)
        snprintf(out, size, ", statement %d", statement);
}

/* Without the word that says its type, and without the excerpt of the statement. */
static const char *first_line(const char *text, const struct known *k, int *ret_n)
{
    size_t n = k ? strlen(k->name) : 0;
    if (k && strncmp(text, k->name, n) == 0 && strncmp(text + n, ": ", 2) == 0)
        text += n + 2;
    *ret_n = (int)strcspn(text, "\n");
    return text;
}

int duck_fault(
    struct db_fault *fault, const char *label, duckdb_error_type type, const char *text, int statement)
{
    const struct known *k = known_of(type);
    const char *sqlstate = k ? k->sqlstate : "XX000", *words = k ? k->words : NULL;
    int flags = k ? k->flags : 0, n = 0;
    for (size_t i = 0; i < N_ELEMENTS(closer); i++)
        if (closer[i].type == type && strstr(text, closer[i].in_text)) {
            sqlstate = closer[i].sqlstate;
            words = closer[i].words;
            flags = closer[i].flags;
            break;
        }
    char where[32] = "";
    put_place(where, sizeof(where), text, flags & SHOW, statement);
    const char *shown = first_line(text, k, &n);
    if (!words && !(flags & SHOW))
        words = "its text may quote values, and is not shown";
    return db_fault_set(fault, sqlstate, flags & TRY_AGAIN, "%s: the statement failed%s: %.*s", label, where,
        words ? (int)strlen(words) : MIN(n, 300), words ? words : shown);
}

int duck_fault_text(struct db_fault *fault, const char *label, const char *text, int statement)
{
    text = text ? text : "";
    for (size_t i = 0; i < N_ELEMENTS(known); i++) {
        size_t n = strlen(known[i].name);
        if (strncasecmp(text, known[i].name, n) == 0 && text[n] == ':')
            return duck_fault(fault, label, known[i].type, text, statement);
    }
    return duck_fault(fault, label, DUCKDB_ERROR_INVALID, text, statement);
}

/* ---- opening ---- */

bool duck_is_locked(const char *text)
{
    return strstr(text, "Could not set lock on file") != NULL;
}

/* "Conflicting lock is held in /usr/bin/python3.11 (PID 4711) by user ann. …": who, as a person says it. */
static int fault_locked(struct db_fault *fault, const char *path, const char *text)
{
    const char *at = strstr(text, "held in "), *pid = at ? strstr(at, "(PID ") : NULL;
    int name = at && pid ? (int)(pid - at - 9) : 0, rest = pid ? (int)strcspn(pid + 1, ").") : 0;
    if (name <= 0)
        return db_fault_set(fault, "55006", true,
            "%s is in use: another process has it open, and DuckDB lets only one write. It is tried again; "
            "else end "
            "that process",
            path);
    const char *by = strstr(pid, ") by user ");
    int user = by ? (int)strcspn(by + 2, ".") : 0;
    return db_fault_set(fault, "55006", true,
        "%s is in use by %.*s (%.*s%s%.*s), and DuckDB lets only one process write. It is tried again; else "
        "end that "
        "one",
        path, MIN(name, 100), at + 8, rest, pid + 1, user ? ", " : "", user, by ? by + 2 : "");
}

/* What a text of an open says, and what to do. */
static const struct {
    const char *in_text, *words;
    bool transient;
} open_words[] = {
    {"not a valid DuckDB database", "is no DuckDB database: check its name", false},
    {"with version number",
        "was written by a newer or a very old DuckDB than this one (1.4): write it with `ATTACH … "
        "(STORAGE_VERSION "
        "'v1.0.0')` there, or install a newer ingestd",
        false},
    {"No space left", "cannot be opened: the disk is full: make room on it", true},
    {"Permission denied", "cannot be opened: permission denied: check the rights of file and folder", false},
    {"Read-only file system", "cannot be opened: its file system is mounted for reading alone", false},
    {"checksum", "is damaged: a block's checksum is wrong. Restore it from a copy", false},
    {"WAL",
        "cannot be opened: its log (the file with .wal behind its name) cannot be read. Restore both from a "
        "copy",
        false},
    {"different configuration", "is open already with other limits in this process", false},
    {"Cannot open file", "cannot be opened: check that its folder is there, and its rights", false},
};

int duck_fault_open(struct db_fault *fault, const char *path, const char *text)
{
    if (duck_is_locked(text))
        return fault_locked(fault, path, text);
    for (size_t i = 0; i < N_ELEMENTS(open_words); i++)
        if (strstr(text, open_words[i].in_text))
            return db_fault_set(
                fault, "", open_words[i].transient, "the database %s %s", path, open_words[i].words);
    return db_fault_set(fault, "", false,
        "the database %s cannot be opened: it seems damaged (%.*s). Restore it from a copy", path,
        (int)MIN(strcspn(text, "\n"), 200u), text);
}
