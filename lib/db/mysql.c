/*
 * MySQL and MariaDB through libmariadb (MariaDB Connector/C 3.3), blocking, with mysql_use_result(): a row is handed
 * on as it comes. A text without parameters goes by the text protocol, one with parameters is prepared by the server.
 */
#include "db/mysql_inside.h"

#include "util/clock.h"

#include <mysqld_error.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* Ways to log in that do not show the password to whoever poses as the server. */
#define SAFE_LOGINS "mysql_native_password,client_ed25519,caching_sha2_password,sha256_password"

/* ---- connecting ---- */

/*
 * "SSL_ENFORCE" only begins TLS when the server has it (Connector/C: mysql_optionsv, MYSQL_OPT_SSL_ENFORCE); that it
 * was used is asked afterwards, and VERIFY_SERVER_CERT demands it and a certificate for this host.
 */
static void choose_tls(MYSQL *conn, const struct mysql_target *t)
{
    my_bool on = 1, off = 0;
    bool wanted = t->tls != MYSQL_TLS_NO && !t->socket;
    mysql_optionsv(conn, MYSQL_OPT_SSL_ENFORCE, wanted ? &on : &off);
    if (wanted && t->ssl_ca)
        mysql_optionsv(conn, MYSQL_OPT_SSL_CA, t->ssl_ca);
    if (wanted && t->tls == MYSQL_TLS_VERIFY)
        mysql_optionsv(conn, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
    else if (!t->socket)
        mysql_optionsv(conn, MARIADB_OPT_RESTRICTED_AUTH, SAFE_LOGINS);
}

static void choose_options(MYSQL *conn, const struct mysql *my, const char *application_name)
{
    unsigned seconds = (unsigned)((my->connect_timeout_us + US_PER_SEC - 1) / US_PER_SEC);
    unsigned no_local_files =
        0; /* a server could ask for any file of this machine: see mysql_guard_files() */
    unsigned protocol =
        my->target.socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP; /* localhost is TCP too */
    mysql_optionsv(conn, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_optionsv(conn, MYSQL_OPT_LOCAL_INFILE, &no_local_files);
    mysql_optionsv(conn, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_optionsv(conn, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (application_name)
        mysql_optionsv(conn, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", application_name);
    choose_tls(conn, &my->target);
}

/* As for Postgres: a server that is gone is noticed within half a minute. */
static void keep_alive(MYSQL *conn)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 10},
        {IPPROTO_TCP, TCP_KEEPINTVL, 5},
        {IPPROTO_TCP, TCP_KEEPCNT, 3},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, 20000},
    };
    int fd = mysql_get_socket(conn);
    for (size_t i = 0; i < N_ELEMENTS(options); i++)
        setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(options[i].value));
}

static MYSQL *dial(const struct mysql *my, const char *application_name, struct db_fault *fault)
{
    const struct mysql_target *t = &my->target;
    MYSQL *conn = mysql_init(NULL);
    if (!conn) {
        db_fault_set(fault, "", true, "cannot connect to %s: no memory", my->base.label);
        return NULL;
    }
    choose_options(conn, my, application_name);
    if (!mysql_real_connect(conn, t->socket ? NULL : t->host, t->url.user, t->password, t->database, t->port,
            t->socket, CLIENT_MULTI_RESULTS | CLIENT_LOCAL_FILES)) {
        struct mysql_failure f = {
            .code = mysql_errno(conn), .sqlstate = mysql_sqlstate(conn), .text = mysql_error(conn)};
        mysql_fault_connect(fault, my->base.label, &f);
        mysql_close(conn);
        return NULL;
    }
    if (!t->socket && (t->tls == MYSQL_TLS_REQUIRED || t->tls == MYSQL_TLS_VERIFY) &&
        !mysql_get_ssl_cipher(conn)) {
        db_fault_set(fault, "", false,
            "cannot connect to %s: it offers no TLS, which ssl= of the URL demands", my->base.label);
        mysql_close(conn);
        return NULL;
    }
    if (!t->socket)
        keep_alive(conn);
    return conn;
}

