/* What a cell says of its column, what two types make, and which cells mean the same. */
#include "../util/suite.h"
#include "history/columns.h"
#include "util/cleanup.h"

static struct db_value cell(const char *text)
{
    return (struct db_value){text, strlen(text)};
}

static enum type type_of(const char *text)
{
    struct db_value v = cell(text);
    return type_of_cell(&v);
}

static const struct {
    const char *text;
    enum type type;
} cells[] = {
    {"0", TYPE_BIGINT},
    {"7", TYPE_BIGINT},
    {"-1", TYPE_BIGINT},
    {"9223372036854775807", TYPE_BIGINT},
    {"-9223372036854775808", TYPE_BIGINT},
    {"9223372036854775808", TYPE_TEXT},
    {"-9223372036854775809", TYPE_TEXT},
    {"10000000000000000000", TYPE_TEXT},
    {"007", TYPE_TEXT},
    {"-0", TYPE_TEXT},
    {"+1", TYPE_TEXT},
    {"-", TYPE_TEXT},
    {"", TYPE_TEXT},
    {" 1", TYPE_TEXT},
    {"1 ", TYPE_TEXT},
    {"1,5", TYPE_TEXT},
    {"1_000", TYPE_TEXT},
    {"0x10", TYPE_TEXT},
    {"٣", TYPE_TEXT},
    {"1.5", TYPE_DOUBLE},
    {"1.50", TYPE_DOUBLE},
    {"-0.001", TYPE_DOUBLE},
    {"0.0", TYPE_DOUBLE},
    {"-0.0", TYPE_TEXT},
    {"1e5", TYPE_DOUBLE},
    {"1E+05", TYPE_DOUBLE},
    {"1e308", TYPE_DOUBLE},
    {"1e309", TYPE_TEXT},
    {"1e-400", TYPE_TEXT},
    {"5e-324", TYPE_TEXT},
    {"123456789012.345", TYPE_DOUBLE},
    {"0.30000000000000004", TYPE_DOUBLE},
    {"0.30000000000000001", TYPE_TEXT},
    {"3.141592653589793", TYPE_DOUBLE},
    {"3.1415926535897932", TYPE_TEXT},
    {"3.14159265358979323846", TYPE_TEXT},
    {"9007199254740992.0", TYPE_DOUBLE},
    {"9007199254740993.0", TYPE_TEXT},
    {"1.", TYPE_TEXT},
    {".5", TYPE_TEXT},
    {"1e", TYPE_TEXT},
    {"1e+", TYPE_TEXT},
    {"01.5", TYPE_TEXT},
    {"1.5.2", TYPE_TEXT},
    {"NaN", TYPE_TEXT},
    {"Infinity", TYPE_TEXT},
    {"-Infinity", TYPE_TEXT},
    {"2024-02-29", TYPE_DATE},
    {"0001-01-01", TYPE_DATE},
    {"1899-12-31", TYPE_DATE},
    {"9999-12-31", TYPE_DATE},
    {"0000-01-01", TYPE_TEXT},
    {"2023-02-29", TYPE_TEXT},
    {"1900-02-29", TYPE_TEXT},
    {"2000-02-29", TYPE_DATE},
    {"2024-13-01", TYPE_TEXT},
    {"2024-00-01", TYPE_TEXT},
    {"2024-01-00", TYPE_TEXT},
    {"2024-04-31", TYPE_TEXT},
    {"2024-1-1", TYPE_TEXT},
    {"12024-01-01", TYPE_TEXT},
    {"2024/01/01", TYPE_TEXT},
    {"infinity", TYPE_TEXT},
    {"2024-05-01T08:00:00", TYPE_TIMESTAMP},
    {"2024-05-01 08:00:00.123456", TYPE_TIMESTAMP},
    {"2024-05-01 23:59:59.1", TYPE_TIMESTAMP},
    {"2024-05-01 24:00:00", TYPE_TEXT},
    {"2024-05-01 23:59:60", TYPE_TEXT},
    {"2024-05-01 08:60:00", TYPE_TEXT},
    {"2024-05-01 08:00", TYPE_TEXT},
    {"2024-05-01 08:00:00.", TYPE_TEXT},
    {"2024-05-01 08:00:00.1234567", TYPE_TEXT},
    {"2024-05-01  08:00:00", TYPE_TEXT},
    {"2024-05-01t08:00:00", TYPE_TEXT},
    {"2024-05-01T", TYPE_TEXT},
    {"2024-05-01T08:00:00Z", TYPE_TIMESTAMPTZ},
    {"2024-05-01T08:00:00.5+05:30", TYPE_TIMESTAMPTZ},
    {"2024-05-01 08:00:00-08", TYPE_TIMESTAMPTZ},
    {"2024-05-01 08:00:00z", TYPE_TEXT},
    {"2024-05-01 08:00:00+0530", TYPE_TEXT},
    {"2024-05-01 08:00:00+15", TYPE_TEXT},
    {"2024-05-01 08:00:00+05:60", TYPE_TEXT},
    {"2024-05-01 08:00:00 UTC", TYPE_TEXT},
    {"2024-05-01Z", TYPE_TEXT},
    {"0001-01-01 00:00:00+05", TYPE_TEXT},
    {"9999-12-31 23:59:59-05", TYPE_TEXT},
    {"true", TYPE_BOOLEAN},
    {"false", TYPE_BOOLEAN},
    {"True", TYPE_TEXT},
    {"t", TYPE_TEXT},
    {"Ada", TYPE_TEXT},
};

