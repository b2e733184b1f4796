#include "../util/suite.h"
#include "history/columns.h"

#include <ctype.h>

START_TEST(names_are_plain)
{
    static const struct {
        const char *header, *name;
    } list[] = {{"NPI", "npi"}, {"Provider Last Name (Legal Name)", "provider_last_name_legal_name"},
        {"  a - b  ", "a_b"}, {"2nd", "col_2nd"}, {"_x_", "x"}, {"", "col_7"}, {"日本", "col_7"},
        {"é", "col_7"}, {"Größe", "gre"}, {"%$!", "col_7"}, {"a;DROP TABLE b", "a_drop_table_b"},
        {"a\"b`c'd\\e", "a_b_c_d_e"}};
    char out[COLUMN_NAME_MAX + 1];
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        column_name_make(list[i].header, 7, out);
        ck_assert_str_eq(out, list[i].name);
    }
}
END_TEST

static bool is_plain(const char *name)
{
    if (!*name || isdigit((unsigned char)*name) || strlen(name) > COLUMN_NAME_MAX)
        return false;
    for (; *name; name++)
        if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) && *name != '_')
            return false;
    return true;
}

static void check_unique(const struct columns *c)
{
    for (size_t i = 0; i < c->n; i++) {
        ck_assert_msg(is_plain(c->list[i].name), "%s", c->list[i].name);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(c->list[i].name, c->list[j].name);
    }
}

START_TEST(names_of_any_headers_are_valid_and_unique)
{
    srand(2);
    for (size_t round = 0; round < fewer(100); round++) {
        _cleanup_(columns_done) struct columns c = {0};
        char text[60][80];
        const char *headers[60];
        size_t map[60];
        for (size_t i = 0; i < 60; i++) {
            size_t n = (size_t)(rand() % 4 ? rand() % 4 : rand() % 79);
            for (size_t k = 0; k < n; k++)
                text[i][k] = (char)(rand() % 3 ? 'a' + rand() % 2 : 1 + rand() % 255);
            text[i][n] = '\0';
            headers[i] = text[i];
        }
        columns_match(&c, headers, 60, map);
        ck_assert_uint_eq(c.n, 60);
        check_unique(&c);
        columns_match(&c, headers + 20, 40, map);
        check_unique(&c);
    }
}
END_TEST

START_TEST(headers_keep_their_columns)
{
    _cleanup_(columns_done) struct columns c = {0};
    size_t map[5];
    columns_match(&c, (const char *const[]){"id", "a", "a", "line"}, 4, map);
    columns_match(&c, (const char *const[]){"new", "line", "a", "A", "id"}, 5, map);
    ck_assert_uint_eq(c.n, 6);
    ck_assert_uint_eq(map[1], 3);
    ck_assert_uint_eq(map[2], 1);
    ck_assert_uint_eq(map[4], 0);
    ck_assert(!c.list[2].dumped && c.list[1].dumped);
    ck_assert_str_eq(c.list[3].name, "line_2");
    ck_assert_str_eq(c.list[map[3]].name, "a_3");
}
END_TEST

START_TEST(names_that_are_taken_are_not_given)
{
    _cleanup_(columns_done) struct columns c = {0};
    size_t map[4];
    columns_match(&c, (const char *const[]){"id", "XMin", "ctid", "FTS_DOC_ID"}, 4, map);
    ck_assert_str_eq(c.list[1].name, "xmin_2");
    ck_assert_str_eq(c.list[2].name, "ctid_2");
    ck_assert_str_eq(c.list[3].name, "fts_doc_id_2");
}
END_TEST

START_TEST(a_person_may_say_header_or_name)
{
    _cleanup_(columns_done) struct columns c = {0};
    size_t map[2];
    columns_match(&c, (const char *const[]){"The Id", "the_id"}, 2, map);
    ck_assert_ptr_eq(columns_find(&c, "The Id"), &c.list[0]);
    ck_assert_ptr_eq(columns_find(&c, "the_id"), &c.list[1]);
    ck_assert_ptr_eq(columns_find(&c, "the_id_2"), &c.list[1]);
    ck_assert_ptr_null(columns_find(&c, "id"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {names_are_plain, names_of_any_headers_are_valid_and_unique,
        headers_keep_their_columns, names_that_are_taken_are_not_given, a_person_may_say_header_or_name};
    return run_tests("history-columns", tests, N_ELEMENTS(tests));
}
