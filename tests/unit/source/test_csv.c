/* CSV that can be taken: what a file means, in pieces of any size. */
#include "../util/suite.h"
#include "given.h"

static const size_t steps[] = {0, 1, 2, 3, 5, 7, 64, 1000};

/* What the file gives, whatever the size of the pieces. */
static void expect_with(const char *file, size_t n, const struct csv_options *options, const char *wanted)
{
    for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
        struct given g = {.p = file, .n = n, .step = steps[i]};
        _cleanup_buffer_ struct buffer out = {0};
        given_dump(&g, options, &out);
        ck_assert_str_eq(buffer_string(&out), wanted);
    }
}

static void expect(const char *file, const char *wanted)
{
    expect_with(file, strlen(file), NULL, wanted);
}

START_TEST(rows_with_their_lines)
{
    expect("id,name\n1,Ann\n2,Bob\n", "id|name\n2: 1|Ann\n3: 2|Bob\nend\n");
}
END_TEST

START_TEST(the_last_line_end_may_be_missing)
{
    expect("id,name\n1,Ann", "id|name\n2: 1|Ann\nend\n");
    expect("id,name\n1,\"Ann\"", "id|name\n2: 1|Ann\nend\n");
    expect("id,name\n1,", "id|name\n2: 1|~\nend\n");
    expect("id,name", "id|name\nend\n");
}
END_TEST

START_TEST(a_header_alone_is_a_dump_without_rows)
{
    expect("id,name\n", "id|name\nend\n");
    expect("id,name\r\n\r\n", "id|name\nend\n");
}
END_TEST

START_TEST(quotes_hold_delimiters_line_ends_and_quotes)
{
    expect("a,b\n\"1,2\",\"say \"\"hi\"\"\"\n\"x\ny\r\nz\",\"\"\"\"\n3,4\n",
        "a|b\n2: 1,2|say \"hi\"\n3: x\ny\r\nz|\"\n6: 3|4\nend\n");
}
END_TEST

START_TEST(a_cr_alone_within_a_cell_is_a_line)
{
    expect("a,b\n\"1\r2\",3\n4,5\n", "a|b\n2: 1\r2|3\n4: 4|5\nend\n");
    expect("a,b\n\"1\r\r\n\n2\",3\n4,5\n", "a|b\n2: 1\r\r\n\n2|3\n6: 4|5\nend\n");
}
END_TEST

START_TEST(a_quote_within_a_cell_that_has_none_around_it_means_itself)
{
    expect("a,b\n5\" pipe,x\"\"y\n1\",2\"\n", "a|b\n2: 5\" pipe|x\"\"y\n3: 1\"|2\"\nend\n");
    expect("a,b\n {\"k\":\"v\"},2\n", "a|b\n2:  {\"k\":\"v\"}|2\nend\n");
}
END_TEST

START_TEST(blanks_are_of_the_cell)
{
    expect("a, b \n  1 ,\t2\t\n\" 3 \",4\n   ,\t\n", "a| b \n2:   1 |\t2\t\n3:  3 |4\n4:    |\t\nend\n");
}
END_TEST

START_TEST(line_ends_of_every_kind)
{
    expect("a,b\r\n1,2\r\n3,4\r\n", "a|b\n2: 1|2\n3: 3|4\nend\n");
    expect("a,b\r1,2\r3,4\r", "a|b\n2: 1|2\n3: 3|4\nend\n");
    expect("a,b\r1,2\n3,4\r\n5,6", "a|b\n2: 1|2\n3: 3|4\n4: 5|6\nend\n");
}
END_TEST

START_TEST(blank_lines_are_passed_over_and_counted)
{
    expect("\n\r\na,b\n\n1,2\r\n\r\n\r\r3,4\n\n", "a|b\n5: 1|2\n9: 3|4\nend\n");
}
END_TEST

START_TEST(a_blank_line_is_no_row_of_one_column_either)
{
    expect("a\n1\n\n2\n\"\"\n\n", "a\n2: 1\n4: 2\n5: ~\nend\n");
}
END_TEST

START_TEST(the_empty_cell_is_null_quoted_or_not)
{
    expect("a,b,c\n,\"\",0\n", "a|b|c\n2: ~|~|0\nend\n");
}
END_TEST

START_TEST(null_tokens_are_whole_cells_quoted_or_not)
{
    static const char *const tokens[] = {"NULL", "\\N"};
    static const struct csv_options options = {.label = "a test", .null_tokens = tokens, .n_null_tokens = 2};
    static const char file[] = "a,NULL,c\nNULL,\"NULL\",\\N\nNULL ,null,NULLS\nNA,,NUL\n";
    expect_with(file, strlen(file), &options, "a|NULL|c\n2: ~|~|~\n3: NULL |null|NULLS\n4: NA|~|NUL\nend\n");
}
END_TEST