START_TEST(a_cell_has_the_narrowest_type_that_takes_it)
{
    for (size_t i = 0; i < N_ELEMENTS(cells); i++) {
        enum type t = type_of(cells[i].text);
        ck_assert_msg(
            t == cells[i].type, "%s is %s, not %s", cells[i].text, type_word(t), type_word(cells[i].type));
        struct db_value v = cell(cells[i].text);
        ck_assert(type_takes(t, &v));
        ck_assert(type_takes(TYPE_TEXT, &v));
    }
}
END_TEST

START_TEST(wider_types_take_cells_of_narrower_ones)
{
    struct db_value small = cell("9007199254740992"), big = cell("9007199254740993"),
                    below = cell("-9007199254740993"), day = cell("2024-01-01"),
                    zoned = cell("2024-01-01 00:00:00Z");
    ck_assert(type_takes(TYPE_DOUBLE, &small) && !type_is_big(&small));
    ck_assert(!type_takes(TYPE_DOUBLE, &big) && type_is_big(&big));
    ck_assert(!type_takes(TYPE_DOUBLE, &below) && type_is_big(&below));
    ck_assert(type_takes(TYPE_TIMESTAMP, &day));
    ck_assert(!type_takes(TYPE_TIMESTAMPTZ, &day));
    ck_assert(!type_takes(TYPE_TIMESTAMP, &zoned));
    ck_assert(!type_takes(TYPE_NONE, &day));
}
END_TEST

START_TEST(a_cell_is_not_ended_by_nul)
{
    struct db_value v = {"12345", 3};
    ck_assert_int_eq(type_of_cell(&v), TYPE_BIGINT);
    v = (struct db_value){"1.5x", 3};
    ck_assert_int_eq(type_of_cell(&v), TYPE_DOUBLE);
    v = (struct db_value){"2024-01-01T00:00:00Z", 10};
    ck_assert_int_eq(type_of_cell(&v), TYPE_DATE);
}
END_TEST

