#include "parse.h"

#define SOURCE(url) POSTGRES "streams:\n" STREAM("a", "'" url "'")

struct mistake {
    const char *text, *place, *words;
};

static void expect_all(const struct mistake *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expect_mistake(list[i].text, list[i].place, list[i].words);
}

START_TEST(not_yaml)
{
    static const struct mistake list[] = {
        {"", "", "the file is empty"},
        {"# only words\n\n", "", "the file is empty"},
        {"a: [\n", "2:1", "not YAML"},
        {"a: b\n\tc: d\n", "2:1", "not YAML"},
        {"a: 'b\n", "2:1", "not YAML"},
        {"name: x\n" POSTGRES "%", "3:2", "not YAML"},
        {"name: a\x01\n", "1:8", "control characters"},
        {"name: x\nn\xc3\xa9: \xff\n", "2:5", "not UTF-8"},
        {"name: \xed\xa0\x80\n", "1:7", "not UTF-8"},
        {"\xff\xfe"
         "n",
            "1:1", "not UTF-8"},
        {"just words\n", "1:1", "a mapping of keys"},
        {"- a\n", "1:1", "a mapping of keys"},
        {POSTGRES "---\nname: x\n", "2:1", "second document"},
        {"name: &a x\n" POSTGRES, "1:7", "anchors"},
        {"name: !!str x\n" POSTGRES, "1:7", "tags"},
        {"name: !own x\n" POSTGRES, "1:7", "tags"},
        {"a: [[[[[[[[[[[[1]]]]]]]]]]]]\n", "1:11", "nested too deep"},
    };
    expect_all(list, N_ELEMENTS(list));
}
END_TEST

START_TEST(a_nul_byte)
{
    static const char text[] = "name: x\n\0" POSTGRES;
    _cleanup_free_ char *found = mistakes_of_bytes(text, sizeof(text) - 1);
    ck_assert_msg(strstr(found, "control characters") != NULL, "%s", found);
    expect_mistake("name: \"a\\0b\"\n" POSTGRES, "1:7", "control characters");
    expect_mistake("\"name\\0b\": x\n" POSTGRES, "1:1", "control characters");
}
END_TEST

START_TEST(a_thousand_laughs)
{
    _cleanup_buffer_ struct buffer b = {0};
    buffer_put_string(&b, "a0: &a0 lol\n");
    for (int i = 1; i < 20; i++)
        buffer_printf(&b, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1);
    _cleanup_free_ char *found = mistakes_of(buffer_string(&b));
    ck_assert_msg(strstr(found, "f:1:5: anchors") && strstr(found, "f:2:10: aliases"), "%s", found);
}
END_TEST

START_TEST(too_large)
{
    _cleanup_buffer_ struct buffer b = {0};
    buffer_put_string(&b, MINIMAL);
    while (b.n <= 1024 * 1024)
        buffer_put_string(&b, "# a comment\n");
    expect_mistake(buffer_string(&b), "", "too large");
    buffer_reset(&b, SIZE_MAX);
    for (int i = 0; i < 60000; i++)
        buffer_printf(&b, "k%d: 1\n", i);
    expect_mistake(buffer_string(&b), "25000:9", "too many keys");
}
END_TEST

START_TEST(a_list_of_mistakes_ends)
{
    _cleanup_buffer_ struct buffer b = {0};
    for (int i = 0; i < 5000; i++)
        buffer_printf(&b, "k%d: 1\n", i);
    _cleanup_free_ char *found = mistakes_of(buffer_string(&b));
    size_t lines = 0;
    for (const char *p = found; (p = strchr(p, '\n')); p++)
        lines++;
    ck_assert_uint_eq(lines, 101);
    ck_assert_ptr_nonnull(strstr(found, "only the first 100"));
}
END_TEST

START_TEST(keys)
{
    static const struct mistake list[] = {
        {"nmae: x\n" POSTGRES, "1:1", "\"nmae\" is not known; did you mean name?"},
        {"table: x\n" POSTGRES, "1:1",
            "does not belong here, but under streams.NAME or under jobs.NAME or under "
            "jobs.NAME.sources.SOURCE\n"},
        {"database: x\n" POSTGRES, "1:1",
            "under jobs.NAME.left or under jobs.NAME.sources.SOURCE; did you mean databases?"},
        {"zzzzzzzzzz: x\n" POSTGRES, "1:1", "\"zzzzzzzzzz\" is not known\n"},
        {"source: x\n" POSTGRES, "1:1", "does not belong here, but under streams.NAME"},
        {"name: x\n" POSTGRES "name: y\n", "3:1", "name: the key is given twice, first on line 1"},
        {POSTGRES POSTGRES, "2:1", "postgres: the key is given twice"},
        {"[a, b]: x\n" POSTGRES, "1:1", "a key must be a word"},
        {"'': x\n" POSTGRES, "1:1", "a key must be a word"},
        {"name: {a: b}\n" POSTGRES, "1:7", "name: a single value is expected here, not a mapping"},
        {"name: [a]\n" POSTGRES, "1:7", "not a list"},
        {"name:\n" POSTGRES, "1:6", "name: the value is missing"},
        {"name: ~\n" POSTGRES, "1:7", "the value is missing"},
        {"name: null\n" POSTGRES, "1:7", "the value is missing"},
        {"name: ''\n" POSTGRES, "1:7", "the value is missing"},
        {"name: |\n  a\n  b\n" POSTGRES, "1:7", "on one line"},
        {"name: \"a\\eb\"\n" POSTGRES, "1:7", "control characters"},
        {"name: x\n", "1:1", "postgres: this key is required"},
        {"postgres: x\n", "1:11", "postgres: a mapping of keys"},
        {"postgres:\n", "1:10", "postgres: a mapping of keys"},
        {"postgres: {schema: own}\n", "1:11", "postgres.url: this key is required"},
        {POSTGRES "streams:\n", "2:9", "streams: a mapping"},
        {POSTGRES "streams: [a]\n", "2:10", "streams: a mapping"},
        {POSTGRES "streams:\n  a:\n", "3:5", "streams.a: a mapping"},
        {POSTGRES "streams: {a: {source: 'redis://h/0/k', table: t}}\n", "2:14",
            "streams.a.columns: this key is required"},
        {POSTGRES "streams: {a: {source: 'redis://h/0/k', columns: {i: i}}}\n", "2:14",
            "streams.a.table: this key"},
        {POSTGRES "streams: {a: {table: t, columns: {i: i}}}\n", "2:14", "streams.a.source: this key"},
    };
    expect_all(list, N_ELEMENTS(list));
}
END_TEST

