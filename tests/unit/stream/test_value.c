#include "../util/suite.h"
#include "stream/value.h"
#include "util/text.h"

/* Something stands in the buffer already, of an odd length. */
#define BEFORE "before!"

static char detail[DETAIL_MAX];

static struct column column_of(enum value_kind kind)
{
    static char field[] = "v", type_sql[] = "some type";
    return (struct column){.kind = kind, .field = field, .name = field, .type_sql = type_sql};
}

static struct column numeric_of(int precision, int scale)
{
    struct column c = column_of(VALUE_NUMERIC);
    c.precision = precision;
    c.scale = scale;
    return c;
}

static enum reason append_json(struct buffer *out, const struct column *c, const char *json, size_t n)
{
    struct json_reader r = {0};
    struct json_token t;
    json_begin(&r, (struct slice){json, n});
    ck_assert_msg(json_value(&r, &t), "%s: %s", json, r.words);
    buffer_put_string(out, BEFORE);
    enum reason reason = value_append(out, c, &t, detail);
    json_done(&r);
    return reason;
}

static enum reason append_text(struct buffer *out, const struct column *c, const char *text, size_t n)
{
    _cleanup_free_ char *tight = xcalloc(1, n + 1);
    memcpy(tight, text, n);
    buffer_put_string(out, BEFORE);
    return value_append_text(out, c, (struct slice){tight, n}, detail);
}

/* wanted: the element behind its length, in hexadecimal; NULL for an SQL NULL. */
static void assert_element(const struct buffer *b, const char *wanted, const char *what)
{
    _cleanup_buffer_ struct buffer hex = {0};
    size_t at = strlen(BEFORE);
    ck_assert_uint_ge(b->n, at + 4);
    const unsigned char *p = (const unsigned char *)b->p + at;
    uint32_t length = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    if (!wanted) {
        ck_assert_uint_eq(length, UINT32_MAX);
        ck_assert_uint_eq(b->n, at + 4);
        return;
    }
    ck_assert_uint_eq(b->n, at + 4 + length);
    for (size_t i = 0; i < length; i++)
        buffer_printf(&hex, "%02x", p[4 + i]);
    ck_assert_msg(
        strcmp(buffer_string(&hex), wanted) == 0, "%s gives %s, not %s", what, buffer_string(&hex), wanted);
}

static void assert_json(const struct column *c, const char *json, const char *wanted)
{
    _cleanup_buffer_ struct buffer b = {0};
    enum reason r = append_json(&b, c, json, strlen(json));
    ck_assert_msg(r == REASON_NONE, "%s: %s, %s", json, reason_code(r), detail);
    assert_element(&b, wanted, json);
}

static void assert_text(const struct column *c, const char *text, const char *wanted)
{
    _cleanup_buffer_ struct buffer b = {0};
    enum reason r = append_text(&b, c, text, strlen(text));
    ck_assert_msg(r == REASON_NONE, "%s: %s, %s", text, reason_code(r), detail);
    assert_element(&b, wanted, text);
}

static void assert_refusal(enum reason got, enum reason wanted, const struct buffer *b, const char *what)
{
    ck_assert_msg(got == wanted, "%s: %s, not %s", what, reason_code(got), reason_code(wanted));
    ck_assert_uint_eq(b->n, strlen(BEFORE));
    ck_assert_msg(strncmp(detail, "field v: ", 9) == 0 && detail[9], "%s", detail);
}

static void refuse_json(const struct column *c, const char *json, enum reason wanted)
{
    _cleanup_buffer_ struct buffer b = {0};
    enum reason r = append_json(&b, c, json, strlen(json));
    assert_refusal(r, wanted, &b, json);
}

static void refuse_text(const struct column *c, const char *text, enum reason wanted)
{
    _cleanup_buffer_ struct buffer b = {0};
    enum reason r = append_text(&b, c, text, strlen(text));
    assert_refusal(r, wanted, &b, text);
}

START_TEST(integers_of_each_size)
{
    struct column small = column_of(VALUE_INT2), plain = column_of(VALUE_INT4), big = column_of(VALUE_INT8);
    assert_json(&small, "-32768", "8000");
    assert_json(&small, "32767", "7fff");
    assert_json(&plain, "-2147483648", "80000000");
    assert_json(&plain, "2147483647", "7fffffff");
    assert_json(&plain, "-0", "00000000");
    assert_json(&big, "-9223372036854775808", "8000000000000000");
    assert_json(&big, "9223372036854775807", "7fffffffffffffff");
    assert_json(&big, "67", "0000000000000043");
    assert_text(&big, "-67", "ffffffffffffffbd");
}
END_TEST

