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
        {"log_level: warn\n" POSTGRES, "1:12", "did you mean warning?"},
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
            "streams.b.source: the stream claim (line 3) reads the same source"},
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
    _cleanup_free_ char *found = mistakes_of("nmae: x\n"
                                             "max_entry: 60MB\n"
                                             "log_level: loud\n"
                                             "postgres: {schema: X}\n"
                                             "streams:\n"
                                             "  A:\n"
                                             "    source: x\n"
                                             "    columns: {}\n");
    static const char *const starts[] = {"f:1:1: the key", "f:2:1: max_entry", "f:3:12: log_level",
        "f:4:11: postgres.url", "f:4:20: postgres.schema", "f:6:3: streams", "f:7:5: streams.\"A\".table",
        "f:7:13: streams.\"A\".source", "f:8:14: streams.\"A\".columns"};
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
        streams, columns, time_zones, all_are_found_in_one_pass_and_in_order,
        what_is_quoted_is_safe_to_print};
    return run_tests("config-mistakes", tests, N_ELEMENTS(tests));
}