START_TEST(values)
{
    static const struct mistake list[] = {
        {"name: Dr. Who\n" POSTGRES, "1:7", "\"Dr. Who\" may hold only letters"},
        {"log_level: warn\n" POSTGRES, "1:12",
            "\"warn\" is not possible here: error, warning, notice, info or debug (did you mean warning?)"},
        {"workers: 0\n" POSTGRES, "1:10", "0 is too little: at least 1"},
        {"workers: 65\n" POSTGRES, "1:10", "65 is too much: at most 64"},
        {"workers: 1KB\n" POSTGRES, "1:10", "\"1KB\" is not a whole number"},
        {"workers: -1\n" POSTGRES, "1:10", "not a whole number"},
        {"workers: 99999999999999999999\n" POSTGRES, "1:10", "not a whole number"},
        {"keep_runs: 23h\n" POSTGRES, "1:12", "23h is too little: at least 1d"},
        {"keep_runs: 36501d\n" POSTGRES, "1:12", "too much: at most 36500d"},
        {"control: run/x\n" POSTGRES, "1:10", "not an absolute path"},
        {"memory_max: lots\n" POSTGRES, "1:13", "\"lots\" is not a size"},
        {"memory_max: -1\n" POSTGRES, "1:13", "not a size"},
        {"memory_max: 99999999999999999999GB\n" POSTGRES, "1:13", "not a size"},
        {"memory_max: 16MB\n" POSTGRES, "1:13", "16MB is too little: at least 24MB"},
        {"memory_max: 100GB\n" POSTGRES, "1:13", "100GB is too much: at most 64GB"},
        {"max_entry: 17MB\n" POSTGRES, "1:1",
            "max_entry: 17MB is too much: at most a quarter of memory_max (64MB), that is 16MB"},
        {"max_entry: 32MB\nmemory_max: 64MB\n" POSTGRES, "1:1", "a quarter"},
        {"max_entry: 0\n" POSTGRES, "1:12", "too little"},
        {"postgres: {url: 'host=x', timeout: 10}\n", "1:36", "\"10\" is not a duration"},
        {"postgres: {url: 'host=x', timeout: 999ms}\n", "1:36", "999ms is too little: at least 1s"},
        {"postgres: {url: 'host=x', timeout: 2h}\n", "1:36", "too much: at most 1h"},
        {"postgres: {url: 'host=x', schema: Ingest}\n", "1:35", "\"Ingest\" may hold only"},
        {"postgres: {url: 'host=x', schema: pg_own}\n", "1:35", "belong to Postgres"},
        {"postgres: {url: 'host=x', schema: 1a}\n", "1:35", "must not begin with a digit"},
        {"postgres: {url: doctor_office}\n", "1:17", "not a Postgres database"},
        {"postgres: {url: 'mysql://h/db?a=b'}\n", "1:17", "not a Postgres database"},
        {"postgres: {url: 'mysql://h/db'}\n", "1:17", "goes under databases:"},
        {"http: 0.0.0.0:80\n" POSTGRES, "1:7", "not a loopback address"},
        {"http: 127.0.0.1\n" POSTGRES, "1:7", "not a loopback address"},
        {"http: 127.0.0.1:0\n" POSTGRES, "1:7", "not a loopback address"},
        {"http: 127.0.0.1:65536\n" POSTGRES, "1:7", "not a loopback address"},
        {"http: localhost:+80\n" POSTGRES, "1:7", "not a loopback address"},
        {"http: localhost.evil.example:80\n" POSTGRES, "1:7", "not a loopback address"},
        {"http: 'localhost:80 '\n" POSTGRES, "1:7", "not a loopback address"},
        {"http: 127.0.0.1.evil:80\n" POSTGRES, "1:7", "not a loopback address"},
    };
    expect_all(list, N_ELEMENTS(list));
    expect_good("http: localhost:1\n" POSTGRES);
    expect_good("http: 127.0.0.1:65535\n" POSTGRES);
}
END_TEST

