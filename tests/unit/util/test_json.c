#include "suite.h"
#include "util/json.h"

/* A copy without a byte behind it, so that a sanitizer sees one step too far. */
static char *tight;
static struct slice tightly(const char *text, size_t n)
{
    free(tight);
    tight = malloc(n ? n : 1);
    memcpy(tight, text, n);
    return (struct slice){tight, n};
}

/* Reads a text to its end: why reading ended, and how many members came by. */
static enum json_fault read_all(const char *text, size_t n, size_t *ret_members)
{
    struct json_reader r = {0};
    struct json_token value;
    struct slice key;
    size_t members = 0;
    json_begin(&r, tightly(text, n));
    if (json_object(&r))
        while (json_member(&r, &key, &value))
            members++;
    enum json_fault fault = r.fault;
    ck_assert_int_eq(fault == JSON_GOOD, r.words == NULL);
    ck_assert_uint_le(json_offset(&r), n);
    json_done(&r);
    if (ret_members)
        *ret_members = members;
    return fault;
}

static void assert_reads(enum json_fault wanted, const char *text)
{
    enum json_fault got = read_all(text, strlen(text), NULL);
    ck_assert_msg(got == wanted, "%s: fault %d, not %d", text, got, wanted);
}

/* The first member's value; its memory lives in *r. */
static struct json_token first_value(struct json_reader *r, const char *text)
{
    struct json_token value = {0};
    struct slice key;
    *r = (struct json_reader){0};
    json_begin(r, tightly(text, strlen(text)));
    ck_assert_msg(json_object(r) && json_member(r, &key, &value), "%s: %s", text, r->words);
    return value;
}

static void assert_slice(struct slice s, const char *wanted)
{
    ck_assert_msg(slice_is(s, wanted), "'%.*s' is not '%s'", (int)s.n, s.p, wanted);
}

static void assert_string(const char *text, const char *wanted, size_t n)
{
    struct json_reader r;
    struct json_token t = first_value(&r, text);
    ck_assert_int_eq(t.type, JSON_STRING);
    ck_assert_uint_eq(t.text.n, n);
    ck_assert_mem_eq(t.text.p, wanted, n);
    json_done(&r);
}

START_TEST(members_come_in_order_with_their_types)
{
    static const char text[] = " {\"id\" : 0 ,\"a\":\"x\", \"b\":true,\"c\":false,\"d\":null,"
                               "\"e\":[1,{\"f\":\"]\"}],\"g\":{\"h\":[]}}\r\n\t ";
    static const struct {
        const char *key, *text, *raw;
        enum json_type type;
    } wanted[] = {
        {"id", "0", "0", JSON_NUMBER},
        {"a", "x", "\"x\"", JSON_STRING},
        {"b", "true", "true", JSON_TRUE},
        {"c", "false", "false", JSON_FALSE},
        {"d", "null", "null", JSON_NULL},
        {"e", "[1,{\"f\":\"]\"}]", "[1,{\"f\":\"]\"}]", JSON_ARRAY},
        {"g", "{\"h\":[]}", "{\"h\":[]}", JSON_OBJECT},
    };
    struct json_reader r = {0};
    struct json_token t;
    struct slice key;
    json_begin(&r, tightly(text, strlen(text)));
    ck_assert(json_object(&r));
    for (size_t i = 0; i < N_ELEMENTS(wanted); i++) {
        ck_assert(json_member(&r, &key, &t));
        assert_slice(key, wanted[i].key);
        assert_slice(t.text, wanted[i].text);
        assert_slice(t.raw, wanted[i].raw);
        ck_assert_int_eq(t.type, wanted[i].type);
    }
    ck_assert(!json_member(&r, &key, &t));
    ck_assert_int_eq(r.fault, JSON_GOOD);
    json_done(&r);
}
END_TEST

