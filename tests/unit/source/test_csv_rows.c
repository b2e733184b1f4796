/* Rows that cannot be taken: each alone, with its line, its reason and its text as it stood. */
#include "../util/suite.h"
#include "given.h"

#include "source/csv_record.h"
#include "util/text.h"

static const size_t steps[] = {0, 1, 2, 3, 7, 1000};

static void expect_with(const char *file, size_t n, size_t row_max, const char *wanted)
{
    struct csv_options options = {.label = "a test", .row_max = row_max};
    for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
        struct given g = {.p = file, .n = n, .step = steps[i]};
        _cleanup_buffer_ struct buffer out = {0};
        given_dump(&g, &options, &out);
        ck_assert_str_eq(buffer_string(&out), wanted);
    }
}

#define EXPECT(file, wanted) expect_with(file, sizeof(file) - 1, 0, wanted)

START_TEST(too_few_and_too_many_cells)
{
    EXPECT("a,b\n1\n2,2\n3,3,3\n4,4\n",
        "a|b\n2! too_few_cells 1\n3: 2|2\n4! too_many_cells 3,3,3\n5: 4|4\nend\n");
    EXPECT("a,b\n1,2,\n , , \n   \n",
        "a|b\n2! too_many_cells 1,2,\n3! too_many_cells  , , \n4! too_few_cells    \nend\n");
}
END_TEST

START_TEST(one_of_several_lines_is_kept_with_all_of_them)
{
    EXPECT("a,b\r\n\"1\r\n2\"\r\n3,4\r\n", "a|b\n2! too_few_cells \"1\r\n2\"\n4: 3|4\nend\n");
}
END_TEST

START_TEST(text_behind_a_closing_quote_costs_that_line_alone)
{
    EXPECT("a,b\n\"1\"x,2\n3,4\n\"5\" ,6\r\n7,8\n",
        "a|b\n2! bad_quote \"1\"x,2\n3: 3|4\n4! bad_quote \"5\" ,6\n5: 7|8\nend\n");
    EXPECT("a,b\n\"1\n2\"x\n3,4\n\"5\"\"\"x\r\r6,\"7\"8",
        "a|b\n2! bad_quote \"1\n2\"x\n4: 3|4\n5! bad_quote \"5\"\"\"x\n7! bad_quote 6,\"7\"8\nend\n");
}
END_TEST

START_TEST(a_quote_too_many_is_noticed_at_the_next)
{
    EXPECT("a,b\n1,\"x\n2,\"y\"\n3,z\n", "a|b\n2! bad_quote 1,\"x\n2,\"y\"\n4: 3|z\nend\n");
}
END_TEST

START_TEST(nul_bytes)
{
    EXPECT("a,b\n1,\0\n2,2\n\0\n3,\"x\0y\"\n",
        "a|b\n2! nul_byte 1,\xef\xbf\xbd\n3: 2|2\n4! too_few_cells \xef\xbf\xbd\n"
        "5! nul_byte 3,\"x\xef\xbf\xbdy\"\nend\n");
}
END_TEST

START_TEST(cells_that_are_not_utf8)
{
    EXPECT("a,b\n1,M\xfcller\n2,M\xc3\xbcller\n",
        "a|b\n2! bad_encoding 1,M\xef\xbf\xbdller\n3: 2|M\xc3\xbcller\nend\n");
    EXPECT("a,b\n\xc3,\xa4\n\xed\xa0\x80,1\n",
        "a|b\n2! bad_encoding \xef\xbf\xbd,\xef\xbf\xbd\n"
        "3! bad_encoding \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd,1\nend\n");
    EXPECT("a,b\n\"\xc3\"\"\xa4\",1\n", "a|b\n2! bad_encoding \"\xef\xbf\xbd\"\"\xef\xbf\xbd\",1\nend\n");
}
END_TEST

