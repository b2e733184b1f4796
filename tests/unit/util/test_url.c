#include "suite.h"
#include "util/url.h"

static void expect_part(const char *what, const char *text, const char *found, const char *wanted)
{
    if (wanted)
        ck_assert_msg(
            found && strcmp(found, wanted) == 0, "%s of %s: %s", what, text, found ? found : "none");
    else
        ck_assert_msg(!found, "%s of %s: %s", what, text, found);
}

START_TEST(parts)
{
    static const struct {
        const char *text;
        struct {
            const char *scheme, *user, *password, *host;
            int port;
            const char *path, *query;
        } u;
    } list[] = {
        {"redis://h/0/k", {.scheme = "redis", .host = "h", .path = "/0/k"}},
        {"redis://u:p@h:1/0/k",
            {.scheme = "redis", .user = "u", .password = "p", .host = "h", .port = 1, .path = "/0/k"}},
        {"redis://:p@h", {.scheme = "redis", .password = "p", .host = "h", .path = ""}},
        {"redis://u@h", {.scheme = "redis", .user = "u", .host = "h", .path = ""}},
        {"redis://u:@h", {.scheme = "redis", .user = "u", .password = "", .host = "h", .path = ""}},
        {"redis://a%40b:c%3Ad%2F@h/%41%20b?q=%41", {.scheme = "redis",
                                                       .user = "a@b",
                                                       .password = "c:d/",
                                                       .host = "h",
                                                       .path = "/A b",
                                                       .query = "q=%41"}},
        {"redis://a:b:c@h/", {.scheme = "redis", .user = "a", .password = "b:c", .host = "h", .path = "/"}},
        {"redis://[::1]:6379/0/k", {.scheme = "redis", .host = "::1", .port = 6379, .path = "/0/k"}},
        {"redis://doctor_db:65535/", {.scheme = "redis", .host = "doctor_db", .port = 65535, .path = "/"}},
        {"fifo:///run/p+q", {.scheme = "fifo", .path = "/run/p+q"}},
        {"fifo:", {.scheme = "fifo", .path = ""}},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        const char *text = list[i].text;
        struct error err;
        _cleanup_url_ struct url u = {0};
        ck_assert_msg(url_parse(text, &u, &err) == 0, "%s: %s", text, err.text);
        expect_part("scheme", text, u.scheme, list[i].u.scheme);
        expect_part("user", text, u.user, list[i].u.user);
        expect_part("password", text, u.password, list[i].u.password);
        expect_part("host", text, u.host, list[i].u.host);
        expect_part("path", text, u.path, list[i].u.path);
        expect_part("query", text, u.query, list[i].u.query);
        ck_assert_int_eq(u.port, list[i].u.port);
    }
}
END_TEST

START_TEST(what_is_no_url_is_refused)
{
    static const char *const bad[] = {"", "s3cret", "/s3cret", "//u:s3cret@h/", "://s3cret",
        "1redis://s3cret@h", "re dis://s3cret@h", "redis://u:s3cret@h:99999/", "redis://u:s3cret@h:-1/",
        "redis://u:s3cret@h:x/", "redis://u:s3cret@h:80x/", "redis://u:s3 cret@h/", "redis://u:s3cret@[::1/",
        "redis://u:s3cret@[zz]/", "redis://u:s3cret@h/\x01", "redis://u:s3cret@h/\xff",
        "redis://u:s3cret%zz@h/", "redis://u:s3cret%@h/", "redis://u:s3cret@h/a%00b",
        "redis://u:s3cret%00@h/", "redis://u:s3cret@h@i/", "redis://u:s3cret@h/%"};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        struct error err = {""};
        struct url u = {.port = 77};
        ck_assert_msg(url_parse(bad[i], &u, &err) == -1, "%s", bad[i]);
        ck_assert_int_eq(u.port, 77);
        ck_assert_msg(err.text[0] && !strstr(err.text, "s3") && !strstr(err.text, "cret"), "%s", err.text);
    }
    struct url u;
    ck_assert_int_eq(url_parse("", &u, NULL), -1);
}
END_TEST

