/* A spec survives the way from the daemon to the worker, and what is no spec is refused by the member's name. */
#include "job/spec.h"
#include "util/cleanup.h"

#include "../util/suite.h"

#include <cjson/cJSON.h>

#define SECRET   "hunter2"
#define S(words) ((char *)(uintptr_t)(words)) /* a spec owns its strings, but for this one */

static struct job_window windows[] = {{-600000000, 0}, {0, 600000000}, {1754000000000000, INT64_MAX}};

static char *key[] = {S("site"), S("number")}, *tokens[] = {S("NULL")}, *cells[] = {S("a,b"), S("0")};

static struct job_rule rules[] = {
    {S("lastname"), S("lastname"), S("nachname"), S("trim, case")}, {S("x"), S("l"), S("r"), S("")}};

static const struct job_match match = {
    .left = {.name = S("ours"),
        .database = {S("mysql://u:" SECRET "@h/d"), S("/run/secret")},
        .sql = S("/u.sql"),
        .id = S("id"),
        .active = S("seen"),
        .columns = {key, N_ELEMENTS(key)}},
    .right = {.name = S("vendor"),
        .source = S("https://u:" SECRET "@h/users"),
        .rest = {.rows = S("users"),
            .paging = S("page"),
            .page_size = 1000,
            .headers = {tokens, N_ELEMENTS(tokens)}},
        .id = S("nr")},
    .keys = rules,
    .n_keys = 2,
    .tie_breaks = rules + 1,
    .n_tie_breaks = 1,
    .report_date = S("2017-02-02"),
    .active_days = 30,
    .batch_fraction = 100000,
    .outcomes = {tokens, N_ELEMENTS(tokens)},
    .folder = S("/var/lib/ingestd/match/users"),
};

static struct job_spec example(void)
{
    return (struct job_spec){
        .job = S("revenue"),
        .kind = S("rollup"),
        .run = INT64_MAX,
        .pass = (INT64_C(1) << 53) + 1,
        .scheduled_us = 1754000000000000,
        .windows = windows,
        .n_windows = N_ELEMENTS(windows),
        .sql = S("/etc/ingestd/a \"quoted\"\nname.sql"),
        .table = S("public.revenue"),
        .time_zone = S("Europe/Berlin"),
        .sync = {.source = S("https://u:" SECRET "@h/npi-%Y-%m-%d.csv"),
            .member = S("*.csv"),
            .since = S("2016-01-01"),
            .key = {key, N_ELEMENTS(key)},
            .null_tokens = {tokens, N_ELEMENTS(tokens)},
            .max_removed = 20,
            .max_rejected = 10,
            .types = {key, N_ELEMENTS(key)},
            .rest = {.rows = S("."),
                .paging = S("next"),
                .page_size = 1,
                .first_page = 2,
                .parallel = 3,
                .per_second = 4,
                .order = S("a=b"),
                .updated = S("u"),
                .updated_order = S("c=d"),
                .full_every_us = 5,
                .fields = {key, N_ELEMENTS(key)},
                .headers = {tokens, N_ELEMENTS(tokens)},
                .header_file = S("/h"),
                .token_file = S("/t"),
                .credentials_file = S("/c"),
                .next = S("n"),
                .cursor = S("c"),
                .limit = S("l"),
                .offset = S("o"),
                .page = S("p"),
                .full = true}},
        .match = match,
        .words = {cells, N_ELEMENTS(cells)},
        .database = {S("postgresql://dataeng:" SECRET "@db/x"), NULL},
        .books = {S("postgresql://db/y"), S("/run/secret")},
        .schema = S("ingest"),
        .time_limit_us = 600000000,
        .memory_max = UINT64_MAX,
        .result_rows = 20,
        .transaction = true,
    };
}

static void same_string(const char *a, const char *b)
{
    ck_assert_msg(
        (!a && !b) || (a && b && strcmp(a, b) == 0), "%s is not %s", a ? a : "NULL", b ? b : "NULL");
}

