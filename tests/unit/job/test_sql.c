/* Where statements begin, as psql(1) and mariadb(1) see it. */
#include "job/sql.h"
#include "job/transaction.h"
#include "util/buffer.h"

#include "../util/suite.h"

/* "line:HEAD|line:HEAD" */
static void is(enum sql_dialect dialect, const char *text, const char *expected)
{
    _cleanup_buffer_ struct buffer b = {0};
    struct sql_reader r = sql_reader(dialect, text);
    for (struct sql_statement s; sql_next(&r, &s);) {
        buffer_printf(&b, "%s%d:%s", b.n ? "|" : "", s.line, s.head);
        ck_assert(s.start >= text);
        ck_assert(s.start + s.n <= text + strlen(text));
        ck_assert_uint_gt(s.n, 0);
    }
    ck_assert_msg(
        strcmp(buffer_string(&b), expected) == 0, "%s\nis %s\nnot %s", text, buffer_string(&b), expected);
}

static void both(const char *text, const char *expected)
{
    is(SQL_POSTGRES, text, expected);
    is(SQL_MYSQL, text, expected);
}

START_TEST(plain)
{
    both("", "");
    both(" \n\t;;\n; ", "");
    both("select 1", "1:SELECT");
    both("select 1;\n\nselect 2;", "1:SELECT|3:SELECT");
    both("\n-- one; two\ninsert into t values (1); -- end;\n", "3:INSERT INTO T VALUES");
    both("/* a; b\n */ Create Table x(a int)", "2:CREATE TABLE X");
    both("create or replace temporary table x as select 1", "1:CREATE OR REPLACE TEMPORARY");
    both("select/**/a;drop--\n\ttable x", "1:SELECT A|1:DROP TABLE X");
    both("(select 1);5", "1:|1:");
}
END_TEST

START_TEST(strings_and_names)
{
    both("select 'a;b', \"c;d\", 'it''s; ok'; commit", "1:SELECT|1:COMMIT");
    both("select 'a\n;\n'; commit", "1:SELECT|3:COMMIT");
    both("select 'open; commit", "1:SELECT");
    is(SQL_MYSQL, "select 'a\\'; b'; commit", "1:SELECT|1:COMMIT");
    is(SQL_MYSQL, "select `a;\\`; commit", "1:SELECT|1:COMMIT");
    is(SQL_POSTGRES, "select 'a\\'; commit", "1:SELECT|1:COMMIT");
    is(SQL_POSTGRES, "select e'a\\'; b', E'\\''; commit", "1:SELECT E|1:COMMIT");
    is(SQL_POSTGRES, "select node'a\\'; commit", "1:SELECT NODE|1:COMMIT");
}
END_TEST

START_TEST(comments)
{
    is(SQL_POSTGRES, "/* a /* b */ ; */ select 1", "1:SELECT");
    is(SQL_MYSQL, "/* a /* b */ select 1", "1:SELECT");
    is(SQL_MYSQL, "# a;\nselect 1; # b", "2:SELECT");
    is(SQL_MYSQL, "select 5--1; select 2", "1:SELECT|1:SELECT");
    is(SQL_POSTGRES, "select 5--1; select 2", "1:SELECT");
    is(SQL_POSTGRES, "/* open; select 1", "");
    is(SQL_POSTGRES, "/*", "");
    is(SQL_MYSQL, "/", "1:");
}
END_TEST

