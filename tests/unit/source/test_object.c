/* The rows of delivered objects: CSV, arrays of JSON, NDJSON. */
#include "delivered.h"

static const struct delivered csv = {.key = "provider/2026.csv", .columns = "name npi site?"};
static const struct delivered json = {.key = "provider/2026.json", .columns = "name npi site?"};
static const struct delivered ndjson = {.key = "provider/2026.ndjson", .columns = "name npi site?"};
static const struct delivered unnamed = {.key = "provider/2026", .columns = "name npi site?"};

#define ROWS(d, text, wanted) expect_rows(&(d), text, sizeof(text) - 1, wanted)

START_TEST(columns_are_in_the_order_of_their_declaration)
{
    ROWS(csv, "site,npi,name\nS,1,Ann\n,2,Bob\n", "2: Ann|1|S|~\n3: Bob|2|~|~\nend\n");
    ROWS(json, "[{\"site\":\"S\",\"npi\":1,\"name\":\"Ann\"}]", "1: Ann|1|S|~\nend\n");
    ROWS(ndjson, "{\"npi\":\"01\",\"name\":\"Ann\"}\n", "1: Ann|01|~|~\nend\n");
}
END_TEST

START_TEST(what_nobody_declared_is_in_more)
{
    ROWS(csv, "npi,name,x,a \"b\"\n1,Ann,X\\Y,\n2,Bob,,\n",
        "2: Ann|1|~|{\"x\":\"X\\\\Y\"}\n3: Bob|2|~|~\nothers x,a \"b\"\nend\n");
    ROWS(json, "[{\"npi\":1,\"name\":\"Ann\",\"x\":[1, {\"y\":\"\\u00e4\"}],\"z\":null,\"\\n\":1.50}]",
        "1: Ann|1|~|{\"x\":[1, {\"y\":\"\\u00e4\"}],\"\\u000a\":1.50}\nothers x,z,\n\nend\n");
}
END_TEST

START_TEST(a_header_may_have_other_capitals)
{
    ROWS(csv, "NPI,Name,SITE\n1,Ann,S\n", "2: Ann|1|S|~\nend\n");
    ROWS(csv, "NPI,npi,name\n1,2,Ann\n", "2: Ann|2|~|{\"NPI\":\"1\"}\nothers NPI\nend\n");
    ROWS(json, "[{\"NPI\":1,\"nAme\":\"Ann\"}]", "1: Ann|1|~|~\nend\n");
}
END_TEST

START_TEST(doubled_names_that_nobody_declared_get_numbers)
{
    ROWS(csv, "npi,name,x,x,,\n1,Ann,a,b,c,d\n",
        "2: Ann|1|~|{\"x\":\"a\",\"x_4\":\"b\",\"\":\"c\",\"_6\":\"d\"}\nothers x,x_4,,_6\nend\n");
}
END_TEST

START_TEST(cells_of_json_are_their_text)
{
    ROWS(json,
        "[{\"name\":\"a\\\"\\u00e9\\n\",\"npi\":-1.50e3,\"site\":[1, 2]},\n "
        "{\"name\":true,\"npi\":false,\"site\":null},"
        "{\"name\":\"\",\"npi\":{ \"a\" : \" b\" },\"site\":12345678901234567890}]",
        "1: a\"\xc3\xa9\n|-1.50e3|[1,2]|~\n2: true|false|~|~\n2: |{\"a\":\" "
        "b\"}|12345678901234567890|~\nend\n");
}
END_TEST

START_TEST(null_tokens_hold_in_each_format)
{
    static const char *const tokens[] = {"NULL", "n/a"};
    struct delivered d = csv;
    d.options = (struct object_options){.null_tokens = tokens, .n_null_tokens = 2};
    ROWS(d, "name,npi,x\nNULL,1,n/a\n", "2: ~|1|~|~\nothers x\nend\n");
    d.key = "a.json";
    ROWS(d, "[{\"name\":\"NULL\",\"npi\":\"n/a\"}]", "1: ~|~|~|~\nend\n");
}
END_TEST

START_TEST(byte_order_marks_and_line_ends)
{
    ROWS(csv, "\xef\xbb\xbfname,npi\r\nAnn,1\r\nBob,2", "2: Ann|1|~|~\n3: Bob|2|~|~\nend\n");
    ROWS(json, "\xef\xbb\xbf\r\n[\r\n{\"name\":1,\r\n\"npi\":2}\r\n,{\"name\":3,\"npi\":4}]\r\n",
        "3: 1|2|~|~\n5: 3|4|~|~\nend\n");
    ROWS(ndjson, "\xef\xbb\xbf{\"name\":1,\"npi\":2}\r\n\r\n\n{\"name\":3,\"npi\":4}",
        "1: 1|2|~|~\n4: 3|4|~|~\nend\n");
}
END_TEST