static void same_words(const struct job_words *a, const struct job_words *b)
{
    ck_assert_uint_eq(a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        ck_assert_str_eq(a->list[i], b->list[i]);
}

static void same_rest(const struct job_rest *a, const struct job_rest *b)
{
    const char *texts[] = {a->rows, b->rows, a->paging, b->paging, a->order, b->order, a->updated, b->updated,
        a->updated_order, b->updated_order, a->header_file, b->header_file, a->token_file, b->token_file,
        a->credentials_file, b->credentials_file, a->next, b->next, a->cursor, b->cursor, a->limit, b->limit,
        a->offset, b->offset, a->page, b->page};
    for (size_t i = 0; i < N_ELEMENTS(texts); i += 2)
        same_string(texts[i], texts[i + 1]);
    ck_assert_uint_eq(a->page_size, b->page_size);
    ck_assert_uint_eq(a->first_page, b->first_page);
    ck_assert_uint_eq(a->parallel, b->parallel);
    ck_assert_uint_eq(a->per_second, b->per_second);
    ck_assert_int_eq(a->full_every_us, b->full_every_us);
    same_words(&a->fields, &b->fields);
    same_words(&a->headers, &b->headers);
    ck_assert(a->full == b->full && a->if_json == b->if_json);
}

static void same_sync(const struct job_sync *a, const struct job_sync *b)
{
    same_string(a->source, b->source);
    same_string(a->pattern, b->pattern);
    same_string(a->member, b->member);
    same_string(a->delimiter, b->delimiter);
    same_string(a->as_of, b->as_of);
    same_string(a->since, b->since);
    same_words(&a->key, &b->key);
    same_words(&a->null_tokens, &b->null_tokens);
    ck_assert_uint_eq(a->max_removed, b->max_removed);
    ck_assert_uint_eq(a->max_rejected, b->max_rejected);
    same_words(&a->types, &b->types);
    same_rest(&a->rest, &b->rest);
}

static void same_side(const struct job_side *a, const struct job_side *b)
{
    same_string(a->name, b->name);
    same_string(a->database.url, b->database.url);
    same_string(a->database.password_file, b->database.password_file);
    same_string(a->sql, b->sql);
    same_string(a->source, b->source);
    same_rest(&a->rest, &b->rest);
    same_string(a->id, b->id);
    same_string(a->active, b->active);
    same_words(&a->columns, &b->columns);
}

static void same_rules(const struct job_rule *a, size_t n, const struct job_rule *b, size_t n_b)
{
    ck_assert_uint_eq(n, n_b);
    for (size_t i = 0; i < n; i++) {
        same_string(a[i].name, b[i].name);
        same_string(a[i].left, b[i].left);
        same_string(a[i].right, b[i].right);
        same_string(a[i].normalise, b[i].normalise);
    }
}

static void same_match(const struct job_match *a, const struct job_match *b)
{
    same_side(&a->left, &b->left);
    same_side(&a->right, &b->right);
    same_rules(a->keys, a->n_keys, b->keys, b->n_keys);
    same_rules(a->tie_breaks, a->n_tie_breaks, b->tie_breaks, b->n_tie_breaks);
    same_string(a->report_date, b->report_date);
    same_string(a->folder, b->folder);
    same_words(&a->outcomes, &b->outcomes);
    ck_assert_uint_eq(a->active_days, b->active_days);
    ck_assert_uint_eq(a->batch_fraction, b->batch_fraction);
}

static void same(const struct job_spec *a, const struct job_spec *b)
{
    same_string(a->job, b->job);
    same_string(a->kind, b->kind);
    same_string(a->sql, b->sql);
    same_string(a->table, b->table);
    same_string(a->time_zone, b->time_zone);
    same_string(a->schema, b->schema);
    same_string(a->database.url, b->database.url);
    same_string(a->database.password_file, b->database.password_file);
    same_string(a->books.url, b->books.url);
    same_string(a->books.password_file, b->books.password_file);
    same_sync(&a->sync, &b->sync);
    same_match(&a->match, &b->match);
    same_words(&a->words, &b->words);
    ck_assert_int_eq(a->run, b->run);
    ck_assert_int_eq(a->pass, b->pass);
    ck_assert_int_eq(a->scheduled_us, b->scheduled_us);
    ck_assert_int_eq(a->time_limit_us, b->time_limit_us);
    ck_assert_uint_eq(a->memory_max, b->memory_max);
    ck_assert_uint_eq(a->result_rows, b->result_rows);
    ck_assert_int_eq(a->transaction, b->transaction);
    ck_assert_int_eq(a->dry_run, b->dry_run);
    ck_assert_uint_eq(a->n_windows, b->n_windows);
    for (size_t i = 0; i < a->n_windows; i++) {
        ck_assert_int_eq(a->windows[i].start_us, b->windows[i].start_us);
        ck_assert_int_eq(a->windows[i].end_us, b->windows[i].end_us);
    }
}

START_TEST(there_and_back)
{
    struct job_spec spec = example();
    for (int i = 0; i < 2; i++) {
        _cleanup_free_ char *text = job_spec_to_json(&spec);
        ck_assert_ptr_null(strchr(text, '\n'));
        _cleanup_job_spec_ struct job_spec back = {0};
        struct error err = {""};
        ck_assert_msg(job_spec_parse(text, strlen(text), &back, &err) == 0, "%s", err.text);
        same(&spec, &back);
        spec.table = NULL; /* once more, as a query has it */
        spec.sync = (struct job_sync){0};
        spec.match = (struct job_match){0};
        spec.words = (struct job_words){0};
        spec.n_windows = 0;
        spec.dry_run = true;
        spec.transaction = false;
        spec.run = -INT64_MAX - 1;
    }
}
END_TEST

/* The example as JSON, its text after the change; the words must name what is wrong, and nothing else. */
static void refused(void (*change)(cJSON *spec, const char *name), const char *name, const char *words)
{
    struct job_spec spec = example(), back;
    _cleanup_free_ char *text = job_spec_to_json(&spec);
    cJSON *object = cJSON_Parse(text);
    change(object, name);
    _cleanup_free_ char *changed = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    struct error err = {""};
    ck_assert_msg(job_spec_parse(changed, strlen(changed), &back, &err) < 0, "taken: %s", changed);
    ck_assert_msg(strstr(err.text, words) && strstr(err.text, name), "%s: %s", name, err.text);
    ck_assert_ptr_null(strstr(err.text, SECRET));
}

static void leave_out(cJSON *spec, const char *name)
{
    cJSON_DeleteItemFromObjectCaseSensitive(spec, name);
}

static void twice(cJSON *spec, const char *name)
{
    cJSON_AddItemToObject(spec, name, cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(spec, name), true));
}

