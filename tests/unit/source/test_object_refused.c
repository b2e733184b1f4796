/* Objects that are refused as a whole, and for which reason. */
#include "delivered.h"

static const struct delivered csv = {.key = "a.csv", .columns = "name npi site?"};
static const struct delivered json = {.key = "a.json", .columns = "name npi site?"};
static const struct delivered ndjson = {.key = "a.ndjson", .columns = "name npi site?"};
static const struct delivered unnamed = {.key = "a", .columns = "name npi site?"};

#define REFUSED(d, text, reason, words) expect_refused(&(d), text, sizeof(text) - 1, reason, words)

/* Whatever its name says. */
#define NEVER(text, reason, words)                                                                           \
    do {                                                                                                     \
        REFUSED(csv, text, reason, words);                                                                   \
        REFUSED(json, text, reason, words);                                                                  \
        REFUSED(ndjson, text, reason, words);                                                                \
        REFUSED(unnamed, text, reason, words);                                                               \
    } while (0)

START_TEST(nothing_in_it)
{
    _cleanup_buffer_ struct buffer gz = {0};
    NEVER("", "empty_object", "nothing in it");
    NEVER("\xef\xbb\xbf", "empty_object", "nothing in it");
    NEVER("\r\n \n", "empty_object", "nothing in it");
    pack_gzip("", 0, &gz);
    expect_refused(&csv, gz.p, gz.n, "empty_object", "nothing in it");
}
END_TEST

START_TEST(other_formats)
{
    NEVER("<!DOCTYPE html>\n<html>", "wrong_format", "HTML or XML");
    NEVER("<?xml version=\"1.0\"?>\n<a/>\n", "wrong_format", "HTML or XML");
    NEVER("%PDF-1.4\n1,2\n", "wrong_format", "a PDF");
    NEVER("PK\3\4\24\0\0\0xl/workbook.xml", "wrong_format", "a workbook");
    NEVER("PAR1\x15\x04", "wrong_format", "a Parquet file");
    NEVER("\xd0\xcf\x11\xe0\xa1\xb1", "wrong_format", "workbook");
    NEVER("\x28\xb5\x2f\xfd\1\2", "wrong_format", "zstd");
    NEVER("\x7f"
          "ELF\2\1\1\0\0\0\0\n1,2\n",
        "wrong_format", "");
}
END_TEST

START_TEST(utf16)
{
    NEVER("\xff\xfe"
          "i\0d\0\n\0",
        "wrong_format", "have it written as UTF-8");
    NEVER("\xfe\xff\0i\0d\0\n", "wrong_format", "have it written as UTF-8");
    NEVER("[\0{\0\"\0", "wrong_format", "UTF-16");
    NEVER("\0n\0a", "wrong_format", "UTF-16");
}
END_TEST

START_TEST(not_what_its_name_says)
{
    REFUSED(csv, "[{\"name\":1,\"npi\":2}]", "wrong_format", "it is to be CSV, and what is in it is JSON");
    REFUSED(csv, "{\"name\":1,\"npi\":2}\n", "wrong_format", "it is to be CSV, and what is in it is JSON");
    REFUSED(json, "name,npi\n1,2\n", "wrong_format", "it is to be JSON, and what is in it is CSV");
    REFUSED(ndjson, "name,npi\n1,2\n", "wrong_format", "it is to be NDJSON, and what is in it is CSV");
    REFUSED(ndjson, "[{\"name\":1,\"npi\":2}]", "wrong_format", "an array");
}
END_TEST

START_TEST(json_that_is_no_list_of_objects)
{
    REFUSED(json, "{\n  \"name\": 1,\n  \"npi\": 2\n}\n", "wrong_format", "no line of it is a JSON object");
    REFUSED(json, "{\n  \"name\": 1,\n  \"npi\": 2\n}", "wrong_format", "no line of it is a JSON object");
    REFUSED(json, "[1, 2, 3]", "wrong_format", "no element of its array is a JSON object");
    REFUSED(json, "{\"data\":[{\"name\":1,\"npi\":2}]}", "missing_column", "name, npi");
}
END_TEST

START_TEST(columns_that_are_missing)
{
    REFUSED(csv, "name,site\n1,2\n", "missing_column", "1 cannot be found in its header (npi)");
    REFUSED(csv, "MARKER,x\n1,2\n", "missing_column", "2 cannot be found in its header (name, npi)");
    REFUSED(json, "[{\"name\":1},{\"name\":2}]", "missing_column", "1 cannot be found in its rows (npi)");
    struct delivered d = {.key = "a.csv", .columns = "a? b?"};
    REFUSED(d, "x,y\n1,2\n", "missing_column", "none of the columns");
    REFUSED(csv, "x", "missing_column", "");
}
END_TEST

START_TEST(columns_that_are_doubled)
{
    REFUSED(csv, "name,npi,npi\n1,2,3\n", "doubled_column", "the column npi");
    REFUSED(csv, "name,NPI,Npi\n1,2,3\n", "doubled_column", "the column npi");
    REFUSED(csv, "name,npi,site,site\n", "doubled_column", "the column site");
}
END_TEST

START_TEST(more_columns_than_tables_have)
{
    _cleanup_buffer_ struct buffer text = {0};
    buffer_put_string(&text, "name,npi");
    for (int i = 2; i < 1600; i++)
        buffer_printf(&text, ",c%d", i);
    _cleanup_buffer_ struct buffer out = {0};
    size_t n = text.n;
    buffer_put_string(&text, "\n");
    deliver(&csv, text.p, text.n, &out);
    ck_assert_ptr_nonnull(strstr(buffer_string(&out), ",c1599\nend\n"));
    text.n = n;
    buffer_put_string(&text, ",one_more\n");
    expect_refused(&csv, text.p, text.n, "too_many_columns", "has 1601 columns");
}
END_TEST

