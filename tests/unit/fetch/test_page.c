/* The links of an index page. */
#include "../util/suite.h"
#include "fetch/inside.h"

/* All links, each in brackets; a base in braces. */
static char *links_of(const char *html)
{
    _cleanup_buffer_ struct buffer out = {0};
    struct slice page = SLICE(html);
    size_t at = 0;
    bool is_base;
    for (char *link; (link = page_next_link(page, &at, &is_base)); free(link))
        buffer_printf(&out, is_base ? "{%s}" : "[%s]", link);
    return xstrdup(buffer_string(&out));
}

START_TEST(links)
{
    static const struct {
        const char *html, *links;
    } list[] = {
        {"", ""},
        {"<a href=\"x.csv\">x</a>", "[x.csv]"},
        {"<A HREF='x.csv'>x</A><a href=y.csv>", "[x.csv][y.csv]"},
        {"<a class=\"b\" title='href=\"no\"' href = \"x.csv\" href=\"y\">", "[x.csv]"},
        {"<a\nhref=\"x.csv\"\n>", "[x.csv]"},
        {"<a/href=x.csv>", "[x.csv]"},
        {"<a href=\" x.csv \">", "[x.csv]"},
        {"<a href=\"a b\tc\nd.csv\">", "[a%20bcd.csv]"},
        {"<a href=\"?C=N&amp;O=D\">", "[?C=N&O=D]"},
        {"<a href=\"&#97;&#x62;&lt;&unknown;&#0;&#xD800;&#;&\">", "[ab%3C&unknown;&#0;&#xD800;&#;&]"},
        {"<a href=\"\xc3\xa4&#228;.csv\">", "[%C3%A4%C3%A4.csv]"},
        {"<a href=\"&#10;x\">", "[&#10;x]"},
        {"<base href='/d/'><a href=x>", "{/d/}[x]"},
        {"<!-- <a href=no> --><a href=x>", "[x]"},
        {"<!-- <a href=no>", ""},
        {"<script>\"<a href=no>\"</script><a href=x>", "[x]"},
        {"<style>a{}<a href=no></style ><a href=x>", "[x]"},
        {"<img alt=\"<a href=no>\"><a href=x>", "[x]"},
        {"<link href=no><area href=no><abbr href=no><a href=x>", "[x]"},
        {"< a href=no><a href=x>", "[x]"},
        {"1 < 2 <a href=x>", "[x]"},
        {"<a>none</a><a name=n><a href><a href=>", "[]"},
        {"<a href=\"x.csv", "[x.csv]"},
        {"<a href=", "[]"},
        {"<a", ""},
        {"<", ""},
        {"<!--", ""},
        {"</a href=no>", ""},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_free_ char *found = links_of(list[i].html);
        ck_assert_msg(strcmp(found, list[i].links) == 0, "%s: %s", list[i].html, found);
    }
}
END_TEST

START_TEST(a_link_too_long_is_passed_over)
{
    _cleanup_buffer_ struct buffer html = {0};
    buffer_put_string(&html, "<a href=\"");
    for (int i = 0; i < 9000; i++)
        buffer_put(&html, "x", 1);
    buffer_put_string(&html, "\"><a href=y>");
    _cleanup_free_ char *found = links_of(buffer_string(&html));
    ck_assert_str_eq(found, "[y]");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {links, a_link_too_long_is_passed_over};
    return run_tests("fetch-page", tests, N_ELEMENTS(tests));
}