START_TEST(variables)
{
    static const struct mistake list[] = {
        {"name: ${T_NONE}\n" POSTGRES, "1:7", "variable T_NONE is not set"},
        {"name: ${T_EMPTY}\n" POSTGRES, "1:7", "variable T_EMPTY is empty"},
        {"name: ${T_NONE:-}\n" POSTGRES, "1:7", "empty once its variables"},
        {"name: a${T_NONE\n" POSTGRES, "1:7", "a variable is ${NAME}"},
        {"name: \"${T_NONE:-x\"\n" POSTGRES, "1:7", "a variable is ${NAME}"},
        {"name: ${}\n" POSTGRES, "1:7", "a variable is ${NAME}"},
        {"name: ${1A}\n" POSTGRES, "1:7", "a variable is ${NAME}"},
        {"name: ${A B}\n" POSTGRES, "1:7", "a variable is ${NAME}"},
        {"name: ${T_LINES}\n" POSTGRES, "1:7", "no text on one line"},
        {"name: ${T_BYTES}\n" POSTGRES, "1:7", "no text on one line"},
    };
    unsetenv("T_NONE");
    setenv("T_EMPTY", "", 1);
    setenv("T_LINES", "a\nb", 1);
    setenv("T_BYTES", "\xff", 1);
    expect_all(list, N_ELEMENTS(list));
}
END_TEST

START_TEST(a_value_cannot_grow_without_limit)
{
    char *large = xcalloc(30001, 1);
    memset(large, 'x', 30000);
    setenv("T_LARGE", large, 1);
    free(large);
    expect_mistake("name: ${T_LARGE}${T_LARGE}${T_LARGE}\n" POSTGRES, "1:7", "this value is too long");
    expect_mistake("name: ${T_LARGE}\n" POSTGRES, "1:7", "at most 64");
}
END_TEST

START_TEST(sources)
{
    static const struct mistake list[] = {
        {SOURCE("claim"), "4:13", "not a URL"},
        {SOURCE("/run/pipe"), "4:13", "not a URL"},
        {SOURCE("http://h/x"), "4:13", "of the kind \"http\" are not known"},
        {SOURCE("REDIS://h/0/k"), "4:13", "are not known"},
        {SOURCE("rediss://h/0/k"), "4:13", "no TLS"},
        {SOURCE("rediss://h/0/k"), "4:13", "stunnel"},
        {SOURCE("redis://h"), "4:13", "the path must name"},
        {SOURCE("redis://h/claim"), "4:13", "the path must name"},
        {SOURCE("redis://h/0"), "4:13", "the path must name"},
        {SOURCE("redis://h/0/"), "4:13", "the path must name"},
        {SOURCE("redis://h/-1/k"), "4:13", "the path must name"},
        {SOURCE("redis://h/999999/k"), "4:13", "the path must name"},
        {SOURCE("redis:///0/k"), "4:13", "the host is missing"},
        {SOURCE("redis://h:99999/0/k"), "4:13", "not a URL"},
        {SOURCE("redis://h/0/k?x=1"), "4:13", "have no meaning"},
        {SOURCE("redis://h/0/k#x"), "4:13", "have no meaning"},
        {SOURCE("redis://h/0/a%00b"), "4:13", "NUL"},
        {SOURCE("fifo://run/pipe"), "4:13", "three slashes"},
        {SOURCE("fifo:///"), "4:13", "path of the pipe is missing"},
        {SOURCE("fifo:///run/"), "4:13", "path of the pipe is missing"},
        {SOURCE("fifo:run"), "4:13", "path of the pipe is missing"},
    };
    expect_all(list, N_ELEMENTS(list));
}
END_TEST

START_TEST(a_bad_url_is_not_repeated)
{
    static const char *const urls[] = {"redis://u:s3cret@h/x", "rediss://u:s3cret@h/0/k",
        "redis://u:s3cret@h", "u:s3cret@h/0/k", "redis://u:s3cret @h/0/k", "mysql://u:s3cret@h"};
    for (size_t i = 0; i < N_ELEMENTS(urls); i++) {
        _cleanup_free_ char *text =
            xasprintf(POSTGRES "streams: {a: {source: '%s', table: t, columns: {i: i}}}\n"
                               "'%s': x\nname: '%s'\n",
                urls[i], urls[i], urls[i]);
        _cleanup_free_ char *found = mistakes_of(text);
        ck_assert_str_ne(found, "");
        if (strstr(urls[i], "://"))
            ck_assert_msg(!strstr(found, "s3cret"), "%s", found);
    }
    _cleanup_free_ char *found =
        mistakes_of("postgres: {url: 'mysql://u:s3cret@h'}\nname: 'password=s3cret'\n");
    ck_assert_msg(!strstr(found, "s3cret"), "%s", found);
}
END_TEST

