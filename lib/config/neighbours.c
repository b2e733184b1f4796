/*
 * What one value alone cannot tell (two streams on one source, an entry larger than the memory, a job's
 * database that nobody named): checked once all is read, so that the order of the file does not matter.
 */
#include "calendar/schedule.h"
#include "config/entry.h"
#include "config/problems.h"
#include "config/read.h"
#include "config/value.h"
#include "util/date.h"
#include "util/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <strings.h>

#define DAEMON_BYTES     (UINT64_C(16) << 20)
#define CONNECTION_BYTES (UINT64_C(1) << 20)

const struct place *place_of(const struct section *section, const struct marks *marks, const char *key)
{
    const struct place *at = &marks->at[section_find(section, key) - section->keys];
    return at->line ? at : &marks->self;
}

void complain_of(
    struct reading *r, const struct section *section, size_t i, const char *key, const char *fmt, ...)
{
    struct error why;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why.text, sizeof(why.text), fmt, ap);
    va_end(ap);
    const struct marks *marks = &r->marks[section->named->index][i];
    const struct place *at = key ? place_of(section, marks, key) : &marks->self;
    _cleanup_free_ char *path = entry_path(section, entry_name(section, entry_at(section, r->config, i)));
    problem_add(
        r->problems, at->line, at->column, "%s%s%s: %s", path, key ? "." : "", key ? key : "", why.text);
}

/* -- memory ---------------------------------------------------------------------------------------------- */

static void check_memory(struct reading *r, const struct marks *top)
{
    struct config *c = r->config;
    const struct place *at = place_of(&section_top, top, "max_entry");
    uint64_t most = c->memory_max / 4;
    if (!at->line)
        c->max_entry = MIN(c->max_entry, most);
    if (c->max_entry <= most || c->memory_max == 0)
        return;
    _cleanup_free_ char *got = value_size_text(c->max_entry), *limit = value_size_text(most);
    _cleanup_free_ char *memory = value_size_text(c->memory_max);
    problem_add(r->problems, at->line, at->column,
        "max_entry: %s is too much: at most a quarter of memory_max (%s), that is %s", got, memory, limit);
}

/* Beside the daemon itself, a connection needs about a megabyte for its batches. */
static void check_connections(struct reading *r, const struct marks *top)
{
    const struct config *c = r->config;
    const struct place *at = place_of(&section_top, top, "memory_max");
    uint64_t n = 0;
    for (size_t i = 0; i < c->n_streams; i++)
        n += c->streams[i].connections;
    uint64_t least = DAEMON_BYTES + n * CONNECTION_BYTES;
    if (c->memory_max >= least || c->memory_max == 0)
        return;
    _cleanup_free_ char *got = value_size_text(c->memory_max), *limit = value_size_text(least);
    problem_add(r->problems, at->line, at->column,
        "memory_max: %s is too little for %zu streams with %" PRIu64 " connections: at least %s", got,
        c->n_streams, n, limit);
}

/* -- streams --------------------------------------------------------------------------------------------- */

static void check_same_source(struct reading *r, char *const *identities, size_t me)
{
    const struct config_stream *streams = r->config->streams;
    for (size_t i = 0; identities[me] && i < me; i++) {
        if (!identities[i] || strcmp(identities[i], identities[me]) != 0 ||
            strcmp(streams[i].name, streams[me].name) == 0)
            continue;
        _cleanup_free_ char *other = entry_path(&section_stream, streams[i].name);
        return complain_of(r, &section_stream, me, "source",
            "%s (line %d) reads the same source; each would get a part of the entries%s", other,
            streams[i].line,
            strncmp(streams[me].source, "redis:", 6) == 0 ? ". Give one of them a group of its own" : "");
    }
}

static void check_sources(struct reading *r)
{
    size_t n = r->config->n_streams;
    char **identities = xcalloc(n, sizeof(*identities)); /* see source_identity(); NULL where there is none */
    for (size_t i = 0; i < n; i++) {
        const struct config_stream *s = &r->config->streams[i];
        identities[i] = s->source && s->group ? source_identity(s->source, s->group) : NULL;
        check_same_source(r, identities, i);
    }
    for (size_t i = 0; i < n; i++)
        free(identities[i]);
    free(identities);
}

/* -- jobs ------------------------------------------------------------------------------------------------ */

/* With a zone that is no good, which is told already, the rest of the schedule is still looked at. */
static void check_schedule(struct reading *r, size_t i)
{
    struct error err;
    const struct config_job *job = &r->config->jobs[i];
    _cleanup_(schedule_freep) struct schedule *schedule = NULL;
    if (job->schedule && schedule_parse(job->schedule, job->time_zone, &schedule, &err) < 0)
        complain_of(r, &section_job, i, "schedule", "%s", err.text);
}

static const char *nearest_entry(const struct config *c, const struct section *section, const char *name)
{
    size_t n = n_entries(section, c);
    const char **names = xcalloc(n + 1, sizeof(*names));
    for (size_t i = 0; i < n; i++)
        names[i] = entry_name(section, entry_at(section, c, i));
    if (section->named->reserved)
        names[n++] = section->named->reserved;
    const char *near = text_suggest(name, names, n);
    free(names);
    return near;
}

char *no_such_entry(const struct config *c, const struct section *section, const char *name)
{
    char quoted[QUOTE_MAX], quoted_near[QUOTE_MAX];
    const char *reserved = section->named->reserved;
    if ((reserved && strcmp(name, reserved) == 0) || entry_find(section, c, name))
        return NULL;
    const char *near = nearest_entry(c, section, name);
    return xasprintf("there is no %s under %ss:%s%s%s", quote_text(name, quoted), section->named->noun,
        near ? "; did you mean " : "", near ? quote_text(near, quoted_near) : "", near ? "?" : "");
}

