/* What a server says before the body. */
#include "../util/suite.h"
#include "fetch/answer.h"

#define NOW INT64_C(1767323045000000) /* Fri, 02 Jan 2026 03:04:05 GMT */

START_TEST(retry_after)
{
    static const struct {
        const char *value;
        int64_t us;
    } list[] = {
        {"0", 0},
        {"7", 7000000},
        {"600", 600000000},
        {"601", RETRY_AFTER_MAX_US},
        {"99999999999999999999999", RETRY_AFTER_MAX_US},
        {"Fri, 02 Jan 2026 03:04:35 GMT", 30000000},
        {"Friday, 02-Jan-26 03:04:35 GMT", 30000000},
        {"Fri Jan  2 03:04:35 2026", 30000000},
        {"Fri, 02 Jan 2026 03:04:04 GMT", 0},
        {"Fri, 02 Jan 2026 05:04:05 GMT", RETRY_AFTER_MAX_US},
        {"Fri, 31 Dec 9999 23:59:59 GMT", RETRY_AFTER_MAX_US},
        {"-5", -1},
        {"7s", -1},
        {"7.5", -1},
        {"", -1},
        {"soon", -1},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        int64_t us = answer_retry_after(list[i].value, NOW);
        ck_assert_msg(us == list[i].us, "%s: %lld", list[i].value, (long long)us);
    }
}
END_TEST

START_TEST(content_range)
{
    static const struct {
        const char *value;
        bool good;
        int64_t at, total;
    } list[] = {
        {"bytes 0-9/10", true, 0, 10},
        {"bytes 5-9/10", true, 5, 10},
        {"Bytes 5-9/*", true, 5, -1},
        {"bytes */10", true, -1, 10},
        {"bytes 5-10/10", false, 0, 0},
        {"bytes 9-5/10", false, 0, 0},
        {"bytes 5-/10", false, 0, 0},
        {"bytes -5/10", false, 0, 0},
        {"bytes 5-9", false, 0, 0},
        {"bytes 5-9/10 ", false, 0, 0},
        {"bytes 5-9/", false, 0, 0},
        {"rows 5-9/10", false, 0, 0},
        {"bytes 99999999999999999999-9/10", false, 0, 0},
        {"", false, 0, 0},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        int64_t at = 0, total = 0;
        ck_assert_msg(answer_content_range(list[i].value, &at, &total) == list[i].good, "%s", list[i].value);
        ck_assert_msg(at == list[i].at && total == list[i].total, "%s", list[i].value);
    }
}
END_TEST

START_TEST(disposition)
{
    static const struct {
        const char *value, *name;
    } list[] = {
        {"attachment; filename=npi.csv", "npi.csv"},
        {"attachment; filename=\"npi 1.csv\"", "npi 1.csv"},
        {"attachment; FileName = \"a\\\"b.csv\" ; x=y", "a\"b.csv"},
        {"attachment; filename=\"a;b.csv\"; size=7", "a;b.csv"},
        {"attachment; filename=\"plain.csv\"; filename*=UTF-8''na%C3%AFve.csv", "na\xc3\xafve.csv"},
        {"attachment; filename*=utf-8'en'a%20b.csv", "a b.csv"},
        {"attachment; filename*=iso-8859-1''a.csv; filename=b.csv", "b.csv"},
        {"attachment; filename*=UTF-8''%00a.csv; filename=b.csv", "b.csv"},
        {"attachment; filename=\"../../etc/passwd\"", "passwd"},
        {"attachment; filename=\"C:\\\\dir\\\\x.csv\"", "x.csv"},
        {"attachment; filename*=UTF-8''..%2Fx%0Ay.csv", "x y.csv"},
        {"attachment; filename=\"..\"", NULL},
        {"attachment; filename=\"\"", NULL},
        {"attachment; filename=\"a/\"", NULL},
        {"attachment; filename=\"open", "open"},
        {"attachment; filename", NULL},
        {"attachment", NULL},
        {"", NULL},
        {";;;=;", NULL},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_free_ char *name = answer_disposition_name(list[i].value);
        ck_assert_msg(
            (name == NULL) == (list[i].name == NULL), "%s: %s", list[i].value, name ? name : "none");
        ck_assert_msg(!name || strcmp(name, list[i].name) == 0, "%s: %s", list[i].value, name);
    }
}
END_TEST

START_TEST(strong_etags)
{
    ck_assert(answer_etag_is_strong("\"a\""));
    ck_assert(answer_etag_is_strong("\"\""));
    ck_assert(!answer_etag_is_strong("W/\"a\""));
    ck_assert(!answer_etag_is_strong("\""));
    ck_assert(!answer_etag_is_strong("a"));
    ck_assert(!answer_etag_is_strong(NULL));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {retry_after, content_range, disposition, strong_etags};
    return run_tests("fetch-answer", tests, N_ELEMENTS(tests));
}
