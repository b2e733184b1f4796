#include "../util/suite.h"
#include "stream/decode.h"

/* 2024-05-01T08:00:00Z, and as Postgres counts. */
#define RECEIVED_US INT64_C(1714550400000000)
#define RECEIVED    "0002ba5ea452c000"

/* The doctor's claim, and a column more: id feeds two, note may be NULL. */
enum { ID, CODE, PRICE, PATIENT, TSP, ID_AGAIN, NOTE, N_COLUMNS };

static struct column columns[N_COLUMNS] = {
    [ID] = {.name = (char[]){"id"}, .field = (char[]){"id"}, .not_null = true, .kind = VALUE_INT8},
    [CODE] = {.name = (char[]){"code"},
        .field = (char[]){"code"},
        .not_null = true,
        .kind = VALUE_TEXT,
        .max_chars = 10},
    [PRICE] = {.name = (char[]){"price"},
        .field = (char[]){"price"},
        .not_null = true,
        .kind = VALUE_NUMERIC},
    [PATIENT] = {.name = (char[]){"patient_id"},
        .field = (char[]){"patient"},
        .not_null = true,
        .kind = VALUE_INT4},
    [TSP] = {.name = (char[]){"tsp"}, .received = true, .not_null = true, .kind = VALUE_TIMESTAMP},
    [ID_AGAIN] = {.name = (char[]){"origin"}, .field = (char[]){"id"}, .kind = VALUE_INT4},
    [NOTE] = {.name = (char[]){"note"}, .field = (char[]){"note"}, .kind = VALUE_TEXT},
};
static const struct table table = {.columns = columns, .n_columns = N_COLUMNS};

static struct decoder *decoder;
static struct buffer row[N_COLUMNS];
static char detail[DETAIL_MAX];

static void begin(void)
{
    decoder = decoder_new(&table);
    for (size_t i = 0; i < N_COLUMNS; i++)
        buffer_put(&row[i], "before", i);
}

static void end(void)
{
    for (size_t i = 0; i < N_COLUMNS; i++)
        buffer_done(&row[i]);
    decoder_free(decoder);
}

static void assert_untouched(void)
{
    for (size_t i = 0; i < N_COLUMNS; i++) {
        ck_assert_uint_eq(row[i].n, i);
        if (i > 0)
            ck_assert_mem_eq(row[i].p, "before", i);
    }
}

static enum reason decode(const struct entry *e)
{
    memset(detail, 'x', sizeof(detail));
    enum reason r = decoder_row(decoder, e, row, detail);
    ck_assert_ptr_nonnull(memchr(detail, '\0', sizeof(detail)));
    ck_assert_int_eq(r == REASON_NONE, detail[0] == '\0');
    if (r != REASON_NONE)
        assert_untouched();
    return r;
}

/* From memory without a byte behind it. */
static enum reason decode_bytes(const char *text, size_t n)
{
    _cleanup_free_ char *tight = malloc(n ? n : 1);
    memcpy(tight, text, n);
    struct entry e = {.shape = ENTRY_JSON, .payload = {tight, n}, .received_us = RECEIVED_US};
    return decode(&e);
}

static enum reason decode_text(const char *text)
{
    return decode_bytes(text, strlen(text));
}

static void assert_refused(const char *text, enum reason wanted, const char *words)
{
    enum reason got = decode_text(text);
    ck_assert_msg(got == wanted, "%s: %s, not %s", text, reason_code(got), reason_code(wanted));
    ck_assert_msg(!words || strcmp(detail, words) == 0, "'%s' is not '%s'", detail, words);
}

/* Takes the element that was appended to a column away again, and compares. */
static void assert_element(size_t column, const char *wanted)
{
    _cleanup_buffer_ struct buffer hex = {0};
    for (size_t i = column; i < row[column].n; i++)
        buffer_printf(&hex, "%02x", (unsigned char)row[column].p[i]);
    ck_assert_msg(strcmp(buffer_string(&hex), wanted) == 0, "column %s: %s, not %s", columns[column].name,
        buffer_string(&hex), wanted);
    row[column].n = column;
}

static void assert_claim(void)
{
    assert_element(ID, "00000008"
                       "0000000000000007");
    assert_element(CODE, "00000005"
                         "3033323330");
    assert_element(PRICE, "0000000a"
                          "00010000000000000003");
    assert_element(PATIENT, "00000004"
                            "00000043");
    assert_element(TSP, "00000008" RECEIVED);
    assert_element(ID_AGAIN, "00000004"
                             "00000007");
    assert_element(NOTE, "ffffffff");
}

