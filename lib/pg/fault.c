/* What a failed result means to us, by its SQLSTATE (PostgreSQL manual, appendix A). */
#include "pg/session.h"

const char *pg_sqlstate(const PGresult *res)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    return state ? state : "";
}

/* Longest prefix first. What stands in no row is the server's trouble: it is tried again. */
static const struct {
    const char *prefix;
    enum pg_fault fault;
} faults[] = {
    {"25006", PG_FAULT_TRANSIENT}, /* read-only transaction: a standby, during a failover */
    {"40", PG_FAULT_TRANSIENT}, {"54000", PG_FAULT_ROW}, /* an index row too large, and the like */
    {"22", PG_FAULT_ROW}, {"23", PG_FAULT_ROW}, {"44", PG_FAULT_ROW}, /* WITH CHECK OPTION of a view */
    {"P0", PG_FAULT_ROW},                                             /* RAISE in a trigger */
    {"09", PG_FAULT_ROW},                                             /* a trigger's own exception */
    {"27", PG_FAULT_ROW}, {"38", PG_FAULT_ROW}, {"39", PG_FAULT_ROW}, {"0A", PG_FAULT_SCHEMA},
    {"3D", PG_FAULT_SCHEMA}, {"3F", PG_FAULT_SCHEMA}, {"42", PG_FAULT_SCHEMA},
    {"26", PG_FAULT_SCHEMA}, /* our prepared statement is gone */
};

enum pg_fault pg_fault_of(const PGresult *res)
{
    if (PQresultStatus(res) == PGRES_PIPELINE_ABORTED)
        return PG_FAULT_ABORTED;
    if (PQresultStatus(res) != PGRES_FATAL_ERROR)
        return PG_FAULT_NONE;
    const char *state = pg_sqlstate(res);
    for (size_t i = 0; i < N_ELEMENTS(faults); i++)
        if (strncmp(state, faults[i].prefix, strlen(faults[i].prefix)) == 0)
            return faults[i].fault;
    return PG_FAULT_TRANSIENT;
}

const char *pg_describe(const PGresult *res, char *out, size_t size)
{
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    const char *constraint = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);
    if (pg_fault_of(res) == PG_FAULT_ROW)
        snprintf(out, size, "SQLSTATE %s%s%s", pg_sqlstate(res), constraint ? ", constraint " : "",
            constraint ? constraint : "");
    else
        snprintf(out, size, "SQLSTATE %s: %s", pg_sqlstate(res), text ? text : "no message");
    return out;
}