/* MariaDB stops any statement, MySQL a SELECT only; one that knows neither has no limit. */
static void limit_statements(MYSQL *conn, int64_t timeout_us)
{
    if (timeout_us <= 0)
        return;
    char sql[96];
    if (mariadb_connection(conn))
        snprintf(sql, sizeof(sql), "SET SESSION max_statement_time = %lld.%06lld",
            (long long)(timeout_us / US_PER_SEC), (long long)(timeout_us % US_PER_SEC));
    else
        snprintf(sql, sizeof(sql), "SET SESSION max_execution_time = %lld",
            (long long)((timeout_us + US_PER_MS - 1) / US_PER_MS));
    mysql_query(conn, sql);
}

static void mysql_driver_close(struct db *db)
{
    struct mysql *my = (struct mysql *)db;
    if (my->conn)
        mysql_close(my->conn);
    mysql_target_done(&my->target);
    free(my);
}

static int mysql_driver_open(
    const char *url, const struct db_options *options, struct db **ret_db, struct db_fault *fault)
{
    struct mysql_target target;
    if (mysql_target_parse(url, options->password_file, &target, fault) < 0)
        return -1;
    struct mysql *my = xnew(struct mysql);
    my->base = (struct db){.driver = &db_mysql, .label = mysql_target_label(&target)};
    my->target = target;
    my->connect_timeout_us = options->connect_timeout_us;
    my->conn = dial(my, options->application_name, fault);
    if (!my->conn) {
        db_close(&my->base);
        return -1;
    }
    mysql_guard_files(my);
    limit_statements(my->conn, options->statement_timeout_us);
    *ret_db = &my->base;
    return 0;
}

/* ---- stopping ---- */

void mysql_stop(struct mysql *my)
{
    struct db_fault ignored = {0};
    char sql[64];
    snprintf(sql, sizeof(sql), "KILL QUERY %lu", mysql_thread_id(my->conn));
    MYSQL *second = dial(my, NULL, &ignored);
    if (!second || mysql_query(second, sql) != 0)
        shutdown(mysql_get_socket(my->conn),
            SHUT_RDWR); /* reading to the end would last as long as the work does */
    if (second)
        mysql_close(second);
}

void mysql_settle(struct mysql *my)
{
    mysql_query(my->conn, "DO 0");
}

/* ---- results ---- */

int mysql_fault_here(struct mysql *my, const char *sql, int statement, struct db_fault *fault)
{
    struct mysql_failure f = {.code = mysql_errno(my->conn),
        .sqlstate = mysql_sqlstate(my->conn),
        .text = mysql_error(my->conn),
        .sql = sql};
    return mysql_fault(fault, my->base.label, &f, statement);
}

bool mysql_tell_columns(MYSQL_RES *fields, const struct db_sink *sink)
{
    unsigned n = mysql_num_fields(fields);
    const char **names = xcalloc((size_t)n + 1, sizeof(*names));
    for (unsigned i = 0; i < n; i++)
        names[i] = mysql_fetch_field_direct(fields, i)->name;
    bool more = db_sink_columns(sink, (int)n, names);
    free(names);
    return more;
}

/* False when the sink wants no more. */
static bool tell_rows(MYSQL_RES *res, const struct db_sink *sink)
{
    int n = (int)mysql_num_fields(res);
    int64_t n_rows = 0;
    bool more = true;
    struct db_value *values = xcalloc((size_t)n + 1, sizeof(*values));
    for (MYSQL_ROW row; more && (row = mysql_fetch_row(res)); n_rows++) {
        unsigned long *lengths = mysql_fetch_lengths(res);
        for (int i = 0; i < n; i++)
            values[i] = (struct db_value){row[i], row[i] ? lengths[i] : 0};
        more = db_sink_row(sink, n, values);
    }
    free(values);
    return more && (mysql_errno(res->handle) != 0 || db_sink_end(sink, "", n_rows));
}

