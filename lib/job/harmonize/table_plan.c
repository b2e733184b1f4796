/*
 * What a table got since the run before is found by the transactions its rows were written by (xmin). Let PREV be the xmin of the
 * snapshot of that run: every transaction before it had ended then, so what such a one committed was seen. What came since has an
 * xid from PREV on; some of those were seen too, and are read again, which does no harm.
 *
 * Asking the snapshot itself (pg_visible_in_snapshot) would be finer and wrong: it lists transactions, not their subtransactions, and
 * a row written behind a savepoint, or in a block of PL/pgSQL with EXCEPTION, has the xid of the subtransaction. But that one is
 * always younger than its transaction, so the horizon is right for it too.
 *
 * A row keeps its xmin when it is frozen (since Postgres 9.4), so xids compare as ages, in a circle of 2^32. Of a row that is older
 * than half the circle the age is negative, or that of a younger one: it is not read, or once too often. What must be is that PREV
 * itself lies within half the circle, and that the xids go on from it: that it is the same server, not one restored from a backup or
 * promoted without the last of what the other had.
 */
#include "job/harmonize/feed_table.h"

#include "db/load.h"
#include "util/buffer.h"
#include "util/clock.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

#define HALF_CIRCLE (UINT64_C(1) << 31)
#define MARGIN      UINT64_C(1000000) /* xids that go by between the snapshot and the question for an age */

static const char *word_of(const struct cJSON *remembered, const char *name)
{
    const char *word = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(remembered, name));
    return word && *word ? word : NULL;
}

/* Digits and nothing else: they become a part of the statement. */
static bool is_xid(const char *text)
{
    return text && strlen(text) < 20 && strspn(text, "0123456789") == strlen(text);
}

static bool are_oids(const char *text)
{
    return text && strspn(text, "0123456789,") == strlen(text);
}

/* Where two fingerprints differ first, in the words of a person. */
static const char *difference(const char *a, const char *b)
{
    static const char *const parts[] = {"the server is another one", "the server was restored or promoted",
        "it is another database", "it is another table of that name", "its columns changed"};
    size_t part = 0;
    for (; *a && *a == *b; a++, b++)
        part += *a == ':';
    return parts[MIN(part, N_ELEMENTS(parts) - 1)];
}

/* Why rows cannot be told by their transactions; NULL: they can. */
static const char *unfit(const struct table_facts *t)
{
    if (t->kind == 'v')
        return "it is a view, whose rows do not tell when they were written";
    if (!t->plain)
        return "it is no table of which rows tell when they were written";
    return t->guarded ? "row security decides what this user sees of it" : NULL;
}

static const char *broken(const struct snapshot *s, const char *xmin)
{
    uint64_t before = is_xid(xmin) ? strtoull(xmin, NULL, 10) : 0;
    if (before == 0)
        return "what is remembered of it cannot be read";
    if (before > s->xmax)
        return "the server's transactions do not go on from where they were";
    return s->xmax - before >= HALF_CIRCLE - MARGIN ? "too many transactions went by since the run before"
                                                    : NULL;
}

static bool is_due(const struct cJSON *remembered, int64_t full_every_us, int64_t now_us)
{
    int64_t full_us;
    const char *at = word_of(remembered, "full_at");
    return !at || clock_parse_utc(at, &full_us) < 0 || now_us < full_us || now_us - full_us >= full_every_us;
}

/* Of "xmin:xmax:…", the snapshot then. */
static bool were_open(const char *snapshot)
{
    size_t n = snapshot ? strcspn(snapshot, ":") : 0;
    return n == 0 || snapshot[n] == '\0' || strncmp(snapshot, snapshot + n + 1, n + 1) != 0;
}

void table_plan_make(const struct snapshot *snapshot, const struct table_facts *t,
    const struct cJSON *remembered, int64_t full_every_us, int64_t now_us, struct table_plan *ret_plan)
{
    const char *print = word_of(remembered, "fingerprint"), *xmin = word_of(remembered, "xmin"),
               *parts = word_of(remembered, "parts");
    _cleanup_free_ char *now = table_fingerprint(snapshot, t);
    struct table_plan plan = {.full = true, .why = unfit(t)};
    if (!plan.why && remembered && print && strcmp(print, now) != 0)
        plan.why = difference(print, now);
    if (!plan.why && remembered && print)
        plan.why = broken(snapshot, xmin);
    if (!plan.why && remembered && print && are_oids(parts) && !is_due(remembered, full_every_us, now_us))
        plan = (struct table_plan){
            .xmin = xmin, .parts = parts, .again = were_open(word_of(remembered, "snapshot"))};
    *ret_plan = plan;
}

/* ---- the statement ---- */

/* age() is asked of PREV once, not of each row. */
static void put_condition(struct buffer *sql, const struct table_facts *t, const struct table_plan *plan)
{
    uint32_t xid = (uint32_t)strtoull(plan->xmin, NULL, 10);
    buffer_printf(sql, " WHERE (age(xmin) BETWEEN 0 AND (SELECT age('%" PRIu32 "'::xid))", xid);
    if (strcmp(t->parts, plan->parts) != 0) /* one that was attached since may have old rows */
        buffer_printf(sql, " OR tableoid <> ALL ('{%s}'::oid[])", plan->parts);
    buffer_put_string(sql, ")");
}

char *table_plan_sql(
    const struct db *db, const char *name, const struct table_facts *t, const struct table_plan *plan)
{
    _cleanup_buffer_ struct buffer sql = {0};
    _cleanup_free_ char *table = snapshot_table(db, name);
    for (size_t i = 0; i < t->n_columns; i++) {
        _cleanup_free_ char *column = db_quote_name(db, NULL, t->columns[i].name);
        buffer_printf(&sql, "%s %s", i ? "," : "SELECT", column);
    }
    buffer_printf(&sql, " FROM %s", table);
    if (!plan->full)
        put_condition(&sql, t, plan);
    return xstrdup(buffer_string(&sql));
}

struct cJSON *table_plan_remember(const struct snapshot *snapshot, const struct table_facts *t,
    const struct table_plan *plan, const struct cJSON *before, int64_t now_us)
{
    char at[40], xmin[24];
    _cleanup_free_ char *print = table_fingerprint(snapshot, t);
    cJSON *remembered = cJSON_CreateObject();
    clock_format_utc(now_us, at, sizeof(at));
    snprintf(xmin, sizeof(xmin), "%" PRIu64, snapshot->xmin);
    cJSON_AddStringToObject(remembered, "snapshot", snapshot->text);
    cJSON_AddStringToObject(remembered, "xmin", xmin);
    cJSON_AddStringToObject(remembered, "full_at", plan->full ? at : word_of(before, "full_at"));
    cJSON_AddStringToObject(remembered, "fingerprint", print);
    cJSON_AddStringToObject(remembered, "parts", t->parts ? t->parts : "");
    return remembered;
}