START_TEST(streams)
{
    static const struct mistake list[] = {
        {POSTGRES "streams:\n" CLAIM STREAM("claim", "redis://localhost/0/b"), "7:3",
            "the stream claim is given twice, first on line 3"},
        {POSTGRES "streams:\n" CLAIM CLAIM, "7:3", "given twice"},
        {POSTGRES "streams:\n" STREAM("Claim", "redis://h/0/k"), "3:3", "not a stream's name"},
        {POSTGRES "streams:\n" STREAM("a b", "redis://h/0/k"), "3:3", "not a stream's name"},
        {POSTGRES "streams:\n" STREAM("../x", "redis://h/0/k"), "3:3", "not a stream's name"},
        {POSTGRES "streams:\n" STREAM("-x", "redis://h/0/k"), "3:3", "not a stream's name"},
        {POSTGRES "streams:\n" STREAM("a23456789012345678901234567890123456789012345678x", "redis://h/0/k"),
            "3:3", "at most 48"},
        {POSTGRES "streams:\n" CLAIM STREAM("b", "redis://user@localhost:6379/00/claim"), "8:5",
            "streams.b.source: streams.claim (line 3) reads the same source"},
        {POSTGRES "streams:\n" STREAM("a", "fifo:///p") STREAM("b", "fifo:///%70"), "8:5",
            "reads the same source"},
        {POSTGRES "streams:\n" STREAM("a", "fifo:///p") "    group: g\n", "7:5", "for redis sources"},
        {POSTGRES "streams:\n" CLAIM "    spool_max: 1GB\n", "7:5", "for fifo sources"},
        {POSTGRES "streams:\n" STREAM("a", "fifo:///p") "    spool_max: 15MB\n", "7:16", "at least 16MB"},
        {POSTGRES "streams:\n" CLAIM "    tabel: x\n", "7:5",
            "streams.claim: the key \"tabel\" is not known; did you mean table?"},
        {POSTGRES "streams: {a: {source: 'redis://h/0/k', table: a.b.c, columns: {i: i}}}\n", "2:47",
            "is not a table"},
        {POSTGRES "streams: {a: {source: 'redis://h/0/k', table: .c, columns: {i: i}}}\n", "2:47",
            "is not a table"},
        {POSTGRES "streams: {a: {source: 'redis://h/0/k', table: c., columns: {i: i}}}\n", "2:47",
            "is not a table"},
    };
    expect_all(list, N_ELEMENTS(list));
}
END_TEST

#define COLUMNS(map)                                                                                         \
    POSTGRES "streams:\n  a:\n    source: redis://h/0/k\n    table: t\n    columns: " map "\n"

START_TEST(columns)
{
    static const struct mistake list[] = {
        {COLUMNS("{}"), "6:14", "streams.a.columns: no column is mapped"},
        {COLUMNS(""), "6:13", "a mapping of columns"},
        {COLUMNS("[id]"), "6:14", "a mapping of columns"},
        {COLUMNS("{id: id, b: b, id: c}"), "6:29", "the column \"id\" is mapped twice, first on line 6"},
        {COLUMNS("{id: }"), "6:19", "the field of column \"id\": the value is missing"},
        {COLUMNS("{id: {a: b}}"), "6:19", "a single value"},
        {COLUMNS("{id: '@recieved'}"), "6:19",
            "\"@recieved\" is not known; the one name with an @ is @received"},
        {COLUMNS("{a2345678901234567890123456789012345678901234567890123456789012345: x}"), "6:15",
            "at most 63"},
    };
    expect_all(list, N_ELEMENTS(list));
}
END_TEST

#define DATABASES(map) POSTGRES "databases:\n  x: " map "\n"
#define URL(url)       DATABASES("{url: '" url "'}")

START_TEST(databases)
{
    static const struct mistake list[] = {
        {POSTGRES "databases:\n", "2:11", "databases: a mapping of databases (name: keys)"},
        {DATABASES(""), "3:5", "databases.x: a mapping of keys"},
        {DATABASES("{}"), "3:6", "databases.x.url: this key is required"},
        {DATABASES("{url: host=x, schema: y}"), "3:20", "does not belong here, but under postgres"},
        {DATABASES("{url: host=x}\n  x: {url: host=y}"), "4:3",
            "the database x is given twice, first on line 3"},
        {POSTGRES "databases:\n  X: {url: host=x}\n", "3:3", "\"X\" is not a database's name"},
        {POSTGRES "databases:\n  postgres: {url: host=x}\n", "3:3", "the name postgres is taken"},
        {URL("doctor_office"), "3:12", "not a database that is known"},
        {URL("mariadb://h/db"), "3:12", "mysql://user@host/database"},
        {URL("MYSQL://h/db"), "3:12", "not a database that is known"},
        {URL("mysql://h"), "3:12", "must name the database"},
        {URL("mysql://h/"), "3:12", "must name the database"},
        {URL("mysql://h/a/b"), "3:12", "must name the database"},
        {URL("mysql:///db"), "3:12", "the host is missing"},
        {URL("mysql:db"), "3:12", "not a database that is known"},
        {URL("mysql://h:99999/db"), "3:12", "not a URL"},
        {URL("mysql://h/db?a=b"), "3:12", "have no meaning"},
        {URL("duckdb://a/b"), "3:12", "three slashes"},
        {URL("duckdb:///"), "3:12", "file is missing"},
        {URL("duckdb:///a/"), "3:12", "file is missing"},
        {URL("duckdb:///a?b"), "3:12", "no place in this URL"},
        {URL("duckdb:///a%3Fb"), "3:12", "no place in this URL"},
        {URL("mysql://h/db#a"), "3:12", "have no meaning"},
        {URL("mysql://h/d%00b"), "3:12", "NUL"},
        {DATABASES("{url: host=x, password_file: p}"), "3:35", "not an absolute path"},
    };
    expect_all(list, N_ELEMENTS(list));
}
END_TEST