START_TEST(two_types_make_the_narrowest_of_both)
{
    ck_assert_int_eq(type_join(TYPE_BIGINT, TYPE_DOUBLE, false), TYPE_DOUBLE);
    ck_assert_int_eq(type_join(TYPE_DOUBLE, TYPE_BIGINT, false), TYPE_DOUBLE);
    ck_assert_int_eq(type_join(TYPE_DOUBLE, TYPE_BIGINT, true), TYPE_TEXT);
    ck_assert_int_eq(type_join(TYPE_DATE, TYPE_TIMESTAMP, false), TYPE_TIMESTAMP);
    ck_assert_int_eq(type_join(TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ, false), TYPE_TEXT);
    ck_assert_int_eq(type_join(TYPE_BOOLEAN, TYPE_BIGINT, false), TYPE_TEXT);
    for (enum type t = TYPE_NONE; t < N_TYPES; t++) {
        ck_assert_int_eq(type_join(t, t, true), t);
        ck_assert_int_eq(type_join(TYPE_NONE, t, false), t);
        ck_assert_int_eq(type_join(t, TYPE_NONE, false), t);
        ck_assert_int_eq(type_join(t, TYPE_TEXT, false), TYPE_TEXT);
    }
}
END_TEST

static const struct {
    enum type type;
    const char *a, *b;
    bool same;
} pairs[] = {
    {TYPE_BIGINT, "3", "3.0", true},
    {TYPE_BIGINT, "3", "3.1", false},
    {TYPE_BIGINT, "1.1", "1.10", false}, /* of a text that was of integers */
    {TYPE_BIGINT, "9007199254740993", "9007199254740992.0", false},
    {TYPE_DOUBLE, "1.5", "1.50", true},
    {TYPE_DOUBLE, "100000.0", "1e5", true},
    {TYPE_DOUBLE, "3.0", "3", true},
    {TYPE_DOUBLE, "1.5", "1.5000000000000000001", false},
    {TYPE_DOUBLE, "1.5", "abc", false},
    {TYPE_DOUBLE, "9007199254740992.0", "9007199254740993", false},
    {TYPE_DATE, "2024-01-01", "2024-01-01T00:00:00", true},
    {TYPE_DATE, "2024-01-01", "2024-01-01T00:00:01", false},
    {TYPE_DATE, "2024-01-01T08:00:00", "2024-01-01 08:00:00", false},
    {TYPE_TIMESTAMP, "2024-01-01 08:00:00.1", "2024-01-01T08:00:00.100", true},
    {TYPE_TIMESTAMP, "2024-01-01 00:00:00", "2024-01-01", true},
    {TYPE_TIMESTAMP, "2024-01-01 00:00:00", "2024-01-01 00:00:00Z", false},
    {TYPE_TIMESTAMPTZ, "2024-01-01 02:30:00+00", "2024-01-01T08:00:00+05:30", true},
    {TYPE_TIMESTAMPTZ, "2024-01-01 02:30:00+00", "2024-01-01T08:00:00+05", false},
    {TYPE_TIMESTAMPTZ, "2024-01-01 02:30:00+00", "2024-01-01 02:30:00", false},
    {TYPE_TEXT, "1.5", "1.50", false},
    {TYPE_NONE, "1.5", "1.50", false},
};

START_TEST(cells_are_the_same_by_what_they_mean)
{
    for (size_t i = 0; i < N_ELEMENTS(pairs); i++) {
        struct db_value a = cell(pairs[i].a), b = cell(pairs[i].b);
        ck_assert_msg(type_same(pairs[i].type, &a, &b) == pairs[i].same, "%s and %s", pairs[i].a, pairs[i].b);
    }
}
END_TEST

START_TEST(numbers_are_in_their_order_and_texts_in_that_of_bytes)
{
    static const char *const numbers[] = {
        "-9223372036854775808", "-10", "-9", "-1", "0", "1", "9", "10", "9223372036854775807"};
    static const char *const texts[] = {"", "-1", "1", "10", "9", "a", "ab"};
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++)
        for (size_t j = 0; j < N_ELEMENTS(numbers); j++) {
            struct db_value a = cell(numbers[i]), b = cell(numbers[j]);
            int order = type_order(TYPE_BIGINT, &a, &b);
            ck_assert_int_eq((order > 0) - (order < 0), (i > j) - (i < j));
        }
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        for (size_t j = 0; j < N_ELEMENTS(texts); j++) {
            struct db_value a = cell(texts[i]), b = cell(texts[j]);
            int order = type_order(TYPE_TEXT, &a, &b);
            ck_assert_int_eq((order > 0) - (order < 0), (i > j) - (i < j));
        }
}
END_TEST

