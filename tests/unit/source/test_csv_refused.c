/* What is refused as a whole: things that are no CSV, headers that cannot be, files that end too early. */
#include "../util/suite.h"
#include "given.h"

static const size_t steps[] = {0, 1, 5, 100};

/* It fails, at the opening or later, in the same words whatever the size of the pieces; these are among them. */
static void expect_with(const char *file, size_t n, const struct csv_options *options, const char *words)
{
    _cleanup_buffer_ struct buffer first = {0};
    for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
        struct given g = {.p = file, .n = n, .step = steps[i]};
        _cleanup_buffer_ struct buffer out = {0};
        given_dump(&g, options, &out);
        ck_assert_msg(strstr(buffer_string(&out), "failed a test: "), "not refused: %s", buffer_string(&out));
        ck_assert_msg(strstr(buffer_string(&out), words), "no \"%s\" in: %s", words, buffer_string(&out));
        if (i == 0)
            buffer_put(&first, out.p, out.n);
        ck_assert_str_eq(buffer_string(&out), buffer_string(&first));
    }
}

#define EXPECT(file, words) expect_with(file, sizeof(file) - 1, NULL, words)

START_TEST(nothing_at_all)
{
    EXPECT("", "nothing in it");
    EXPECT("\xef\xbb\xbf", "nothing in it");
    EXPECT("\r\n\n\r", "nothing in it");
}
END_TEST

START_TEST(other_formats_are_called_by_name)
{
    EXPECT("<!DOCTYPE html>\n<html>", "HTML");
    EXPECT("\n  <html><body>Sign in</body></html>\n", "HTML");
    EXPECT("<?xml version=\"1.0\"?>\n<a/>\n", "XML");
    EXPECT("<Error><Code>AccessDenied</Code></Error>", "XML");
    EXPECT("{\"error\": \"not found\"}", "JSON");
    EXPECT("[\n  {\"id\": 1}]", "JSON");
    EXPECT("{ }\n", "JSON");
    EXPECT("%PDF-1.4\n1,2\n", "a PDF");
    EXPECT("PK\3\4\24\0\0\0", "a zip");
    EXPECT("\x1f\x8b\x08\0\0\0", "gzip");
    EXPECT("PAR1\x15\x04", "Parquet");
    EXPECT("\xd0\xcf\x11\xe0\xa1\xb1", "workbook");
}
END_TEST

START_TEST(utf16_with_what_to_do)
{
    EXPECT("\xff\xfe"
           "i\0d\0\n\0",
        "have it written as UTF-8");
    EXPECT("\xfe\xff\0i\0d\0\n", "have it written as UTF-8");
    EXPECT("i\0d\0,\0x\0\n\0"
           "1\0,\0"
           "2\0\n\0",
        "UTF-16");
}
END_TEST

START_TEST(headers_that_are_no_text)
{
    EXPECT("a,\0b\n1,2\n", "the byte 0");
    EXPECT("a,M\xfcller\n1,2\n", "is not UTF-8");
    EXPECT("\x7f"
           "ELF\2\1\1\0\0\0\0\n1,2\n",
        "the byte 0");
    EXPECT("\"a\"x,b\n1,2\n", "behind a closing quote");
}
END_TEST

START_TEST(a_header_with_more_columns_than_tables_have)
{
    _cleanup_buffer_ struct buffer file = {0};
    for (int i = 1; i < 1600; i++)
        buffer_put_string(&file, "c,");
    buffer_put_string(&file, "c\n");
    struct given g = {.p = file.p, .n = file.n};
    struct source *s;
    struct source_fault fault;
    ck_assert_int_eq(given_open(&g, NULL, &s, &fault), 0);
    ck_assert_uint_eq(s->n_columns, 1600);
    source_free(s);
    file.p[file.n - 1] = ',';
    buffer_put_string(&file, "\n");
    expect_with(file.p, file.n, NULL, "1601 columns");
}
END_TEST

START_TEST(a_header_longer_than_a_record_may_be)
{
    static const struct csv_options options = {.label = "a test", .row_max = 10};
    static const char file[] = "a,b,c,d,e,f,g\n1,2,3,4,5,6,7\n";
    expect_with(file, strlen(file), &options, "longer than a record may be");
}
END_TEST

START_TEST(delimiters_that_cannot_be)
{
    static const char bad[] = {'"', '\r', '\n', (char)0xff};
    for (size_t i = 0; i < sizeof(bad); i++) {
        struct csv_options options = {.label = "a test", .delimiter = bad[i]};
        expect_with("a,b\n", 4, &options, "the delimiter that is configured");
    }
}
END_TEST