START_TEST(good_texts_are_read)
{
    static const char *const good[] = {
        "{}",
        " { } ",
        "{\"a\":{}}",
        "{\"a\":[]}",
        "{\"a\":[[],{}]}",
        "{\"a\":[ 1 , 2 ]}",
        "{\"\":0}",
        "{\"a\":-0}",
        "{\"a\":-0.0e-0}",
        "{\"a\":1E+2}",
        "{\"a\":0.5}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"}",
        "{\"a\":\"\x7f\"}",
        "{\"a\":\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"}",
    };
    for (size_t i = 0; i < N_ELEMENTS(good); i++)
        assert_reads(JSON_GOOD, good[i]);
}
END_TEST

START_TEST(what_is_no_json_is_refused)
{
    static const char *const bad[] = {
        " ",
        "hello",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{,}",
        "{,\"a\":1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1}x",
        "{\"a\":1}{}",
        "{\"a\":1},",
        "{}}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":5.}",
        "{\"a\":1e}",
        "{\"a\":1e+}",
        "{\"a\":-}",
        "{\"a\":--1}",
        "{\"a\":0x10}",
        "{\"a\":1_000}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":-Infinity}",
        "{\"a\":nan}",
        "{\"a\":nul}",
        "{\"a\":nulL}",
        "{\"a\":True}",
        "{\"a\":truefalse}",
        "{\"a\":tru",
        "{\"a\":[1,]}",
        "{\"a\":[1 2]}",
        "{\"a\":[}",
        "{\"a\":[1}}",
        "{\"a\":{]}",
        "{\"a\":{\"b\":1]}",
        "{\"a\":{\"b\"}}",
        "{\"a\":{1:2}}",
        "{\"a\":[,1]}",
        "{\"a\":]}",
        "{\"a\":}",
        "{\"a\":\"x}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\\",
        "{\"a\":\"\\u",
        "{\"a\":\"tab\t\"}",
        "{\"a\":\"line\n\"}",
        "{\"a\":\"\x1f\"}",
        "{\"a\":\"\x01 and much more behind\"}",
        "{/**/}",
        "{\"a\":1}//",
        "\xef\xbb\xbf{\"a\":1}",
        "\xef\xbb\xbf",
        "{\"a\":\xc3\xa9}",
        "[1",
        "[1]]",
        "\"x",
        "1 2",
        "{\"a\":[1],\"b\":[[[}",
        "\f{}",
        "\v",
        "{\"a\":1;\"b\":2}",
    };
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        assert_reads(JSON_NOT_JSON, bad[i]);
}
END_TEST

START_TEST(nul_bytes_are_no_json)
{
    ck_assert_int_eq(read_all("{}\0", 3, NULL), JSON_NOT_JSON);
    ck_assert_int_eq(read_all("\0", 1, NULL), JSON_NOT_JSON);
    ck_assert_int_eq(read_all("{\"a\":\"x\0y\"}", 11, NULL), JSON_NOT_JSON);
    ck_assert_int_eq(read_all("{\"a\":\"x\\\0y\"}", 12, NULL), JSON_NOT_JSON);
    ck_assert_int_eq(read_all("{\"a\"\0:1}", 8, NULL), JSON_NOT_JSON);
}
END_TEST

START_TEST(what_is_json_but_no_object_is_told_apart)
{
    static const char *const others[] = {
        "[]", "[{\"a\":1}]", "1", "-2.5e3", "\"x\"", "true", " null ", "[[[]]]"};
    for (size_t i = 0; i < N_ELEMENTS(others); i++)
        assert_reads(JSON_NOT_OBJECT, others[i]);
}
END_TEST

START_TEST(every_beginning_of_a_text_is_refused)
{
    static const char text[] =
        "{\"id\":-1.5e+3,\"s\":\"\\ud83d\\ude00\\n\xc3\xa9\",\"n\":[true,null,{\"x\":[]}]}";
    for (size_t n = 1; n < strlen(text); n++)
        ck_assert_int_ne(read_all(text, n, NULL), JSON_GOOD);
    ck_assert_int_eq(read_all(text, strlen(text), NULL), JSON_GOOD);
}
END_TEST