START_TEST(bodies)
{
    is(SQL_POSTGRES, "do $$ begin; end; $$; commit", "1:DO|1:COMMIT");
    is(SQL_POSTGRES, "do $a$ $$ ; $b$ ; $a$; commit", "1:DO|1:COMMIT");
    is(SQL_POSTGRES, "select $1; commit; do $open$ ; x", "1:SELECT|1:COMMIT|1:DO");
    is(SQL_POSTGRES, "select a$b$ ; commit", "1:SELECT A$B$|1:COMMIT");
    is(SQL_POSTGRES, "create rule r as on insert to t do (delete from a; delete from b); commit",
        "1:CREATE RULE R AS|1:COMMIT");
    is(SQL_POSTGRES,
        "create function f() returns int begin atomic; select case 1 when 1 then 2 end; end; commit",
        "1:CREATE FUNCTION F|1:COMMIT");
    is(SQL_MYSQL, "create procedure p() begin if 1 then set @a = 1; end if; begin end; end; commit",
        "1:CREATE PROCEDURE P|1:COMMIT");
    is(SQL_MYSQL, "create procedure p() begin case 1 when 1 then set @a = 1; end case; end; commit",
        "1:CREATE PROCEDURE P|1:COMMIT");
    is(SQL_MYSQL,
        "create definer=`x` trigger p before insert on t for each row begin set @a=1; end; drop trigger p",
        "1:CREATE DEFINER|1:DROP TRIGGER P");
    both("begin; select 1; end; commit", "1:BEGIN|1:SELECT|1:END|1:COMMIT");
    both("create table t(a int); begin; end", "1:CREATE TABLE T|1:BEGIN|1:END");
}
END_TEST

static bool ends(enum sql_dialect dialect, const char *text)
{
    struct sql_reader r = sql_reader(dialect, text);
    struct sql_statement s;
    ck_assert(sql_next(&r, &s));
    return transaction_is_ended_by(dialect, &s);
}

START_TEST(what_ends_a_transaction)
{
    static const char *const in_both[] = {"commit", "/* x */ Commit work", "rollback", "rollback and chain"};
    static const char *const in_mysql[] = {"create table x(a int)", "drop table x", "truncate x",
        "alter table x", "rename table x to y", "grant all on x to y", "begin", "start transaction",
        "lock tables x read", "select 1 /*M! , 2 */", "prepare s from 'commit'", "execute immediate 'commit'",
        "set autocommit = 1", "create or replace table x(a int)"};
    static const char *const in_postgres[] = {"end", "abort", "prepare transaction 'x'"};
    static const char *const in_none[] = {"select 1", "insert into committed values (1)", "rollback to x",
        "rollback work to savepoint x", "savepoint x", "create temporary table x(a int)", "committed"};
    for (size_t i = 0; i < N_ELEMENTS(in_both); i++)
        ck_assert(ends(SQL_MYSQL, in_both[i]) && ends(SQL_POSTGRES, in_both[i]));
    for (size_t i = 0; i < N_ELEMENTS(in_mysql); i++)
        ck_assert_msg(ends(SQL_MYSQL, in_mysql[i]) && !ends(SQL_POSTGRES, in_mysql[i]), "%s", in_mysql[i]);
    ck_assert(ends(SQL_MYSQL, "/*!40101 commit */"));
    for (size_t i = 0; i < N_ELEMENTS(in_postgres); i++)
        ck_assert(ends(SQL_POSTGRES, in_postgres[i]));
    for (size_t i = 0; i < N_ELEMENTS(in_none); i++)
        ck_assert_msg(!ends(SQL_MYSQL, in_none[i]) && !ends(SQL_POSTGRES, in_none[i]), "%s", in_none[i]);
}
END_TEST

/* Whatever the text, the reader ends, stays inside, and the statements follow each other. */
START_TEST(any_bytes)
{
    static const char alphabet[] = "a'\"`$;*/-#\\\n( )!Eb";
    srand(1);
    for (int i = 0; i < 20000; i++) {
        size_t n = (size_t)rand() % 40;
        _cleanup_free_ char *text = xcalloc(n + 1, 1);
        for (size_t j = 0; j < n; j++)
            text[j] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
        struct sql_reader r = sql_reader(i % 2 ? SQL_MYSQL : SQL_POSTGRES, text);
        const char *before = text;
        for (struct sql_statement s; sql_next(&r, &s); before = s.start + s.n) {
            ck_assert(s.start >= before);
            ck_assert(s.start + s.n <= text + n);
        }
        ck_assert_ptr_eq(r.p, text + n);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        plain, strings_and_names, comments, bodies, what_ends_a_transaction, any_bytes};
    return run_tests("sql", tests, N_ELEMENTS(tests));
}