/* Both end on line 5; the rollup goes on to line 7. */
#define QUERY(more) POSTGRES "jobs:\n  a:\n    kind: query\n    sql: /q.sql\n" more
#define ROLLUP(more)                                                                                         \
    POSTGRES "jobs:\n  a:\n    kind: rollup\n    sql: /r.sql\n    schedule: every 10m\n    table: t\n" more

START_TEST(jobs)
{
    static const struct mistake list[] = {
        {POSTGRES "jobs: [a]\n", "2:7", "jobs: a mapping of jobs (name: keys)"},
        {POSTGRES "jobs:\n  a:\n", "3:5", "jobs.a: a mapping of keys"},
        {POSTGRES "jobs:\n  A: {kind: query, sql: /q}\n", "3:3", "\"A\" is not a job's name"},
        {QUERY("  a: {kind: query, sql: /q}\n"), "6:3", "the job a is given twice, first on line 3"},
        {POSTGRES "jobs: {a: {kind: query}}\n", "2:11",
            "jobs.a.sql: this key is missing; a query job cannot do without"},
        {POSTGRES "jobs: {a: {sql: /q}}\n", "2:11", "jobs.a.kind: this key is required and missing"},
        {POSTGRES "jobs: {a: {kind: rolup, sql: /q}}\n", "2:18",
            "jobs.a.kind: \"rolup\" is not possible here: rollup, query, sync, match or harmonize (did you "
            "mean "
            "rollup?)"},
        {POSTGRES "jobs: {a: {kind: mtch, sql: /q}}\n", "2:18",
            "\"mtch\" is not possible here: rollup, query, sync, match or harmonize (did you mean match?)\n"},
        {POSTGRES "jobs: {a: {kind: rollup, sql: /q, table: t}}\n", "2:11",
            "jobs.a.schedule: this key is missing; a rollup job cannot do without"},
        {POSTGRES "jobs: {a: {kind: rollup, sql: /q, schedule: every 1h}}\n", "2:11",
            "jobs.a.table: this key is missing"},
        {QUERY("    shedule: x\n"), "6:5",
            "jobs.a: the key \"shedule\" is not known; did you mean schedule?"},
        {QUERY("    group: x\n"), "6:5", "does not belong here, but under streams.NAME"},
        {QUERY("    kind: query\n"), "6:5", "given twice, first on line 4"},
        {QUERY("    table: t\n"), "6:5",
            "jobs.a.table: this key is for rollup, sync and match jobs, and this is a query job; remove it"},
        {ROLLUP("    database: postgres\n"), "8:5",
            "this key is for query, sync and match jobs, and this is a rollup job"},
        {ROLLUP("    database: nowhere\n"), "8:5", "this key is for query, sync and match jobs"},
        {ROLLUP("    result_rows: 1\n"), "8:5", "this key is for query jobs"},
        {ROLLUP("    transaction: no\n"), "8:5", "this key is for query jobs"},
        {QUERY("    catch_up: lats\n"), "6:15", "none, last or all (did you mean last?)"},
        {QUERY("    transaction: true\n"), "6:18", "\"true\" is not possible here: yes or no"},
        {QUERY("    time_zone: Europe/Atlantis\n"), "6:16", "is not a time zone"},
        {QUERY("    time_limit: 999ms\n"), "6:17", "at least 1s"},
        {QUERY("    time_limit: 31d\n"), "6:17", "at most 30d"},
        {QUERY("    retries: 101\n"), "6:14", "at most 100"},
        {QUERY("    retry_after: 99ms\n"), "6:18", "at least 100ms"},
        {QUERY("    retry_after: 25h\n"), "6:18", "at most 1d"},
        {QUERY("    memory_max: 31MB\n"), "6:17", "at least 32MB"},
        {QUERY("    memory_max: 1025GB\n"), "6:17", "at most 1024GB"},
        {QUERY("    result_rows: 1001\n"), "6:18", "at most 1000"},
        {POSTGRES "jobs: {a: {kind: query, sql: q/}}\n", "2:30", "a folder's name"},
        {POSTGRES "jobs: {a: {kind: query, sql: ../}}\n", "2:30", "a folder's name"},
    };
    expect_all(list, N_ELEMENTS(list));
}
END_TEST

START_TEST(tables_of_rollups)
{
    static const char *const bad[] = {"Revenue", "a b", "a-b", "r\xc3\xa9v", "a;b", "a$b", "a.b.c", ".a",
        "a.", "1a", "a.1", "s.a234567890123456789012345678901234567890x"};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        _cleanup_free_ char *text = xasprintf(
            POSTGRES "jobs: {a: {kind: rollup, sql: /q, schedule: every 1h, table: '%s'}}\n", bad[i]);
        _cleanup_free_ char *found = mistakes_of(text);
        ck_assert_msg(strncmp(found, "f:2:62: jobs.a.table: ", 22) == 0, "%s: %s", bad[i], found);
    }
    expect_good(POSTGRES "jobs: {a: {kind: rollup, sql: /q, schedule: every 1h, table: "
                         "s_1.a234567890123456789012345678901234567890}}\n");
}
END_TEST

