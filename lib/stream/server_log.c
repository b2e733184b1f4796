#include "stream/server_log.h"

#include "pg/session.h"

static const char settings_sql[] =
    "SELECT coalesce(pg_catalog.string_agg(name || ' = ' || setting, ', ' ORDER BY name), ''), current_user"
    "  FROM pg_catalog.pg_settings"
    " WHERE ((name = 'log_statement' AND setting IN ('mod', 'all'))"
    "     OR (name IN ('log_min_duration_statement', 'log_min_duration_sample') AND setting <> '-1'))"
    "   AND coalesce(pg_catalog.current_setting('log_parameter_max_length', true), '-1') <> '0'";

struct question {
    void (*fn)(void *arg, const char *risk, const char *remedy);
    void *arg;
};

static void on_settings(void *arg, const PGresult *res)
{
    struct question q = *(struct question *)arg;
    free(arg);
    const char *set = res && PQresultStatus(res) == PGRES_TUPLES_OK ? PQgetvalue(res, 0, 0) : "";
    if (!*set) {
        q.fn(q.arg, NULL, NULL);
        return;
    }
    char risk[200], remedy[160];
    snprintf(risk, sizeof(risk),
        "the server logs statements with their parameters, which are patients' rows (%s)", set);
    snprintf(remedy, sizeof(remedy), "as a superuser: ALTER ROLE \"%s\" SET log_parameter_max_length = 0",
        PQgetvalue(res, 0, 1));
    q.fn(q.arg, risk, remedy);
}

void server_log_check(
    struct pg_session *session, void (*fn)(void *arg, const char *risk, const char *remedy), void *arg)
{
    struct question *q = xnew(struct question);
    *q = (struct question){fn, arg};
    if (!pg_session_query(session, settings_sql, 0, NULL, on_settings, q)) {
        free(q);
        fn(arg, NULL, NULL);
    }
}