START_TEST(cut_off)
{
    REFUSED(csv, "name,npi\n1,2\n3", "truncated_object", "line 3, the last");
    REFUSED(csv, "name,npi\n1,2\n3,\"x", "truncated_object", "opens a cell in line 3");
    REFUSED(ndjson, "{\"name\":1,\"npi\":2}\n{\"name\":1,\"np", "truncated_object", "line 2, the last");
    REFUSED(json, "[{\"name\":1,\"npi\":2}", "truncated_object", "line 1");
    REFUSED(json, "[{\"name\":1,\"npi\":2},\n", "truncated_object", "line 2");
    REFUSED(json, "[{\"name\":1,\"npi\":2},\n{\"na", "truncated_object", "line 2");
    REFUSED(json, "[", "truncated_object", "line 1");
}
END_TEST

START_TEST(damaged)
{
    REFUSED(csv, "name,npi\n1,2\n3,\"x\n4,5\n", "damaged_object", "opens a cell in line 3");
    REFUSED(json, "[{\"name\":1,\"npi\":2}\n{\"name\":1}]", "damaged_object", "line 2: a comma");
    REFUSED(json, "[{\"name\":1,\"npi\":2},\n]", "damaged_object", "line 2: an element is missing");
    REFUSED(json, "[{\"name\":1,\"npi\":2}]\nx", "damaged_object", "line 2: something stands behind");
    REFUSED(json, "[{\"name\":[1,\"npi\":2}]", "damaged_object", "another kind of bracket");
    REFUSED(json, "[{\"name\":\"a\nb\",\"npi\":2}]", "damaged_object", "control character");
    REFUSED(json, "[{\"name\":1}, 2}]", "damaged_object", "what none opened");
}
END_TEST

static void put_rows(struct buffer *b)
{
    buffer_put_string(b, "name,npi\n");
    for (unsigned i = 0; i < 30000; i++)
        buffer_printf(b, "%u,%u\n", i * 2654435761U, i);
}

START_TEST(a_gzip_that_is_cut_off_or_damaged)
{
    _cleanup_buffer_ struct buffer text = {0}, gz = {0}, twice = {0};
    put_rows(&text);
    pack_gzip(text.p, text.n, &gz);
    expect_refused(&csv, gz.p, gz.n / 2, "truncated_object", "a gzip that is cut off");
    expect_refused(&csv, gz.p, gz.n - 1, "truncated_object", "a gzip that is cut off");
    expect_refused(&csv, gz.p, 20, "truncated_object", "a gzip that is cut off");
    pack_gzip(gz.p, gz.n, &twice);
    expect_refused(&csv, twice.p, twice.n, "wrong_format", "packed twice");
    gz.p[gz.n - 5] ^= 1;
    expect_refused(&csv, gz.p, gz.n, "damaged_object", "a damaged gzip");
    gz.p[gz.n - 5] ^= 1;
    gz.p[gz.n / 2] ^= 0x55;
    expect_refused(&csv, gz.p, gz.n, "damaged_object", "a damaged gzip");
}
END_TEST

START_TEST(headers_that_are_no_text)
{
    REFUSED(csv, "name,npi,\xfc\n1,2,3\n", "wrong_format", "is not UTF-8");
    REFUSED(csv, "name,npi,x\0\n1,2,3\n", "wrong_format", "the byte 0");
    REFUSED(csv, "\"name\"x,npi\n1,2\n", "wrong_format", "behind a closing quote");
}
END_TEST

START_TEST(words_never_hold_what_stands_there)
{
    static const char *const texts[] = {"MARKER,\xff\n", "name,npi\n\"MARKER", "name,npi\nMARKER",
        "MARKER,MARKER\n1,2\n", "{\"MARKER\":1}\n", "[{\"MARKER\":1}]", "[\"MARKER\"]", "[{\"MARKER\":]",
        "{\"name\":1,\"npi\":2}\n{MARKER"};
    const struct delivered *const as[] = {&csv, &json, &ndjson, &unnamed};
    for (size_t i = 0; i < N_ELEMENTS(texts) * N_ELEMENTS(as); i++) {
        _cleanup_buffer_ struct buffer out = {0};
        const char *text = texts[i / N_ELEMENTS(as)];
        deliver(as[i % N_ELEMENTS(as)], text, strlen(text), &out);
        const char *failed = strstr(buffer_string(&out), "failed ");
        ck_assert_msg(failed, "%s", buffer_string(&out));
        ck_assert_ptr_null(strstr(failed, "MARKER"));
    }
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
    static const char *const names[] = {"a"};
    struct object_options options = {.label = "KEY", .columns = names, .n_columns = 1};
    struct source *s = NULL;
    struct source_fault fault;
    ck_assert_int_eq(object_open("/nothing/is here", &options, &s, &fault), -1);
    ck_assert_ptr_null(fault.reason);
    ck_assert_ptr_nonnull(strstr(fault.error.text, "KEY: "));
    options.n_columns = 0;
    ck_assert_int_eq(object_open("/dev/null", &options, &s, &fault), -1);
    ck_assert_ptr_nonnull(strstr(fault.error.text, "0 columns"));
    ck_assert_ptr_null(s);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        nothing_in_it,
        other_formats,
        utf16,
        not_what_its_name_says,
        json_that_is_no_list_of_objects,
        columns_that_are_missing,
        columns_that_are_doubled,
        more_columns_than_tables_have,
        cut_off,
        damaged,
        a_gzip_that_is_cut_off_or_damaged,
        headers_that_are_no_text,
        words_never_hold_what_stands_there,
        files_that_cannot_be_read,
    };
    return run_tests("object_refused", tests, N_ELEMENTS(tests));
}
