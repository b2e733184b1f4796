#include "../util/suite.h"
#include "history/target.h"

START_TEST(urls_are_taken_apart)
{
    static const struct {
        const char *url, *database, *schema, *table;
    } list[] = {
        {"mysql://root:pw@mysql/external/npi", "mysql://root:pw@mysql/external", NULL, "npi"},
        {"mysql://u@h:3306/d/t?socket=/a/b", "mysql://u@h:3306/d?socket=/a/b", NULL, "t"},
        {"mysql://u@h/d/a.b", "mysql://u@h/d", NULL, "a.b"},
        {"postgresql://u:p@h:1/d/t?sslmode=require", "postgresql://u:p@h:1/d?sslmode=require", NULL, "t"},
        {"postgres://h/d/s.t", "postgres://h/d", "s", "t"},
        {"postgresql:///d/t?host=/tmp/x", "postgresql:///d?host=/tmp/x", NULL, "t"},
        {"mysql://h/d/%C3%A4%20b", "mysql://h/d", NULL, "ä b"},
        {"duckdb:///var/lib/x/clinic.duckdb/patients", "duckdb:///var/lib/x/clinic.duckdb", NULL, "patients"},
        {"duckdb:///clinic/a.b", "duckdb:///clinic", NULL, "a.b"},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct history_place place;
        struct error err;
        ck_assert_msg(history_place_parse(list[i].url, &place, &err) == 0, "%s", list[i].url);
        ck_assert_str_eq(place.database, list[i].database);
        ck_assert_str_eq(place.table, list[i].table);
        ck_assert_pstr_eq(place.schema, list[i].schema);
        ck_assert_int_eq(place.file, strncmp(list[i].url, "duckdb", 6) == 0);
        history_place_done(&place);
    }
}
END_TEST

START_TEST(what_names_no_table_is_refused_without_a_password)
{
    static const char *const list[] = {"", "npi", "mysql://u:secret@h", "mysql://u:secret@h/",
        "mysql://u:secret@h/d", "mysql://u:secret@h/d/", "mysql://u:secret@h/d?x=/t",
        "mysql://u:secret@h/d/t/x", "mysql://u:secret@h//t", "postgresql://u:secret@h/d/.t",
        "postgresql://u:secret@h/d/s.", "mysql://u:secret@h/d/a%00", "mysql://u:secret@h/d/%ff",
        "mysql://u:secret@h/d/a%60b", "mysql://u:secret@h/d/a%7bb", "mysql://u:secret@h/d/INGEST_dump",
        "host=h dbname=d password=secret", "http://u:secret@h/d/t", "duckdb://", "duckdb:///",
        "duckdb:///patients", "duckdb:///var/clinic.duckdb", "duckdb:///var/clinic.duckdb/",
        "duckdb:///var/clinic.duckdb/ingest_column",
        "mysql://h/d/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct history_place place;
        struct error err = {0};
        ck_assert_msg(history_place_parse(list[i], &place, &err) < 0, "%s", list[i]);
        ck_assert_str_ne(err.text, "");
        ck_assert_ptr_null(strstr(err.text, "secret"));
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {urls_are_taken_apart, what_names_no_table_is_refused_without_a_password};
    return run_tests("history-target", tests, N_ELEMENTS(tests));
}
