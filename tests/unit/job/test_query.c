/* The query job's way through a transaction: what it says to the server in which order, and what it makes of the
 * answers. The real servers are in tests/integration/test_worker.py. */
#include "job/job.h"
#include "job/report.h"

#include "../util/suite.h"
#include "fake_db.h"

#include <cjson/cJSON.h>
#include <fcntl.h>

#define OURS                                                                                                 \
    {                                                                                                        \
        .begins = "SELECT pg_catalog.current_setting", .value = "ours"                                       \
    }
#define NOT_OURS                                                                                             \
    {                                                                                                        \
        .begins = "SELECT pg_catalog.current_setting", .value = ""                                           \
    }
#define BEGUN    "open|BEGIN|SET LOCAL ingestd.transaction = 'ours'|"
#define MY_BEGUN "open|START TRANSACTION|SAVEPOINT ingestd_transaction|"
#define MY_ASKED "|RELEASE SAVEPOINT ingestd_transaction|"
#define MY_GONE                                                                                              \
    {                                                                                                        \
        .begins = "RELEASE", .sqlstate = "42000"                                                             \
    }

static struct db_fault fault;
static cJSON *stats;

/* 0 or -1. The spec is a transaction unless the test changes it. */
static int run(const char *sql, struct job_spec spec)
{
    char path[] = "/tmp/ingestd-query-XXXXXX";
    int fd = mkstemp(path), null = open("/dev/null", O_WRONLY), out = dup(STDOUT_FILENO);
    ck_assert_int_eq(write(fd, sql, strlen(sql)), (ssize_t)strlen(sql));
    close(fd);
    fflush(stdout);
    dup2(null, STDOUT_FILENO); /* for the progress */
    spec.job = (char *)(uintptr_t) "tidy";
    spec.sql = path;
    spec.database.url = (char *)(uintptr_t) "postgresql://";
    spec.time_limit_us = 60000000;
    int r = job_query.run(&spec, &stats, &fault);
    dup2(out, STDOUT_FILENO);
    close(out);
    close(null);
    unlink(path);
    return r;
}

#define TRANSACTION ((struct job_spec){.transaction = true})
#define DRY_RUN     ((struct job_spec){.transaction = true, .dry_run = true})
#define PLAIN       ((struct job_spec){0})

#define START(driver, ...)                                                                                   \
    static const struct fake_answer answers[] = {__VA_ARGS__};                                               \
    fake_start(driver, answers, N_ELEMENTS(answers))

static void said(const char *words)
{
    ck_assert_str_eq(fake_said, words);
}

static void done(const char *warning)
{
    const char *w = cJSON_GetStringValue(cJSON_GetObjectItem(stats, "warning"));
    ck_assert_msg(warning ? w && strstr(w, warning) : !w, "warning: %s", w);
    cJSON_Delete(stats);
}

static void fault_is(const char *words, bool transient)
{
    ck_assert_msg(strstr(fault.error.text, words), "%s", fault.error.text);
    ck_assert_int_eq(fault.transient, transient);
}

START_TEST(good)
{
    START("postgres", OURS);
    ck_assert_int_eq(run("x; y; -- end", TRANSACTION), 0);
    said(BEGUN "x; y|value|COMMIT|close");
    ck_assert_int_eq(fake_options.statement_timeout_us, 60000000);
    done(NULL);
}
END_TEST

START_TEST(dry_run)
{
    START("postgres", OURS);
    ck_assert_int_eq(run("x", DRY_RUN), 0);
    said(BEGUN "x|value|ROLLBACK|close");
    ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(stats, "dry_run")));
    done(NULL);
}
END_TEST

START_TEST(dry_run_that_could_not_be_taken_back)
{
    START("postgres", OURS);
    ck_assert_int_lt(run("x", (struct job_spec){.dry_run = true}), 0);
    fault_is("transaction: no", false);
    said("");
    ck_assert_int_lt(run("x;\ncommit", DRY_RUN), 0);
    fault_is("COMMIT on line 2", false);
    said("open|close");
    fake_start("mysql", NULL, 0);
    ck_assert_int_lt(run("x; create table y(a int)", DRY_RUN), 0);
    fault_is("CREATE TABLE Y on line 1", false);
    said("open|close");
}
END_TEST

START_TEST(dry_run_that_was_not_taken_back)
{
    START("mysql", MY_GONE);
    ck_assert_int_lt(run("call x()", DRY_RUN), 0);
    said(MY_BEGUN "call x()" MY_ASKED "ROLLBACK|SHOW WARNINGS|close");
    fault_is("CHANGED", false);
}
END_TEST

START_TEST(dry_run_on_tables_without_transactions)
{
    START("mysql", {.begins = "SHOW", .value = "1196"});
    ck_assert_int_lt(run("x", DRY_RUN), 0);
    fault_is("CHANGED", false);
}
END_TEST

START_TEST(a_file_that_commits)
{
    START("postgres", NOT_OURS);
    ck_assert_int_eq(run("x; commit; y", TRANSACTION), 0);
    said(BEGUN "x; commit; y|value|COMMIT|close");
    done("ended its transaction itself");
}
END_TEST

