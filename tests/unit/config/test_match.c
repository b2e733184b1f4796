/* A match: what its keys become, and what does not fit together. */
#include "parse.h"

#include <cjson/cJSON.h>

#define DATABASES                                                                                            \
    POSTGRES "databases: {w: {url: 'mysql://u@h/db'}, d: {url: 'duckdb:///x/y'}, k: {url: "                  \
             "dbname=x}}\n"
#define LEFT  "    left: {name: ours, database: w, sql: /q.sql}\n"
#define RIGHT "    right: {name: vendor, source: 'https://h/users'}\n"
#define KEYS  "    keys: {lastname: {}}\n"
/* Its own keys begin on line 4. */
#define JOB(more)   DATABASES "jobs:\n  a:\n    kind: match\n    table: t\n" more
#define MATCH(more) JOB(LEFT RIGHT KEYS more)

static const char whole[] =
    JOB("    left:\n"
        "      name: ours\n      database: w\n      sql: users.sql\n      id: nr\n      active: seen\n"
        "      columns: practice, ' city'\n"
        "    right:\n"
        "      name: vendor\n      source: https://h/users\n"
        "      rest: {rows: users, paging: page, headers: 'X-Key: s3cret', token_file: /t}\n"
        "    keys:\n"
        "      lastname: {}\n      first: {left: vorname, right: firstname, normalise: 'trim, underscore'}\n"
        "    tie_breaks:\n"
        "      location: {normalise: ''}\n      first: {}\n"
        "    report_date: 2017-02-02\n    active_days: 31\n    batch_fraction: 0.05\n"
        "    outcomes: matched,left_only\n    database: d\n    schedule: every 1d\n");

START_TEST(defaults_are_filled_in)
{
    _cleanup_(config_freep) struct config *c = parse_good(
        JOB("    left: {database: w, sql: /q.sql}\n    right: {source: 'https://h/users'}\n" KEYS));
    const struct config_job *m = &c->jobs[0];
    ck_assert_str_eq(m->left.name, "left");
    ck_assert_str_eq(m->right.name, "right");
    ck_assert_str_eq(m->left.id, "id");
    ck_assert(!m->left.active && !m->left.columns && !m->left.rest.rows && !m->left.source);
    ck_assert_str_eq(m->right.rest.rows, "data");
    ck_assert_str_eq(m->right.rest.paging, "offset");
    ck_assert_uint_eq(m->right.rest.page_size, 1000);
    ck_assert_uint_eq(m->keys.n, 1);
    ck_assert_str_eq(m->keys.list[0].name, "lastname");
    ck_assert_str_eq(m->keys.list[0].left, "lastname");
    ck_assert_str_eq(m->keys.list[0].right, "lastname");
    ck_assert_str_eq(m->keys.list[0].normalise, "trim, blanks, case, nfc");
    ck_assert_uint_eq(m->tie_breaks.n, 0);
    ck_assert_str_eq(m->report_date, "today");
    ck_assert_uint_eq(m->active_days, 30);
    ck_assert_uint_eq(m->batch_fraction, 100000);
    ck_assert_str_eq(m->outcomes, "matched, ambiguous, left_only, right_only, rejected");
    ck_assert_uint_eq(m->memory_max, 128 << 20);
    ck_assert_int_eq(m->time_limit_us, INT64_C(6) * 3600 * 1000000);
    ck_assert_str_eq(m->catch_up, "last");
    ck_assert_str_eq(m->database, "postgres");
}
END_TEST