START_TEST(bad_utf8_is_refused_wherever_it_stands)
{
    static const char *const bad[] = {"\x80", "\xc3", "\xc0\xaf", "\xe2\x82", "\xed\xa0\x80",
        "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff", "\xe0\x80\xaf"};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        static const char *const places[] = {"{\"a\":\"%s\"}", "{\"%s\":1}", "{\"a\":[\"123456789%s\"]}",
            "{\"a\":{\"%s\":1}}", "[\"%s\"]", "{\"a\":\"1234567%s and behind\"}"};
        for (size_t k = 0; k < N_ELEMENTS(places); k++) {
            const char *mark = strstr(places[k], "%s");
            _cleanup_free_ char *text =
                xasprintf("%.*s%s%s", (int)(mark - places[k]), places[k], bad[i], mark + 2);
            assert_reads(JSON_NOT_UTF8, text);
        }
    }
}
END_TEST

START_TEST(half_surrogate_pairs_are_refused)
{
    static const char *const bad[] = {"{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"\\ud83dx\"}",
        "{\"a\":\"\\ud83d\\n\"}", "{\"a\":\"\\ud83d\\u0041\"}", "{\"a\":\"\\ud83d\\ud83d\"}",
        "{\"a\":\"\\ude00\\ud83d\"}", "{\"\\ud800\":1}", "{\"a\":[\"\\uDBFF\"]}"};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        assert_reads(JSON_NOT_UTF8, bad[i]);
}
END_TEST

START_TEST(escapes_become_characters)
{
    assert_string("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "\"\\/\b\f\n\r\t", 8);
    assert_string("{\"a\":\"x\\u0041y\"}", "xAy", 3);
    assert_string("{\"a\":\"\\u00e9\\u20AC\"}", "\xc3\xa9\xe2\x82\xac", 5);
    assert_string("{\"a\":\"\\ud83d\\uDE00!\"}", "\xf0\x9f\x98\x80!", 5);
    assert_string("{\"a\":\"\\udbff\\udfff\"}", "\xf4\x8f\xbf\xbf", 4);
    assert_string("{\"a\":\"\\ufffe\"}", "\xef\xbf\xbe", 3);
    assert_string("{\"a\":\"x\\u0000y\"}", "x\0y", 3);
    assert_string("{\"a\":\"\\\\u0041\"}", "\\u0041", 6);
    assert_string("{\"a\":\"\"}", "", 0);
}
END_TEST

START_TEST(names_are_unescaped_too)
{
    struct json_reader r = {0};
    struct json_token t;
    struct slice key;
    json_begin(&r, SLICE("{\"\\u0069\\u0064\":\"\\u0078\",\"plain\":1}"));
    ck_assert(json_object(&r) && json_member(&r, &key, &t));
    assert_slice(key, "id");
    assert_slice(t.text, "x");
    ck_assert(json_member(&r, &key, &t));
    assert_slice(key, "plain");
    json_done(&r);
}
END_TEST

/* Every place of a stop within and across the eight-byte steps. */
START_TEST(strings_of_every_length_end_where_they_should)
{
    for (size_t n = 0; n < 40; n++) {
        char text[128], wanted[64];
        memset(wanted, 'x', n);
        snprintf(text, sizeof(text), "{\"a\":\"%.*s\"}", (int)n, wanted);
        assert_string(text, wanted, n);
        snprintf(text, sizeof(text), "{\"a\":\"%.*s\\n\"}", (int)n, wanted);
        wanted[n] = '\n';
        assert_string(text, wanted, n + 1);
        wanted[n] = 'x';
        snprintf(text, sizeof(text), "{\"a\":\"%.*s\x1f\"}", (int)n, wanted);
        assert_reads(JSON_NOT_JSON, text);
        snprintf(text, sizeof(text), "{\"a\":\"%.*s\xff\"}", (int)n, wanted);
        assert_reads(JSON_NOT_UTF8, text);
    }
}
END_TEST

