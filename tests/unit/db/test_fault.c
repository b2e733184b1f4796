/* What is said of a failure, what is kept to ourselves, and what is worth another try. */
#include "db/mysql_inside.h"
#include "db/postgres.h"
#include "util/text.h"

#include "../util/suite.h"

#define MARKER "planted-marker"

START_TEST(postgres_transient)
{
    static const char *const yes[] = {"08000", "08006", "40001", "40P01", "53100", "53300", "55P03", "57P01",
        "57P02", "57P03", "25006", "55006"};
    static const char *const no[] = {"08P01", "22P02", "23505", "28P01", "3D000", "42601", "42P01", "42501",
        "57014", "P0001", "XX000", "0A000", "55000", "57P04", ""};
    for (size_t i = 0; i < N_ELEMENTS(yes); i++)
        ck_assert_msg(postgres_is_transient(yes[i]), "%s", yes[i]);
    for (size_t i = 0; i < N_ELEMENTS(no); i++)
        ck_assert_msg(!postgres_is_transient(no[i]), "%s", no[i]);
}
END_TEST

static struct db_fault of_postgres(const struct postgres_error *e, const char *sql, int statement)
{
    struct db_fault fault = {0};
    ck_assert_int_eq(postgres_fault(&fault, "d@h", e, sql, statement), -1);
    ck_assert_str_eq(fault.sqlstate, e->sqlstate);
    return fault;
}

START_TEST(postgres_keeps_values)
{
    static const char *const states[] = {"22001", "22P02", "22XXX", "23505", "23XXX", "44000", "P0001",
        "P0002", "XX000", "HV000", "38000", "72000"};
    for (size_t i = 0; i < N_ELEMENTS(states); i++) {
        struct postgres_error e = {.sqlstate = states[i],
            .text = "value " MARKER,
            .table = "claim",
            .column = "price",
            .constraint = "claim_pkey"};
        struct db_fault fault = of_postgres(&e, "", 1);
        ck_assert_msg(!strstr(fault.error.text, MARKER), "%s", fault.error.text);
        ck_assert_ptr_nonnull(strstr(fault.error.text, states[i]));
        ck_assert_ptr_nonnull(strstr(fault.error.text, "table claim, column price, constraint claim_pkey"));
    }
}
END_TEST

START_TEST(postgres_shows_names_and_lines)
{
    struct postgres_error e = {
        .sqlstate = "42P01", .text = "relation \"nowhere\" does not exist", .position = "22"};
    struct db_fault fault = of_postgres(&e, "SELECT 'ü€';\nSELECT\n* FROM nowhere", 2);
    ck_assert_str_eq(fault.error.text,
        "d@h: the statement failed, line 3: SQLSTATE 42P01: relation \"nowhere\" does not exist");
    e.position = NULL;
    ck_assert_ptr_nonnull(strstr(of_postgres(&e, "", 2).error.text, "statement 2"));
    ck_assert_ptr_null(strstr(of_postgres(&e, "", 1).error.text, "statement 1"));
    e.inner = "SELECT " MARKER;
    ck_assert_ptr_null(strstr(of_postgres(&e, "", 1).error.text, "nowhere"));
}
END_TEST

START_TEST(postgres_connect)
{
    static const struct {
        const char *message, *sqlstate, *words;
        bool transient;
    } list[] = {
        {"connection to server at \"h\" (::1), port 5 failed: FATAL:  28P01: password authentication failed "
         "for user "
         "\"u\"\nLOCATION:  auth_failed, auth.c:326\n",
            "28P01", "for user \"u\": check user and password", false},
        {"… failed: FATAL:  3D000: database \"d\" does not exist\n", "3D000", "check the database's name",
            false},
        {"… FATAL:  57P03: the database system is starting up\n", "57P03", "starting", true},
        {"… SCHWERWIEGEND:  53300: zu viele\n", "53300", "too many connections", true},
        {"connection refused\n\tIs the server running?\n", "", "connection refused: is it up", true},
        {"FATAL:  no state here\n", "", "no state here", true},
        {"", "", "cannot connect", true},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct db_fault fault = {0};
        postgres_fault_connect(&fault, "d@h", list[i].message, false);
        ck_assert_str_eq(fault.sqlstate, list[i].sqlstate);
        ck_assert_msg(strstr(fault.error.text, list[i].words), "%s", fault.error.text);
        ck_assert_msg(fault.transient == list[i].transient, "%s", fault.error.text);
        ck_assert_ptr_null(strstr(fault.error.text, "LOCATION"));
    }
}
END_TEST

START_TEST(mysql_transient)
{
    static const struct {
        unsigned code;
        const char *sqlstate;
        bool transient;
    } list[] = {
        {2002, "HY000", true},
        {2003, "HY000", true},
        {2005, "HY000", true},
        {2006, "HY000", true},
        {2013, "HY000", true},
        {1205, "HY000", true},
        {1213, "40001", true},
        {1040, "08004", true},
        {1053, "08S01", true},
        {1203, "42000", true},
        {1226, "42000", true},
        {3572, "HY000", true},
        {1927, "70100", true},
        {9999, "40001", true},
        {9999, "08S01", true},
        {1045, "28000", false},
        {1062, "23000", false},
        {1064, "42000", false},
        {1146, "42S02", false},
        {1969, "70100", false},
        {3024, "HY000", false},
        {1644, "45000", false},
        {2026, "HY000", false},
        {2059, "HY000", false},
        {9999, "HY000", false},
        {9999, NULL, false},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++)
        ck_assert_msg(
            mysql_is_transient(list[i].code, list[i].sqlstate) == list[i].transient, "%u", list[i].code);
}
END_TEST

