/* A harmonize and the stores that it names: what its keys become, and what does not fit together. */
#include "parse.h"

#include <cjson/cJSON.h>

/* The stores are line 3, and a job's keys begin on line 7. */
#define PLACES                                                                                               \
    POSTGRES "databases: {w: {url: 'mysql://u@h/db'}, d: {url: 'duckdb:///x/y'}, k: {url: dbname=x}}\n"      \
             "stores: {drop: {url: 's3://drop-1/north'}, lake: {url: 'file:///srv/lake'}}\n"
#define FEEDS        "    sources: {s: {database: k, table: provider}}\n"
#define TABLES       "    tables: {provider: {key: provider_id}}\n"
#define JOB(more)    PLACES "jobs:\n  a:\n    kind: harmonize\n" more
#define REST         "    transform: /a.sql\n    lake: lake\n"
#define WITH(more)   JOB(FEEDS TABLES REST more) /* more: line 11 */
#define SOURCE(keys) JOB("    sources: {s: {" keys "}}\n" TABLES REST)
#define TARGET(keys) JOB("    tables: {" keys "}\n" FEEDS REST)
#define STORE(keys)  POSTGRES "stores: {s: {" keys "}}\n"

static const char whole[] =
    POSTGRES "databases: {partner: {url: 'host=h dbname=x'}}\n"
             "stores:\n"
             "  drop: {url: 's3://drop.1/north', endpoint: 'https://minio.site:9000', region: eu, "
             "addressing: virtual,\n"
             "    credentials_file: /c, ca_file: /ca}\n"
             "  lake: {url: 's3://omop-north'}\n"
             "  disk: {url: 'file:///srv/drop'}\n"
             "jobs:\n"
             "  omop:\n"
             "    kind: harmonize\n    schedule: '0 2 * * *'\n"
             "    sources:\n"
             "      site: {database: partner, table: public.care_site}\n"
             "      query: {database: postgres, sql: q.sql}\n"
             "      file: {store: drop, prefix: provider/, pattern: '*.csv', format: csv, columns: 'A, B?, "
             "\"c, d?\"',\n"
             "        null: 'NULL,-', delimiter: ';'}\n"
             "      more: {store: disk, columns: A}\n"
             "    transform: omop/tables.sql, /sql/b.sql, \"omop/a, b.sql\"\n"
             "    variables: 'unknown=create, \"list=a, b\", none='\n"
             "    lake: lake\n"
             "    tables:\n"
             "      care_site: {key: care_site_id}\n"
             "      provider: {key: provider_id, references: 'care_site_id=care_site, boss=provider'}\n"
             "      keys: {key: 'kind, value'}\n"
             "    revision: '3'\n    full_every: 3d\n    keep_versions: 0s\n    max_rejected: 50\n    "
             "memory_max: 1GB\n";

START_TEST(what_is_said_is_taken)
{
    _cleanup_(config_freep) struct config *c = parse_good(whole);
    const struct config_job *j = config_find_job(c, "omop");
    ck_assert_uint_eq(c->n_stores, 3);
    const struct config_store *drop = config_find_store(c, "drop");
    ck_assert_str_eq(drop->url, "s3://drop.1/north");
    ck_assert_str_eq(drop->endpoint, "https://minio.site:9000");
    ck_assert_str_eq(drop->addressing, "virtual");
    ck_assert_str_eq(drop->region, "eu");
    ck_assert_str_eq(drop->credentials_file, "/c");
    ck_assert_str_eq(drop->ca_file, "/ca");
    ck_assert_uint_eq(j->sources.n, 4);
    ck_assert_str_eq(j->sources.list[0].name, "site");
    ck_assert_str_eq(j->sources.list[0].table, "public.care_site");
    ck_assert(!j->sources.list[0].sql && !j->sources.list[0].store);
    ck_assert(j->sources.list[1].sql[0] == '/' && strstr(j->sources.list[1].sql, "/q.sql"));
    ck_assert_str_eq(j->sources.list[2].prefix, "provider/");
    ck_assert_str_eq(j->sources.list[2].columns, "A, B?, \"c, d?\"");
    ck_assert_str_eq(j->sources.list[2].null_tokens, "NULL,-");
    ck_assert_uint_eq(j->tables.n, 3);
    ck_assert_str_eq(j->tables.list[2].key, "kind, value");
    ck_assert_str_eq(j->tables.list[1].references, "care_site_id=care_site, boss=provider");
    ck_assert(j->transform[0] == '/' && strstr(j->transform, "/omop/tables.sql, /sql/b.sql, \"/"));
    ck_assert(strstr(j->transform, "/omop/a, b.sql\""));
    ck_assert_str_eq(j->revision, "3");
    ck_assert_int_eq(j->full_every_us, INT64_C(3) * 86400 * 1000000);
    ck_assert_int_eq(j->keep_versions_us, 0);
    ck_assert_uint_eq(j->max_rejected, 50);
    ck_assert_uint_eq(j->memory_max, 1 << 30);
}
END_TEST