static void check_job_database(struct reading *r, size_t i)
{
    const struct config_job *job = &r->config->jobs[i];
    if (!job->database || !entry_has(&section_job, section_find(&section_job, "database"), job))
        return;
    _cleanup_free_ char *wrong = no_such_entry(r->config, &section_database, job->database);
    if (wrong)
        complain_of(r, &section_job, i, "database", "%s", wrong);
}

/* -- syncs ----------------------------------------------------------------------------------------------- */

/* The dumps of dates need a beginning, and so does nothing else; a page has either a pattern or is none. */
static void check_dates(struct reading *r, size_t i)
{
    const struct config_job *job = &r->config->jobs[i];
    bool dated = date_pattern(job->source) != DATE_PATTERN_NONE;
    if (dated && job->pattern)
        complain_of(r, &section_job, i, "pattern",
            "the source has a date in it, so it is no page that lists dumps; remove one of the two");
    if (dated && !job->since)
        complain_of(r, &section_job, i, "source",
            "it has a date in it, so `since` must say which is the first: since: 2016-01-01");
    if (!dated && !job->pattern && job->since)
        complain_of(r, &section_job, i, "since",
            "it is for many dumps: with %%Y, %%m and %%d in source, or with a pattern");
    if (job->pattern && !dated && date_pattern(job->pattern) < DATE_PATTERN_MONTHS)
        complain_of(r, &section_job, i, "pattern",
            "it must say where a dump's date stands: %%Y and %%m, and %%d where it has a day, as "
            "npi-%%Y-%%m-%%d.csv");
}

/* The table is put behind it, and so it must be a URL. */
static void check_sink(struct reading *r, size_t i)
{
    const struct config *c = r->config;
    const struct config_job *job = &c->jobs[i];
    const struct config_database *d = job->database ? config_find_database(c, job->database) : NULL;
    const char *url = d ? d->url : c->postgres.url;
    if (!url || !job->database || (!d && strcmp(job->database, "postgres") != 0))
        return; /* that is told already */
    if (!strstr(url, "://"))
        complain_of(r, &section_job, i, "database",
            "a %s needs its database as a URL, postgresql://user@host/database, and %s is given in words",
            job->kind, job->database);
    if (job->types && strncmp(url, "duckdb://", 9) != 0)
        complain_of(r, &section_job, i, "types", "they are for a DuckDB database; in others all is text");
    if (strncmp(url, "mysql://", 8) == 0 && job->table && strchr(job->table, '.'))
        complain_of(r, &section_job, i, "table",
            "in MySQL a table has no schema before it: the database is in the database's URL");
}

/* What is a dump's alone. */
static void check_not_of_dumps(struct reading *r, size_t i)
{
    static const char *const keys[] = {"pattern", "since", "member", "null", "delimiter"};
    const struct marks *marks = &r->marks[NAMED_JOBS][i];
    for (size_t k = 0; k < N_ELEMENTS(keys); k++)
        if (marks->at[section_find(&section_job, keys[k]) - section_job.keys].line)
            complain_of(r, &section_job, i, keys[k],
                "this key is for dumps, and with `rest` the source is a REST resource; remove one of the "
                "two");
}

static void check_rest(struct reading *r, size_t i)
{
    const struct config_job *job = &r->config->jobs[i];
    const char *wrong = config_rest_wrong(&job->rest);
    if (wrong)
        complain_of(r, &section_job, i, "rest", "%s", wrong);
    if (job->source && strncasecmp(job->source, "http", 4) != 0)
        complain_of(r, &section_job, i, "source", "a REST resource is https:// or http://");
    if (job->source && date_pattern(job->source) != DATE_PATTERN_NONE)
        complain_of(r, &section_job, i, "source",
            "it has a date in it, which is for dumps, and with `rest` the source is a REST resource");
    if (!config_is_one_key(job->key))
        complain_of(r, &section_job, i, "key",
            "a REST resource has one key, the member that tells its rows apart: key: id");
    check_not_of_dumps(r, i);
}

static void check_sync(struct reading *r, size_t i)
{
    const struct config_job *job = &r->config->jobs[i];
    if (job->rest.rows)
        check_rest(r, i);
    else if (job->source)
        check_dates(r, i);
    check_sink(r, i);
}

static void check_kind(struct reading *r, size_t i)
{
    const char *kind = r->config->jobs[i].kind;
    if (!kind)
        return; /* that is told already */
    if (strcmp(kind, "sync") == 0)
        check_sync(r, i);
    if (strcmp(kind, "harmonize") == 0)
        check_harmonize(r, i);
    if (strcmp(kind, "match") != 0)
        return;
    check_match(r, i);
    check_sink(r, i);
}

/* `ingestctl pause NAME` must mean one thing. */
static void check_job_name(struct reading *r, size_t i)
{
    const struct config_job *job = &r->config->jobs[i];
    const struct config_stream *stream = entry_find(&section_stream, r->config, job->name);
    if (stream)
        complain_of(r, &section_job, i, NULL,
            "the stream on line %d has this name too; give one of them another, so that a name means one "
            "thing",
            stream->line);
}

void check_neighbours(struct reading *r, const struct marks *top)
{
    check_memory(r, top);
    check_connections(r, top);
    check_sources(r);
    for (size_t i = 0; i < r->config->n_jobs; i++) {
        check_job_name(r, i);
        check_schedule(r, i);
        check_job_database(r, i);
        check_kind(r, i);
    }
    check_parts(r);
}