START_TEST(a_byte_order_mark_is_no_text)
{
    expect("\xef\xbb\xbfid,name\n1,2\n", "id|name\n2: 1|2\nend\n");
    expect("\xef\xbb\xbf\xef\xbb\xbfid\n1\n", "\xef\xbb\xbfid\n2: 1\nend\n");
    expect("\xef\xbb\xbf\"id\",name\n1,\xef\xbb\xbf\n", "id|name\n2: 1|\xef\xbb\xbf\nend\n");
}
END_TEST

START_TEST(the_delimiter_is_what_the_header_has_most_of)
{
    expect("a;b;c,d\n1;2;3,5\n", "a|b|c,d\n2: 1|2|3,5\nend\n");
    expect("a\tb\n1\t\n", "a|b\n2: 1|~\nend\n");
    expect("a|b|c\n1|2,|3\n", "a|b|c\n2: 1|2,|3\nend\n");
    expect("\"x,y,z\";b\n1;2\n", "x,y,z|b\n2: 1|2\nend\n");
    expect("\"x\n,,;\"\"\"\",,\";b;\"c\"\n1;2;3\n", "x\n,,;\"\",,|b|c\n3: 1|2|3\nend\n");
    expect("a\n1;2\n", "a\n2: 1;2\nend\n");
    expect("5\";b\n1;2\n", "5\"|b\n2: 1|2\nend\n");
}
END_TEST

START_TEST(a_delimiter_that_is_given_counts)
{
    static const struct csv_options options = {.label = "a test", .delimiter = '^'};
    static const char file[] = "a,b^c\n1,^2\n";
    expect_with(file, strlen(file), &options, "a,b|c\n2: 1,|2\nend\n");
}
END_TEST

START_TEST(names_are_passed_on_as_they_are)
{
    expect("a,a,, \"\n1,2,3,4\n", "a|a|| \"\n2: 1|2|3|4\nend\n");
    expect("a,b,\n1,2,\n", "a|b|\n2: 1|2|~\nend\n");
}
END_TEST

START_TEST(headers_that_only_look_like_another_format)
{
    expect("[id],[name]\n1,2\n", "[id]|[name]\n2: 1|2\nend\n");
    expect("<DATE>;<CLOSE>\n1;2\n", "<DATE>|<CLOSE>\n2: 1|2\nend\n");
    expect("PK,BZ,%PDF\n1,2,3\n", "PK|BZ|%PDF\n2: 1|2|3\nend\n");
}
END_TEST

/* An own, plain writer and random cells: what was written comes back. */
static unsigned random_below(unsigned n)
{
    static uint64_t state = 20160207;
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(state >> 33) % n;
}

static void write_cell(struct buffer *file, struct slice cell, bool quoted)
{
    if (quoted)
        buffer_put_string(file, "\"");
    for (size_t i = 0; i < cell.n; i++) {
        buffer_put(file, cell.p + i, 1);
        if (quoted && cell.p[i] == '"')
            buffer_put_string(file, "\"");
    }
    if (quoted)
        buffer_put_string(file, "\"");
}

static bool needs_quotes(struct slice cell)
{
    for (size_t i = 0; i < cell.n; i++)
        if (strchr(",\r\n\"", cell.p[i]))
            return true;
    return false;
}

static void random_cell(struct buffer *cell)
{
    static const char *const parts[] = {"a", "1", " ", ",", "\"", "\n", "\r", "\r\n", "\t", ";", "\xc3\xa4",
        "\xf0\x9f\x98\x80", "NULL", "long text without anything in it "};
    cell->n = 0;
    for (unsigned i = random_below(8); i > 0; i--)
        buffer_put_string(cell, parts[random_below(N_ELEMENTS(parts))]);
}

static int64_t count_lines(const char *p, size_t n)
{
    int64_t lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += p[i] == '\n' || (p[i] == '\r' && (i + 1 == n || p[i + 1] != '\n'));
    return lines;
}

START_TEST(what_was_written_comes_back)
{
    _cleanup_buffer_ struct buffer file = {0}, wanted = {0}, cell = {0};
    static const char *const ends[] = {"\n", "\r\n", "\r"};
    const char *end = ends[_i % 3];
    buffer_printf(&file, "x,y,z%s", end);
    buffer_put_string(&wanted, "x|y|z\n");
    for (int row = 0; row < 100; row++) {
        buffer_printf(&wanted, "%lld: ", (long long)count_lines(file.p, file.n) + 1);
        for (int i = 0; i < 3; i++) {
            random_cell(&cell);
            buffer_put_string(&file, i ? "," : "");
            buffer_put_string(&wanted, i ? "|" : "");
            write_cell(&file, (struct slice){cell.p, cell.n},
                needs_quotes((struct slice){cell.p, cell.n}) || random_below(4) == 0);
            buffer_put(&wanted, cell.n ? cell.p : "~", cell.n ? cell.n : 1);
        }
        buffer_put_string(&file, end);
        buffer_put_string(&wanted, "\n");
    }
    buffer_put_string(&wanted, "end\n");
    expect_with(file.p, file.n, NULL, buffer_string(&wanted));
}
END_TEST