static void object_with_secret(cJSON *spec, const char *name)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, SECRET, SECRET);
    cJSON_ReplaceItemInObjectCaseSensitive(spec, name, o);
}

static void null(cJSON *spec, const char *name)
{
    cJSON_ReplaceItemInObjectCaseSensitive(spec, name, cJSON_CreateNull());
}

static const char *const names[] = {"job", "kind", "run", "pass", "scheduled_us", "windows", "sql",
    "time_zone", "database", "books", "schema", "time_limit_us", "memory_max", "result_rows", "transaction",
    "dry_run"};

START_TEST(every_member_counts)
{
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        refused(leave_out, names[i], "is missing");
        refused(twice, names[i], "twice");
        refused(object_with_secret, names[i], "");
        refused(null, names[i], "");
    }
    refused(twice, "table", "twice");
    refused(twice, "sync", "twice");
    refused(twice, "match", "twice");
    refused(object_with_secret, "words", "array");
    refused(object_with_secret, "table", "string");
}
END_TEST

static const char *wanted; /* the value as JSON */

static void set(cJSON *spec, const char *name)
{
    cJSON_ReplaceItemInObjectCaseSensitive(spec, name, cJSON_CreateRaw(wanted));
}

static void value_refused(const char *name, const char *value, const char *words)
{
    wanted = value;
    refused(set, name, words);
}

START_TEST(values_that_are_none)
{
    value_refused("job", "\"\"", "string");
    value_refused("sql", "[]", "string");
    static const char *const no_ints[] = {"1.5", "1e30", "\"\"", "\"-\"", "\" 1\"", "\"+1\"", "\"1x\"",
        "true", "\"9223372036854775808\"", "9007199254740994", "\"0x10\"", "1e999"};
    for (size_t i = 0; i < N_ELEMENTS(no_ints); i++)
        value_refused("run", no_ints[i], "whole number");
    value_refused("memory_max", "-1", "from 0 on");
    value_refused("memory_max", "\"-1\"", "from 0 on");
    value_refused("memory_max", "\"18446744073709551616\"", "from 0 on");
    value_refused("time_limit_us", "-1", "negative");
    value_refused("dry_run", "0", "true or false");
    value_refused("database", "\"postgresql://\"", "not an object");
    value_refused("database", "{}", "url");
    value_refused("database", "{\"url\": 5}", "url");
    value_refused("database", "{\"url\": \"x\", \"password_file\": \"\"}", "password_file");
    value_refused("books", "{\"url\": \"x\", \"password\": \"" SECRET "\"}", "neither");
}
END_TEST

START_TEST(windows_that_are_none)
{
    static const char *const bad[] = {"{}", "5", "[5]", "[[]]", "[[1]]", "[[1,2,3]]", "[[2,1]]", "[[1,1]]",
        "[[1,\"x\"]]", "[[1,2],[1,2]]", "[[3,4],[1,2]]", "[[1,3],[2,4]]", "[[1,2],null]"};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        value_refused("windows", bad[i], "");
}
END_TEST

static void unknown(cJSON *spec, const char *name)
{
    cJSON_AddTrueToObject(spec, name);
}