START_TEST(integers_too_large_are_out_of_range)
{
    struct column small = column_of(VALUE_INT2), plain = column_of(VALUE_INT4), big = column_of(VALUE_INT8);
    refuse_json(&small, "32768", REASON_OUT_OF_RANGE);
    refuse_json(&small, "-32769", REASON_OUT_OF_RANGE);
    refuse_json(&plain, "2147483648", REASON_OUT_OF_RANGE);
    refuse_json(&plain, "-2147483649", REASON_OUT_OF_RANGE);
    ck_assert_str_eq(detail, "field v: integer takes -2147483648 to 2147483647");
    refuse_json(&big, "9223372036854775808", REASON_OUT_OF_RANGE);
    refuse_json(&big, "-9223372036854775809", REASON_OUT_OF_RANGE);
    refuse_json(&big, "18446744073709551616", REASON_OUT_OF_RANGE);
    refuse_json(&big, "99999999999999999999999999999999999999", REASON_OUT_OF_RANGE);
    refuse_text(&big, "99999999999999999999999999999999999999", REASON_OUT_OF_RANGE);
}
END_TEST

START_TEST(integers_must_be_whole_numbers)
{
    static const char *const bad[] = {"1e3", "1E3", "1.0", "0.5", "-1.5", "99999999999999999999.5"};
    static const char *const types[] = {"\"67\"", "true", "[1]", "{}", "\"\""};
    static const char *const texts[] = {"", " 67", "67 ", "+67", "067", "0x10", "NaN", "six", "6 7", "-"};
    struct column c = column_of(VALUE_INT8);
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        refuse_json(&c, bad[i], REASON_WRONG_TYPE);
        ck_assert_str_eq(detail, "field v: must be written as a whole number");
        refuse_text(&c, bad[i], REASON_WRONG_TYPE);
    }
    for (size_t i = 0; i < N_ELEMENTS(types); i++)
        refuse_json(&c, types[i], REASON_WRONG_TYPE);
    ck_assert_str_eq(detail, "field v: must be a number");
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        refuse_text(&c, texts[i], REASON_WRONG_TYPE);
}
END_TEST

/* ndigits, weight, sign, dscale, then the digits; each is what the server's numeric_send() gives. */
START_TEST(numerics_keep_every_digit)
{
    struct column c = column_of(VALUE_NUMERIC);
    assert_json(&c, "0", "0000000000000000");
    assert_json(&c, "-0", "0000000000000000");
    assert_json(&c, "-0.00", "0000000000000002");
    assert_json(&c, "3", "00010000000000000003");
    assert_json(&c, "-3", "00010000400000000003");
    assert_json(&c, "10000", "00010001000000000001");
    assert_json(&c, "12345", "000200010000000000010929");
    assert_json(&c, "12.50", "0002000000000002000c1388");
    assert_json(&c, "0.1", "0001ffff0000000103e8");
    assert_json(&c, "0.5", "0001ffff000000011388");
    assert_json(&c, "0.00001", "0001fffe0000000503e8");
    assert_json(&c, "1.000", "00010000000000030001");
    assert_json(&c, "1e3", "000100000000000003e8");
    assert_json(&c, "1.5E-7", "0001fffe00000008000f");
    assert_json(&c, "1.50e1", "0001000000000001000f");
    assert_json(&c, "1234.5678e2", "0003000100000002000c0d801e78");
    assert_json(&c, "0.000e5", "0000000000000000");
    assert_json(&c, "0e999999", "0000000000000000");
    assert_text(&c, "12.50", "0002000000000002000c1388");
}
END_TEST