START_TEST(what_is_said_is_taken)
{
    _cleanup_(config_freep) struct config *c = parse_good(whole);
    const struct config_job *m = &c->jobs[0];
    ck_assert_str_eq(m->left.id, "nr");
    ck_assert_str_eq(m->left.active, "seen");
    ck_assert_str_eq(m->right.rest.rows, "users");
    ck_assert_str_eq(m->right.rest.token_file, "/t");
    ck_assert_uint_eq(m->keys.n, 2);
    ck_assert_str_eq(m->keys.list[1].name, "first");
    ck_assert_str_eq(m->keys.list[1].left, "vorname");
    ck_assert_str_eq(m->keys.list[1].right, "firstname");
    ck_assert_str_eq(m->keys.list[1].normalise, "trim, underscore");
    ck_assert_uint_eq(m->tie_breaks.n, 2);
    ck_assert_str_eq(m->tie_breaks.list[0].name, "location");
    ck_assert_str_eq(m->tie_breaks.list[0].normalise, "");
    ck_assert_str_eq(m->report_date, "2017-02-02");
    ck_assert_uint_eq(m->active_days, 31);
    ck_assert_uint_eq(m->batch_fraction, 50000);
    ck_assert(m->left.sql[0] == '/' && strstr(m->left.sql, "/users.sql"));
}
END_TEST

START_TEST(yaml_reads_back_the_same)
{
    _cleanup_(config_freep) struct config *c = parse_good(whole);
    _cleanup_free_ char *text = config_to_yaml(c);
    ck_assert_ptr_null(strstr(text, "s3cret"));
    ck_assert_msg(strstr(text, "X-Key: …") && strstr(text, "batch_fraction: 0.05"), "%s", text);
    _cleanup_(config_freep) struct config *again = parse_good(text);
    _cleanup_free_ char *text_again = config_to_yaml(again);
    ck_assert_str_eq(text, text_again);
    _cleanup_(config_freep) struct config *same = parse_good(whole);
    ck_assert(config_job_equal(&c->jobs[0], &same->jobs[0]));
    ck_assert_msg(!config_job_equal(&c->jobs[0], &again->jobs[0]), "the masked ones are others");
}
END_TEST

START_TEST(no_secret_of_a_side_is_shown)
{
    _cleanup_(config_freep) struct config *c =
        parse_good(JOB(LEFT "    right: {source: 'https://u:s3cret@h/users?token=s3cret'}\n" KEYS));
    _cleanup_free_ char *text = config_to_yaml(c);
    ck_assert_ptr_null(strstr(text, "s3cret"));
    ck_assert_msg(strstr(text, "token=…"), "%s", text);
}
END_TEST

START_TEST(what_makes_a_match_another)
{
    static const char *const changes[][2] = {
        {"first: {}", "second: {}"},
        {"normalise: ''", "normalise: trim"},
        {"      location: {normalise: ''}\n", ""},
        {"      location: {normalise: ''}\n      first: {}\n",
            "      first: {}\n      location: {normalise: ''}\n"},
        {"id: nr", "id: no"},
        {"rows: users", "rows: people"},
        {"0.05", "0.050001"},
        {"matched,left_only", "matched"},
        {"2017-02-02", "today"},
    };
    _cleanup_(config_freep) struct config *c = parse_good(whole);
    for (size_t i = 0; i < N_ELEMENTS(changes); i++) {
        const char *at = strstr(whole, changes[i][0]);
        ck_assert_msg(at, "%s", changes[i][0]);
        _cleanup_free_ char *text =
            xasprintf("%.*s%s%s", (int)(at - whole), whole, changes[i][1], at + strlen(changes[i][0]));
        _cleanup_(config_freep) struct config *other = parse_good(text);
        ck_assert_msg(!config_job_equal(&c->jobs[0], &other->jobs[0]), "%s", changes[i][0]);
    }
}
END_TEST

struct mistake {
    const char *text, *place, *words;
};

static void expect_all(const struct mistake *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expect_mistake(list[i].text, list[i].place, list[i].words);
}