START_TEST(a_member_nobody_knows)
{
    refused(unknown, "colour", "of one version");
    refused(unknown, "Job", "of one version");
}
END_TEST

START_TEST(no_part_is_a_spec)
{
    struct job_spec spec = example(), back;
    _cleanup_free_ char *text = job_spec_to_json(&spec);
    for (size_t n = 0; n < strlen(text); n++) {
        _cleanup_free_ char *part =
            xstrndup(text, n); /* of its own, so that a sanitizer sees a byte too many */
        ck_assert_int_lt(job_spec_parse(part, n, &back, NULL), 0);
    }
}
END_TEST

static void leave_out_of_sync(cJSON *spec, const char *name)
{
    leave_out(cJSON_GetObjectItemCaseSensitive(spec, "sync"), name);
}

static void number_among_words(cJSON *spec, const char *name)
{
    cJSON *words = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(spec, "sync"), name);
    cJSON_AddItemToArray(words, cJSON_CreateNumber(1));
}

static void empty_word(cJSON *spec, const char *name)
{
    cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(spec, name), cJSON_CreateString(""));
}

START_TEST(syncs_that_are_none)
{
    refused(leave_out_of_sync, "source", "is missing");
    refused(leave_out_of_sync, "max_removed", "is missing");
    refused(number_among_words, "key", "not a string");
    refused(empty_word, "words", "not a string");
}
END_TEST

static cJSON *match_of(cJSON *spec)
{
    return cJSON_GetObjectItemCaseSensitive(spec, "match");
}

static void leave_out_of_match(cJSON *spec, const char *name)
{
    leave_out(match_of(spec), name);
}

static void twice_in_match(cJSON *spec, const char *name)
{
    twice(match_of(spec), name);
}

static void set_in_match(cJSON *spec, const char *name)
{
    set(match_of(spec), name);
}

/* The members of both sides. */
static void leave_out_of_side(cJSON *spec, const char *name)
{
    leave_out(cJSON_GetObjectItemCaseSensitive(match_of(spec), "left"), name);
}

static void match_refused(const char *name, const char *value, const char *words)
{
    wanted = value;
    refused(set_in_match, name, words);
}

START_TEST(matches_that_are_none)
{
    static const char *const members[] = {
        "left", "right", "keys", "tie_breaks", "report_date", "active_days", "batch_fraction", "folder"};
    for (size_t i = 0; i < N_ELEMENTS(members); i++) {
        refused(leave_out_of_match, members[i], "is missing");
        refused(twice_in_match, members[i], "twice");
        match_refused(members[i], "null", "");
        match_refused(members[i], "{}", "");
    }
    refused(leave_out_of_side, "name", "is missing");
    refused(leave_out_of_side, "id", "is missing");
    match_refused("keys", "[]", "are none");
    match_refused("keys", "[1]", "not an object");
    match_refused("keys", "[{\"name\": \"a\", \"left\": \"a\", \"right\": \"a\"}]", "is missing");
    match_refused(
        "keys", "[{\"name\": \"a\", \"left\": \"a\", \"right\": \"a\", \"normalise\": 1}]", "a string");
    match_refused("left", "{\"name\": \"a\", \"id\": \"b\"}", "neither a query nor a REST resource");
    match_refused("right", "{\"name\": \"a\", \"id\": \"b\", \"source\": \"c\"}", "neither a query");
    match_refused("right", "{\"name\": \"a\", \"id\": \"b\", \"sql\": \"c\"}", "neither a query");
    match_refused("outcomes", "[\"\"]", "not a string");
}
END_TEST

START_TEST(garbage)
{
    static const char *const texts[] = {
        "{", "[]", "null", "\"x\"", "{} {}", "{}x", "\xff{}", "{\"job\": \"\xc3\"}"};
    struct job_spec back;
    struct error err;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        ck_assert_int_lt(job_spec_parse(texts[i], strlen(texts[i]), &back, &err), 0);
    ck_assert_int_lt(job_spec_parse("{}\0{}", 5, &back, &err), 0);
    enum { DEEP = 100000 };
    _cleanup_free_ char *deep = xcalloc(DEEP + 1, 1);
    memset(deep, '[', DEEP);
    ck_assert_int_lt(job_spec_parse(deep, DEEP, &back, &err), 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {there_and_back, every_member_counts, values_that_are_none,
        windows_that_are_none, syncs_that_are_none, matches_that_are_none, a_member_nobody_knows,
        no_part_is_a_spec, garbage};
    return run_tests("spec", tests, N_ELEMENTS(tests));
}