START_TEST(a_file_that_commits_and_fails)
{
    START("postgres", {.begins = "x", .tag = "COMMIT", .sqlstate = "40P01"});
    ck_assert_int_lt(run("x;\ncommit; y", TRANSACTION), 0);
    said(BEGUN "x;\ncommit; y|ROLLBACK|close");
    fault_is("stays", false);
}
END_TEST

START_TEST(a_failure)
{
    START("postgres", {.begins = "x", .tag = "INSERT", .sqlstate = "22012"});
    ck_assert_int_lt(run("x;\ny", TRANSACTION), 0);
    said(BEGUN "x;\ny|ROLLBACK|close");
    fault_is("the statement from line 2 on: refused", false);
    ck_assert_str_eq(fault.sqlstate, "22012");
}
END_TEST

START_TEST(a_deadlock_is_tried_again)
{
    START("mysql", {.begins = "x", .sqlstate = "40001"}, MY_GONE);
    ck_assert_int_lt(run("x", TRANSACTION), 0);
    fault_is("refused", true);
}
END_TEST

START_TEST(a_lost_connection_is_tried_again)
{
    START("postgres", {.begins = "x", .sqlstate = ""});
    ck_assert_int_lt(run("x", TRANSACTION), 0);
    fault_is("refused", true);
}
END_TEST

START_TEST(a_lost_connection_with_a_commit_in_the_file)
{
    START("postgres", {.begins = "x", .sqlstate = ""});
    ck_assert_int_lt(run("x; commit; y", TRANSACTION), 0);
    fault_is("refused", false);
}
END_TEST

START_TEST(mysql_commits_by_itself)
{
    START("mysql", {.begins = "x", .tag = "", .sqlstate = "42S02"}, MY_GONE);
    ck_assert_int_lt(run("x; y", TRANSACTION), 0);
    said(MY_BEGUN "x; y" MY_ASKED "ROLLBACK|SHOW WARNINGS|close");
    fault_is("stays", false);
}
END_TEST

START_TEST(a_commit_in_doubt)
{
    static const char *const lost[] = {"", "08006", "57P01"};
    for (size_t i = 0; i < N_ELEMENTS(lost); i++) {
        const struct fake_answer answers[] = {{.begins = "COMMIT", .sqlstate = lost[i]}, OURS};
        fake_start("postgres", answers, N_ELEMENTS(answers));
        ck_assert_int_lt(run("x", TRANSACTION), 0);
        fault_is("not known", false);
    }
}
END_TEST

START_TEST(a_commit_that_is_refused)
{
    START("postgres", {.begins = "COMMIT", .sqlstate = "40001"}, OURS);
    ck_assert_int_lt(run("x", TRANSACTION), 0);
    fault_is("nothing was changed", true);
}
END_TEST

START_TEST(without_a_transaction)
{
    START("postgres", {.begins = "x", .tag = "X"});
    ck_assert_int_eq(run("x 1;\n y 2; ", PLAIN), 0);
    said("open|x 1|y 2|close");
    done(NULL);
    fake_start("mysql", NULL, 0);
    ck_assert_int_eq(run("x 1;\n y 2; # end", PLAIN), 0);
    said("open|x 1;\n y 2|close");
    done(NULL);
}
END_TEST

START_TEST(without_a_transaction_what_is_done_stays)
{
    START("postgres", {.begins = "x", .tag = "X"}, {.begins = "y", .sqlstate = "40P01"});
    ck_assert_int_lt(run("x;\ny", PLAIN), 0);
    fault_is("(1 of the file's statements) stays", false);
    ck_assert_int_lt(run("y", PLAIN), 0);
    fault_is("line 1", true);
}
END_TEST

START_TEST(without_a_transaction_a_loss_is_final)
{
    START("postgres", {.begins = "x", .sqlstate = ""});
    ck_assert_int_lt(run("x", PLAIN), 0);
    fault_is("refused", false);
}
END_TEST

START_TEST(a_transaction_left_open)
{
    START("postgres", {.begins = "begin", .tag = "BEGIN"}, {.begins = "commit", .tag = "COMMIT"});
    ck_assert_int_eq(run("begin; x", PLAIN), 0);
    done("did not end it");
    ck_assert_int_eq(run("begin; x; commit", PLAIN), 0);
    done(NULL);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {good, dry_run, dry_run_that_could_not_be_taken_back,
        dry_run_that_was_not_taken_back, dry_run_on_tables_without_transactions, a_file_that_commits,
        a_file_that_commits_and_fails, a_failure, a_deadlock_is_tried_again, a_lost_connection_is_tried_again,
        a_lost_connection_with_a_commit_in_the_file, mysql_commits_by_itself, a_commit_in_doubt,
        a_commit_that_is_refused, without_a_transaction, without_a_transaction_what_is_done_stays,
        without_a_transaction_a_loss_is_final, a_transaction_left_open};
    return run_tests("query", tests, N_ELEMENTS(tests));
}