START_TEST(numerics_round_half_away_from_zero)
{
    struct column c = numeric_of(10, 2), whole = numeric_of(4, 0), hundreds = numeric_of(3, -2);
    assert_json(&c, "3", "00010000000000020003");
    assert_json(&c, "1.005", "000200000000000200010064");
    assert_json(&c, "-1.005", "000200004000000200010064");
    assert_json(&c, "1.00499999", "00010000000000020001");
    assert_json(&c, "9999.995", "00010001000000020001");
    assert_json(&c, "0.005", "0001ffff000000020064");
    assert_json(&c, "0.0049", "0000000000000002");
    assert_json(&c, "-0.0049", "0000000000000002");
    assert_json(&c, "1e-999999999999999999999", "0000000000000002");
    assert_json(&whole, "0.5", "00010000000000000001");
    assert_json(&whole, "9998.5", "0001000000000000270f");
    assert_json(&whole, "0.4999", "0000000000000000");
    assert_json(&hundreds, "12345", "0002000100000000000108fc");
    assert_json(&hundreds, "99949", "0002000100000000000926ac");
    assert_json(&hundreds, "50", "00010000000000000064");
    assert_json(&hundreds, "49", "0000000000000000");
}
END_TEST

START_TEST(numerics_over_their_precision_are_out_of_range)
{
    struct column c = numeric_of(10, 2), whole = numeric_of(4, 0), fine = numeric_of(2, 5);
    assert_json(&c, "99999999.994", "0003000100000002270f270f26ac");
    refuse_json(&c, "99999999.995", REASON_OUT_OF_RANGE);
    refuse_json(&c, "100000000", REASON_OUT_OF_RANGE);
    refuse_json(&c, "-100000000", REASON_OUT_OF_RANGE);
    refuse_json(&c, "1e8", REASON_OUT_OF_RANGE);
    refuse_json(&whole, "9999.5", REASON_OUT_OF_RANGE);
    assert_json(&fine, "0.00099", "0002ffff0000000500092328");
    refuse_json(&fine, "0.001", REASON_OUT_OF_RANGE);
    refuse_json(&fine, "0.000995", REASON_OUT_OF_RANGE);
}
END_TEST

START_TEST(numerics_end_where_postgres_ends)
{
    struct column c = column_of(VALUE_NUMERIC), limited = numeric_of(10, 2);
    assert_json(&c, "1e131071", "00017fff0000000003e8");
    assert_json(&c, "1e-16383", "0001f00000003fff000a");
    static const char *const bad[] = {"1e131072", "1e-16384", "1e999999", "-1e999999",
        "1e99999999999999999999999", "1e-99999999999999999999999", "0e-16384"};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        refuse_json(&c, bad[i], REASON_OUT_OF_RANGE);
    refuse_json(&limited, "1e999999", REASON_OUT_OF_RANGE);
    refuse_json(&limited, "1e99999999999999999999999", REASON_OUT_OF_RANGE);
    _cleanup_buffer_ struct buffer b = {0};
    ck_assert_int_eq(append_json(&b, &c, "1e999999", 8), REASON_OUT_OF_RANGE);
    ck_assert_uint_le(b.cap, 4096);
}
END_TEST

START_TEST(numerics_of_many_digits)
{
    struct column c = column_of(VALUE_NUMERIC);
    _cleanup_buffer_ struct buffer number = {0}, out = {0}, again = {0};
    for (size_t i = 0; i < 131072; i++)
        buffer_put(&number, "9", 1);
    ck_assert_int_eq(append_json(&out, &c, number.p, number.n), REASON_NONE);
    ck_assert_uint_eq(out.n, strlen(BEFORE) + 12 + 2 * 32768);
    buffer_put(&number, "9", 1);
    ck_assert_int_eq(append_json(&again, &c, number.p, number.n), REASON_OUT_OF_RANGE);
}
END_TEST

START_TEST(numerics_are_no_words)
{
    struct column c = column_of(VALUE_NUMERIC);
    static const char *const texts[] = {
        "NaN", "nan", "Infinity", "-Infinity", "inf", "", "1,5", "$3", "1e", ".5"};
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        refuse_text(&c, texts[i], REASON_WRONG_TYPE);
    refuse_json(&c, "\"NaN\"", REASON_WRONG_TYPE);
    refuse_json(&c, "\"3\"", REASON_WRONG_TYPE);
}
END_TEST