START_TEST(a_name_that_says_nothing_leaves_it_to_the_first_bytes)
{
    ROWS(unnamed, "name;npi\nAnn;1\n", "2: Ann|1|~|~\nend\n");
    ROWS(unnamed, " [ {\"name\":1,\"npi\":2}]", "1: 1|2|~|~\nend\n");
    ROWS(unnamed, "{\"name\":1,\"npi\":2}\n", "1: 1|2|~|~\nend\n");
    ROWS(unnamed, "[name],[npi],name,npi\n1,2,3,4\n",
        "2: 3|4|~|{\"[name]\":\"1\",\"[npi]\":\"2\"}\nothers [name],[npi]\nend\n");
}
END_TEST

START_TEST(json_may_be_one_object_a_line)
{
    ROWS(json, "{\"name\":1,\"npi\":2}\n{\"name\":3,\"npi\":4}\n", "1: 1|2|~|~\n2: 3|4|~|~\nend\n");
}
END_TEST

START_TEST(the_format_that_is_configured_comes_before_the_name)
{
    struct delivered d = {.key = "a.csv", .columns = "a", .options = {.format = "ndjson"}};
    ROWS(d, "{\"a\":1}\n", "1: 1|~\nend\n");
    d = (struct delivered){.key = "a.json", .columns = "a b", .options = {.format = "csv", .delimiter = '!'}};
    ROWS(d, "a!b\n1!2\n", "2: 1|2|~\nend\n");
}
END_TEST

START_TEST(a_gzip_is_known_by_its_bytes)
{
    static const char text[] = "name,npi\nAnn,1\n", list[] = "[{\"name\":1,\"npi\":2}]";
    static const char *const keys[] = {"a.csv.gz", "a.csv", "a", "A.CSV.GZ"};
    _cleanup_buffer_ struct buffer gz = {0}, gz_list = {0};
    pack_gzip(text, sizeof(text) - 1, &gz);
    pack_gzip(list, sizeof(list) - 1, &gz_list);
    for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
        struct delivered d = {.key = keys[i], .columns = "name npi"};
        expect_rows(&d, gz.p, gz.n, "2: Ann|1|~\nend\n");
        expect_rows(&d, text, sizeof(text) - 1, "2: Ann|1|~\nend\n");
    }
    expect_rows(&(struct delivered){.key = "a.json.gz", .columns = "name npi"}, gz_list.p, gz_list.n,
        "1: 1|2|~\nend\n");
}
END_TEST

START_TEST(rows_that_cannot_be_taken)
{
    ROWS(csv, "name,npi\nAnn\nBob,2\n\"C\"x,3\nD\xff,4\nE\0,5\nF,6,7\n",
        "2! too_few_cells Ann\n3: Bob|2|~|~\n4! bad_quote \"C\"x,3\n5! bad_encoding D\xef\xbf\xbd,4\n6! "
        "nul_byte "
        "E\xef\xbf\xbd,5\n7! too_many_cells F,6,7\nend\n");
    ROWS(ndjson,
        "{\"name\":1,\"npi\":2}\n{\"name\":\n7\n{\"name\":1,\"name\":2}\n{\"name\":\"\\ud800\"}\n{\"x\":"
        "\"\\u0000\"}\n"
        "{\"x\\ud800\":1}\n{\"name\":NaN}\n{} {}\n",
        "1: 1|2|~|~\n2! not_json {\"name\":\n3! not_an_object 7\n4! doubled_member "
        "{\"name\":1,\"name\":2}\n5! bad_encoding "
        "{\"name\":\"\\ud800\"}\n6! nul_byte {\"x\":\"\\u0000\"}\n7! bad_encoding {\"x\\ud800\":1}\n8! "
        "not_json "
        "{\"name\":NaN}\n9! not_json {} {}\nend\n");
    ROWS(json, "[{\"name\":1,\"npi\":2}, {\"name\":NaN}, 7, [[1]], \"a,]\", {\"name\":\"\xff\"}]",
        "1: 1|2|~|~\n1! not_json {\"name\":NaN}\n1! not_an_object 7\n1! not_an_object [[1]]\n1! "
        "not_an_object "
        "\"a,]\"\n1! bad_encoding {\"name\":\"\xef\xbf\xbd\"}\nend\n");
}
END_TEST

static void put_deep(struct buffer *b, int depth)
{
    buffer_put_string(b, "{\"name\":");
    for (int i = 0; i < depth; i++)
        buffer_put_string(b, i % 3 ? "[" : "{\"a\":");
    buffer_put_string(b, "1");
    for (int i = depth; i-- > 0;)
        buffer_put_string(b, i % 3 ? "]" : "}");
    buffer_put_string(b, "}");
}