START_TEST(a_quote_that_is_never_closed_is_named_by_its_line)
{
    EXPECT("a,b\n1,2\n3,\"x\n4,5\n6,7\n", "opens a cell in line 3 is not closed");
    EXPECT("a,b\n\"1\n\n2\",\"x\n4,5\n", "opens a cell in line 4 is not closed");
    EXPECT("a,b\n\"1\n\n2\",\"x\"\"", "opens a cell in line 4 is not closed");
    EXPECT("a,\"b\n1,2\n", "opens a cell in line 1 is not closed");
    EXPECT("a,b\n1,\"", "opens a cell in line 2 is not closed");
}
END_TEST

START_TEST(also_when_it_has_swallowed_more_than_row_max)
{
    static const struct csv_options options = {.label = "a test", .row_max = 10};
    static const char file[] = "a,b\n1,2\n3,\"x\n4,5\n6,7\n8,9\n10,11\n12,13\n";
    expect_with(file, strlen(file), &options,
        "opens a cell in line 3 is not closed before the end of the file, in line 9");
}
END_TEST

START_TEST(a_last_record_that_is_cut_off)
{
    static const struct csv_options options = {.label = "a test", .row_max = 5};
    expect_with("a,b\n1,2\n3456789", 15, &options, "line 3, the last, ends in the middle");
    EXPECT("a,b,c\n1,2,3\n4,5", "line 3, the last, ends in the middle");
    EXPECT("a,b\n1,2\n3456789", "line 3, the last, ends in the middle");
    EXPECT("a,b\n1,2\n4,\xc3", "line 3, the last, ends in the middle");
    EXPECT("a,b\n1,2\n4,\xf0\x9f\x98", "line 3, the last, ends in the middle");
}
END_TEST

/* Reads all there is: whether the failure at the end may go away by itself. */
static bool is_transient(const char *file)
{
    struct given g = {.p = file, .n = strlen(file)};
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_fault fault;
    struct source_row row;
    int got;
    ck_assert_int_eq(given_open(&g, NULL, &s, &fault), 0);
    while ((got = source_next(s, &row, &fault)) > 0)
        ;
    ck_assert_int_eq(got, -1);
    return fault.transient;
}

START_TEST(what_has_no_last_line_end_may_go_well_again)
{
    ck_assert(is_transient("a,b\n1"));
    ck_assert(is_transient("a,b\n1,\"x"));
    ck_assert(is_transient("a,b\n1,\"x\n2,3"));
    ck_assert(!is_transient("a,b\n1,\"x\n2,3\n"));
    ck_assert(!is_transient("a,b\r\n1,\"x\r\n"));
}
END_TEST

START_TEST(a_failure_of_reading_is_passed_on_and_stays)
{
    static const char file[] =
        "a,b\n1,2\n3,4\n                                                                                  \n";
    struct given g = {.p = file, .n = strlen(file), .step = 1, .fails_at = 80};
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_fault fault;
    struct source_row row;
    ck_assert_int_eq(given_open(&g, NULL, &s, &fault), 0);
    ck_assert_int_eq(source_next(s, &row, &fault), 1);
    ck_assert_int_eq(source_next(s, &row, &fault), 1);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(source_next(s, &row, &fault), -1);
        ck_assert_str_eq(fault.error.text, "a test: the line is dead");
        ck_assert(fault.transient);
    }
    struct source *none = NULL;
    g.fails_at = 2;
    ck_assert_int_eq(given_open(&g, NULL, &none, &fault), -1);
    ck_assert_ptr_null(none);
    ck_assert_str_eq(fault.error.text, "a test: the line is dead");
}
END_TEST

START_TEST(words_never_hold_what_stands_there)
{
    static const char *const files[] = {
        "MARKER,\xff\n", "a\n\"MARKER", "a,b\nMARKER", "{\"MARKER\":1}", "\"a\"MARKER\n"};
    for (size_t i = 0; i < N_ELEMENTS(files); i++) {
        struct given g = {.p = files[i], .n = strlen(files[i])};
        _cleanup_buffer_ struct buffer out = {0};
        given_dump(&g, NULL, &out);
        ck_assert_ptr_nonnull(strstr(buffer_string(&out), "failed"));
        ck_assert_ptr_null(strstr(buffer_string(&out), "MARKER"));
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        nothing_at_all,
        other_formats_are_called_by_name,
        utf16_with_what_to_do,
        headers_that_are_no_text,
        a_header_with_more_columns_than_tables_have,
        a_header_longer_than_a_record_may_be,
        delimiters_that_cannot_be,
        a_quote_that_is_never_closed_is_named_by_its_line,
        also_when_it_has_swallowed_more_than_row_max,
        a_last_record_that_is_cut_off,
        what_has_no_last_line_end_may_go_well_again,
        a_failure_of_reading_is_passed_on_and_stays,
        words_never_hold_what_stands_there,
    };
    return run_tests("csv_refused", tests, N_ELEMENTS(tests));
}