START_TEST(floats)
{
    struct column single = column_of(VALUE_FLOAT4), d = column_of(VALUE_FLOAT8);
    assert_json(&single, "1.5", "3fc00000");
    assert_json(&single, "-0.0", "80000000");
    assert_json(&single, "3.4028235e38", "7f7fffff");
    assert_json(&single, "16777217", "4b800000");
    refuse_json(&single, "3.5e38", REASON_OUT_OF_RANGE);
    refuse_json(&single, "1e-60", REASON_OUT_OF_RANGE);
    assert_json(&d, "0.1", "3fb999999999999a");
    assert_json(&d, "5e-324", "0000000000000001");
    assert_json(&d, "1e308", "7fe1ccf385ebc8a0");
    assert_json(&d, "0e999999", "0000000000000000");
    refuse_json(&d, "1e309", REASON_OUT_OF_RANGE);
    refuse_json(&d, "-1e999999", REASON_OUT_OF_RANGE);
    refuse_json(&d, "1e-400", REASON_OUT_OF_RANGE);
    refuse_json(&d, "\"1\"", REASON_WRONG_TYPE);
    refuse_text(&d, "nan", REASON_WRONG_TYPE);
    refuse_text(&d, "0x1p3", REASON_WRONG_TYPE);
    assert_text(&d, "0.1", "3fb999999999999a");
}
END_TEST

START_TEST(floats_of_many_digits)
{
    struct column c = column_of(VALUE_FLOAT8);
    _cleanup_buffer_ struct buffer number = {0};
    buffer_put_string(&number, "0.5");
    for (size_t i = 0; i < 100000; i++)
        buffer_put(&number, "0", 1);
    assert_json(&c, buffer_string(&number), "3fe0000000000000");
}
END_TEST

START_TEST(booleans)
{
    struct column c = column_of(VALUE_BOOL);
    assert_json(&c, "true", "01");
    assert_json(&c, "false", "00");
    refuse_json(&c, "1", REASON_WRONG_TYPE);
    refuse_json(&c, "\"true\"", REASON_WRONG_TYPE);
    static const char *const yes[] = {"true", "t", "1"}, *const no[] = {"false", "f", "0"};
    static const char *const neither[] = {"TRUE", "yes", "", "2", "tr", "true "};
    for (size_t i = 0; i < 3; i++) {
        assert_text(&c, yes[i], "01");
        assert_text(&c, no[i], "00");
    }
    for (size_t i = 0; i < N_ELEMENTS(neither); i++)
        refuse_text(&c, neither[i], REASON_WRONG_TYPE);
}
END_TEST

START_TEST(texts_count_characters_not_bytes)
{
    struct column c = column_of(VALUE_TEXT);
    assert_json(&c, "\"\"", "");
    assert_json(&c, "\"03230\"", "3033323330");
    assert_text(&c, "", "");
    c.max_chars = 3;
    assert_json(&c, "\"abc\"", "616263");
    assert_json(&c, "\"\\u00e9\\u20ac\\ud83d\\ude00\"", "c3a9e282acf09f9880");
    refuse_json(&c, "\"abcd\"", REASON_TOO_LONG);
    ck_assert_str_eq(detail, "field v: 3 characters at most");
    refuse_json(&c, "\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\"", REASON_TOO_LONG);
    refuse_text(&c, "abcd", REASON_TOO_LONG);
    assert_text(&c, "\xc3\xa9\xc3\xa9\xc3\xa9", "c3a9c3a9c3a9");
}
END_TEST

START_TEST(texts_that_are_none)
{
    struct column c = column_of(VALUE_TEXT);
    refuse_json(&c, "3230", REASON_WRONG_TYPE);
    refuse_json(&c, "true", REASON_WRONG_TYPE);
    refuse_json(&c, "[\"x\"]", REASON_WRONG_TYPE);
    refuse_json(&c, "{}", REASON_WRONG_TYPE);
    refuse_json(&c, "\"x\\u0000y\"", REASON_NUL_IN_TEXT);
    refuse_text(&c, "\xff", REASON_NOT_UTF8);
    refuse_text(&c, "caf\xe9", REASON_NOT_UTF8);
    _cleanup_buffer_ struct buffer b = {0};
    enum reason r = append_text(&b, &c, "x\0y", 3);
    assert_refusal(r, REASON_NUL_IN_TEXT, &b, "x NUL y");
}
END_TEST

