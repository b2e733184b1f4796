/* The parts of the REST source that need no server: documents, links, rows, the window, and comparing. */
#include "../util/suite.h"
#include "source/rest_inside.h"

static bool read_document(const char *body, const char *rows, const char *next, struct rest_body *b,
    struct rest_document *d, bool *is_json)
{
    static char why[160];
    struct rest_places places = {rows, next};
    *d = (struct rest_document){0};
    rest_body_init(b);
    ck_assert(rest_body_put(b, body, strlen(body)));
    bool good = rest_document_read(b, &places, d, why, is_json);
    ck_assert(good || why[0]);
    return good;
}

static void assert_slice(struct slice s, const char *wanted)
{
    ck_assert_msg(slice_is(s, wanted), "'%.*s' is not '%s'", (int)s.n, s.p, wanted);
}

/* wanted: each row as it stands, and a semicolon. */
static void assert_rows(const struct rest_document *d, struct rest_body *b, const char *wanted)
{
    _cleanup_buffer_ struct buffer out = {0};
    struct json_token t;
    int64_t n = 0;
    rest_document_begin(d, b);
    for (; rest_document_row(d, b, &t) > 0; n++) {
        buffer_put(&out, t.raw.p, t.raw.n);
        buffer_put(&out, ";", 1);
    }
    ck_assert_str_eq(buffer_string(&out), wanted);
    ck_assert_int_eq(n, d->n_rows);
}

START_TEST(rows_are_found_where_they_should_be)
{
    static const struct {
        const char *body, *path, *rows;
    } cases[] = {{"{\"data\": [1]}", "data", "1;"}, {"{\"a\":{\"b\":[ ]}, \"c\":[]}", "a.b", ""},
        {" [1 ,{\"a\":[]}, \"x\" ] ", "", "1;{\"a\":[]};\"x\";"}, {"\xef\xbb\xbf[3]", "", "3;"},
        {"{\"data\":[\"\xff\"]}", "data", "\"\xff\";"}, {"{\"data\":[1],\"data\":[2]}", "data", "2;"},
        {"{\"a\":{\"b\":[1]},\"b\":[2],\"a\":{\"b\":[3],\"c\":{\"b\":[4]}}}", "a.b", "3;"}};
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct rest_document d;
        struct rest_body b;
        bool is_json;
        ck_assert_msg(
            read_document(cases[i].body, cases[i].path, NULL, &b, &d, &is_json), "%s", cases[i].body);
        assert_rows(&d, &b, cases[i].rows);
        rest_document_done(&d);
        rest_body_done(&b);
    }
}
END_TEST

START_TEST(what_is_no_page_is_refused)
{
    static const struct {
        const char *body, *path;
        bool is_json;
    } cases[] = {{"", "data", false}, {"{\"data\": [1]", "data", false}, {"{\"data\": [1]} x", "data", false},
        {"<html>", "data", false}, {"{\"data\": [1,]}", "data", false}, {"{}", "data", true},
        {"[1]", "data", true}, {"{\"data\": {}}", "data", true}, {"{\"a\": 1}", "a.b", true},
        {"{}", "", true}, {"[1", "", false}};
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct rest_document d;
        struct rest_body b;
        bool is_json;
        ck_assert_msg(
            !read_document(cases[i].body, cases[i].path, NULL, &b, &d, &is_json), "%s", cases[i].body);
        ck_assert_msg(is_json == cases[i].is_json, "%s", cases[i].body);
        rest_body_done(&b);
    }
}
END_TEST

START_TEST(what_comes_next_is_read)
{
    static const struct {
        const char *body, *next;
        bool has_next;
    } cases[] = {{"{\"data\":[],\"m\":{\"n\":\"/a?b\"}}", "/a?b", true},
        {"{\"data\":[],\"m\":{\"n\":\"\\/a\\u0062\",\"x\":\"\\u0063\"}}", "/ab", true},
        {"{\"data\":[],\"m\":{\"n\":17}}", "17", true}, {"{\"data\":[],\"m\":{\"n\":null}}", "", true},
        {"{\"data\":[],\"m\":{\"n\":\"\"}}", "", true}, {"{\"data\":[],\"m\":{}}", "", false},
        {"{\"data\":[]}", "", false}, {"{\"data\":[],\"m\":7}", "", false},
        {"{\"data\":[],\"m\":{\"n\":[1]}}", "", true}};
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct rest_document d;
        struct rest_body b;
        bool is_json;
        ck_assert_msg(read_document(cases[i].body, "data", "m.n", &b, &d, &is_json), "%s", cases[i].body);
        ck_assert_msg(d.has_next == cases[i].has_next, "%s", cases[i].body);
        ck_assert_uint_eq(d.next.n, strlen(cases[i].next));
        ck_assert(d.next.n == 0 || slice_is(d.next, cases[i].next));
        rest_document_done(&d);
        rest_body_done(&b);
    }
}
END_TEST