START_TEST(passwords_are_masked)
{
    static const struct {
        const char *text, *shown;
    } list[] = {
        {"redis://h/0/k", "redis://h/0/k"},
        {"redis://h:6379/0/k", "redis://h:6379/0/k"},
        {"redis://[::1]:6379/0/k", "redis://[::1]:6379/0/k"},
        {"redis://u@h:6379/0/k", "redis://u@h:6379/0/k"},
        {"redis://u:s3cret@h:6379/0/k", "redis://u:…@h:6379/0/k"},
        {"redis://:s3cret@h/0/k", "redis://:…@h/0/k"},
        {"redis://u:@h/0/k", "redis://u:@h/0/k"},
        {"redis://u:s3:cret@h/0/k", "redis://u:…@h/0/k"},
        {"redis://u:s3@cret@h/0/k", "redis://u:…@h/0/k"},
        {"redis://u:s3/cret@h/0/k", "redis://u:…@h/0/k"},
        {"redis://u:s3?cret#@h/0/k", "redis://u:…@h/0/k"},
        {"redis://u:s3 cret\n@h/0/k", "redis://u:…@h/0/k"},
        {"redis://u:s3cret", "redis://u:…"},
        {"redis://u:s3cret/0/k", "redis://u:…/0/k"},
        {"redis://[::1]:s3cret/0", "redis://[::1]:…/0"},
        {"fifo:///run/pipe", "fifo:///run/pipe"},
        {"postgresql://h1:5432,h2:5433/db", "postgresql://h1:5432,h2:5433/db"},
        {"postgresql://u:s3cret@h1:1,h2:2/db", "postgresql://u:…@h1:1,h2:2/db"},
        {"postgresql://h/db?password=s3cret", "postgresql://h/db?password=…"},
        {"postgresql://h/db?password=s3cret&x=y", "postgresql://h/db?password=…&x=y"},
        {"postgresql://h/db?x=y&PassWord=s3cret", "postgresql://h/db?x=y&PassWord=…"},
        {"postgresql://h/db?p%61ssword=s3cret", "postgresql://h/db?p%61ssword=…"},
        {"postgresql://h/db?sslpassword=s3cret&&=&", "postgresql://h/db?sslpassword=…&&=&"},
        {"postgresql://h/db?sslmode=require", "postgresql://h/db?sslmode=require"},
        {"https://h/x?X-Amz-Signature=s3cret&Expires=7", "https://h/x?X-Amz-Signature=…&Expires=7"},
        {"https://h/x?sv=1&sig=s3cret", "https://h/x?sv=1&sig=…"},
        {"https://h/x?api_key=s3cret", "https://h/x?api_key=…"},
        {"https://h/x?key=s3cret&year=2016", "https://h/x?key=…&year=2016"},
        {"https://h/x?KEY=s3cret", "https://h/x?KEY=…"},
        {"https://h/x?subscription-key=s3cret", "https://h/x?subscription-key=…"},
        {"https://h/x?X-Amz-Credential=s3cret%2F1&X-Amz-Date=2016",
            "https://h/x?X-Amz-Credential=…&X-Amz-Date=2016"},
        {"https://h/x?AWSAccessKeyId=s3cret&jwt=s3cret", "https://h/x?AWSAccessKeyId=…&jwt=…"},
        {"https://h/x?access_token=s3cret&id_token=s3cret", "https://h/x?access_token=…&id_token=…"},
        {"https://h/x?a=1;password=s3cret;b", "https://h/x?a=1;password=…"},
        {"https://h/x?a=1#token=s3cret", "https://h/x?a=1#token=…"},
        {"https://h/x?keyword=a&monkeys=b&k=c", "https://h/x?keyword=a&monkeys=b&k=c"},
        {"password=http://s3cret", "(not a URL)"},
        {"://u:s3cret@h", "(not a URL)"},
        {"s3cret", "(not a URL)"},
        {"", "(not a URL)"},
        {"redis://", "redis://"},
        {"redis://@", "redis://@"},
        {"redis://:", "redis://:"},
        {"redis://[", "redis://["},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_free_ char *shown = url_redact(list[i].text);
        ck_assert_str_eq(shown, list[i].shown);
        const char *query = strchr(list[i].shown, '?');
        ck_assert_int_eq(url_hides_query(shown), query && strstr(query, "…"));
    }
}
END_TEST

/* Wherever a second @ or ? makes a password ambiguous, too much is masked rather than too little. */
START_TEST(ambiguous_passwords_are_masked)
{
    static const char *const list[] = {"postgresql://h:5432/db?password=a@s3cret",
        "postgresql://u:s3cret?password=q@h/db", "redis://u:a@b?password=s3cret@h",
        "postgresql://u:1?password=s3cret", "redis://h/0/k?a=b&pwd=s3cret?x@y"};
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_free_ char *shown = url_redact(list[i]);
        ck_assert_msg(!strstr(shown, "s3cret"), "%s", shown);
    }
}
END_TEST

START_TEST(connection_words_are_masked)
{
    static const struct {
        const char *text, *shown;
    } list[] = {
        {"host=h dbname=x", "host=h dbname=x"},
        {"password=s3cret", "password=…"},
        {"host=h password=s3cret dbname=x", "host=h password=… dbname=x"},
        {"host = h password = s3cret dbname = x", "host = h password = … dbname = x"},
        {"password='s3 cret' host=h", "password=… host=h"},
        {"password='s3\\' cret' host=h", "password=… host=h"},
        {"password=s3\\ cret host=h", "password=… host=h"},
        {"password='s3cret host=h", "password=…"},
        {"PASSWORD=s3cret\nsslpassword=s3cret", "PASSWORD=…\nsslpassword=…"},
        {"host='password=x' password=s3cret", "host='password=x' password=…"},
        {"password=http://s3cret", "password=…"},
        {"password=", "password="},
        {"password", "password"},
        {"=", "="},
        {"", ""},
        {"password=\\", "password=…"},
        {"postgresql://u:s3cret@h/db", "postgresql://u:…@h/db"},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_free_ char *shown = url_redact_connection(list[i].text);
        ck_assert_str_eq(shown, list[i].shown);
    }
}
END_TEST

START_TEST(passwords_are_scrubbed)
{
    static const struct {
        const char *text, *left;
    } list[] = {
        {"mysql://root:s3cret@db/external/npi", "mysql://root:xxxxxx@db/external/npi"},
        {"--sink=mysql://root:s3cret@db/external/npi", "--sink=mysql://root:xxxxxx@db/external/npi"},
        {"https://h/a?x=1&token=s3cret&y=2", "https://h/a?x=1&token=xxxxxx&y=2"},
        {"https://h:443/a", "https://h:443/a"},
        {"copy", "copy"},
        {"", ""},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_free_ char *text = xstrdup(list[i].text);
        url_scrub(text);
        ck_assert_str_eq(text, list[i].left);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {parts, what_is_no_url_is_refused, passwords_are_masked,
        ambiguous_passwords_are_masked, connection_words_are_masked, passwords_are_scrubbed};
    return run_tests("util-url", tests, N_ELEMENTS(tests));
}