START_TEST(deep_nesting_harms_its_row_alone)
{
    _cleanup_buffer_ struct buffer list = {0}, lines = {0}, out = {0};
    buffer_put_string(&list, "[");
    put_deep(&list, 100000);
    buffer_put_string(&list, ",{\"name\":1,\"npi\":2}]");
    deliver(&json, list.p, list.n, &out);
    ck_assert_ptr_nonnull(strstr(buffer_string(&out), "1! too_deep {"));
    ck_assert_ptr_nonnull(strstr(buffer_string(&out), "\n1: 1|2|~|~\nend\n"));
    put_deep(&lines, 64);
    buffer_put_string(&lines, "\n{\"name\":1,\"npi\":2}\n");
    out.n = 0;
    deliver(&ndjson, lines.p, lines.n, &out);
    ck_assert_ptr_nonnull(strstr(buffer_string(&out), "1! too_deep {"));
    ck_assert_ptr_nonnull(strstr(buffer_string(&out), "\n2: 1|2|~|~\nend\n"));
}
END_TEST

/* {"name":"xxx…"} of n bytes in all */
static void put_long(struct buffer *b, size_t n)
{
    buffer_put_string(b, "{\"name\":\"");
    for (size_t i = 11; i < n; i++)
        buffer_put(b, "x", 1);
    buffer_put_string(b, "\"}");
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

START_TEST(a_row_longer_than_it_may_be_harms_itself_alone)
{
    static const size_t sizes[] = {200000, 200001, 1000000};
    for (size_t i = 0; i < N_ELEMENTS(sizes); i++)
        for (int is_array = 0; is_array < 2; is_array++) {
            struct delivered d = is_array ? json : ndjson;
            _cleanup_buffer_ struct buffer text = {0}, out = {0};
            d.options.row_max = 200000;
            buffer_put_string(&text, is_array ? "[" : "");
            put_long(&text, sizes[i]);
            buffer_put_string(&text, is_array ? ",\n" : "\n");
            buffer_put_string(&text, "{\"name\":1,\"npi\":2}");
            buffer_put_string(&text, is_array ? "]" : "\n");
            deliver(&d, text.p, text.n, &out);
            ck_assert_uint_eq(count(buffer_string(&out), "1! too_long {\"name\":\"xxx"), i > 0);
            ck_assert_uint_eq(count(buffer_string(&out), "\n2: 1|2|~|~\nend\n"), 1);
            ck_assert_uint_lt(out.n, i > 0 ? SOURCE_RAW_MAX + 100 : 200100);
        }
}
END_TEST

START_TEST(rows_lie_across_the_pieces_that_are_read)
{
    _cleanup_buffer_ struct buffer list = {0}, lines = {0}, table = {0}, a = {0}, b = {0}, c = {0};
    buffer_put_string(&list, "[");
    buffer_put_string(&table, "name,npi\n");
    for (int i = 0; i < 20000; i++) {
        buffer_printf(&list, "%s{\"name\":\"N\\\\\\\"%d\",\"npi\":%d}", i ? "\n," : "", i, i * 7);
        buffer_printf(&lines, "{\"name\":\"N\\\\\\\"%d\",\"npi\":%d}\n", i, i * 7);
        buffer_printf(&table, "\"N\\\"\"%d\",%d\n", i, i * 7);
    }
    buffer_put_string(&list, "]");
    deliver(&json, list.p, list.n, &a);
    deliver(&ndjson, lines.p, lines.n, &b);
    deliver(&csv, table.p, table.n, &c);
    ck_assert_str_eq(buffer_string(&a), buffer_string(&b));
    ck_assert_uint_eq(count(buffer_string(&a), "\n"), 20001);
    ck_assert_ptr_nonnull(strstr(buffer_string(&a), "20000: N\\\"19999|139993|~|~\nend\n"));
    ck_assert_ptr_nonnull(strstr(buffer_string(&c), "20001: N\\\"19999|139993|~|~\nend\n"));
}
END_TEST

START_TEST(lists_without_rows)
{
    ROWS(csv, "name,npi\n", "end\n");
    ROWS(json, "[]", "end\n");
    ROWS(json, " [ \n ] \n", "end\n");
}
END_TEST

START_TEST(a_member_may_be_missing_in_some_rows)
{
    ROWS(ndjson, "{\"name\":1}\n{\"npi\":2}\n", "1: 1|~|~|~\n2: ~|2|~|~\nend\n");
    ROWS(ndjson, "{\"name\":null,\"npi\":null}\n", "1: ~|~|~|~\nend\n");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        columns_are_in_the_order_of_their_declaration,
        what_nobody_declared_is_in_more,
        a_header_may_have_other_capitals,
        doubled_names_that_nobody_declared_get_numbers,
        cells_of_json_are_their_text,
        null_tokens_hold_in_each_format,
        byte_order_marks_and_line_ends,
        a_name_that_says_nothing_leaves_it_to_the_first_bytes,
        json_may_be_one_object_a_line,
        the_format_that_is_configured_comes_before_the_name,
        a_gzip_is_known_by_its_bytes,
        rows_that_cannot_be_taken,
        deep_nesting_harms_its_row_alone,
        a_row_longer_than_it_may_be_harms_itself_alone,
        rows_lie_across_the_pieces_that_are_read,
        lists_without_rows,
        a_member_may_be_missing_in_some_rows,
    };
    return run_tests("object", tests, N_ELEMENTS(tests));
}