START_TEST(a_claim_becomes_a_row)
{
    ck_assert_int_eq(
        decode_text("{\"id\": 7, \"patient\": 67, \"code\": \"03230\", \"price\": 3}"), REASON_NONE);
    assert_claim();
    ck_assert_int_eq(decode_text("{\"price\":3,\"code\":\"\\u0030\\u0033230\",\"p\\u0061tient\":67,\"id\":7,"
                                 "\"note\":null}"),
        REASON_NONE);
    assert_claim();
    ck_assert_uint_eq(decoder_ignored_fields(decoder), 0);
}
END_TEST

START_TEST(extra_fields_are_passed_over_and_counted)
{
    ck_assert_int_eq(
        decode_text("{\"x\":[{\"id\":1}],\"id\":7,\"idd\":1,\"patient\":67,\"i\":{},\"code\":\"03230\","
                    "\"price\":3,\"x\":1,\"\":0}"),
        REASON_NONE);
    assert_claim();
    ck_assert_uint_eq(decoder_ignored_fields(decoder), 5);
}
END_TEST

START_TEST(rows_add_up)
{
    static const char claim[] = "{\"id\":7,\"code\":\"03230\",\"price\":3,\"patient\":67}";
    for (int i = 0; i < 1000; i++) {
        struct entry e = {.shape = ENTRY_JSON, .payload = SLICE(claim)};
        ck_assert_int_eq(decoder_row(decoder, &e, row, detail), REASON_NONE);
    }
    ck_assert_uint_eq(row[ID].n, ID + 1000 * 12);
    ck_assert_uint_eq(row[NOTE].n, NOTE + 1000 * 4);
}
END_TEST

START_TEST(missing_null_and_doubled_fields)
{
    assert_refused("{}", REASON_MISSING_FIELD, "field id: is missing, and its column takes no NULL");
    assert_refused("{\"id\":7,\"code\":\"03230\",\"patient\":67}", REASON_MISSING_FIELD,
        "field price: is missing, and its column takes no NULL");
    assert_refused("{\"id\":7,\"code\":null,\"price\":3,\"patient\":67}", REASON_NULL_FIELD,
        "field code: is null, and its column takes no NULL");
    assert_refused("{\"id\":7,\"code\":\"x\",\"price\":3,\"patient\":67,\"price\":3}", REASON_DOUBLED_FIELD,
        "field price: stands more than once");
    assert_refused("{\"id\":7,\"code\":\"x\",\"price\":3,\"patient\":67,\"note\":null,\"\\u006eote\":null}",
        REASON_DOUBLED_FIELD, "field note: stands more than once");
}
END_TEST

START_TEST(fields_that_do_not_fit)
{
    assert_refused("{\"id\":\"7\",\"code\":\"x\",\"price\":3,\"patient\":67}", REASON_WRONG_TYPE,
        "field id: must be a number");
    assert_refused("{\"id\":1e3,\"code\":\"x\",\"price\":3,\"patient\":67}", REASON_WRONG_TYPE,
        "field id: must be written as a whole number");
    assert_refused("{\"id\":7,\"code\":3230,\"price\":3,\"patient\":67}", REASON_WRONG_TYPE,
        "field code: must be a string");
    assert_refused("{\"id\":7,\"code\":\"x\",\"price\":\"NaN\",\"patient\":67}", REASON_WRONG_TYPE,
        "field price: must be a number");
    assert_refused("{\"id\":99999999999999999999,\"code\":\"x\",\"price\":3,\"patient\":67}",
        REASON_OUT_OF_RANGE, "field id: bigint takes -9223372036854775808 to 9223372036854775807");
    assert_refused("{\"id\":7,\"code\":\"x\",\"price\":1e999999,\"patient\":67}", REASON_OUT_OF_RANGE, NULL);
    assert_refused("{\"id\":7,\"code\":\"01234567890\",\"price\":3,\"patient\":67}", REASON_TOO_LONG,
        "field code: 10 characters at most");
    assert_refused("{\"id\":7,\"code\":\"\\u0000\",\"price\":3,\"patient\":67}", REASON_NUL_IN_TEXT, NULL);
}
END_TEST

/* Both columns that id feeds must take it. */
START_TEST(every_column_of_a_field_must_take_it)
{
    assert_refused("{\"id\":2147483648,\"code\":\"x\",\"price\":3,\"patient\":67}", REASON_OUT_OF_RANGE,
        "field id: integer takes -2147483648 to 2147483647");
}
END_TEST

