/* What is said to an S3 server, and what it answers. */
#include "../util/suite.h"
#include "store/s3_inside.h"
#include "store/s3_xml.h"

#define PAGE(inside) "<?xml version=\"1.0\"?><ListBucketResult>" inside "</ListBucketResult>"
#define ENTRY(key)                                                                                           \
    "<Contents><Key>" key "</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified>"                      \
    "<ETag>&quot;e&quot;</ETag><Size>7</Size></Contents>"

START_TEST(keys_are_encoded_as_aws_wants_them)
{
    static const struct {
        const char *text;
        bool keep_slash;
        const char *encoded;
    } list[] = {
        {"a/b", true, "a/b"},
        {"a/b", false, "a%2Fb"},
        {"AZaz09-_.~", true, "AZaz09-_.~"},
        {" +%~", true, "%20%2B%25~"},
        {"!*'();:@&=$,?#[]", true, "%21%2A%27%28%29%3B%3A%40%26%3D%24%2C%3F%23%5B%5D"},
        {"é", true, "%C3%A9"},
        {"", true, ""},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_buffer_ struct buffer out = {0};
        s3_encode(&out, list[i].text, list[i].keep_slash);
        ck_assert_str_eq(buffer_string(&out), list[i].encoded);
    }
}
END_TEST

START_TEST(a_page_is_read)
{
    _cleanup_s3_page_ struct s3_page page = {0};
    const char *xml =
        PAGE("<IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;u</NextContinuationToken>" ENTRY(
            "a b&lt;&#233;") ENTRY("b"));
    ck_assert_int_eq(s3_page_read(SLICE(xml), &page), 0);
    ck_assert_uint_eq(page.n, 2);
    ck_assert(page.truncated);
    ck_assert_str_eq(page.token, "t&u");
    ck_assert_str_eq(page.list[0].key, "a b<é");
    ck_assert_str_eq(page.list[0].etag, "e");
    ck_assert_int_eq(page.list[0].size, 7);
    ck_assert_int_eq(page.list[0].modified_us, INT64_C(1767323045678000));
}
END_TEST

START_TEST(keys_that_are_encoded_are_decoded)
{
    static const char *const keys[] = {"a\001b", "a b", "a+b", "100%", "\xC3\xA9", ""};
    _cleanup_s3_page_ struct s3_page page = {0}, plain = {0};
    const char *xml = PAGE(ENTRY("a%01b") ENTRY("a+b") ENTRY("a%2Bb") ENTRY("%00") ENTRY("a%") ENTRY("a%4")
            ENTRY("a%4g") ENTRY("100%25") ENTRY("%C3%a9") ENTRY("") "<EncodingType>url</EncodingType>");
    ck_assert_int_eq(s3_page_read(SLICE(xml), &page), 0);
    ck_assert_uint_eq(page.n, N_ELEMENTS(keys));
    ck_assert_uint_eq(page.n_wrong, 4);
    for (size_t i = 0; i < page.n; i++)
        ck_assert_str_eq(page.list[i].key, keys[i]);
    ck_assert_int_eq(s3_page_read(SLICE(PAGE(ENTRY("a%41+"))), &plain), 0);
    ck_assert_str_eq(plain.list[0].key, "a%41+"); /* the server did not say so */
}
END_TEST

START_TEST(what_is_no_page_is_refused)
{
    static const char *const list[] = {"", "<", "<a/>", "<Error><Code>NoSuchBucket</Code></Error>",
        PAGE("<Contents>"), PAGE("<Contents><Key>k</Key></Contents>"),
        PAGE("<Contents><Size>1</Size></Contents>"),
        PAGE("<Contents><Key>k</Key><Size>99999999999999999999</Size></Contents>"),
        PAGE("<Contents><Key>k</Key><Size>1x</Size></Contents>"), PAGE("<LastModified>&bad;</LastModified>"),
        PAGE("<Contents><Key>k</Key><Size>1</Size><LastModified>soon</LastModified></Contents>"),
        PAGE("<Contents><Key>&#1;</Key><Size>1</Size></Contents>"), PAGE("") "<a/>",
        "<!DOCTYPE x><ListBucketResult></ListBucketResult>"};
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_s3_page_ struct s3_page page = {0};
        ck_assert_msg(s3_page_read(SLICE(list[i]), &page) < 0, "%s", list[i]);
    }
}
END_TEST

START_TEST(xml_that_grows_is_refused)
{
    _cleanup_buffer_ struct buffer deep = {0}, wide = {0};
    for (int i = 0; i < 100000; i++)
        buffer_put_string(&deep, "<aaaa>");
    ck_assert_ptr_null(s3_xml_find((struct slice){deep.p, deep.n}, "aaaa"));
    buffer_put_string(&wide, "<Error><Code>");
    for (int i = 0; i < 10000; i++)
        buffer_put_string(&wide, "x");
    buffer_put_string(&wide, "</Code></Error>");
    ck_assert_ptr_null(s3_xml_find((struct slice){wide.p, wide.n}, "Error/Code"));
}
END_TEST

START_TEST(an_element_is_found)
{
    static const struct {
        const char *xml, *path, *text;
    } list[] = {
        {"<Error><Code>A</Code><Code>B</Code></Error>", "Error/Code", "A"},
        {"<Error><In><Code>A</Code></In></Error>", "Error/Code", NULL},
        {"<Error><Code></Code></Error>", "Error/Code", ""},
        {"<Error><Code>A</Code>", "Error/Code", NULL},
        {"", "Error/Code", NULL},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_free_ char *text = s3_xml_find(SLICE(list[i].xml), list[i].path);
        if (list[i].text)
            ck_assert_str_eq(text, list[i].text);
        else
            ck_assert_ptr_null(text);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {keys_are_encoded_as_aws_wants_them, a_page_is_read,
        keys_that_are_encoded_are_decoded, what_is_no_page_is_refused, xml_that_grows_is_refused,
        an_element_is_found};
    return run_tests("store-s3", tests, N_ELEMENTS(tests));
}
