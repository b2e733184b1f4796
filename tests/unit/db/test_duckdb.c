/* DuckDB's texts as faults, and its URLs: what needs no database. */
#include "db/duckdb_inside.h"

#include "../util/suite.h"

START_TEST(faults)
{
    static const struct {
        duckdb_error_type type;
        const char *text, *sqlstate, *words;
        bool transient;
    } list[] = {
        {DUCKDB_ERROR_CONSTRAINT,
            "Constraint Error: Duplicate key \"a: hunter2\" violates primary key constraint.", "23505",
            "unique key", false},
        {DUCKDB_ERROR_CONSTRAINT, "Constraint Error: NOT NULL constraint failed: t.a", "23502", "t.a", false},
        {DUCKDB_ERROR_CONSTRAINT, "Constraint Error: hunter2", "23000", "constraint", false},
        {DUCKDB_ERROR_CONVERSION, "Conversion Error: Could not convert string 'hunter2' to INT32", "22018",
            "type", false},
        {DUCKDB_ERROR_INVALID_INPUT, "Invalid Input Error: hunter2", "22023", "not shown", false},
        {DUCKDB_ERROR_TRANSACTION,
            "TransactionContext Error: Failed to commit: PRIMARY KEY or UNIQUE constraint violation: "
            "duplicate key "
            "\"hunter2\"",
            "23505", "unique key", false},
        {DUCKDB_ERROR_TRANSACTION, "TransactionContext Error: Conflict on update of hunter2!", "40001",
            "another transaction", true},
        {DUCKDB_ERROR_IO, "IO Error: Could not write file \"/f\": No space left on device", "53100",
            "disk is full", true},
        {DUCKDB_ERROR_IO, "IO Error: something of the disk", "58030", "something of the disk", true},
        {DUCKDB_ERROR_FATAL, "FATAL Error: database has been invalidated, hunter2", "", "cannot go on", true},
        {DUCKDB_ERROR_INTERNAL, "INTERNAL Error: hunter2", "XX000", "inside DuckDB", false},
        {DUCKDB_ERROR_PARSER, "Parser Error: syntax error at or near \"x\"\n\nLINE 3: x hunter2\n ^", "42601",
            ", line 3: syntax error at or near \"x\"", false},
        {(duckdb_error_type)999, "hunter2", "XX000", "not shown", false},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct db_fault fault = {0};
        ck_assert_int_eq(duck_fault(&fault, "/a/b", list[i].type, list[i].text, 2), -1);
        ck_assert_str_eq(fault.sqlstate, list[i].sqlstate);
        ck_assert_msg(strstr(fault.error.text, list[i].words) != NULL, "%s", fault.error.text);
        ck_assert_msg(strstr(fault.error.text, "/a/b: ") != NULL, "%s", fault.error.text);
        ck_assert_msg(strstr(fault.error.text, "hunter2") == NULL, "%s", fault.error.text);
        ck_assert_int_eq(fault.transient, list[i].transient);
    }
}
END_TEST

START_TEST(texts_without_a_type)
{
    struct db_fault fault = {0};
    duck_fault_text(&fault, "/a", "Catalog Error: Table with name x does not exist!", 3);
    ck_assert_str_eq(fault.sqlstate, "42000");
    ck_assert_str_eq(
        fault.error.text, "/a: the statement failed, statement 3: Table with name x does not exist!");
    fault = (struct db_fault){0};
    duck_fault_text(&fault, "/a", "hunter2 Error: Catalog Error:", 1);
    ck_assert_ptr_null(strstr(fault.error.text, "hunter2"));
    fault = (struct db_fault){0};
    duck_fault_text(&fault, "/a", NULL, 1);
    ck_assert_str_ne(fault.error.text, "");
}
END_TEST

START_TEST(a_lock_and_its_holder)
{
    static const char text[] = "IO Error: Could not set lock on file \"/a\": Conflicting lock is held in "
                               "/usr/bin/python3.11 (PID 4711) by "
                               "user ann. See also https://example.org/concurrency";
    struct db_fault fault = {0};
    ck_assert(duck_is_locked(text));
    duck_fault_open(&fault, "/a", text);
    ck_assert(fault.transient);
    ck_assert_str_eq(fault.sqlstate, "55006");
    ck_assert_ptr_nonnull(
        strstr(fault.error.text, "/a is in use by /usr/bin/python3.11 (PID 4711, by user ann), and"));
    static const char *const odd[] = {"Could not set lock on file", "Could not set lock on file: held in ",
        "Could not set lock on file held in (PID ", "Could not set lock on file: held in x (PID ",
        "Could not set lock on file: held in x (PID 1) by user ",
        "Could not set lock on file (PID 1) held in y"};
    for (size_t i = 0; i < N_ELEMENTS(odd); i++) {
        fault = (struct db_fault){0};
        duck_fault_open(&fault, "/a", odd[i]);
        ck_assert_msg(strstr(fault.error.text, "/a is in use") != NULL, "%s", fault.error.text);
    }
}
END_TEST

START_TEST(urls)
{
    static const struct {
        const char *url, *path, *words;
    } list[] = {
        {"duckdb:///a/b.duckdb", "/a/b.duckdb", NULL},
        {"duckdb:///a%20%C3%BC", "/a ü", NULL},
        {"duckdb://a/b", NULL, "three slashes"},
        {"duckdb://u:hunter2@h/b", NULL, "three slashes"},
        {"duckdb:///", NULL, "file is missing"},
        {"duckdb:///a/", NULL, "file is missing"},
        {"duckdb:///a?b=hunter2", NULL, "a '?'"},
        {"duckdb:///a%3Fb", NULL, "a '?'"},
        {"duckdb:///a%00b", NULL, "cannot be read"},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct db_fault fault = {0};
        _cleanup_free_ char *path = NULL;
        int r = duck_path(list[i].url, &path, &fault);
        ck_assert_int_eq(r, list[i].path ? 0 : -1);
        if (list[i].path)
            ck_assert_str_eq(path, list[i].path);
        else
            ck_assert_msg(strstr(fault.error.text, list[i].words) != NULL, "%s", fault.error.text);
        ck_assert_ptr_null(strstr(fault.error.text, "hunter2"));
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {faults, texts_without_a_type, a_lock_and_its_holder, urls};
    return run_tests("db-duckdb", tests, N_ELEMENTS(tests));
}
