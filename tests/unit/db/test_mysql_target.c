/* What a mysql:// URL means. */
#include "db/mysql_inside.h"

#include "../util/suite.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct mysql_target parse(const char *url)
{
    struct mysql_target t;
    struct db_fault fault = {0};
    ck_assert_msg(mysql_target_parse(url, NULL, &t, &fault) == 0, "%s: %s", url, fault.error.text);
    return t;
}

static void expect(const char *found, const char *wanted, const char *url)
{
    ck_assert_msg(
        wanted ? found && strcmp(found, wanted) == 0 : !found, "%s: %s", url, found ? found : "none");
}

START_TEST(parts)
{
    static const struct {
        const char *url, *user, *password, *host, *database, *socket, *ssl_ca;
        unsigned port;
        enum mysql_tls tls;
        const char *label;
    } list[] = {
        {"mysql://h/d", NULL, NULL, "h", "d", NULL, NULL, 3306, MYSQL_TLS_OFFERED, "d@h:3306"},
        {"mysql://u:p@h:1/d", "u", "p", "h", "d", NULL, NULL, 1, MYSQL_TLS_OFFERED, "d@h:1"},
        {"mysql://u:@h/d", "u", "", "h", "d", NULL, NULL, 3306, MYSQL_TLS_OFFERED, "d@h:3306"},
        {"mysql://a%40b:c%3Ad%2F%25@h/d%20e", "a@b", "c:d/%", "h", "d e", NULL, NULL, 3306, MYSQL_TLS_OFFERED,
            "d e@h:3306"},
        {"mysql://[::1]:9/d", NULL, NULL, "::1", "d", NULL, NULL, 9, MYSQL_TLS_OFFERED, "d@[::1]:9"},
        {"mysql:///d", NULL, NULL, "localhost", "d", NULL, NULL, 3306, MYSQL_TLS_OFFERED, "d@localhost:3306"},
        {"mysql://h/d?", NULL, NULL, "h", "d", NULL, NULL, 3306, MYSQL_TLS_OFFERED, "d@h:3306"},
        {"mysql://h/d?ssl=no", NULL, NULL, "h", "d", NULL, NULL, 3306, MYSQL_TLS_NO, "d@h:3306"},
        {"mysql://h/d?ssl=required", NULL, NULL, "h", "d", NULL, NULL, 3306, MYSQL_TLS_REQUIRED, "d@h:3306"},
        {"mysql://h/d?ssl=verify&ssl_ca=/c%20a", NULL, NULL, "h", "d", NULL, "/c a", 3306, MYSQL_TLS_VERIFY,
            "d@h:3306"},
        {"mysql://u@h/d?socket=/run/s", "u", NULL, "h", "d", "/run/s", NULL, 3306, MYSQL_TLS_OFFERED,
            "d@/run/s"},
        {"mysql://h/d?socket=/a&socket=/b", NULL, NULL, "h", "d", "/b", NULL, 3306, MYSQL_TLS_OFFERED,
            "d@/b"},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        const char *url = list[i].url;
        struct mysql_target t = parse(url);
        expect(t.url.user, list[i].user, url);
        expect(t.password, list[i].password, url);
        expect(t.host, list[i].host, url);
        expect(t.database, list[i].database, url);
        expect(t.socket, list[i].socket, url);
        expect(t.ssl_ca, list[i].ssl_ca, url);
        ck_assert_uint_eq(t.port, list[i].port);
        ck_assert_int_eq(t.tls, list[i].tls);
        _cleanup_free_ char *label = mysql_target_label(&t);
        expect(label, list[i].label, url);
        mysql_target_done(&t);
    }
}
END_TEST

START_TEST(mistakes)
{
    static const struct {
        const char *url, *words;
    } list[] = {
        {"mysql://h", "names no database"},
        {"mysql://h/", "names no database"},
        {"mysql://h/d?ssl=", "verify, required, no"},
        {"mysql://h/d?ssl=VERIFY", "verify, required, no"},
        {"mysql://h/d?socket=run/s", "absolute path"},
        {"mysql://h/d?ssl_ca=", "absolute path"},
        {"mysql://h/d?compress=1", "?compress="},
        {"mysql://h/d?ssl", "name=value"},
        {"mysql://h/d%00e", "cannot be read"},
        {"mysql://h:70000/d", "cannot be read"},
        {"mysql://u:p w@h/d", "%XX"},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        struct mysql_target t;
        struct db_fault fault = {0};
        ck_assert_msg(mysql_target_parse(list[i].url, NULL, &t, &fault) == -1, "%s", list[i].url);
        ck_assert_msg(strstr(fault.error.text, list[i].words), "%s: %s", list[i].url, fault.error.text);
        ck_assert(!fault.transient);
    }
}
END_TEST

START_TEST(a_password_file_stands_before_the_url)
{
    char path[] = "/tmp/test_mysql_target.XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fchmod(fd, 0600), 0);
    ck_assert_int_eq(write(fd, "of the file\n", 12), 12);
    close(fd);
    struct mysql_target t;
    struct db_fault fault = {0};
    ck_assert_int_eq(mysql_target_parse("mysql://u:of-the-url@h/d", path, &t, &fault), 0);
    ck_assert_str_eq(t.password, "of the file");
    mysql_target_done(&t);
    unlink(path);
    ck_assert_int_eq(mysql_target_parse("mysql://u:of-the-url@h/d", path, &t, &fault), -1);
}
END_TEST

/* Debian's libmariadb has MySQL 8's way to log in as a plugin of its own: without it no user of such a server. */
START_TEST(the_library_knows_how_mysql_8_logs_in)
{
    MYSQL *conn = mysql_init(NULL);
    ck_assert_msg(
        mysql_client_find_plugin(conn, "caching_sha2_password", MYSQL_CLIENT_AUTHENTICATION_PLUGIN) != NULL,
        "%s", mysql_error(conn));
    mysql_close(conn);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        parts, mistakes, a_password_file_stands_before_the_url, the_library_knows_how_mysql_8_logs_in};
    return run_tests("db-mysql-target", tests, N_ELEMENTS(tests));
}