START_TEST(defaults_are_filled_in)
{
    _cleanup_(config_freep) struct config *c = parse_good(POSTGRES
        "stores: {s: {url: 's3://abc'}, t: {url: 's3://a.c/b.c'}, u: {url: 's3://abc/b.c'},\n"
        "  v: {url: 's3://abc', endpoint: 'http://h'}, f: {url: 'file:///x'}}\n"
        "jobs: {a: {kind: harmonize, sources: {s: {store: s, columns: x, prefix: d/}}, transform: /a,\n"
        "  lake: f, tables: {t: {key: id}}}}\n");
    const struct config_job *j = &c->jobs[0];
    const struct config_feed *f = &j->sources.list[0];
    ck_assert_str_eq(c->stores[0].addressing, "virtual");
    ck_assert_str_eq(c->stores[0].region, "us-east-1");
    ck_assert_str_eq(c->stores[1].addressing, "path");
    ck_assert_str_eq(c->stores[2].addressing, "virtual");
    ck_assert_str_eq(c->stores[3].addressing, "path");
    ck_assert(!c->stores[4].addressing && !c->stores[0].endpoint && !c->stores[0].credentials_file);
    ck_assert_str_eq(f->pattern, "*");
    ck_assert_str_eq(f->format, "auto");
    ck_assert_str_eq(f->null_tokens, "NULL");
    ck_assert(!f->delimiter && !f->database);
    ck_assert_str_eq(j->catch_up, "last");
    ck_assert_uint_eq(j->memory_max, 512 << 20);
    ck_assert_uint_eq(j->max_rejected, 10);
    ck_assert_int_eq(j->time_limit_us, INT64_C(6) * 3600 * 1000000);
    ck_assert_int_eq(j->full_every_us, INT64_C(7) * 86400 * 1000000);
    ck_assert_int_eq(j->keep_versions_us, INT64_C(30) * 86400 * 1000000);
    ck_assert(!j->revision && !j->variables && !j->schedule && !c->tenant);
}
END_TEST

START_TEST(yaml_reads_back_the_same)
{
    _cleanup_(config_freep) struct config *c = parse_good(whole);
    _cleanup_free_ char *text = config_to_yaml(c);
    _cleanup_(config_freep) struct config *again = parse_good(text);
    _cleanup_free_ char *text_again = config_to_yaml(again);
    ck_assert_str_eq(text, text_again);
    ck_assert(config_job_equal(&c->jobs[0], &again->jobs[0]));
    /* What means nothing to a source of its kind is not shown. */
    _cleanup_(config_freep) struct config *least = parse_good(WITH(""));
    _cleanup_free_ char *shown = config_to_yaml(least);
    ck_assert_msg(
        !strstr(shown, "pattern") && !strstr(shown, "format") && !strstr(shown, "max_removed"), "%s", shown);
}
END_TEST