START_TEST(keys_of_a_match)
{
    static const struct mistake list[] = {
        {JOB(RIGHT KEYS), "5:5", "jobs.a.left: this key is missing; a match job cannot do without"},
        {JOB(LEFT RIGHT), "5:5", "jobs.a.keys: this key is missing"},
        {JOB(LEFT RIGHT "    keys: {}\n"), "9:11", "there is none; give at least one, as lastname: {}"},
        {JOB(LEFT RIGHT "    keys: [lastname]\n"), "9:11", "a mapping of names to keys"},
        {JOB(LEFT RIGHT "    keys: {lastname: x}\n"), "9:22", "jobs.a.keys.lastname: a mapping of keys"},
        {JOB(LEFT RIGHT "    keys: {Lastname: {}}\n"), "9:12", "may hold only a-z, 0-9 and '_'"},
        {JOB(LEFT RIGHT "    keys: {a23456789012345678901234567890123456789_x: {}}\n"), "9:12",
            "at most 40 characters"},
        {JOB(LEFT RIGHT "    keys: {a: {}, a: {}}\n"), "9:19", "a is given twice, first on line 9"},
        {JOB(LEFT RIGHT "    keys: {a: {lft: b}}\n"), "9:16",
            "the key \"lft\" is not known; did you mean left?"},
        {JOB(LEFT RIGHT "    keys: {a: {normalise: 'trim, lower'}}\n"), "9:27",
            "\"lower\" is not possible here: trim, blanks, case, nfc or underscore"},
        {JOB(LEFT RIGHT "    keys: {a: {normalise: 'trim,,case'}}\n"), "9:27", "there is a word missing"},
        {MATCH("    tie_breaks: {}\n"), "10:17", "there is none"},
        {MATCH("    tie_breaks: {a: {}, b: {}, c: {}, d: {}, e: {}, f: {}, g: {}}\n"), "10:17",
            "at most 6 are possible"},
        {MATCH("    report_date: yesterday\n"), "10:18", "neither a date, as 2017-02-02, nor the word today"},
        {MATCH("    report_date: 2017-02-30\n"), "10:18", "neither a date"},
        {MATCH("    active_days: -1\n"), "10:18", "is not a whole number"},
        {MATCH("    batch_fraction: 0.2\n"), "10:21", "0.2 is too much: at most 0.1"},
        {MATCH("    batch_fraction: 0.100001\n"), "10:21", "0.100001 is too much"},
        {MATCH("    batch_fraction: 0\n"), "10:21", "0 is too little: at least 0.000001"},
        {MATCH("    batch_fraction: 10%\n"), "10:21", "is not a fraction: one is 0.1"},
        {MATCH("    batch_fraction: 0.0000001\n"), "10:21", "at most six digits"},
        {MATCH("    batch_fraction: '0.'\n"), "10:21", "is not a fraction"},
        {MATCH("    outcomes: matched, maybe\n"), "10:15",
            "\"maybe\" is not possible here: matched, ambiguous"},
        {MATCH("    outcomes: ''\n"), "10:15", ""},
        {MATCH("    sql: /x\n"), "10:5", "this key is for rollup and query jobs"},
        {MATCH("    max_removed: 1\n"), "10:5", "this key is for sync jobs, and this is a match job"},
        {DATABASES "jobs: {q: {kind: query, sql: /q, keys: {a: {}}}}\n", "3:34",
            "this key is for match jobs"},
        {DATABASES "jobs:\n  a:\n    kind: match\n" LEFT RIGHT KEYS, "5:5",
            "jobs.a.table: this key is missing"},
        {MATCH("    database: nowhere\n"), "10:5", "there is no \"nowhere\" under databases:"},
        {MATCH("    database: k\n"), "10:5", "a match needs its database as a URL"},
        {DATABASES "jobs:\n  a:\n    kind: match\n    table: s.t\n    database: w\n" LEFT RIGHT KEYS, "6:5",
            "in MySQL a table has no schema"},
    };
    expect_all(list, N_ELEMENTS(list));
}
END_TEST