START_TEST(rows_over_the_borders_of_what_is_read)
{
    _cleanup_buffer_ struct buffer file = {0}, wanted = {0};
    buffer_put_string(&file, "n,text\r\n");
    buffer_put_string(&wanted, "n|text\n");
    for (int i = 0, line = 2; i < 9000; i++, line += 2) {
        buffer_printf(&file, "%d,\"%.*s\r\n\"\r\n", i, i % 31, "a text that is as long as it is so");
        buffer_printf(&wanted, "%d: %d|%.*s\r\n\n", line, i, i % 31, "a text that is as long as it is so");
    }
    buffer_put_string(&wanted, "end\n");
    expect_with(file.p, file.n, NULL, buffer_string(&wanted));
}
END_TEST

START_TEST(a_cell_of_ten_megabytes)
{
    const size_t size = 10 << 20;
    _cleanup_buffer_ struct buffer file = {0};
    buffer_put_string(&file, "a,b\n1,\"");
    ck_assert(buffer_reserve(&file, size));
    memset(file.p + file.n, 'x', size);
    file.n += size;
    buffer_put_string(&file, "\"\n2,y\n");
    struct given g = {.p = file.p, .n = file.n};
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_fault fault;
    struct source_row row;
    ck_assert_int_eq(given_open(&g, NULL, &s, &fault), 0);
    ck_assert_int_eq(source_next(s, &row, &fault), 1);
    ck_assert_ptr_null(row.reason);
    ck_assert_uint_eq(row.cells[1].n, size);
    ck_assert_mem_eq(row.cells[1].p, file.p + 7, size);
    ck_assert_int_eq(source_next(s, &row, &fault), 1);
    ck_assert_mem_eq(row.cells[1].p, "y", 1);
    ck_assert_int_eq(source_next(s, &row, &fault), 0);
    ck_assert_int_eq(source_next(s, &row, &fault), 0);
}
END_TEST

START_TEST(facts_count_rows_and_bytes)
{
    static const char file[] = "a,b\n1,2\n3\n";
    struct given g = {.p = file, .n = strlen(file)};
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_fault fault;
    struct source_row row;
    struct source_facts facts;
    ck_assert_int_eq(given_open(&g, NULL, &s, &fault), 0);
    while (source_next(s, &row, &fault) > 0)
        ;
    s->driver->facts(s, &facts);
    ck_assert_int_eq(facts.rows, 2);
    ck_assert_int_eq(facts.received, (int64_t)g.n);
    ck_assert_int_eq(facts.total, -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("csv");
    TCase *tc = add_case(s, "csv", NULL, NULL);
    tcase_add_test(tc, rows_with_their_lines);
    tcase_add_test(tc, the_last_line_end_may_be_missing);
    tcase_add_test(tc, a_header_alone_is_a_dump_without_rows);
    tcase_add_test(tc, quotes_hold_delimiters_line_ends_and_quotes);
    tcase_add_test(tc, a_cr_alone_within_a_cell_is_a_line);
    tcase_add_test(tc, a_quote_within_a_cell_that_has_none_around_it_means_itself);
    tcase_add_test(tc, blanks_are_of_the_cell);
    tcase_add_test(tc, line_ends_of_every_kind);
    tcase_add_test(tc, blank_lines_are_passed_over_and_counted);
    tcase_add_test(tc, a_blank_line_is_no_row_of_one_column_either);
    tcase_add_test(tc, the_empty_cell_is_null_quoted_or_not);
    tcase_add_test(tc, null_tokens_are_whole_cells_quoted_or_not);
    tcase_add_test(tc, a_byte_order_mark_is_no_text);
    tcase_add_test(tc, the_delimiter_is_what_the_header_has_most_of);
    tcase_add_test(tc, a_delimiter_that_is_given_counts);
    tcase_add_test(tc, names_are_passed_on_as_they_are);
    tcase_add_test(tc, headers_that_only_look_like_another_format);
    tcase_add_loop_test(tc, what_was_written_comes_back, 0, 12);
    tcase_add_test(tc, rows_over_the_borders_of_what_is_read);
    tcase_add_test(tc, a_cell_of_ten_megabytes);
    tcase_add_test(tc, facts_count_rows_and_bytes);
    return run_suite(s);
}