START_TEST(dates)
{
    struct column c = column_of(VALUE_DATE);
    assert_json(&c, "\"2000-01-01\"", "00000000");
    assert_json(&c, "\"1999-12-31\"", "ffffffff");
    assert_json(&c, "\"2024-02-29\"", "00002279");
    assert_json(&c, "\"1970-01-01\"", "ffffd533");
    assert_json(&c, "\"0001-01-01\"", "fff4dbf9");
    assert_json(&c, "\"9999-12-31\"", "002c95d3");
    assert_text(&c, "2000-03-01", "0000003c");
    static const char *const no_day[] = {"2023-02-29", "1900-02-29", "2024-02-30", "2024-04-31", "2024-13-01",
        "2024-00-01", "2024-01-00", "2024-01-32", "0000-01-01"};
    static const char *const no_date[] = {"", "2024-1-1", "24-01-01", "2024/01/01", "01.02.2024",
        "2024-01-01 ", " 2024-01-01", "2024-01-01T00:00:00", "infinity", "today", "20240101", "12024-01-01",
        "-001-01-01"};
    for (size_t i = 0; i < N_ELEMENTS(no_day); i++)
        refuse_text(&c, no_day[i], REASON_OUT_OF_RANGE);
    for (size_t i = 0; i < N_ELEMENTS(no_date); i++)
        refuse_text(&c, no_date[i], REASON_WRONG_TYPE);
    refuse_json(&c, "20240101", REASON_WRONG_TYPE);
    refuse_json(&c, "\"2024-01-0\\u0000\"", REASON_WRONG_TYPE);
}
END_TEST

START_TEST(timestamps_without_zone)
{
    struct column c = column_of(VALUE_TIMESTAMP);
    assert_json(&c, "\"2000-01-01T00:00:00\"", "0000000000000000");
    assert_json(&c, "\"2024-05-01T08:00:00.123456\"", "0002ba5ea454a240");
    assert_json(&c, "\"2024-05-01 08:00:00.123456\"", "0002ba5ea454a240");
    assert_json(&c, "\"1999-12-31T23:59:59.9999996\"", "0000000000000000");
    assert_json(&c, "\"0001-01-01T00:00:00\"", "ff1fe2ffc59c6000");
    assert_text(&c, "9999-12-31T23:59:59.999999", "0380e70b913b7fff");
    assert_text(&c, "2000-01-01T00:00:00.5", "000000000007a120");
    static const char *const wrong[] = {"", "2024-05-01", "2024-05-01T08:00", "2024-05-01T8:00:00",
        "2024-05-01T08:00:00Z", "2024-05-01T08:00:00+02:00", "2024-05-01T08:00:00.", "2024-05-01T08:00:00,5",
        "2024-05-01t08:00:00", "2024-05-01T08:00:00.1234567890", "2024-05-01  08:00:00", "now", "1714550400"};
    static const char *const out[] = {
        "2024-05-01T24:00:00", "2024-05-01T08:60:00", "2024-05-01T08:00:60", "2024-02-30T08:00:00"};
    for (size_t i = 0; i < N_ELEMENTS(wrong); i++)
        refuse_text(&c, wrong[i], REASON_WRONG_TYPE);
    for (size_t i = 0; i < N_ELEMENTS(out); i++)
        refuse_text(&c, out[i], REASON_OUT_OF_RANGE);
    refuse_json(&c, "1714550400", REASON_WRONG_TYPE);
}
END_TEST

START_TEST(timestamps_with_zone)
{
    struct column c = column_of(VALUE_TIMESTAMPTZ);
    assert_json(&c, "\"2024-05-01T08:00:00Z\"", "0002ba5ea452c000");
    assert_json(&c, "\"2024-05-01T08:00:00+02\"", "0002ba5cf72b7800");
    assert_json(&c, "\"2024-05-01T08:00:00+02:00\"", "0002ba5cf72b7800");
    assert_json(&c, "\"2024-05-01 08:00:00.000000-05:30\"", "0002ba63407ec600");
    assert_json(&c, "\"2000-01-01T00:00:00-00:00\"", "0000000000000000");
    assert_json(&c, "\"2000-01-01T00:00:00+15:59\"", "fffffff29a594700");
    static const char *const wrong[] = {"2024-05-01T08:00:00", "2024-05-01T08:00:00 Z",
        "2024-05-01T08:00:00z", "2024-05-01T08:00:00+2",
        "2024-05-01T08:00:00+02:", "2024-05-01T08:00:00+02:0", "2024-05-01T08:00:00+",
        "2024-05-01T08:00:00 Europe/Berlin", "2024-05-01T08:00:00ZZ", "2024-05-01Z"};
    for (size_t i = 0; i < N_ELEMENTS(wrong); i++)
        refuse_text(&c, wrong[i], REASON_WRONG_TYPE);
    refuse_text(&c, "2024-05-01T08:00:00+16:00", REASON_OUT_OF_RANGE);
    refuse_text(&c, "2024-05-01T08:00:00+02:60", REASON_OUT_OF_RANGE);
}
END_TEST