START_TEST(the_first_fault_counts)
{
    assert_refused("{\"id\":\"7\",\"code\":3230,\"price\":null,\"id\":1}", REASON_WRONG_TYPE,
        "field id: must be a number");
}
END_TEST

START_TEST(bad_json_comes_before_any_field)
{
    assert_refused("hello", REASON_NOT_JSON, "at byte 0: a value was expected");
    assert_refused(" ", REASON_NOT_JSON, NULL);
    assert_refused("{\"id\":7,\"code\":\"03230\",\"price\":3,\"patient\":67", REASON_NOT_JSON, NULL);
    assert_refused("{\"id\":7,\"code\":\"03230\",\"price\":3,\"patient\":67}}", REASON_NOT_JSON, NULL);
    assert_refused(
        "{\"id\":7,\"code\":\"03230\",\"price\":3,\"patient\":67,\"x\":NaN}", REASON_NOT_JSON, NULL);
    assert_refused("{\"id\":\"7\",\"x\":}", REASON_NOT_JSON, NULL);
    assert_refused("{\"id\":7,\"code\":\"03230\",\"price\":NaN,\"patient\":67}", REASON_NOT_JSON, NULL);
    assert_refused("{\"id\":7,\"x\":\"\xff\"}", REASON_NOT_UTF8, "at byte 12: a string that is not UTF-8");
    assert_refused("{\"id\":7,\"x\":\"\\ud800\"}", REASON_NOT_UTF8, NULL);
    ck_assert_int_eq(decode_bytes("{\"id\":7}\0", 9), REASON_NOT_JSON);
}
END_TEST

START_TEST(payloads_that_are_no_object)
{
    assert_refused("", REASON_EMPTY, NULL);
    assert_refused("[{\"id\":7}]", REASON_NOT_OBJECT, NULL);
    assert_refused("7", REASON_NOT_OBJECT, NULL);
    assert_refused("null", REASON_NOT_OBJECT, NULL);
    assert_refused("[7", REASON_NOT_JSON, NULL);
    struct entry none = {.shape = ENTRY_JSON};
    ck_assert_int_eq(decode(&none), REASON_EMPTY);
}
END_TEST

START_TEST(deep_payloads)
{
    _cleanup_buffer_ struct buffer b = {0};
    buffer_put_string(&b, "{\"id\":7,\"x\":");
    for (int i = 0; i < 100000; i++)
        buffer_put_string(&b, i % 2 ? "[" : "{\"y\":");
    assert_refused(buffer_string(&b), REASON_TOO_DEEP, NULL);
}
END_TEST

START_TEST(ten_megabytes)
{
    _cleanup_buffer_ struct buffer many = {0}, one = {0};
    buffer_put_string(&many, "{\"id\":7,\"code\":\"03230\",\"price\":3,\"patient\":67");
    buffer_put(&one, many.p, many.n);
    size_t n = 0;
    for (; many.n < 10 * 1024 * 1024; n++)
        buffer_put_string(&many, ",\"nothing\":\"of \\u00fcse\"");
    buffer_put_string(&many, "}");
    ck_assert_int_eq(decode_bytes(many.p, many.n), REASON_NONE);
    assert_claim();
    ck_assert_uint_eq(decoder_ignored_fields(decoder), n);
    buffer_put_string(&one, ",\"note\":\"\\n");
    while (one.n < 10 * 1024 * 1024)
        buffer_put_string(&one, "0123456789abcdef");
    buffer_put_string(&one, "\"}");
    ck_assert_int_eq(decode_bytes(one.p, one.n), REASON_NONE);
    ck_assert_uint_gt(row[NOTE].n, 10 * 1024 * 1000);
}
END_TEST

static enum reason decode_fields(const struct entry_field *fields, size_t n)
{
    struct entry e = {.shape = ENTRY_FIELDS, .fields = fields, .n_fields = n, .received_us = RECEIVED_US};
    return decode(&e);
}

#define FIELD(name, value)                                                                                   \
    {                                                                                                        \
        {(name), sizeof(name) - 1},                                                                          \
        {                                                                                                    \
            (value), sizeof(value) - 1                                                                       \
        }                                                                                                    \
    }

START_TEST(fields_become_a_row)
{
    const struct entry_field fields[] = {FIELD("code", "03230"), FIELD("extra", "\xff"), FIELD("id", "7"),
        FIELD("patient", "67"), FIELD("price", "3")};
    ck_assert_int_eq(decode_fields(fields, N_ELEMENTS(fields)), REASON_NONE);
    assert_claim();
    ck_assert_uint_eq(decoder_ignored_fields(decoder), 1);
}
END_TEST

