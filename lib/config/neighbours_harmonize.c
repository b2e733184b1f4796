/* What must fit together in a harmonize: what each source is, where the lake is, and what its tables refer to. */
#include "config/entry.h"
#include "config/problems.h"
#include "config/read.h"
#include "config/value.h"
#include "util/text.h"

#include <stdarg.h>

/* A mistake at the key of a part; key NULL: at its name. */
static _printf_(4, 5) void complain_part(
    struct reading *r, const struct part *part, const char *key, const char *fmt, ...)
{
    struct error why;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why.text, sizeof(why.text), fmt, ap);
    va_end(ap);
    const struct place *at = key ? place_of(part->section, &part->marks, key) : &part->marks.self;
    problem_add(r->problems, at->line, at->column, "%s%s%s: %s", part->where, key ? "." : "", key ? key : "",
        why.text);
}

/* Given, be it as it may. */
static bool is_given(const struct part *part, const char *key)
{
    return part->marks.at[section_find(part->section, key) - part->section->keys].line > 0;
}

/* -- sources --------------------------------------------------------------------------------------------- */

static bool is_postgres(const struct config *c, const char *name)
{
    const struct config_database *d = config_find_database(c, name);
    return !d || !d->url || (strncmp(d->url, "mysql:", 6) != 0 && strncmp(d->url, "duckdb:", 7) != 0);
}

static void check_query(struct reading *r, const struct part *part, const struct config_feed *feed)
{
    _cleanup_free_ char *missing = no_such_entry(r->config, &section_database, feed->database);
    if (missing)
        complain_part(r, part, "database", "%s", missing);
    else if (!is_postgres(r->config, feed->database))
        complain_part(r, part, "database",
            "a harmonize reads tables of Postgres, and %s is none; a sync can bring them there, or an export "
            "of "
            "them go into a store",
            feed->database);
    if (is_given(part, "table") && is_given(part, "sql"))
        complain_part(
            r, part, "sql", "the rows are those of the table, or of this SELECT; remove one of the two");
    else if (!is_given(part, "table") && !is_given(part, "sql"))
        complain_part(r, part, "database",
            "which rows of it? A table, as table: public.provider, or a file with one SELECT, as sql: "
            "provider.sql");
}

static void check_objects(struct reading *r, const struct part *part, const struct config_feed *feed)
{
    const struct config *c = r->config;
    const struct config_job *job = &c->jobs[part->job];
    _cleanup_free_ char *missing = no_such_entry(c, &section_store, feed->store);
    if (missing)
        return complain_part(r, part, "store", "%s", missing);
    if (feed->pattern && strchr(feed->pattern, '/'))
        complain_part(r, part, "pattern",
            "it is for the last part of a key, which has no slash in it; what stands before goes into "
            "prefix");
    const struct config_store *store = config_find_store(c, feed->store);
    const struct config_store *lake = job->lake ? config_find_store(c, job->lake) : NULL;
    if (lake && lake->url && store->url && store_within(lake, store, feed->prefix))
        complain_part(r, part, "store",
            "the lake is within what this source lists, so that it would read the lake's own files; give it "
            "a "
            "prefix, or the lake a place of its own");
}

static void check_feed(struct reading *r, const struct part *part)
{
    const struct config_feed *feed = part->one;
    bool database = is_given(part, "database"), store = is_given(part, "store");
    if (database && store)
        return complain_part(r, part, "store",
            "a source is of a database, or of a store; remove one of the two, or make two sources of it");
    if (!database && !store && part->marks.self.wrong)
        return; /* that is told already */
    if (!database && !store)
        return complain_part(r, part, NULL,
            "where are its rows? In a table, as database: postgres and table: provider; or in objects, as "
            "store: NAME and columns: A, B");
    if (feed->database)
        check_query(r, part, feed);
    if (feed->store)
        check_objects(r, part, feed);
}

/* -- tables ---------------------------------------------------------------------------------------------- */

static const struct config_target *find_target(const struct config_job *job, const char *name)
{
    for (size_t i = 0; i < job->tables.n; i++)
        if (strcmp(job->tables.list[i].name, name) == 0)
            return &job->tables.list[i];
    return NULL;
}

static const char *nearest_target(const struct config_job *job, const char *name)
{
    const char **names = xcalloc(job->tables.n + 1, sizeof(*names));
    for (size_t i = 0; i < job->tables.n; i++)
        names[i] = job->tables.list[i].name;
    const char *near = text_suggest(name, names, job->tables.n);
    free(names);
    return near;
}

