#include "../util/suite.h"
#include "pg/array.h"
#include "pg/target.h"

static const char *value_of(const struct pg_keywords *k, const char *name)
{
    for (int i = 0; i < k->n; i++)
        if (strcmp(k->names[i], name) == 0)
            return k->values[i];
    return NULL;
}

START_TEST(the_label_shows_no_password)
{
    _cleanup_free_ char *url = pg_label("postgresql://dataeng:best@db:5432/doctor_office");
    _cleanup_free_ char *words = pg_label("host=/run/postgresql dbname=office password=best");
    _cleanup_free_ char *nonsense = pg_label("postgresql://[");
    ck_assert_str_eq(url, "doctor_office@db");
    ck_assert_str_eq(words, "office@/run/postgresql");
    ck_assert_str_eq(nonsense, "postgres");
}
END_TEST

START_TEST(names_are_resolved_by_us_and_nothing_else)
{
    static const struct {
        const char *url, *name;
    } cases[] = {
        {"postgresql://db/office", "db"},
        {"host=db.example dbname=office", "db.example"},
        {"host=/run/postgresql dbname=office", NULL},
        {"postgresql:///office", NULL},
        {"postgresql://one,two/office", NULL},
        {"host=db hostaddr=127.0.0.1", NULL},
        {"not a connection string", NULL},
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        _cleanup_free_ char *name = pg_host_to_resolve(cases[i].url);
        ck_assert_pstr_eq(name, cases[i].name);
    }
}
END_TEST

START_TEST(the_url_wins_over_our_defaults_and_we_over_the_rest)
{
    struct error err;
    _cleanup_(pg_keywords_done) struct pg_keywords k = {0};
    ck_assert_int_eq(pg_keywords_make("postgresql://u@db/o?keepalives_idle=99&application_name=x", NULL,
                         "ingestd claim", "192.0.2.7", &k, &err),
        0);
    ck_assert_str_eq(value_of(&k, "keepalives_idle"), "99");
    ck_assert_str_eq(value_of(&k, "tcp_user_timeout"), "20000");
    ck_assert_str_eq(value_of(&k, "application_name"), "ingestd claim");
    ck_assert_str_eq(value_of(&k, "hostaddr"), "192.0.2.7");
    ck_assert_str_eq(value_of(&k, "host"), "db");
    ck_assert_str_eq(value_of(&k, "client_encoding"), "UTF8");
    ck_assert_ptr_null(k.names[k.n]);
}
END_TEST

START_TEST(what_libpq_cannot_read_is_refused_without_quoting_it)
{
    struct error err;
    struct pg_keywords k = {0};
    ck_assert_int_eq(pg_keywords_make("password=secret host", NULL, "x", NULL, &k, &err), -1);
    ck_assert_ptr_null(strstr(err.text, "secret"));
    ck_assert_int_eq(pg_keywords_make("postgresql://db/o", "/nowhere/at/all", "x", NULL, &k, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/at/all"));
}
END_TEST

START_TEST(an_array_is_what_array_recv_reads)
{
    struct pg_array a = {.element_oid = PG_TEXT_OID};
    struct slice empty = pg_array_value(&a);
    ck_assert_uint_eq(empty.n, PG_ARRAY_HEADER);
    pg_array_put_text(&a, "ab");
    pg_array_put_text(&a, NULL);
    struct slice v = pg_array_value(&a);
    static const unsigned char wanted[] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0,
        0, 2, 'a', 'b', 0xff, 0xff, 0xff, 0xff};
    ck_assert_uint_eq(v.n, sizeof(wanted));
    ck_assert_mem_eq(v.p, wanted, sizeof(wanted));
    pg_array_done(&a);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_label_shows_no_password, names_are_resolved_by_us_and_nothing_else,
        the_url_wins_over_our_defaults_and_we_over_the_rest,
        what_libpq_cannot_read_is_refused_without_quoting_it, an_array_is_what_array_recv_reads};
    return run_tests("target", tests, N_ELEMENTS(tests));
}