START_TEST(the_entrys_own_time_is_a_timestamptz)
{
    static const enum value_kind of[] = {VALUE_DATE, VALUE_TIMESTAMP, VALUE_TIMESTAMPTZ};
    for (size_t i = 0; i < N_ELEMENTS(of); i++) {
        struct column c = column_of(of[i]);
        _cleanup_buffer_ struct buffer b = {0};
        buffer_put_string(&b, BEFORE);
        ck_assert_int_eq(value_append_received(&b, &c, INT64_C(1714550400000000), detail), REASON_NONE);
        assert_element(&b, "0002ba5ea452c000", "received");
    }
}
END_TEST

START_TEST(times_that_postgres_has_not)
{
    struct column c = column_of(VALUE_TIMESTAMPTZ);
    const int64_t first = INT64_C(946684800000000) - INT64_C(211813488000000000);
    const int64_t none[] = {INT64_MIN, first - 1};
    for (size_t i = 0; i < N_ELEMENTS(none); i++) {
        _cleanup_buffer_ struct buffer b = {0};
        buffer_put_string(&b, BEFORE);
        enum reason r = value_append_received(&b, &c, none[i], detail);
        assert_refusal(r, REASON_OUT_OF_RANGE, &b, "received");
    }
    _cleanup_buffer_ struct buffer b = {0};
    ck_assert_int_eq(value_append_received(&b, &c, first, detail), REASON_NONE);
}
END_TEST

START_TEST(uuids)
{
    struct column c = column_of(VALUE_UUID);
    assert_json(&c, "\"550e8400-E29B-41d4-a716-446655440000\"", "550e8400e29b41d4a716446655440000");
    assert_json(&c, "\"550e8400e29b41d4a716446655440000\"", "550e8400e29b41d4a716446655440000");
    static const char *const bad[] = {"", "550e8400", "550e8400-e29b-41d4-a716-44665544000",
        "550e8400-e29b-41d4-a716-44665544000g", "550e8400e-29b-41d4-a716-446655440000",
        "{550e8400-e29b-41d4-a716-446655440000}", "550e8400e29b41d4a7164466554400000",
        "--------------------------------"};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        refuse_text(&c, bad[i], REASON_WRONG_TYPE);
    refuse_json(&c, "550", REASON_WRONG_TYPE);
}
END_TEST

START_TEST(json_is_kept_as_it_stands)
{
    struct column plain = column_of(VALUE_JSON), binary = column_of(VALUE_JSON);
    plain.type_oid = 114;
    binary.type_oid = 3802;
    assert_json(&plain, " { \"a\" : 1 } ", "7b20226122203a2031207d");
    assert_json(&binary, "[1]", "015b315d");
    assert_json(&binary, "\"\\u0041\"", "01225c753030343122");
    assert_json(&plain, "true", "74727565");
    assert_json(&plain, "null", NULL);
    assert_json(&plain, "\"\\u0000\"", "225c753030303022");
    refuse_json(&binary, "\"\\u0000\"", REASON_NUL_IN_TEXT);
    refuse_json(&binary, "[{\"a\":\"x\\u0000\"}]", REASON_NUL_IN_TEXT);
    refuse_json(&binary, "[1,{\"\\\"\":1e131072}]", REASON_OUT_OF_RANGE);
    refuse_json(&binary, "1e-16384", REASON_OUT_OF_RANGE);
    assert_json(&binary, "[\"1e999999\\\"1e999999\",1e2]",
        "015b22316539393939393"
        "95c22316539393939393922"
        "2c3165325d");
    assert_json(&plain, "1e999999", "3165393939393939");
}
END_TEST