START_TEST(what_makes_a_harmonize_another)
{
    static const char *const changes[][2] = {
        {"      more: {store: disk, columns: A}\n", ""},
        {"provider/", "provider/x"},
        {"table: public.care_site", "table: public.site"},
        {"B?", "B"},
        {"omop/tables.sql, ", ""},
        {"unknown=create", "unknown=drop"},
        {"revision: '3'", "revision: '4'"},
        {"boss=provider", "boss=care_site"},
        {"care_site: {key: care_site_id}", "care_site: {key: id}"},
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

START_TEST(stores)
{
    static const struct mistake list[] = {
        {STORE("region: x"), "2:13", "stores.s.url: this key is required and missing"},
        {STORE("url: 'https://abc.s3.amazonaws.com'"), "2:19",
            "this is no store: s3://bucket[/prefix], or file:///folder. A server's address goes into "
            "endpoint:"},
        {STORE("url: abc"), "2:19", "this is no store"},
        {STORE("url: 's3://'"), "2:19", "the bucket is missing"},
        {STORE("url: 's3:///x'"), "2:19", "the bucket is missing"},
        {STORE("url: 's3://K:s3cret@bucket/x'"), "2:19", "credentials have no place in this URL"},
        {STORE("url: 's3://bucket:9000'"), "2:19", "a port has no place in this URL"},
        {STORE("url: 's3://ab'"), "2:19", "\"ab\" is no bucket: its name has 3 to 63 characters"},
        {STORE("url: 's3://a234567890123456789012345678901234567890123456789012345678901234'"), "2:19",
            "3 to 63 characters"},
        {STORE("url: 's3://Bucket'"), "2:19", "its name is of a-z"},
        {STORE("url: 's3://my_bucket'"), "2:19", "its name is of a-z"},
        {STORE("url: 's3://-bucket'"), "2:19", "begins and ends with a letter or digit"},
        {STORE("url: 's3://bucket.'"), "2:19", "begins and ends with a letter or digit"},
        {STORE("url: 's3://buc..ket'"), "2:19", "two dots in a row"},
        {STORE("url: 's3://192.168.5.4'"), "2:19", "it looks like an address"},
        {STORE("url: 's3://xn--bucket'"), "2:19", "keeps for its own"},
        {STORE("url: 's3://bucket-s3alias'"), "2:19", "keeps for its own"},
        {STORE("url: 's3://bucket/a/../b'"), "2:19", "'.' and '..' have no meaning"},
        {STORE("url: 's3://bucket/..'"), "2:19", "'.' and '..' have no meaning"},
        {STORE("url: 's3://bucket/./b'"), "2:19", "'.' and '..' have no meaning"},
        {STORE("url: 's3://bucket//b'"), "2:19", "a slash too many"},
        {STORE("url: 's3://bucket/b//'"), "2:19", "a slash too many"},
        {STORE("url: 's3://bucket/b?x'"), "2:19", "cannot stand in this URL"},
        {STORE("url: 's3://bucket/%2e%2e'"), "2:19", "cannot stand in this URL"},
        {STORE("url: 'file://host/x'"), "2:19", "a folder is file:///folder, with three slashes"},
        {STORE("url: 'file:///'"), "2:19", "the folder is missing"},
        {STORE("url: 'file:///a/../b'"), "2:19", "'.' and '..' have no meaning"},
        {STORE("url: 'file:///x', region: a"), "2:32", "this key is for s3 stores, and this is a file store"},
        {STORE("url: 'file:///x', endpoint: 'https://h'"), "2:32", "this key is for s3 stores"},
        {STORE("url: 's3://abc', endpoint: h:9000"), "2:41", "an endpoint is https://host[:port]"},
        {STORE("url: 's3://abc', endpoint: 'ftp://h'"), "2:41", "an endpoint is https://host[:port]"},
        {STORE("url: 's3://abc', endpoint: 'https://h/abc'"), "2:41", "ends with its host and port"},
        {STORE("url: 's3://abc', endpoint: 'https://h?x'"), "2:41", "ends with its host and port"},
        {STORE("url: 's3://abc', endpoint: 'https://k:s3cret@h'"), "2:41", "credentials have no place"},
        {STORE("url: 's3://abc', endpoint: 'https:///x'"), "2:41", "the host is missing"},
        {STORE("url: 's3://abc', addressing: virtul"), "2:43", "did you mean virtual?"},
        {STORE("url: 's3://abc', credentials_file: x"), "2:49", "must begin with /"},
        {STORE("url: 's3://abc', credential_file: /x"), "2:31", "did you mean credentials_file?"},
        {POSTGRES "stores: {S: {url: 's3://abc'}}\n", "2:10", "is not a store's name"},
    };
    expect_all(list, N_ELEMENTS(list));
    expect_good(STORE("url: 's3://abc/x/'"));
    expect_good(STORE("url: 'file:///x/', "));
    expect_good(STORE("url: 's3://abc', endpoint: 'http://[::1]:9000/'"));
}
END_TEST

START_TEST(keys_of_a_harmonize)
{
    static const struct mistake list[] = {
        {JOB(TABLES REST), "6:5", "jobs.a.sources: this key is missing; a harmonize job cannot do without"},
        {JOB(FEEDS REST), "6:5", "jobs.a.tables: this key is missing"},
        {JOB(FEEDS TABLES "    lake: lake\n"), "6:5", "jobs.a.transform: this key is missing"},
        {JOB(FEEDS TABLES "    transform: /a\n"), "6:5", "jobs.a.lake: this key is missing"},
        {JOB(FEEDS TABLES "    lake: lkae\n    transform: /a\n"), "9:5",
            "there is no \"lkae\" under stores:; did you mean \"lake\"?"},
        {JOB(FEEDS TABLES "    lake: lake\n    transform: ''\n"), "10:16", "the value is missing"},
        {JOB(FEEDS TABLES "    lake: lake\n    transform: '/a,,/b'\n"), "10:16", "there is a word missing"},
        {JOB(FEEDS TABLES "    lake: lake\n    transform: omop/\n"), "10:16", "is a folder's name"},
        {JOB(FEEDS TABLES "    lake: lake\n    transform: [a, b]\n"), "10:16", "a single value is expected"},
        {WITH("    table: t\n"), "11:5", "this key is for rollup, sync and match jobs"},
        {WITH("    database: k\n"), "11:5", "this key is for query, sync and match jobs"},
        {WITH("    sql: /x\n"), "11:5", "this key is for rollup and query jobs"},
        {WITH("    max_removed: 1\n"), "11:5", "this key is for sync jobs"},
        {WITH("    max_rejected: 101\n"), "11:19", "at most 100"},
        {WITH("    keep_versions: 1ms\n"), "11:20", "1ms is too little: at least 1h, or 0s"},
        {WITH("    keep_versions: 59m\n"), "11:20", "59m is too little: at least 1h, or 0s"},
        {WITH("    variables: a\n"), "11:16", "\"a\" is no variable: name=value"},
        {WITH("    variables: 'A=1'\n"), "11:16", "is no variable"},
        {WITH("    variables: '1a=1'\n"), "11:16", "is no variable"},
        {WITH("    variables: '=1'\n"), "11:16", "is no variable"},
        {WITH("    variables: 'a=1, a=2'\n"), "11:16", "the variable a is given twice"},
        {WITH("    variables: 'tenant=x'\n"), "11:16", "the variable tenant is there without"},
        {WITH("    revision: 'a b'\n"), "11:15", "may hold only letters"},
        {WITH("    variable: a=b\n"), "11:5", "did you mean variables?"},
        {PLACES "jobs: {q: {kind: query, sql: /q, lake: lake}}\n", "4:34", "this key is for harmonize jobs"},
        {WITH("  b:\n    kind: harmonize\n" FEEDS TABLES REST), "16:5",
            "the job a (line 5) has its lake there too"},
        {PLACES "jobs: {q: {kind: harmonise, sql: /q}}\n", "4:18", "did you mean harmonize?"},
    };
    expect_all(list, N_ELEMENTS(list));
}
END_TEST

START_TEST(sources_of_a_harmonize)
{
    static const struct mistake list[] = {
        {JOB("    sources: {}\n" TABLES REST), "7:14", "there is none; give at least one, as partner: {"},
        {JOB("    sources: x\n" TABLES REST), "7:14", "a mapping of names to keys (partner: {"},
        {JOB("    sources: {s: x}\n" TABLES REST), "7:18", "jobs.a.sources.s: a mapping of keys"},
        {JOB("    sources: {S: {}}\n" TABLES REST), "7:15", "begins with a letter"},
        {JOB("    sources: {1s: {}}\n" TABLES REST), "7:15", "begins with a letter"},
        {JOB("    sources: {_s: {}}\n" TABLES REST), "7:15", "begins with a letter"},
        {JOB("    sources: {quarantine: {}}\n" TABLES REST), "7:15", "the name quarantine is taken"},
        {JOB("    sources: {delivery: {}}\n" TABLES REST), "7:15", "the name delivery is taken"},
        {JOB("    sources: {reason: {}}\n" TABLES REST), "7:15", "the name reason is taken"},
        {SOURCE(""), "7:15", "jobs.a.sources.s: where are its rows?"},
        {SOURCE("table: t"), "7:15", "where are its rows?"},
        {SOURCE("database: k"), "7:19", "which rows of it?"},
        {SOURCE("database: k, table: t, sql: /q"), "7:42", "remove one of the two"},
        {SOURCE("database: k, table: t, store: drop, columns: a"), "7:42", "of a database, or of a store"},
        {SOURCE("database: kk, table: t"), "7:19", "sources.s.database: there is no \"kk\" under databases:"},
        {SOURCE("database: postgre, table: t"), "7:19", "did you mean \"postgres\"?"},
        {SOURCE("database: w, table: t"), "7:19", "a harmonize reads tables of Postgres, and w is none"},
        {SOURCE("database: d, table: t"), "7:19", "a harmonize reads tables of Postgres, and d is none"},
        {SOURCE("database: k, table: a.b.c"), "7:39", "is not a table"},
        {SOURCE("database: k, table: t, columns: a"), "7:42",
            "this key is for store sources, and this is a database source; remove it"},
        {SOURCE("store: drop, columns: a, table: t"), "7:44", "this key is for database sources"},
        {SOURCE("store: drop"), "7:18", "columns: this key is missing; a store source cannot do without"},
        {SOURCE("store: drp, columns: a"), "7:19",
            "there is no \"drp\" under stores:; did you mean \"drop\"?"},
        {SOURCE("store: lake, columns: a"), "7:19", "the lake is within what this source lists"},
        {SOURCE("store: drop, columns: a, pattern: 'a/*'"), "7:44", "for the last part of a key"},
        {SOURCE("store: drop, columns: a, prefix: /a"), "7:52", "no key begins with a slash"},
        {SOURCE("store: drop, columns: a, prefix: a/../b"), "7:52", "have no meaning here"},
        {SOURCE("store: drop, columns: a, format: xml"), "7:52", "\"xml\" is not possible here: auto, csv"},
        {SOURCE("store: drop, columns: 'a,,b'"), "7:41", "there is a word missing"},
        {SOURCE("store: drop, columns: 'a, ?'"), "7:41", "the name is missing before the '?'"},
        {SOURCE("store: drop, columns: 'a, A?'"), "7:41", "the column \"A\" is named twice"},
        {SOURCE("store: drop, columns: 'a, _Line'"), "7:41", "the name of a column that ingestd adds"},
        {SOURCE("store: drop, columns: a, delimiter: a"), "7:55", "is not possible here"},
        {SOURCE("store: drop, colums: a, columns: a"), "7:32", "did you mean columns?"},
    };
    expect_all(list, N_ELEMENTS(list));
    expect_good(SOURCE("store: lake, columns: a, prefix: drop/"));
    expect_good(SOURCE("database: postgres, table: t"));
    expect_good(SOURCE("store: drop, columns: 'a?b, a?c?, a?', null: ''"));
}
END_TEST

START_TEST(tables_of_a_harmonize)
{
    static const struct mistake list[] = {
        {TARGET("p: {}"), "7:17", "jobs.a.tables.p.key: this key is required and missing"},
        {TARGET("quarantine: {key: id}"), "7:14", "the name quarantine is taken"},
        {TARGET("'a-b': {key: id}"), "7:14", "may hold only a-z"},
        {TARGET("p: {key: 'id, x, id'}"), "7:18", "the column \"id\" is named twice"},
        {TARGET("p: {key: id, references: x}"), "7:39", "\"x\" is no reference"},
        {TARGET("p: {key: id, references: 'x='}"), "7:39", "is no reference"},
        {TARGET("p: {key: id, references: 'x=p, X=p'}"), "7:39", "its column has a reference already"},
        {TARGET("site: {key: id}, p: {key: id, references: x=sitte}"), "7:44",
            "jobs.a.tables.p.references: the job has no table \"sitte\" under tables:; did you mean site?"},
        {TARGET("site: {key: 'a, b'}, p: {key: id, references: x=site}"), "7:48",
            "the key of site has several columns"},
    };
    expect_all(list, N_ELEMENTS(list));
}
END_TEST

START_TEST(lakes_that_are_one)
{
    static const char form[] = POSTGRES
        "stores: {x: {url: '%s'%s}, y: {url: '%s'%s}}\n"
        "jobs:\n  a: {kind: harmonize, sources: {s: {database: postgres, table: t}}, transform: /a,\n"
        "    lake: x, tables: {t: {key: id}}}\n"
        "  b: {kind: harmonize, sources: {s: {database: postgres, table: t}}, transform: /a,\n"
        "    lake: y, tables: {t: {key: id}}}\n";
    static const struct {
        const char *x, *x_more, *y, *y_more;
        bool one;
    } list[] = {
        {"s3://abc", "", "s3://abc", "", true},
        {"s3://abc", "", "s3://abc/", "", true},
        {"s3://abc/n", "", "s3://abc", "", true},
        {"s3://abc", "", "s3://abc/n", "", true},
        {"s3://abc/n", "", "s3://abc/north", "", false},
        {"s3://abc", "", "s3://abcd", "", false},
        {"s3://abc", ", endpoint: 'https://h'", "s3://abc", "", false},
        {"s3://abc", ", endpoint: 'https://h'", "s3://abc", ", endpoint: 'https://H:443/'", true},
        {"s3://abc", ", endpoint: 'https://h'", "s3://abc", ", endpoint: 'http://h'", false},
        {"file:///a/b", "", "file:///a/b/", "", true},
        {"file:///a/b", "", "file:///a", "", true},
        {"file:///a/b", "", "file:///a/bc", "", false},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_free_ char *text = xasprintf(form, list[i].x, list[i].x_more, list[i].y, list[i].y_more);
        if (list[i].one)
            expect_mistake(text, "7:5", "has its lake there too");
        else
            expect_good(text);
    }
}
END_TEST

/* The SQL of a transform may read what is in its folder, and could put it into the lake. */
START_TEST(secrets_beside_the_sql)
{
    static const char form[] =
        "postgres: {url: dbname=x, password_file: '%s'}\ndatabases: {k: {url: dbname=x, password_file: "
        "'%s'}}\n"
        "stores: {lake: {url: 's3://abc', credentials_file: '%s'}}\njobs:\n"
        "  a: {kind: harmonize, sources: {s: {database: k, table: t}}, tables: {t: {key: id}}, lake: lake,\n"
        "    transform: '/omop/x/a.sql, /omop/y/b.sql'}\n";
    static const char *const list[][4] = {{"/p", "/omop/d", "/omop/yz/s", NULL},
        {"/omop/x/p", "/d", "/s", "/omop/x/p"}, {"/p", "/omop/y/d", "/s", "/omop/y/d"},
        {"/p", "/d", "/omop/y/z/s", "/omop/y/z/s"}};
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_free_ char *text = xasprintf(form, list[i][0], list[i][1], list[i][2]);
        _cleanup_free_ char *words = xasprintf("the secret \"%s\" is there", list[i][3]);
        if (list[i][3])
            expect_mistake(text, "6:5", words);
        else
            expect_good(text);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_is_said_is_taken, defaults_are_filled_in, yaml_reads_back_the_same,
        what_makes_a_harmonize_another, stores, keys_of_a_harmonize, sources_of_a_harmonize,
        tables_of_a_harmonize, lakes_that_are_one, secrets_beside_the_sql};
    return run_tests("config-harmonize", tests, N_ELEMENTS(tests));
}
