/* Dates in names, and patterns over them. */
#include "../util/suite.h"
#include "fetch/inside.h"

START_TEST(the_one_date_in_a_name)
{
    static const struct {
        const char *name, *date;
    } list[] = {
        {"npi-sample-2016-02-07.csv", "2016-02-07"},
        {"20160207", "2016-02-07"},
        {"npi_20160207.csv.gz", "2016-02-07"},
        {"2016_02_07-npi.csv", "2016-02-07"},
        {"npi-2016-02.csv", "2016-02-01"},
        {"npi-2016_02.csv", "2016-02-01"},
        {"2016-02-part1.csv", "2016-02-01"},
        {"leap-2016-02-29", "2016-02-29"},
        {"2016-02-07/npi-20160207.csv", "2016-02-07"},
        {"v12-1234-2016-02-07", "2016-02-07"},
        {"2199-12-31", "2199-12-31"},
        {"npidata_20050523-20160207.csv", NULL}, /* which of them? */
        {"2016-02 and 2016-02-07", NULL},
        {"", NULL},
        {"npi.csv", NULL},
        {"2016", NULL},
        {"201602", NULL},
        {"2016-2-7", NULL},
        {"2016-02-7", NULL},
        {"2016-02_07", NULL},
        {"2016-02-30", NULL},
        {"2015-02-29", NULL},
        {"2016-13-01", NULL},
        {"2016-00-01", NULL},
        {"20160232", NULL},
        {"120160207", NULL},
        {"201602071", NULL},
        {"2016-02-071", NULL},
        {"12016-02-07", NULL},
        {"1899-12-31", NULL},
        {"2200-01-01", NULL},
        {"2016-", NULL},
        {"2016-02-", "2016-02-01"},
        {"2016.02.07", NULL},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        char date[11] = "untouched";
        bool found = fetch_date_in_name(list[i].name, date);
        ck_assert_msg(found == (list[i].date != NULL), "%s: %s", list[i].name, date);
        ck_assert_msg(strcmp(date, found ? list[i].date : "untouched") == 0, "%s: %s", list[i].name, date);
    }
}
END_TEST

START_TEST(patterns_match)
{
    static const struct {
        const char *pattern, *text, *date; /* date NULL: no match */
    } list[] = {
        {"", "", ""},
        {"a", "a", ""},
        {"a", "ab", NULL},
        {"a", "", NULL},
        {"*", "", ""},
        {"*", "anything", ""},
        {"*.csv", "x.csv", ""},
        {"*.csv", "x.csv.gz", NULL},
        {"*a*b*c", "xaxbxbxc", ""},
        {"*a*b*c", "xaxcxb", NULL},
        {"?.csv", "x.csv", ""},
        {"?.csv", ".csv", NULL},
        {"?.csv", "\xc3\xa4.csv", ""},
        {"[a-c]x", "bx", ""},
        {"[a-c]x", "dx", NULL},
        {"[!a-c]x", "dx", ""},
        {"[!a-c]x", "ax", NULL},
        {"[]]x", "]x", ""},
        {"[ab-]x", "-x", ""},
        {"[ax", "[ax", ""},
        {"100%%", "100%", ""},
        {"npi-%Y-%m-%d.csv", "npi-2016-02-07.csv", "2016-02-07"},
        {"npi-%Y-%m.csv", "npi-2016-02.csv", "2016-02-01"},
        {"npi-%Y.csv", "npi-2016.csv", "2016-01-01"},
        {"*%Y%m%d*", "id20161399_20160207.csv", "2016-02-07"},
        {"*-%Y%m%d.csv", "npidata_20050523-20160207.csv", "2016-02-07"},
        {"%Y/npi-%Y-%m-%d.csv", "2016/npi-2016-02-07.csv", "2016-02-07"},
        {"%Y/npi-%Y-%m-%d.csv", "2015/npi-2016-02-07.csv", NULL},
        {"npi-%Y-%m-%d.csv", "npi-2016-02-30.csv", NULL},
        {"npi-%Y-%m-%d.csv", "npi-2016-2-7.csv", NULL},
        {"npi-%Y-%m-%d.csv", "npi-201", NULL},
        {"npi-%Y-%m-%d.csv", "npi-1816-02-07.csv", NULL},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        char date[11] = "untouched";
        struct error err;
        ck_assert(glob_is_sound(list[i].pattern, &err));
        bool matches = glob_matches(list[i].pattern, list[i].text, date);
        ck_assert_msg(matches == (list[i].date != NULL), "%s and %s", list[i].pattern, list[i].text);
        ck_assert_msg(strcmp(date, matches ? list[i].date : "untouched") == 0, "%s and %s: %s",
            list[i].pattern, list[i].text, date);
    }
}
END_TEST

START_TEST(what_is_no_pattern_is_refused)
{
    static const char *const list[] = {"%", "a%", "%x", "%y", "%d", "%m.csv", "%Y-%d", "%%%"};
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct error err = {0};
        ck_assert_msg(!glob_is_sound(list[i], &err), "%s", list[i]);
        ck_assert_msg(strstr(err.text, list[i]) && strstr(err.text, "%Y"), "%s: %s", list[i], err.text);
    }
}
END_TEST

/* With going back to each star it would take longer than anybody waits. */
START_TEST(many_stars_end)
{
    char pattern[129], text[4097];
    for (size_t i = 0; i < 128; i += 2)
        memcpy(pattern + i, "*a", 2);
    pattern[127] = 'b';
    pattern[128] = '\0';
    memset(text, 'a', 4096);
    text[4096] = '\0';
    ck_assert(!glob_matches(pattern, text, NULL));
}
END_TEST

START_TEST(last_parts_of_a_path)
{
    ck_assert_str_eq(fetch_last_parts("/a/b/c.csv", 0), "c.csv");
    ck_assert_str_eq(fetch_last_parts("/a/b/c.csv", 1), "b/c.csv");
    ck_assert_str_eq(fetch_last_parts("/a/b/c.csv", 9), "/a/b/c.csv");
    ck_assert_str_eq(fetch_last_parts("/a/b/", 0), "");
    ck_assert_str_eq(fetch_last_parts("", 0), "");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_one_date_in_a_name, patterns_match, what_is_no_pattern_is_refused,
        many_stars_end, last_parts_of_a_path};
    return run_tests("fetch-names", tests, N_ELEMENTS(tests));
}