START_TEST(bad_fields)
{
    static const struct {
        struct entry_field last;
        enum reason reason;
    } cases[] = {
        {FIELD("price", "three"), REASON_WRONG_TYPE},
        {FIELD("price", "NaN"), REASON_WRONG_TYPE},
        {FIELD("price", ""), REASON_WRONG_TYPE},
        {FIELD("price", "1e999999"), REASON_OUT_OF_RANGE},
        {FIELD("price", "\xff"), REASON_NOT_UTF8},
        {FIELD("id", "8"), REASON_DOUBLED_FIELD},
        {FIELD("note", "x\0y"), REASON_NUL_IN_TEXT},
        {FIELD("note", "caf\xe9"), REASON_NOT_UTF8},
        {FIELD("note", ""), REASON_MISSING_FIELD},
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        const struct entry_field fields[] = {
            FIELD("id", "7"), FIELD("code", "03230"), FIELD("patient", "67"), cases[i].last};
        ck_assert_int_eq(decode_fields(fields, N_ELEMENTS(fields)), cases[i].reason);
    }
}
END_TEST

START_TEST(fields_with_nothing_for_us)
{
    const struct entry_field fields[] = {FIELD("dat", "{}"), FIELD("ID", "7")};
    ck_assert_int_eq(decode_fields(fields, N_ELEMENTS(fields)), REASON_NO_DATA);
    ck_assert_int_eq(decode_fields(NULL, 0), REASON_NO_DATA);
}
END_TEST

START_TEST(broken_entries_keep_their_reason)
{
    struct entry e = {
        .shape = ENTRY_BROKEN, .broken = REASON_TOO_LARGE, .size = 99999999, .payload = SLICE("{")};
    ck_assert_int_eq(decode(&e), REASON_TOO_LARGE);
    ck_assert_str_eq(detail, "99999999 bytes in all, 1 of them kept");
    e.broken = REASON_CUT_OFF;
    ck_assert_int_eq(decode(&e), REASON_CUT_OFF);
    e.broken = REASON_NONE;
    ck_assert_int_eq(decode(&e), REASON_BAD_FRAME);
    e.broken = 4711;
    e.size = 0;
    ck_assert_int_eq(decode(&e), REASON_BAD_FRAME);
}
END_TEST

START_TEST(times_nobody_has)
{
    struct entry e = {.shape = ENTRY_JSON,
        .received_us = INT64_MIN,
        .payload = SLICE("{\"id\":7,\"code\":\"03230\",\"price\":3,\"patient\":67}")};
    ck_assert_int_eq(decode(&e), REASON_OUT_OF_RANGE);
}
END_TEST

/* Every value and every unmapped name of a bad entry is a marker. */
START_TEST(details_never_quote_the_entry)
{
    static const char *const bad[] = {"{\"marker\":1,\"id\":\"marker\"}",
        "{\"id\":1,\"code\":\"markermarker\"}", "{\"id\":7,\"marker\":marker}", "marker", "{\"marker\"}",
        "{\"marker\":\"marker\xff\"}", "{\"marker\":\"marker\\ud800\"}", "{\"id\":7,\"id\":\"marker\"}",
        "\"marker\"", "{\"id\":{\"marker\":1}}"};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        ck_assert_int_ne(decode_text(bad[i]), REASON_NONE);
        ck_assert_msg(!strstr(detail, "marker"), "%s", detail);
    }
}
END_TEST

START_TEST(an_id_can_be_written)
{
    char out[ENTRY_ID_MAX];
    ck_assert_str_eq(entry_id_to_string((struct entry_id){1714550400000, 12}, out), "1714550400000-12");
    ck_assert_str_eq(entry_id_to_string((struct entry_id){UINT64_MAX, UINT64_MAX}, out),
        "18446744073709551615-18446744073709551615");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_claim_becomes_a_row,
        extra_fields_are_passed_over_and_counted,
        rows_add_up,
        missing_null_and_doubled_fields,
        fields_that_do_not_fit,
        every_column_of_a_field_must_take_it,
        the_first_fault_counts,
        bad_json_comes_before_any_field,
        payloads_that_are_no_object,
        deep_payloads,
        ten_megabytes,
        fields_become_a_row,
        bad_fields,
        fields_with_nothing_for_us,
        broken_entries_keep_their_reason,
        times_nobody_has,
        details_never_quote_the_entry,
        an_id_can_be_written,
    };
    return run_staged("decode", begin, end, tests, N_ELEMENTS(tests));
}