START_TEST(words_of_types_are_read_back)
{
    for (enum type t = TYPE_BIGINT; t < N_TYPES; t++)
        ck_assert_int_eq(type_of_word(type_word(t), strlen(type_word(t))), t);
    ck_assert_int_eq(type_of_word("int", 3), N_TYPES);
    ck_assert_int_eq(type_of_word("", 0), N_TYPES);
    ck_assert_int_eq(type_of_word("datex", 4), TYPE_DATE);
}
END_TEST

static struct column seen(const char *const *texts)
{
    struct column c = {0};
    for (size_t i = 0; texts[i]; i++) {
        struct db_value v = cell(texts[i]);
        column_see(&c, &v, (int64_t)i + 2);
    }
    return c;
}

START_TEST(a_column_becomes_as_wide_as_its_cells)
{
    static const struct {
        const char *cells[5];
        enum type wide;
    } list[] = {{{NULL}, TYPE_NONE}, {{"1", "2"}, TYPE_BIGINT}, {{"1", "2.5"}, TYPE_DOUBLE},
        {{"9007199254740993", "2.5"}, TYPE_TEXT}, {{"2.5", "9007199254740993"}, TYPE_TEXT},
        {{"1", "9007199254740993", "1", "0.5"}, TYPE_TEXT},
        {{"2024-01-01", "2024-01-01T00:00:00"}, TYPE_TIMESTAMP}, {{"true", "1"}, TYPE_TEXT}};
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct column c = seen(list[i].cells);
        ck_assert_msg(c.wide == list[i].wide, "%zu: %s", i, type_word(c.wide));
    }
    struct column c = seen((const char *const[]){"1", "2", "x", "y", NULL});
    ck_assert_int_eq(c.wide_line, 2);
}
END_TEST

START_TEST(a_text_remembers_what_it_was_of)
{
    static const struct {
        const char *before, *now, *after;
        enum type type, form;
    } list[] = {{"", "1", "bigint", TYPE_BIGINT, TYPE_BIGINT},
        {"bigint", "x", "text/bigint", TYPE_TEXT, TYPE_BIGINT},
        {"double", "x", "text/double", TYPE_TEXT, TYPE_DOUBLE},
        {"date", "x", "text/date", TYPE_TEXT, TYPE_DATE},
        {"timestamp", "x", "text/timestamp", TYPE_TEXT, TYPE_TIMESTAMP},
        {"text/timestamptz", "x", "text/timestamptz", TYPE_TEXT, TYPE_TIMESTAMPTZ},
        {"boolean", "x", "text", TYPE_TEXT, TYPE_TEXT}, {"text", "1", "text", TYPE_TEXT, TYPE_TEXT},
        {"bigint", "1.5", "double", TYPE_DOUBLE, TYPE_DOUBLE}};
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        char after[COLUMN_TYPE_MAX];
        struct column c = {0};
        struct db_value v = cell(list[i].now);
        column_read_type(&c, list[i].before);
        column_see(&c, &v, 2);
        column_widened(&c);
        column_write_type(&c, after);
        ck_assert_str_eq(after, list[i].after);
        ck_assert_int_eq(c.type, list[i].type);
        ck_assert_int_eq(c.form, list[i].form);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_cell_has_the_narrowest_type_that_takes_it,
        wider_types_take_cells_of_narrower_ones, a_cell_is_not_ended_by_nul,
        two_types_make_the_narrowest_of_both, cells_are_the_same_by_what_they_mean,
        numbers_are_in_their_order_and_texts_in_that_of_bytes, words_of_types_are_read_back,
        a_column_becomes_as_wide_as_its_cells, a_text_remembers_what_it_was_of};
    return run_tests("history-types", tests, N_ELEMENTS(tests));
}