static struct db_fault of_mysql(unsigned code, const char *sqlstate, const char *text, const char *sql)
{
    struct db_fault fault = {0};
    struct mysql_failure f = {.code = code, .sqlstate = sqlstate, .text = text, .sql = sql};
    ck_assert_int_eq(mysql_fault(&fault, "d@h:1", &f, 1), -1);
    return fault;
}

START_TEST(mysql_keeps_values)
{
    static const struct {
        unsigned code;
        const char *sqlstate;
    } list[] = {{1062, "23000"}, {1366, "HY000"}, {1292, "22007"}, {1406, "22001"}, {1526, "HY000"},
        {1300, "HY000"}, {1644, "45000"}, {1644, "42000"}, {1690, "22003"}, {3140, "22032"}, {9999, "HY000"},
        {9999, "22000"}, {9999, "23000"}, {1048, "23000"}};
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct db_fault fault =
            of_mysql(list[i].code, list[i].sqlstate, "Duplicate entry '" MARKER "' for key", "");
        ck_assert_msg(!strstr(fault.error.text, MARKER), "%s", fault.error.text);
        ck_assert_ptr_nonnull(strstr(fault.error.text, list[i].sqlstate));
        ck_assert_str_eq(fault.sqlstate, list[i].sqlstate);
    }
}
END_TEST

START_TEST(mysql_syntax_errors_quote_our_text_alone)
{
    static const char sql[] = "SELECT 1\nFROMM x's' at line 2 y";
    static const struct {
        const char *text;
        bool shown;
    } list[] = {
        {"You have an error … to use near 'FROMM x's' at line 2 y' at line 2", true},
        {"You have an error … to use near '' at line 2", true},
        {"You have an error … to use near 'FROMM " MARKER "' at line 2", false},
        {"You have an error … to use near 'FROMM " MARKER, false},
        {MARKER, false},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct db_fault fault = of_mysql(1064, "42000", list[i].text, sql);
        ck_assert_msg((strstr(fault.error.text, "near") != NULL) == list[i].shown, "%s", fault.error.text);
        ck_assert_ptr_null(strstr(fault.error.text, MARKER));
    }
    ck_assert_ptr_null(strstr(of_mysql(1064, "42000", "near 'x' at line 1", NULL).error.text, "near"));
}
END_TEST

START_TEST(mysql_connect_says_what_to_do)
{
    static const struct {
        unsigned code;
        const char *words;
    } list[] = {{1045, "check user and password"}, {2005, "check the host's name"},
        {2059, "MARIADB_PLUGIN_DIR"}, {5010, "ssl=verify"}, {2002, "is it up"}};
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct db_fault fault = {0};
        struct mysql_failure f = {.code = list[i].code, .sqlstate = "HY000", .text = "text"};
        mysql_fault_connect(&fault, "d@h:1", &f);
        ck_assert_msg(strstr(fault.error.text, list[i].words), "%s", fault.error.text);
        ck_assert_ptr_nonnull(strstr(fault.error.text, "d@h:1"));
    }
}
END_TEST

START_TEST(text_is_always_printable_and_whole)
{
    char lengthy[2000];
    for (int shift = 0; shift < 4; shift++) {
        size_t n = (size_t)shift;
        memset(lengthy, 'x', n);
        while (n < sizeof(lengthy) - 4) {
            memcpy(lengthy + n, "😀", 4);
            n += 4;
        }
        lengthy[n] = '\0';
        struct db_fault fault = {0};
        db_fault_set(&fault, "XX", false, "%s", lengthy);
        ck_assert(text_is_utf8(fault.error.text, strlen(fault.error.text)));
        ck_assert_uint_ge(strlen(fault.error.text), 508);
        ck_assert_ptr_null(strchr(fault.error.text, '?'));
    }
    static const struct {
        const char *text, *wanted;
    } list[] = {{"a\nb\r\n\tc", "a b c"}, {"caf\xe9 au", "caf? au"}, {"\x80\x80\x80\x80x", "????x"},
        {"a\x1b[1m", "a [1m"}, {"end \n", "end"}, {"\xc3", ""}, {"é", "é"}};
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct db_fault fault = {0};
        db_fault_set(&fault, NULL, false, "%s", list[i].text);
        ck_assert_str_eq(fault.error.text, list[i].wanted);
    }
}
END_TEST

START_TEST(the_first_fault_stays)
{
    struct db_fault fault = {0};
    ck_assert_int_eq(db_fault_set(&fault, "22000", false, "first"), -1);
    ck_assert_int_eq(db_fault_set(&fault, "08000", true, "second"), -1);
    ck_assert_str_eq(fault.error.text, "first");
    ck_assert_str_eq(fault.sqlstate, "22000");
    ck_assert(!fault.transient);
}
END_TEST

START_TEST(lines)
{
    ck_assert_int_eq(db_line_of("", 1), 1);
    ck_assert_int_eq(db_line_of("a\nb\nc", 1), 1);
    ck_assert_int_eq(db_line_of("a\nb\nc", 2), 1);
    ck_assert_int_eq(db_line_of("a\nb\nc", 3), 2);
    ck_assert_int_eq(db_line_of("a\nb\nc", 5), 3);
    ck_assert_int_eq(db_line_of("a\nb\nc", 500), 3);
    ck_assert_int_eq(db_line_of("é€😀\nb", 5), 2);
    ck_assert_int_eq(db_line_of("a\nb", 0), 1);
    ck_assert_int_eq(db_line_of("a\nb", -7), 1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {postgres_transient, postgres_keeps_values, postgres_shows_names_and_lines,
        postgres_connect, mysql_transient, mysql_keeps_values, mysql_syntax_errors_quote_our_text_alone,
        mysql_connect_says_what_to_do, text_is_always_printable_and_whole, the_first_fault_stays, lines};
    return run_tests("db-fault", tests, N_ELEMENTS(tests));
}