START_TEST(a_record_of_row_max_is_taken_and_one_more_is_not)
{
    static const char file[] =
        "a,b\n1,345678\n1,3456789\n2,\"5\n7\"\n2,\"5\n7xy\"\n3,\"\r\n\r\n\"\n3,\"\r\n\r\nx\"\n4,4\n";
    expect_with(file, strlen(file), 8,
        "a|b\n2: 1|345678\n3! too_long 1,3456789\n4: 2|5\n7\n6! too_long 2,\"5\n7xy\"\n8: 3|\r\n\r\n\n"
        "11! too_long 3,\"\r\n\r\nx\"\n14: 4|4\nend\n");
}
END_TEST

START_TEST(a_record_that_is_too_long_ends_where_it_ends)
{
    static const char file[] =
        "a,b\n1,\"long, \"\"long\"\"\n, \"\"\nlong\"\"\",\"\"\n2,2\n3,\"longest\"\"\"x\n4,4\n";
    expect_with(file, strlen(file), 6,
        "a|b\n2! too_long 1,\"long, \"\"long\"\"\n, \"\"\nlong\"\"\",\"\"\n5: 2|2\n6! bad_quote "
        "3,\"longest\"\"\"x\n7: 4|4\nend\n");
}
END_TEST

/* A record of four megabytes, or of what is more than may be held. */
static void expect_little_memory(const char *beginning, enum source_reason reason, const char *filler)
{
    _cleanup_buffer_ struct buffer file = {0};
    buffer_put_string(&file, beginning);
    while (file.n < fewer(4 << 20) + 700000)
        buffer_put_string(&file, filler);
    struct given g = {.p = file.p, .n = file.n};
    struct csv_bytes bytes = {.read = given_read, .arg = &g};
    struct csv_reader *r = xnew(struct csv_reader);
    struct source_fault fault;
    enum source_reason why;
    csv_reader_init(r, &bytes, 100000);
    csv_reader_next(r, &why, &fault);
    ck_assert_int_eq(r->reason, reason);
    ck_assert_uint_eq(r->at, r->n);
    ck_assert_uint_lt(r->text.cap + r->before.cap + csv_get_buffer_size(&r->parser), 700000);
    csv_reader_done(r);
    free(r);
}

START_TEST(what_is_held_does_not_grow_with_a_row)
{
    expect_little_memory("", SOURCE_TOO_LONG, "\"x\",");
    expect_little_memory("\"a\"", SOURCE_BAD_QUOTE, "x\",");
    if (under_valgrind())
        return;
    expect_little_memory("\"", SOURCE_TOO_LONG, "x,\n");
    expect_little_memory("\"", SOURCE_TOO_LONG, "\"\"");
    expect_little_memory("x", SOURCE_TOO_LONG, "x");
    expect_little_memory("x", SOURCE_TOO_LONG, "\"");
    expect_little_memory("", SOURCE_TOO_LONG, ",");
    expect_little_memory("\"\n\"", SOURCE_BAD_QUOTE, "x");
}
END_TEST

START_TEST(a_row_far_beyond_row_max)
{
    const size_t size = 5 << 19;
    _cleanup_buffer_ struct buffer file = {0};
    buffer_put_string(&file, "a,b\n1,\"");
    ck_assert(buffer_reserve(&file, size));
    for (size_t i = 0; i < size; i++)
        file.p[file.n++] = "x,\n\xc3\xa4"[i % 5];
    buffer_put_string(&file, "\"\n2,y\n");
    struct csv_options options = {.label = "a test", .row_max = 100000};
    struct given g = {.p = file.p, .n = file.n};
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_fault fault;
    struct source_row row;
    ck_assert_int_eq(given_open(&g, &options, &s, &fault), 0);
    ck_assert_int_eq(source_next(s, &row, &fault), 1);
    ck_assert_str_eq(row.reason, "too_long");
    ck_assert_uint_eq(row.n_cells, 0);
    ck_assert_ptr_null(row.cells);
    ck_assert_uint_le(row.n_raw, SOURCE_RAW_MAX);
    ck_assert_uint_gt(row.n_raw, SOURCE_RAW_MAX - 4);
    ck_assert(text_is_utf8(row.raw, row.n_raw));
    ck_assert_mem_eq(row.raw, file.p + 4, row.n_raw);
    ck_assert_int_eq(source_next(s, &row, &fault), 1);
    ck_assert_int_eq(row.line, 3 + (int64_t)size / 5);
    ck_assert_ptr_null(row.reason);
    ck_assert_int_eq(source_next(s, &row, &fault), 0);
}
END_TEST