START_TEST(sides_of_a_match)
{
#define SIDE(keys) JOB("    left: {name: ours, " keys "}\n" RIGHT KEYS)
#define BOTH       "name: x, database: w, sql: /q.sql"
    static const struct mistake list[] = {
        {JOB("    left: ours\n" RIGHT KEYS), "7:11", "jobs.a.left: a mapping of keys"},
        {SIDE("database: w"), "7:5", "jobs.a.left: the database needs the sql"},
        {SIDE("sql: /q"), "7:5", "the sql needs the database"},
        {SIDE("id: x"), "7:5", "where are its rows?"},
        {SIDE("database: w, sql: /q, source: 'https://h/'"), "7:5", "remove one of the two"},
        {SIDE("sql: /q, source: 'https://h/'"), "7:5", "remove one of the two"},
        {SIDE("database: w, sql: /q, rest: {}"), "7:5", "rest is for a REST resource"},
        {SIDE("database: v, sql: /q"), "7:5", "jobs.a.left: database: there is no \"v\" under databases:"},
        {SIDE("source: 'file:///x'"), "7:32", "a REST resource is https:// or http://"},
        {SIDE("source: 'https:///x'"), "7:32", "the host is missing"},
        {SIDE("source: 'https://h/', rest: {rwos: x}"), "7:53", "did you mean rows?"},
        {SIDE("source: 'https://h/', rest: {order: a=b}"), "7:53",
            "does not belong here, but under jobs.NAME.rest: a match reads the whole each time"},
        {SIDE("source: 'https://h/', rest: {updated: a}"), "7:53", "a match reads the whole each time"},
        {SIDE("source: 'https://h/', rest: {updated_order: a=b}"), "7:53",
            "a match reads the whole each time"},
        {SIDE("source: 'https://h/', rest: {full_every: 7d}"), "7:53", "a match reads the whole each time"},
        {SIDE("source: 'https://h/', rest: {token_file: /a, credentials_file: /b}"), "7:5",
            "rest: there is a token_file and a credentials_file"},
        {JOB("    left: {name: Ours, database: w, sql: /q}\n" RIGHT KEYS), "7:5",
            "name: \"Ours\" may hold only a-z"},
        {JOB("    left: {name: a23456789012345678901, database: w, sql: /q}\n" RIGHT KEYS), "7:18",
            "at most 20 characters"},
        {JOB("    left: {" BOTH "}\n    right: {" BOTH "}\n" KEYS), "8:5", "both sides are called x"},
    };
    expect_all(list, N_ELEMENTS(list));
}
END_TEST

START_TEST(columns_of_its_table)
{
    static const struct mistake list[] = {
        {SIDE("database: w, sql: /q, columns: 'a, b, a'"), "7:5", "two columns \"ours_a\""},
        {SIDE("database: w, sql: /q, columns: 'a, A'"), "7:5", "two columns \"ours_A\""},
        {SIDE("database: w, sql: /q, columns: id"), "7:5", "two columns \"ours_id\""},
        {SIDE("database: w, sql: /q, columns: 'a,,b'"), "7:55", "a word missing"},
        {JOB("    left: {name: report, database: w, sql: /q, columns: date}\n" RIGHT KEYS), "7:5",
            "two columns \"report_date\""},
        {SIDE("database: w, sql: /q, columns: agrees") "    tie_breaks: {ours: {}}\n", "7:5",
            "two columns \"ours_agrees\""},
        {SIDE("database: w, sql: /q, columns: "
              "a2345678901234567890123456789012345678901234567890123456789"),
            "7:5", "more than 63 bytes"},
    };
    expect_all(list, N_ELEMENTS(list));
    expect_good(SIDE("database: w, sql: /q, columns: 'city, \"a, b\"'") "    tie_breaks: {lastname: {}}\n");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {defaults_are_filled_in, what_is_said_is_taken, yaml_reads_back_the_same,
        no_secret_of_a_side_is_shown, what_makes_a_match_another, keys_of_a_match, sides_of_a_match,
        columns_of_its_table};
    return run_tests("config-match", tests, N_ELEMENTS(tests));
}