#define SYNC(more)             SYNC_INTO("t", more)
#define SYNC_INTO(table, more) POSTGRES "jobs:\n  a:\n    kind: sync\n    table: " table "\n" more

#define REST(more) SYNC("    source: https://h/v1\n    key: id\n" more)

START_TEST(rest_resources)
{
    static const struct mistake list[] = {
        {REST("    rest: 1\n"), "8:11", "jobs.a.rest: a mapping of keys"},
        {REST("    rest: {token: /x}\n"), "8:12", "jobs.a.rest: the key \"token\" is not known"},
        {REST("    rest: {table: t}\n"), "8:12",
            "does not belong here, but under streams.NAME or under jobs.NAME or under "
            "jobs.NAME.sources.SOURCE"},
        {REST("    rest: {paging: pages}\n"), "8:20", "did you mean page?"},
        {REST("    rest: {page_size: 0}\n"), "8:23", "too little"},
        {REST("    rest: {order: '?a=b'}\n"), "8:19", "without ? before them"},
        {REST("    rest: {order: 'a=b#c'}\n"), "8:19", "without ? before them"},
        {REST("    rest: {headers: s3cret}\n"), "8:21", "this is no header"},
        {REST("    rest: {headers: 'A: b, C:'}\n"), "8:21", NULL},
        {REST("    rest: {headers: 'A:'}\n"), "8:21", "this is no header"},
        {REST("    rest: {token_file: x}\n"), "8:24", "absolute path"},
        {REST("    rest: {updated_order: a=b}\n"), "8:5", "updated_order needs updated"},
        {REST("    rest: {token_file: /a, credentials_file: /b}\n"), "8:5", "leave out the other"},
        {REST("    rest: {}\n    pattern: '*%Y%m*'\n"), "9:5", "this key is for dumps"},
        {REST("    rest: {}\n    since: 2016-01-01\n"), "9:5", "this key is for dumps"},
        {REST("    rest: {}\n    member: a\n"), "9:5", "this key is for dumps"},
        {REST("    rest: {}\n    'null': NA\n"), "9:5", "this key is for dumps"},
        {REST("    rest: {}\n    delimiter: tab\n"), "9:5", "this key is for dumps"},
        {SYNC("    source: https://h/v1\n    rest: {}\n"), "3:3", "a REST resource has one key"},
        {SYNC("    source: https://h/v1\n    rest: {}\n    key: a,b\n"), "8:5",
            "a REST resource has one key"},
        {SYNC("    source: file:///v1\n    rest: {}\n    key: a\n"), "6:5", "a REST resource is https://"},
        {SYNC("    source: https://h/%Y-%m\n    rest: {}\n    key: a\n"), "6:5",
            "a date in it, which is for dumps"},
        {QUERY("    rest: {}\n"), "6:5", "this key is for sync jobs"},
        {REST("    types: id\n"), "8:12", "a column and its type"},
        {REST("    types: id=bigint\n"), "8:5", "they are for a DuckDB database"},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++)
        if (list[i].words)
            expect_mistake(list[i].text, list[i].place, list[i].words);
        else
            expect_good(list[i].text); /* the second is part of the first's value */
    expect_good(REST("    rest: {headers: 'A: b, https://x, C-D: e'}\n"));
    expect_good(REST("    types: id=bigint,x=text\n    database: d\n    rest: {}\n"
                     "databases: {d: {url: 'duckdb:///x/y'}}\n"));
}
END_TEST