START_TEST(what_hides_in_the_depths_is_flagged)
{
    static const struct {
        const char *text;
        bool nul, big;
    } cases[] = {
        {"{\"a\":[{\"b\":\"\\u0000\"}]}", true, false},
        {"{\"a\":{\"\\u0000\":1}}", true, false},
        {"{\"a\":\"\\u0000\"}", true, false},
        {"{\"a\":\"\\\\u0000\"}", false, false},
        {"{\"\\u0000\":\"x\"}", false, false},
        {"{\"a\":[1,2e9]}", false, true},
        {"{\"a\":1E9}", false, true},
        {"{\"a\":\"1e9\"}", false, false},
        {"{\"a\":123456}", false, false},
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct json_reader r;
        struct json_token t = first_value(&r, cases[i].text);
        ck_assert_msg(t.has_nul == cases[i].nul && t.has_big_number == cases[i].big, "%s", cases[i].text);
        json_done(&r);
    }
}
END_TEST

/* An object around `depth` - 1 arrays. */
static enum json_fault read_nested(size_t depth, bool closed)
{
    _cleanup_buffer_ struct buffer b = {0};
    buffer_put_string(&b, "{\"a\":");
    for (size_t i = 1; i < depth; i++)
        buffer_put(&b, "[", 1);
    for (size_t i = 1; closed && i < depth; i++)
        buffer_put(&b, "]", 1);
    buffer_put(&b, "}", closed);
    return read_all(b.p, b.n, NULL);
}

START_TEST(depth_has_a_limit)
{
    ck_assert_int_eq(read_nested(JSON_MAX_DEPTH, true), JSON_GOOD);
    ck_assert_int_eq(read_nested(JSON_MAX_DEPTH + 1, true), JSON_TOO_DEEP);
    ck_assert_int_eq(read_nested(1000000, false), JSON_TOO_DEEP);
}
END_TEST

START_TEST(depth_of_objects_counts_alike)
{
    _cleanup_buffer_ struct buffer b = {0};
    for (size_t i = 0; i < JSON_MAX_DEPTH; i++)
        buffer_put_string(&b, "{\"a\":");
    buffer_put_string(&b, "[]");
    for (size_t i = 0; i < JSON_MAX_DEPTH; i++)
        buffer_put_string(&b, "}");
    ck_assert_int_eq(read_all(b.p, b.n, NULL), JSON_TOO_DEEP);
    buffer_reset(&b, 0);
    for (size_t i = 0; i < JSON_MAX_DEPTH; i++)
        buffer_put_string(&b, "[");
    for (size_t i = 0; i < JSON_MAX_DEPTH; i++)
        buffer_put_string(&b, "]");
    ck_assert_int_eq(read_all(b.p, b.n, NULL), JSON_NOT_OBJECT);
}
END_TEST

/* Each would take hours if any step were quadratic. */
START_TEST(large_texts_take_linear_time)
{
    static const struct {
        const char *head, *piece, *tail;
    } shapes[] = {
        {"{\"a\":\"", "xxxxxxxxxxxxxxxx", "\"}"},
        {"{\"a\":\"", "\\n\\u00e9\\ud83d\\ude00", "\"}"},
        {"{\"a\":\"", "\xc3\xa9\xe2\x82\xac", "\"}"},
        {"{\"a\":[1", ",[[{\"b\":1}]]", "]}"},
        {"{\"a\":1", "0000000000000000", "}"},
        {"{\"a\":1", ",\"\\u0062\":\"\\n\"", "}"},
        {"{", "                ", "}"},
    };
    for (size_t i = 0; i < N_ELEMENTS(shapes); i++) {
        _cleanup_buffer_ struct buffer b = {0};
        buffer_put_string(&b, shapes[i].head);
        while (b.n < fewer(10 * 1024 * 1024))
            buffer_put_string(&b, shapes[i].piece);
        buffer_put_string(&b, shapes[i].tail);
        ck_assert_int_eq(read_all(b.p, b.n, NULL), JSON_GOOD);
    }
}
END_TEST