START_TEST(json_from_a_plain_field)
{
    struct column c = column_of(VALUE_JSON);
    c.type_oid = 3802;
    assert_text(&c, "{\"a\":1}", "017b2261223a317d");
    assert_text(&c, " 1 ", "01203120");
    assert_text(&c, "null", "016e756c6c");
    static const char *const bad[] = {"", " ", "hello", "{", "{}{}", "NaN"};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        refuse_text(&c, bad[i], REASON_WRONG_TYPE);
    refuse_text(&c, "\"\\ud800\"", REASON_NOT_UTF8);
    _cleanup_buffer_ struct buffer deep = {0};
    for (size_t i = 0; i <= JSON_MAX_DEPTH; i++)
        buffer_put_string(&deep, "[");
    refuse_text(&c, buffer_string(&deep), REASON_TOO_DEEP);
}
END_TEST

START_TEST(enums_take_their_labels)
{
    static char sad[] = "sad", ok[] = "ok", happy[] = "h\xc3\xa4ppy";
    char *labels[] = {sad, ok, happy};
    struct column c = column_of(VALUE_ENUM);
    c.labels = labels;
    c.n_labels = 3;
    assert_json(&c, "\"ok\"", "6f6b");
    assert_text(&c, "h\xc3\xa4ppy", "68c3a4707079");
    static const char *const bad[] = {"", "OK", "okay", "o", "ok "};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        refuse_text(&c, bad[i], REASON_WRONG_TYPE);
    refuse_json(&c, "\"ok\\u0000\"", REASON_WRONG_TYPE);
    refuse_json(&c, "1", REASON_WRONG_TYPE);
}
END_TEST

START_TEST(null_goes_where_it_may)
{
    for (int kind = 0; kind < N_VALUE_KINDS; kind++) {
        struct column c = column_of((enum value_kind)kind);
        assert_json(&c, "null", NULL);
        c.not_null = true;
        refuse_json(&c, "null", REASON_NULL_FIELD);
    }
}
END_TEST

START_TEST(details_fit_and_end_between_characters)
{
    struct column c = column_of(VALUE_ENUM);
    for (size_t n = 0; n < 400; n++) {
        char name[512] = "";
        for (size_t i = 0; i < n; i++)
            strcat(name, i % 3 ? "\xe2\x82\xac" : i % 2 ? "x" : "\xc3\xa9");
        c.field = c.type_sql = name;
        if (strlen(name) > 400)
            break;
        char guarded[DETAIL_MAX + 1];
        guarded[DETAIL_MAX] = '!';
        ck_assert_int_eq(value_append_text(&(struct buffer){0}, &c, SLICE("x"), guarded), REASON_WRONG_TYPE);
        ck_assert_int_eq(guarded[DETAIL_MAX], '!');
        ck_assert_uint_lt(strlen(guarded), DETAIL_MAX);
        ck_assert(text_is_utf8(guarded, strlen(guarded)));
    }
}
END_TEST

/* A value that could not be told from the words of a rule must not be in them. */
START_TEST(details_hold_no_value)
{
    static const char marker[] = "7777123456789";
    struct column c = column_of(VALUE_INT2);
    refuse_json(&c, marker, REASON_OUT_OF_RANGE);
    ck_assert_ptr_null(strstr(detail, marker));
    for (int kind = 0; kind < N_VALUE_KINDS; kind++) {
        _cleanup_buffer_ struct buffer b = {0};
        c = column_of((enum value_kind)kind);
        c.max_chars = 3;
        detail[0] = '\0';
        append_text(&b, &c, marker, strlen(marker));
        ck_assert_ptr_null(strstr(detail, "7777"));
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        integers_of_each_size,
        integers_too_large_are_out_of_range,
        integers_must_be_whole_numbers,
        numerics_keep_every_digit,
        numerics_round_half_away_from_zero,
        numerics_over_their_precision_are_out_of_range,
        numerics_end_where_postgres_ends,
        numerics_of_many_digits,
        numerics_are_no_words,
        floats,
        floats_of_many_digits,
        booleans,
        texts_count_characters_not_bytes,
        texts_that_are_none,
        dates,
        timestamps_without_zone,
        timestamps_with_zone,
        the_entrys_own_time_is_a_timestamptz,
        times_that_postgres_has_not,
        uuids,
        json_is_kept_as_it_stands,
        json_from_a_plain_field,
        enums_take_their_labels,
        null_goes_where_it_may,
        details_fit_and_end_between_characters,
        details_hold_no_value,
    };
    return run_tests("value", tests, N_ELEMENTS(tests));
}