START_TEST(text_that_grows_when_it_is_made_utf8_is_still_bounded)
{
    _cleanup_buffer_ struct buffer file = {0};
    buffer_put_string(&file, "a,b\n1,");
    for (int i = 0; i < 70000; i++)
        buffer_put(&file, "\xff", 1);
    buffer_put_string(&file, "\n");
    struct given g = {.p = file.p, .n = file.n};
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_fault fault;
    struct source_row row;
    ck_assert_int_eq(given_open(&g, NULL, &s, &fault), 0);
    ck_assert_int_eq(source_next(s, &row, &fault), 1);
    ck_assert_str_eq(row.reason, "bad_encoding");
    ck_assert_uint_gt(row.n_raw, SOURCE_RAW_MAX - 3);
    ck_assert_uint_le(row.n_raw, SOURCE_RAW_MAX);
    ck_assert(text_is_utf8(row.raw, row.n_raw));
}
END_TEST

START_TEST(more_cells_than_any_table_has_columns)
{
    _cleanup_buffer_ struct buffer file = {0};
    buffer_put_string(&file, "a,b\n");
    for (int i = 0; i < 100000; i++)
        buffer_put_string(&file, ",");
    buffer_put_string(&file, "\n1,2\n");
    struct given g = {.p = file.p, .n = file.n};
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_fault fault;
    struct source_row row;
    ck_assert_int_eq(given_open(&g, NULL, &s, &fault), 0);
    ck_assert_int_eq(source_next(s, &row, &fault), 1);
    ck_assert_str_eq(row.reason, "too_many_cells");
    ck_assert_str_eq(row.detail, "100001 cells, the header has 2");
    ck_assert_int_eq(source_next(s, &row, &fault), 1);
    ck_assert_ptr_null(row.reason);
}
END_TEST

START_TEST(details_never_hold_what_stands_there)
{
    static const char file[] = "a,b\nMARKER\n\"MARKER\"MARKER,1\nMARKER\xff,1\nMARKER,MARKER,\n";
    struct given g = {.p = file, .n = strlen(file)};
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_fault fault;
    struct source_row row;
    ck_assert_int_eq(given_open(&g, NULL, &s, &fault), 0);
    int rows = 0;
    for (; source_next(s, &row, &fault) > 0; rows++) {
        ck_assert_ptr_nonnull(row.reason);
        ck_assert_ptr_null(strstr(row.detail, "MARKER"));
    }
    ck_assert_int_eq(rows, 4);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        too_few_and_too_many_cells,
        one_of_several_lines_is_kept_with_all_of_them,
        text_behind_a_closing_quote_costs_that_line_alone,
        a_quote_too_many_is_noticed_at_the_next,
        nul_bytes,
        cells_that_are_not_utf8,
        a_record_of_row_max_is_taken_and_one_more_is_not,
        a_record_that_is_too_long_ends_where_it_ends,
        what_is_held_does_not_grow_with_a_row,
        a_row_far_beyond_row_max,
        text_that_grows_when_it_is_made_utf8_is_still_bounded,
        more_cells_than_any_table_has_columns,
        details_never_hold_what_stands_there,
    };
    return run_tests("csv_rows", tests, N_ELEMENTS(tests));
}