START_TEST(syncs)
{
    static const struct mistake list[] = {
        {SYNC(""), "4:5", "jobs.a.source: this key is missing; a sync job cannot do without"},
        {SYNC("    source: https://h/a.csv\n    sql: /q\n"), "7:5",
            "this key is for rollup and query jobs, and this is a sync job"},
        {QUERY("    source: https://h/a.csv\n"), "6:5", "this key is for sync jobs, and this is a query job"},
        {SYNC("    source: ftp://h/a.csv\n"), "6:13", "dumps from \"ftp\" are not possible"},
        {SYNC("    source: https:///a.csv\n"), "6:13", "the host is missing"},
        {SYNC("    source: file://host/a.csv\n"), "6:13", "three slashes"},
        {SYNC("    source: npi.csv\n"), "6:13", "this is not a URL"},
        {SYNC("    source: https://h/%Y.csv\n"), "6:13", "it needs %m too"},
        {SYNC("    source: https://h/%Y-%m.csv\n"), "6:5", "`since` must say which is the first"},
        {SYNC("    source: https://h/%Y-%m.csv\n    since: 2016-01-01\n    pattern: '*%Y%m*'\n"), "8:5",
            "remove one of the two"},
        {SYNC("    source: https://h/a.csv\n    since: 2016-01-01\n"), "7:5", "it is for many dumps"},
        {SYNC("    source: https://h/\n    pattern: '*.csv'\n"), "7:5", "where a dump's date stands"},
        {SYNC("    source: https://h/\n    pattern: '*%Y.csv'\n"), "7:5", "where a dump's date stands"},
        {SYNC("    source: https://h/\n    pattern: '*%Y%m%d*'\n    since: 2016-02-30\n"), "8:12",
            "is not a date"},
        {SYNC("    source: https://h/a.csv\n    delimiter: ab\n"), "7:16", "one character"},
        {SYNC("    source: https://h/a.csv\n    delimiter: a\n"), "7:16", "one character"},
        {SYNC("    source: https://h/a.csv\n    max_removed: 101\n"), "7:18", "too much"},
        {SYNC("    source: https://h/a.csv\n    max_rejected: 101\n"), "7:19", "too much"},
        {SYNC("    source: https://h/a.csv\n    key: a,,b\n"), "7:10", "a word missing"},
        {SYNC("    source: https://h/a.csv\n    key: 'a,\"\"'\n"), "7:10", "a word missing"},
        {SYNC("    source: https://h/a.csv\n    key: 'a,\"b'\n"), "7:10", "a word in quotes"},
        {SYNC("    source: https://h/a.csv\n    key: '\"a\"b,c'\n"), "7:10", "a word in quotes"},
        {SYNC("    source: https://h/a.csv\n    key: ''\n"), "7:10", "the value is missing"},
        {SYNC("    source: https://h/a.csv\n    'null':\n"), "7:12", "the value is missing"},
        {SYNC("    source: https://h/a.csv\n    'null': ','\n"), "7:13", "a word missing"},
        {SYNC_INTO(
             "s.t", "    source: https://h/a.csv\n    database: m\ndatabases:\n  m: {url: 'mysql://h/db'}\n"),
            "5:5", "in MySQL a table has no schema"},
        {SYNC("    source: https://h/a.csv\n    database: w\ndatabases:\n  w: {url: host=db}\n"), "7:5",
            "a sync needs its database as a URL"},
        {SYNC("    source: https://h/a.csv\n    database: nowhere\n"), "7:5", "there is no \"nowhere\""},
    };
    expect_all(list, N_ELEMENTS(list));
    expect_good(SYNC("    source: https://u:p@h/a%20b.csv?x=1\n"));
    expect_good(SYNC("    source: file:///srv/dumps/\n    pattern: 'npi-%Y-%m-%d.csv'\n"));
    expect_good(SYNC("    source: https://h/%Y/npi%m.zip\n    since: 2016-01-01\n    member: '*.csv'\n"
                     "    key: a,b\n    'null': NULL,NA\n    delimiter: ';'\n    max_removed: 100\n    "
                     "max_rejected: 100\n"));
    expect_good(SYNC_INTO("s.t", "    source: https://h/a.csv\n    delimiter: tab\n"));
    expect_good(SYNC("    source: https://h/a.csv\n    'null': ''\n    key: '\"a, \"\"b\"\"\",c'\n"));
}
END_TEST

START_TEST(the_url_of_a_source_is_not_repeated)
{
    _cleanup_free_ char *found = mistakes_of(SYNC("    source: ftp://u:s3cret@h/a.csv\n"));
    ck_assert_str_ne(found, "");
    ck_assert_msg(!strstr(found, "s3cret"), "%s", found);
}
END_TEST

START_TEST(schedules)
{
    static const struct mistake list[] = {
        {QUERY("    schedule: sometimes\n"), "6:5", "jobs.a.schedule: "},
        {QUERY("    schedule: every 0s\n"), "6:5", "jobs.a.schedule: "},
        {QUERY("    schedule: every -10m\n"), "6:5", "negative"},
        {QUERY("    schedule: '* * * *'\n"), "6:5", "jobs.a.schedule: "},
        {QUERY("    schedule: '0 24 * * *'\n"), "6:5", "jobs.a.schedule: "},
        {QUERY("    schedule: '0 0 31 2 *'\n"), "6:5", "never fires"},
        {QUERY("    schedule: \"\\x9b * * * *\"\n"), "6:5", "jobs.a.schedule: "},
    };
    expect_all(list, N_ELEMENTS(list));
    /* A zone that is no good does not hide what else is wrong. */
    _cleanup_free_ char *found = mistakes_of(QUERY("    schedule: '0 24 * * *'\n    time_zone: Nowhere\n"));
    ck_assert_msg(strstr(found, "f:6:5: jobs.a.schedule: ") && strstr(found, "f:7:16: jobs.a.time_zone: "),
        "%s", found);
    expect_good(QUERY("    schedule: '*/5 6-18 * jan mon-fri'\n    time_zone: Europe/Berlin\n"));
    expect_good(ROLLUP("    time_zone: Europe/Berlin\n"));
    _cleanup_free_ char *quoted = mistakes_of(list[6].text);
    ck_assert_msg(!strstr(quoted, "\xc2\x9b"), "%s", quoted);
}
END_TEST

