/* What the scheduler's other files stand on: statements over its session, and numbers as parameters and results. */
#include "config/config.h"
#include "pg/tables.h"
#include "schedule/inside.h"
#include "util/buffer.h"
#include "util/health.h"

#include <inttypes.h>

bool scheduler_ask(
    struct scheduler *s, const char *sql, int n, const char *const *values, pg_reply_fn *fn, void *arg)
{
    if (!pg_session_ready(s->session))
        return false;
    _cleanup_free_ char *text = pg_schema_sql(sql, s->config->postgres.schema, NULL);
    return pg_session_query(s->session, text, n, values, fn, arg);
}

bool scheduler_tell(
    struct scheduler *s, const char *sql, int n, const char *const *values, pg_reply_fn *fn, void *arg)
{
    if (!pg_session_ready(s->session))
        return false;
    _cleanup_free_ char *text = pg_schema_sql(sql, s->config->postgres.schema, NULL);
    const struct pg_params p = {.n = n, .values = values};
    return pg_session_send(s->session, false, text, &p, 0, fn, arg);
}

bool scheduler_heard(
    struct scheduler *s, const char *subject, const char *code, const PGresult *res, const char *what)
{
    char words[256];
    if (!res)
        return false;
    enum pg_fault fault = pg_fault_of(res);
    if (fault == PG_FAULT_ABORTED)
        return false; /* by what was asked before it in the same transaction, which tells why */
    if (fault == PG_FAULT_NONE)
        health_clear(s->health, subject, code);
    else
        health_raise(s->health, subject, code,
            fault == PG_FAULT_TRANSIENT ? SEVERITY_DEGRADED : SEVERITY_FAILED,
            "the role needs all rights on the tables job, run and scheduler, and they must be of this "
            "version of "
            "ingestd; it is tried again by itself",
            "%s: %s", what, pg_describe(res, words, sizeof(words)));
    return fault == PG_FAULT_NONE;
}

bool scheduler_heard_of(
    struct scheduler *s, const char *job, const char *code, const PGresult *res, const char *what)
{
    char subject[64];
    snprintf(subject, sizeof(subject), "job %s", job);
    return scheduler_heard(s, subject, code, res, what);
}

struct job *scheduler_find_job(struct scheduler *s, const char *name)
{
    for (size_t i = 0; i < s->n_jobs; i++)
        if (strcmp(s->jobs[i]->config->name, name) == 0)
            return s->jobs[i];
    return NULL;
}

const char *number_text(int64_t n, char out[24])
{
    snprintf(out, 24, "%" PRId64, n);
    return out;
}

char *number_array(const int64_t *list, size_t n)
{
    _cleanup_buffer_ struct buffer out = {0};
    buffer_put_string(&out, "{");
    for (size_t i = 0; i < n; i++)
        buffer_printf(&out, "%s%" PRId64, i ? "," : "", list[i]);
    buffer_put_string(&out, "}");
    return xstrdup(buffer_string(&out));
}

int64_t number_at(const PGresult *res, int row, int column)
{
    return strtoll(PQgetvalue(res, row, column), NULL, 10);
}