/* The result of one statement of a text: rows, or how many it changed. */
static int take_result(
    struct mysql *my, const char *sql, int statement, const struct db_sink *sink, struct db_fault *fault)
{
    MYSQL_RES *res = mysql_use_result(my->conn);
    bool more = true;
    if (res)
        more = mysql_tell_columns(res, sink) && tell_rows(res, sink);
    else if (mysql_field_count(my->conn) == 0)
        more = db_sink_end(sink, "", (int64_t)mysql_affected_rows(my->conn));
    if (!more) {
        db_fault_given_up(fault, my->base.label);
        mysql_stop(my);
    } else if (mysql_errno(my->conn) != 0)
        mysql_fault_here(my, sql, statement, fault);
    mysql_free_result(res); /* reads what is left of it */
    return fault->error.text[0] ? -1 : 0;
}

void mysql_drain(struct mysql *my)
{
    while (mysql_next_result(my->conn) == 0)
        mysql_free_result(mysql_use_result(my->conn));
    mysql_settle(my);
}

/* A text, or the rest of one, without a statement in it is none, as with Postgres. */
static int refused(struct mysql *my, const char *sql, int statement, struct db_fault *fault)
{
    return mysql_errno(my->conn) == ER_EMPTY_QUERY ? 0 : mysql_fault_here(my, sql, statement, fault);
}

static int run_text(struct mysql *my, const char *sql, const struct db_sink *sink, struct db_fault *fault)
{
    if (mysql_real_query(my->conn, sql, strlen(sql)) != 0)
        return refused(my, sql, 1, fault);
    for (int statement = 1;; statement++) {
        if (take_result(my, sql, statement, sink, fault) < 0) {
            mysql_drain(my);
            return -1;
        }
        int next = mysql_next_result(my->conn);
        if (next > 0)
            return refused(my, sql, statement + 1, fault);
        if (next < 0)
            return 0;
    }
}

/* Several statements in one text are for scripts alone: a query that is put together badly cannot become two. */
int mysql_allow_several(struct mysql *my, bool several, struct db_fault *fault)
{
    if (my->several == several)
        return 0;
    if (mysql_set_server_option(
            my->conn, several ? MYSQL_OPTION_MULTI_STATEMENTS_ON : MYSQL_OPTION_MULTI_STATEMENTS_OFF) != 0)
        return mysql_fault_here(my, NULL, 1, fault);
    my->several = several;
    return 0;
}

static int mysql_driver_query(struct db *db, const char *sql, int n, const char *const *parameters,
    const struct db_sink *sink, struct db_fault *fault)
{
    struct mysql *my = (struct mysql *)db;
    if (mysql_allow_several(my, false, fault) < 0)
        return -1;
    int result =
        n > 0 ? mysql_statement(my, sql, n, parameters, sink, fault) : run_text(my, sql, sink, fault);
    return mysql_without_files(my, result, fault);
}

static int mysql_driver_script(
    struct db *db, const char *sql, const struct db_sink *sink, struct db_fault *fault)
{
    struct mysql *my = (struct mysql *)db;
    if (mysql_allow_several(my, true, fault) < 0)
        return -1;
    return mysql_without_files(my, run_text(my, sql, sink, fault), fault);
}

const struct db_driver db_mysql = {
    .name = "mysql",
    .open = mysql_driver_open,
    .close = mysql_driver_close,
    .query = mysql_driver_query,
    .script = mysql_driver_script,
    .load = mysql_load,
    .cursor_open = mysql_cursor_open,
    .cursor_next = mysql_cursor_next,
    .cursor_free = mysql_cursor_free,
    .name_quote = '`',
    .quote_text = mysql_quote_text,
};
