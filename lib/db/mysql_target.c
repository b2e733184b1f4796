#include "db/mysql_inside.h"

#include "config/config.h"

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#define PORT 3306

static const struct {
    const char *word;
    enum mysql_tls tls;
} tls_words[] = {{"no", MYSQL_TLS_NO}, {"required", MYSQL_TLS_REQUIRED}, {"verify", MYSQL_TLS_VERIFY}};

static int take_tls(struct mysql_target *t, const char *value, struct db_fault *fault)
{
    for (size_t i = 0; i < N_ELEMENTS(tls_words); i++)
        if (strcmp(value, tls_words[i].word) == 0) {
            t->tls = tls_words[i].tls;
            return 0;
        }
    return db_fault_set(fault, "", false,
        "ssl= in the database's URL is none of verify, required, no (without it TLS is used when the server "
        "has it)");
}

static int take_path(char **to, const char *name, const char *value, struct db_fault *fault)
{
    if (value[0] != '/')
        return db_fault_set(fault, "", false, "%s= in the database's URL is not an absolute path", name);
    free(*to);
    *to = xstrdup(value);
    return 0;
}

/* A value is not shown: it may be a password in the wrong place. */
static int take_pair(struct mysql_target *t, const struct evkeyval *pair, struct db_fault *fault)
{
    if (strcmp(pair->key, "socket") == 0)
        return take_path(&t->socket, pair->key, pair->value, fault);
    if (strcmp(pair->key, "ssl_ca") == 0)
        return take_path(&t->ssl_ca, pair->key, pair->value, fault);
    if (strcmp(pair->key, "ssl") == 0)
        return take_tls(t, pair->value, fault);
    return db_fault_set(
        fault, "", false, "the database's URL has ?%.40s=, expected socket, ssl or ssl_ca", pair->key);
}

static int take_query(struct mysql_target *t, struct db_fault *fault)
{
    if (!t->url.query || !*t->url.query)
        return 0;
    struct evkeyvalq pairs;
    if (evhttp_parse_query_str(t->url.query, &pairs) < 0)
        return db_fault_set(fault, "", false, "what follows the ? of the database's URL is not name=value&…");
    int result = 0;
    for (struct evkeyval *pair = pairs.tqh_first; pair && result == 0; pair = pair->next.tqe_next)
        result = take_pair(t, pair, fault);
    evhttp_clear_headers(&pairs);
    return result;
}

static int take_url(struct mysql_target *t, struct db_fault *fault)
{
    if (t->url.path[0] != '/' || !t->url.path[1])
        return db_fault_set(fault, "", false,
            "the database's URL names no database: expected mysql://user@host:port/database");
    t->database = t->url.path + 1;
    t->host = t->url.host ? t->url.host : "localhost";
    t->port = t->url.port ? (unsigned)t->url.port : PORT;
    return take_query(t, fault);
}

static int take_password(struct mysql_target *t, const char *file, struct db_fault *fault)
{
    struct error err;
    if (!file) {
        t->password = xstrdup(t->url.password);
        return 0;
    }
    if (config_read_secret(file, &t->password, &err) < 0)
        return db_fault_set(fault, "", false, "%s", err.text);
    return 0;
}

int mysql_target_parse(
    const char *url, const char *password_file, struct mysql_target *ret_target, struct db_fault *fault)
{
    struct error err;
    struct mysql_target t = {0};
    if (url_parse(url, &t.url, &err) < 0)
        return db_fault_set(fault, "", false,
            "the database's URL cannot be read: %s; special characters in user and password are written %%XX",
            err.text);
    if (take_url(&t, fault) < 0 || take_password(&t, password_file, fault) < 0) {
        mysql_target_done(&t);
        return -1;
    }
    *ret_target = t;
    return 0;
}

void mysql_target_done(struct mysql_target *target)
{
    url_done(&target->url);
    free(target->password);
    free(target->socket);
    free(target->ssl_ca);
    *target = (struct mysql_target){0};
}

char *mysql_target_label(const struct mysql_target *t)
{
    if (t->socket)
        return xasprintf("%s@%s", t->database, t->socket);
    bool v6 = strchr(t->host, ':') != NULL;
    return xasprintf("%s@%s%s%s:%u", t->database, v6 ? "[" : "", t->host, v6 ? "]" : "", t->port);
}
