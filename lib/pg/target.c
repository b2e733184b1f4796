#include "pg/target.h"

#include "config/config.h"

#include <libpq-fe.h>
#include <stdbool.h>

static const char *option(const PQconninfoOption *options, const char *name)
{
    for (; options->keyword; options++)
        if (strcmp(options->keyword, name) == 0)
            return options->val;
    return NULL;
}

static void keyword(struct pg_keywords *k, const char *name, const char *value)
{
    for (int i = 0; i < k->n; i++)
        if (strcmp(k->names[i], name) == 0) {
            k->values[i] = value;
            return;
        }
    if (k->n == PG_KEYWORDS_MAX)
        return;
    k->names[k->n] = name;
    k->values[k->n++] = value;
}

/* What the URL may set otherwise: a connection that is dead is noticed within half a minute. */
static const struct {
    const char *name, *value;
} defaults[] = {
    {"gssencmode", "disable"},
    {"keepalives_idle", "10"},
    {"keepalives_interval", "5"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "20000"},
};

int pg_keywords_make(const char *url, const char *password_file, const char *application_name,
    const char *hostaddr, struct pg_keywords *ret, struct error *err)
{
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    if (!options)
        return error_set(err, "postgres.url is not a connection string that libpq understands");
    _cleanup_free_ char *password = NULL;
    if (password_file && config_read_secret(password_file, &password, err) < 0) {
        PQconninfoFree(options);
        return -1;
    }
    *ret = (struct pg_keywords){.options = options};
    for (size_t i = 0; i < N_ELEMENTS(defaults); i++)
        keyword(ret, defaults[i].name, defaults[i].value);
    for (PQconninfoOption *o = options; o->keyword; o++)
        if (o->val)
            keyword(ret, o->keyword, o->val);
    if (password)
        keyword(ret, "password", ret->password = TAKE(password));
    if (hostaddr)
        keyword(ret, "hostaddr", hostaddr);
    keyword(ret, "application_name", application_name);
    keyword(ret, "client_encoding", "UTF8");
    return 0;
}

void pg_keywords_done(struct pg_keywords *k)
{
    PQconninfoFree(k->options);
    free(k->password);
    *k = (struct pg_keywords){0};
}

char *pg_host_to_resolve(const char *url)
{
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    const char *host = options ? option(options, "host") : NULL;
    bool is_name =
        host && *host && *host != '/' && *host != '@' && !strchr(host, ',') && !option(options, "hostaddr");
    char *name = is_name ? xstrdup(host) : NULL;
    PQconninfoFree(options);
    return name;
}

char *pg_label(const char *url)
{
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    if (!options)
        return xstrdup("postgres");
    const char *db = option(options, "dbname"), *user = option(options, "user"),
               *host = option(options, "host");
    char *label = xasprintf("%s@%s", db ? db : user ? user : "default", host ? host : "local");
    PQconninfoFree(options);
    return label;
}
