/* Tables and SELECTs of Postgres, each a statement within the snapshot of its database. */
#include "job/harmonize/feed_table.h"
#include "job/harmonize/feed.h"

#include "job/job.h"
#include "source/query.h"

#include <cjson/cJSON.h>

struct table_feed {
    struct feed feed;
    struct snapshots *snapshots;
    const struct snapshot *snapshot;
    struct source *source;
    bool told; /* its one delivery, which is behind the last row */
};

static int from_source(const struct source_fault *why, struct db_fault *fault)
{
    *fault = (struct db_fault){.error = why->error, .transient = why->transient};
    return -1;
}

static int prepare(struct feed *f, struct db_fault *fault)
{
    struct table_feed *t = (struct table_feed *)f;
    return snapshots_of(t->snapshots, &f->spec->database, &t->snapshot, fault);
}

/* What the newest pointer says of it; NULL: nothing that counts. */
static const cJSON *find_remembered(const struct feed *f)
{
    if (f->h->anew)
        return NULL;
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(f->h->pointer, "sources");
    return cJSON_GetObjectItemCaseSensitive(all, f->spec->name);
}

static int plan_table(struct table_feed *t, char **ret_sql, struct db_fault *fault)
{
    struct feed *f = &t->feed;
    struct table_plan plan;
    const cJSON *before = find_remembered(f);
    int64_t now_us = f->h->at_us;
    _cleanup_(table_facts_done) struct table_facts facts = {0};
    if (table_facts_read(t->snapshot, f->spec->table, &facts, fault) < 0)
        return -1;
    table_plan_make(t->snapshot, &facts, before, f->h->job->full_every_us, now_us, &plan);
    f->full = plan.full;
    f->again = plan.again;
    f->remembered = table_plan_remember(t->snapshot, &facts, &plan, before, now_us);
    if (plan.why)
        feed_note(f, "%s: the table %s was read in full: %s", f->spec->name, f->spec->table, plan.why);
    *ret_sql = table_plan_sql(t->snapshot->db, f->spec->table, &facts, &plan);
    return 0;
}

static int plan_select(struct table_feed *t, char **ret_sql, struct db_fault *fault)
{
    struct feed *f = &t->feed;
    struct error err;
    if (job_read_sql(f->spec->sql, ret_sql, &err) < 0)
        return job_refuse(fault, "%s", err.text);
    f->full = true;
    f->remembered = cJSON_CreateObject();
    cJSON_AddStringToObject(f->remembered, "snapshot", t->snapshot->text);
    return 0;
}

static int open_feed(struct feed *f, struct db_fault *fault)
{
    struct table_feed *t = (struct table_feed *)f;
    struct source_fault why;
    _cleanup_free_ char *sql = NULL;
    if ((f->spec->table ? plan_table(t, &sql, fault) : plan_select(t, &sql, fault)) < 0)
        return -1;
    if (query_open(t->snapshot->db, sql, &t->source, &why) < 0) {
        from_source(&why, fault);
        return strstr(fault->error.text, "42501")
                   ? error_prefix(&fault->error, "GRANT SELECT on what it reads to this user")
                   : -1;
    }
    f->columns = t->source->columns;
    f->n_columns = t->source->n_columns;
    f->deliveries = 1;
    return 0;
}

/* What it is called in `_table`. */
static const char *name_of(const struct feed *f)
{
    const char *slash = f->spec->table ? NULL : strrchr(f->spec->sql, '/');
    return f->spec->table ? f->spec->table : slash ? slash + 1 : f->spec->sql;
}

static void put_row(const struct source_row *row, struct feed_item *item, enum feed_kind *ret_kind)
{
    *item = (struct feed_item){.line = row->line, .size = -1, .modified_us = -1};
    *ret_kind = row->reason ? FEED_REJECTED : FEED_ROW;
    if (!row->reason)
        item->cells = row->cells;
    else {
        item->reason = row->reason;
        item->detail = row->detail;
        item->raw = row->raw;
        item->n_raw = row->n_raw;
    }
}

/* The connection is then free for the next one. */
static void end_source(struct table_feed *t)
{
    struct source_facts facts;
    if (!t->source)
        return;
    t->source->driver->facts(t->source, &facts);
    t->feed.bytes = facts.received;
    source_free(TAKE(t->source));
}

static int next(struct feed *f, struct feed_item *ret_item, enum feed_kind *ret_kind, struct db_fault *fault)
{
    struct table_feed *t = (struct table_feed *)f;
    struct source_fault why;
    struct source_row row;
    int more = t->told ? 0 : source_next(t->source, &row, &why);
    if (more < 0)
        return from_source(&why, fault);
    if (more > 0) {
        put_row(&row, ret_item, ret_kind);
        return 0;
    }
    *ret_kind = t->told ? FEED_END : FEED_DELIVERY;
    *ret_item =
        (struct feed_item){.object = name_of(f), .version = t->snapshot->text, .size = -1, .modified_us = -1};
    if (!t->told)
        end_source(t);
    t->told = true;
    return 0;
}

static void close_feed(struct feed *f)
{
    struct table_feed *t = (struct table_feed *)f;
    end_source(t);
    t->snapshot = NULL; /* others read in it: it is ended with the group */
    t->told = false;
}

static void free_feed(struct feed *f)
{
    free(f);
}

static const struct feed_driver driver = {true, prepare, open_feed, next, close_feed, free_feed};

struct feed *feed_of_table(struct harmonize *h, const struct job_feed *spec, struct snapshots *snapshots)
{
    struct table_feed *t = xnew(struct table_feed);
    t->feed = (struct feed){.driver = &driver, .h = h, .spec = spec};
    t->snapshots = snapshots;
    return &t->feed;
}