static void check_reference(struct reading *r, const struct part *part, const char *table)
{
    char quoted[QUOTE_MAX];
    const struct config_job *job = &r->config->jobs[part->job];
    const struct config_target *to = find_target(job, table);
    const char *near = to ? NULL : nearest_target(job, table);
    if (!to)
        complain_part(r, part, "references", "the job has no table %s under tables:%s%s%s",
            quote_text(table, quoted), near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    else if (to->key && !config_is_one_item(to->key))
        complain_part(r, part, "references",
            "the key of %s has several columns, and one alone can refer to a key of one", table);
}

/* A column that is twice in the key is a slip for another. */
static void check_target_key(struct reading *r, const struct part *part, const char *text)
{
    char quoted[QUOTE_MAX];
    for (const char *at = text; at;) {
        _cleanup_free_ char *item = text_next_item(&at);
        for (const char *rest = at; rest;) {
            _cleanup_free_ char *other = text_next_item(&rest);
            if (strcmp(item, other) == 0)
                return complain_part(
                    r, part, "key", "the column %s is named twice", quote_text(item, quoted));
        }
    }
}

static void check_target(struct reading *r, const struct part *part)
{
    const struct config_target *target = part->one;
    if (target->key)
        check_target_key(r, part, target->key);
    for (const char *at = target->references; at;) {
        _cleanup_free_ char *item = text_next_item(&at);
        check_reference(r, part, strchr(item, '=') + 1);
    }
}

void check_parts(struct reading *r)
{
    for (size_t i = 0; i < r->n_parts; i++) {
        const struct part *part = &r->parts[i];
        if (part->section == &section_feed)
            check_feed(r, part);
        else if (part->section == &section_target)
            check_target(r, part);
    }
}

/* -- its SQL --------------------------------------------------------------------------------------------- */

static bool is_beside(const char *secret, const char *sql)
{
    const char *slash = strrchr(sql, '/');
    return secret && slash && strncmp(secret, sql, (size_t)(slash + 1 - sql)) == 0;
}

/* The secret that lies in the folder of that file, or below it; NULL: none. */
static const char *secret_beside(const struct config *c, const char *sql)
{
    if (is_beside(c->postgres.password_file, sql))
        return c->postgres.password_file;
    for (size_t i = 0; i < c->n_stores; i++)
        if (is_beside(c->stores[i].credentials_file, sql))
            return c->stores[i].credentials_file;
    for (size_t i = 0; i < c->n_databases; i++)
        if (is_beside(c->databases[i].password_file, sql))
            return c->databases[i].password_file;
    for (size_t i = 0; i < c->n_streams; i++)
        if (is_beside(c->streams[i].password_file, sql))
            return c->streams[i].password_file;
    return NULL;
}

/* What a transform can read it can put into the lake. */
static void check_transform(struct reading *r, size_t i)
{
    char quoted[QUOTE_MAX];
    for (const char *at = r->config->jobs[i].transform; at;) {
        _cleanup_free_ char *sql = text_next_item(&at);
        const char *secret = secret_beside(r->config, sql);
        if (secret)
            return complain_of(r, &section_job, i, "transform",
                "the SQL may read all that is in its folder, and the secret %s is there: give the SQL a "
                "folder of its own",
                quote_text(secret, quoted));
    }
}

/* -- the job --------------------------------------------------------------------------------------------- */

static bool have_one_lake(const struct config *c, const struct config_job *a, const struct config_job *b)
{
    const struct config_store *x = a->lake ? config_find_store(c, a->lake) : NULL;
    const struct config_store *y = b->lake ? config_find_store(c, b->lake) : NULL;
    return x && y && x->url && y->url && (store_within(x, y, NULL) || store_within(y, x, NULL));
}

void check_harmonize(struct reading *r, size_t i)
{
    const struct config *c = r->config;
    const struct config_job *job = &c->jobs[i];
    _cleanup_free_ char *missing = job->lake ? no_such_entry(c, &section_store, job->lake) : NULL;
    if (job->transform)
        check_transform(r, i);
    if (missing)
        return complain_of(r, &section_job, i, "lake", "%s", missing);
    for (size_t k = 0; k < i; k++)
        if (have_one_lake(c, job, &c->jobs[k]))
            return complain_of(r, &section_job, i, "lake",
                "the job %s (line %d) has its lake there too, or within it; what is published is one job's: "
                "give "
                "each a store with a prefix of its own",
                c->jobs[k].name, c->jobs[k].line);
}