/* What becomes of a text in a file, behind so many blanks, of which a window this large is seen. */
static void say_page(const char *text, size_t n_blanks, size_t window, struct buffer *out)
{
    struct rest_places places = {"data", "next"};
    struct rest_document d = {0};
    struct rest_body b;
    struct json_token t;
    char why[160] = "";
    bool is_json;
    rest_body_init(&b);
    if (window > 0) {
        ck_assert_int_eq(rest_body_spool(&b, getenv(RUNNERS_FOLDER)), 0);
        b.window = b.room = window;
    }
    for (size_t i = 0; i < n_blanks; i++)
        ck_assert(rest_body_put(&b, " ", 1));
    ck_assert(rest_body_put(&b, text, strlen(text)));
    bool good = rest_document_read(&b, &places, &d, why, &is_json);
    buffer_printf(out, "%d %d %s %s;", good, is_json, why, d.next_text ? d.next_text : "-");
    if (good)
        for (rest_document_begin(&d, &b); rest_document_row(&d, &b, &t) > 0;)
            buffer_printf(out, "%d %.*s %.*s;", t.type, (int)t.raw.n, t.raw.p, (int)t.text.n, t.text.p);
    rest_document_done(&d);
    rest_body_clear(&b); /* and the next page in the same file */
    ck_assert(rest_body_put(&b, "{\"data\":[7]}", 12) && rest_document_read(&b, &places, &d, why, &is_json));
    ck_assert_int_eq(d.n_rows, 1);
    rest_document_done(&d);
    rest_body_done(&b);
}

START_TEST(a_window_changes_nothing)
{
    static const char *const texts[] = {
        "{\"data\":[{\"id\":1,\"a\":\"\\ud83d\\ude00 \\n\\u00fc\"},-12.50e+3,true,false,null,\"\\u0062\"], "
        "\"next\":\"a\\/b\"}",
        "{\"next\":null,\"data\":[ 1 , 22.25 ,[[]],{\"a\":{\"b\":[1,{}]}}  "
        "],\"next\":12345678901234567890123}",
        "{\"data\":[\"\\ud83d\"]}", "{\"data\":[\"\xff\xc3\"]}", "{\"data\":[1.]}", "{\"data\":[1.5e]}",
        "{\"data\":[12345678901234567890123456789.]}", "{\"data\":[\"\\u12g4\"]}", "{\"data\":[\"\\x\"]}",
        "{\"data\":[tru]}", "{\"data\":[truee]}", "{\"data\":[1,]}", "{\"data\":[1 2]}",
        "{\"data\":[{\"a\" 1}]}", "{\"data\":[\"a\nb\"]}", "{\"data\" [1]}", "{\"data\":[1]",
        "{\"data\":[1]}x", "{\"data\":[1]},", "{,}", "{\"da", "[", "-", "12", "\"", "<html>", "",
        "{\"a\":{\"data\":[1]},\"data\":{}}", "{\"data\":[1],\"data\":2}"};
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        for (size_t n_blanks = 0; n_blanks < 2; n_blanks++) {
            _cleanup_buffer_ struct buffer whole = {0};
            say_page(texts[i], n_blanks, 0, &whole);
            for (size_t window = 1; window < 50; window++) {
                _cleanup_buffer_ struct buffer seen = {0};
                say_page(texts[i], n_blanks, window, &seen);
                ck_assert_msg(strcmp(buffer_string(&seen), buffer_string(&whole)) == 0,
                    "%s, by %zu: %s, not %s", texts[i], window, buffer_string(&seen), buffer_string(&whole));
            }
        }
}
END_TEST