/* The order of the file does not matter. */
START_TEST(what_jobs_name)
{
    static const struct mistake list[] = {
        {QUERY("    database: nowhere\n"), "6:5",
            "jobs.a.database: there is no \"nowhere\" under databases:\n"},
        {QUERY("    database: postgrse\n"), "6:5", "did you mean \"postgres\"?"},
        {QUERY("    database: warehose\ndatabases:\n  warehouse: {url: 'mysql://h/db'}\n"), "6:5",
            "did you mean \"warehouse\"?"},
        {QUERY("    database: 'a b'\n"), "6:15", "may hold only letters"},
        {POSTGRES "streams:\n" CLAIM "jobs:\n  claim: {kind: query, sql: /q}\n", "8:3",
            "jobs.claim: the stream on line 3 has this name too"},
        {QUERY("streams:\n" STREAM("a", "redis://h/0/k")), "3:3",
            "jobs.a: the stream on line 7 has this name too"},
    };
    expect_all(list, N_ELEMENTS(list));
    expect_good(QUERY("    database: warehouse\ndatabases:\n  warehouse: {url: 'mysql://h/db'}\n"));
    expect_good(QUERY("    database: postgres\n"));
    expect_good(QUERY("databases:\n  a: {url: 'mysql://h/db'}\n"));
}
END_TEST

START_TEST(the_url_of_a_database_is_not_repeated)
{
    static const char *const urls[] = {"mysql://u:s3cret@h", "mysql://u:s3cret@h/a/b",
        "mysql://u:s3cret@h/db?x", "mariadb://u:s3cret@h/db", "mysql://u:s3cret @h/db", "u:s3cret@h/db",
        "mysql://u:s3cret@h:99999/db"};
    for (size_t i = 0; i < N_ELEMENTS(urls); i++) {
        _cleanup_free_ char *text = xasprintf(DATABASES("{url: '%s'}"), urls[i]);
        _cleanup_free_ char *found = mistakes_of(text);
        ck_assert_str_ne(found, "");
        ck_assert_msg(!strstr(found, "s3cret"), "%s", found);
    }
}
END_TEST

START_TEST(time_zones)
{
    static const char *const bad[] = {"Europe/Atlantis", "../../../etc/passwd", "Europe/../UTC",
        "/etc/localtime", "zone.tab", "Europe", "Europe/", "posix/UTC", "leapseconds", "Europe//Berlin",
        "UTC'", "tzdata.zi"};
    static const char *const good[] = {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+1"};
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) < 0)
        return;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        _cleanup_free_ char *text = xasprintf(MINIMAL "    time_zone: \"%s\"\n", bad[i]);
        expect_mistake(text, "7:16", "is not a time zone");
    }
    for (size_t i = 0; i < N_ELEMENTS(good); i++) {
        _cleanup_free_ char *text = xasprintf(MINIMAL "    time_zone: \"%s\"\n", good[i]);
        expect_good(text);
    }
}
END_TEST

START_TEST(all_are_found_in_one_pass_and_in_order)
{
    _cleanup_free_ char *found =
        mistakes_of("nmae: x\n"
                    "max_entry: 60MB\n"
                    "log_level: loud\n"
                    "postgres: {schema: X}\n"
                    "streams:\n"
                    "  A:\n"
                    "    source: x\n"
                    "    columns: {}\n"
                    "workers: 0\n"
                    "databases: {b: {url: x}}\n"
                    "jobs:\n"
                    "  B: {kind: rollup, retries: x, database: b, schedule: never}\n");
    static const char *const starts[] = {"f:1:1: the key", "f:2:1: max_entry", "f:3:12: log_level",
        "f:4:11: postgres.url", "f:4:20: postgres.schema", "f:6:3: streams", "f:7:5: streams.\"A\".table",
        "f:7:13: streams.\"A\".source", "f:8:14: streams.\"A\".columns", "f:9:10: workers",
        "f:10:22: databases.b.url", "f:12:3: jobs: \"B\" is not", "f:12:6: jobs.\"B\".sql",
        "f:12:6: jobs.\"B\".table", "f:12:30: jobs.\"B\".retries",
        "f:12:33: jobs.\"B\".database: this key is for", "f:12:46: jobs.\"B\".schedule"};
    const char *p = found;
    for (size_t i = 0; i < N_ELEMENTS(starts); i++) {
        ck_assert_msg(strncmp(p, starts[i], strlen(starts[i])) == 0, "expected %s, found: %s", starts[i], p);
        p = strchr(p, '\n') + 1;
    }
    ck_assert_str_eq(p, "");
}
END_TEST

START_TEST(what_is_quoted_is_safe_to_print)
{
    _cleanup_free_ char *found = mistakes_of("name: \"\\x9bJ\xc3\xa9 " /* an escape sequence's C1 form */
                                             "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xe2\x82\xac"
                                             "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\"\n" POSTGRES);
    ck_assert_msg(!strstr(found, "\xc2\x9b") && strstr(found, "…"), "%s", found);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {not_yaml, a_nul_byte, a_thousand_laughs, too_large, a_list_of_mistakes_ends,
        keys, values, variables, a_value_cannot_grow_without_limit, sources, a_bad_url_is_not_repeated,
        streams, columns, databases, jobs, tables_of_rollups, syncs, rest_resources,
        the_url_of_a_source_is_not_repeated, schedules, what_jobs_name, the_url_of_a_database_is_not_repeated,
        time_zones, all_are_found_in_one_pass_and_in_order, what_is_quoted_is_safe_to_print};
    return run_tests("config-mistakes", tests, N_ELEMENTS(tests));
}