START_TEST(scratch_is_given_back)
{
    struct json_reader r = {0};
    struct json_token t;
    struct slice key;
    _cleanup_buffer_ struct buffer b = {0};
    buffer_put_string(&b, "{\"a\":\"\\n");
    for (size_t i = 0; i < 100000; i++)
        buffer_put(&b, "x", 1);
    buffer_put_string(&b, "\"}");
    json_begin(&r, (struct slice){b.p, b.n});
    ck_assert(json_object(&r) && json_member(&r, &key, &t));
    ck_assert_uint_eq(t.text.n, 100001);
    json_trim(&r, 1024);
    ck_assert_uint_le(r.string.cap, 1024);
    json_done(&r);
}
END_TEST

START_TEST(an_array_is_read_element_by_element)
{
    struct json_reader r = {0};
    struct json_token t;
    json_begin(&r, SLICE(" [1, {\"a\": [2]},\"x\" ] "));
    ck_assert(json_array(&r) && json_element(&r, &t));
    assert_slice(t.raw, "1");
    ck_assert(json_element(&r, &t));
    assert_slice(t.raw, "{\"a\": [2]}");
    ck_assert(json_element(&r, &t));
    assert_slice(t.text, "x");
    ck_assert(!json_element(&r, &t) && r.fault == JSON_GOOD);
    json_begin(&r, SLICE("[]"));
    ck_assert(json_array(&r) && !json_element(&r, &t) && r.fault == JSON_GOOD);
    static const char *const bad[] = {"[1", "[1 2]", "[,1]", "[1,]", "[1]]", "["};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        json_begin(&r, SLICE(bad[i]));
        for (bool more = json_array(&r); more;)
            more = json_element(&r, &t);
        ck_assert_int_eq(r.fault, JSON_NOT_JSON);
    }
    json_begin(&r, SLICE("{}"));
    ck_assert(!json_array(&r));
    ck_assert_int_eq(r.fault, JSON_NOT_ARRAY);
    json_done(&r);
}
END_TEST

START_TEST(a_lenient_reader_notes_bad_text)
{
    static const struct {
        const char *text;
        bool bad;
    } cases[] = {{"{\"a\": \"x\\ud800\\n\"}", true}, {"{\"a\": [\"\\udc00\"]}", true},
        {"{\"\\ud800\": 1}", true}, {"{\"a\": \"\xff\"}", true}, {"{\"a\": \"\\ud83d\\ude00\"}", false},
        {"{\"a\": \"\\ud800\\ud800\"}", true}};
    struct json_reader r = {.lenient = true};
    struct json_token t;
    struct slice key;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        json_begin(&r, tightly(cases[i].text, strlen(cases[i].text)));
        ck_assert_msg(json_object(&r) && json_member(&r, &key, &t), "%s: %s", cases[i].text, r.words);
        ck_assert_msg(t.has_bad_text == cases[i].bad, "%s", cases[i].text);
        ck_assert(!json_member(&r, &key, &t) && r.fault == JSON_GOOD);
    }
    json_done(&r);
}
END_TEST

START_TEST(a_single_value_can_be_read)
{
    struct json_reader r = {0};
    struct json_token t;
    json_begin(&r, SLICE(" [1, 2] "));
    ck_assert(json_value(&r, &t));
    assert_slice(t.raw, "[1, 2]");
    json_begin(&r, SLICE("[1] 2"));
    ck_assert(!json_value(&r, &t));
    ck_assert_int_eq(r.fault, JSON_NOT_JSON);
    json_done(&r);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        members_come_in_order_with_their_types,
        good_texts_are_read,
        what_is_no_json_is_refused,
        nul_bytes_are_no_json,
        what_is_json_but_no_object_is_told_apart,
        every_beginning_of_a_text_is_refused,
        bad_utf8_is_refused_wherever_it_stands,
        half_surrogate_pairs_are_refused,
        escapes_become_characters,
        names_are_unescaped_too,
        strings_of_every_length_end_where_they_should,
        what_hides_in_the_depths_is_flagged,
        depth_has_a_limit,
        depth_of_objects_counts_alike,
        large_texts_take_linear_time,
        scratch_is_given_back,
        an_array_is_read_element_by_element,
        a_lenient_reader_notes_bad_text,
        a_single_value_can_be_read,
    };
    return run_tests("json", tests, N_ELEMENTS(tests));
}