START_TEST(link_headers_are_read)
{
    static const struct {
        const char *header, *next;
    } cases[] = {{"<a>; rel=next", "a"},
        {"<a>; rel=\"prev\", <b?x=1,2>; title=\"x, y\"; rel=\"last NEXT\"", "b?x=1,2"},
        {"<a>; rel=nextish", ""}, {"<a>", ""}, {"", ""}, {"<a", ""}, {"a; rel=next", ""},
        {"<a>; rel=\"next", ""}, {"<a>; rel=prev; x=1, <b>;rel=next", "b"}};
    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        assert_slice(rest_link_next(cases[i].header), cases[i].next);
}
END_TEST

START_TEST(times_and_numbers_are_compared)
{
    static const char *const rising[] = {"2024-06-03T10:11:11.999", "2024-06-03T10:11:12Z",
        "2024-06-03T10:11:12.5Z", "2024-06-03T10:11:12.5000001+00:00", "2024-06-03T10:11:13"};
    static const char *const numbers[] = {"9", "10", "10.5", "100", "1700000000", "00001700000001"};
    for (size_t i = 0; i < N_ELEMENTS(rising); i++)
        for (size_t k = 0; k < N_ELEMENTS(rising); k++)
            ck_assert_int_eq((rest_compare(SLICE(rising[i]), SLICE(rising[k])) > 0), i > k);
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++)
        for (size_t k = 0; k < N_ELEMENTS(numbers); k++)
            ck_assert_int_eq((rest_compare(SLICE(numbers[i]), SLICE(numbers[k])) > 0), i > k);
    ck_assert_int_eq(rest_compare(SLICE("2024-06-03T10:11:12Z"), SLICE("2024-06-03T10:11:12+00:00")), 0);
    ck_assert_int_eq(rest_compare(SLICE(""), SLICE("")), 0);
}
END_TEST

static struct rest_seen seen_of(size_t i, const char *updated)
{
    char key[64];
    /* short ones and long ones */
    int n = snprintf(key, sizeof(key), i % 64 ? "%zu" : "a-key-that-is-longer-than-fifteen-%zu", i);
    return rest_seen_of((struct slice){key, (size_t)n}, updated ? SLICE(updated) : (struct slice){0});
}

START_TEST(the_window_knows_the_last_rows)
{
    struct rest_window w;
    size_t size = 4096, n = 3 * size + 5;
    rest_window_init(&w, size);
    for (size_t i = 0; i < n; i++) {
        struct rest_seen s = seen_of(i, "u");
        ck_assert(!rest_window_has(&w, &s));
        rest_window_note(&w, &s);
        ck_assert_int_eq(w.has_forgotten, i >= 2 * size);
    }
    for (size_t i = n - size; i < n; i++) {
        struct rest_seen s = seen_of(i, "u"), other = seen_of(i, "v");
        ck_assert(rest_window_has_version(&w, &s));
        ck_assert(rest_window_has(&w, &other) && !rest_window_has_version(&w, &other));
    }
    struct rest_seen gone = seen_of(0, "u");
    ck_assert(!rest_window_has(&w, &gone));
    rest_window_done(&w);
}
END_TEST

START_TEST(keys_that_are_nearly_the_same_are_told_apart)
{
    static const struct slice keys[] = {{"", 0}, {"\0", 1}, {"\0\0", 2}, {"a", 1}, {"a\0", 2},
        {"fifteen bytes..", 15}, {"sixteen bytes...", 16}, {"fifteen bytes..\0", 16}};
    for (size_t i = 0; i < N_ELEMENTS(keys); i++)
        for (size_t k = 0; k < N_ELEMENTS(keys); k++) {
            struct rest_seen a = rest_seen_of(keys[i], (struct slice){0}),
                             b = rest_seen_of(keys[k], (struct slice){0});
            ck_assert_int_eq(memcmp(a.key, b.key, sizeof(a.key)) == 0, i == k);
        }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        rows_are_found_where_they_should_be,
        what_is_no_page_is_refused,
        what_comes_next_is_read,
        a_window_changes_nothing,
        link_headers_are_read,
        times_and_numbers_are_compared,
        the_window_knows_the_last_rows,
        keys_that_are_nearly_the_same_are_told_apart,
    };
    return run_tests("rest parts", tests, N_ELEMENTS(tests));
}
