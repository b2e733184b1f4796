#include "config/keys.h"

#include "config/value.h"

#define KB     UINT64_C(1024)
#define MB     (KB * 1024)
#define GB     (MB * 1024)
#define SECOND UINT64_C(1000000)
#define DAY    (SECOND * 86400)

#define AT(field)          .offset = offsetof(struct config, field)
#define AT_STREAM(field)   .offset = offsetof(struct config_stream, field)
#define AT_DATABASE(field) .offset = offsetof(struct config_database, field)
#define AT_JOB(field)      .offset = offsetof(struct config_job, field)
#define AT_REST(field)     .offset = offsetof(struct config_rest, field)
#define AT_SIDE(field)     .offset = offsetof(struct config_side, field)
#define AT_RULE(field)     .offset = offsetof(struct config_rule, field)

#define RULE_NAME  "`a-z`, `0-9` and `_`, at most 40 characters"
#define PLAIN_NAME "`a-z`, `0-9` and `_`, beginning with a letter, at most 40 characters"
#define NAME_RULE  "`a-z`, `0-9`, `_` and `-`, beginning with a letter or digit, at most 48 characters."

static const char *const levels[] = {"error", "warning", "notice", "info", "debug", NULL};
static const char *const kinds[] = {"rollup", "query", "sync", "match", "harmonize", NULL};
static const char *const catch_ups[] = {"none", "last", "all", NULL};
static const char *const yes_or_no[] = {"yes", "no", NULL};
static const char *const pagings[] = {"offset", "page", "next", "cursor", NULL};
static const char *const normals[] = {"trim", "blanks", "case", "nfc", "underscore", NULL};
static const char *const outcomes[] = {"matched", "ambiguous", "left_only", "right_only", "rejected", NULL};

static const struct key top_keys[] = {
    {"name", KEY_NAME, "ingestd", AT(name), .most = 64, .needs_restart = true,
        .help = "What this daemon is called in status, logs and as a consumer. Of a tenant: its name."},
    {"control", KEY_PATH, "/run/ingestd/control", AT(control), .most = 107, .needs_restart = true,
        .help = "The control socket, which `ingestctl` talks to. Of a tenant: "
                "`/run/ingestd-tenants/${tenant}/control`."},
    {"state_dir", KEY_PATH, "/var/lib/ingestd", AT(state_dir), .most = 4000, .needs_restart = true,
        .help =
            "The folder of the spools, and of what matches and harmonizes keep; it must survive a reboot. Of "
            "a tenant: `/var/lib/ingestd-tenants/${tenant}`."},
    {"http", KEY_LISTEN, AT(http), .fallback_note = "no listener", .needs_restart = true,
        .help = "Serves `/metrics` and `/healthz` on this loopback address."},
    {"log_level", KEY_CHOICE, "info", AT(log_level), .words = levels,
        .help = "The least important lines that are logged."},
    {"memory_max", KEY_SIZE, "64MB", AT(memory_max), .least = 24 * MB, .most = 64 * GB, .needs_restart = true,
        .help = "Ceiling for the daemon's memory; batches are sized from it."},
    {"max_entry", KEY_SIZE, "16MB", AT(max_entry), .least = KB, .most = 512 * MB, .needs_restart = true,
        .fallback_note = "16MB, or a quarter of `memory_max` where that is less",
        .help = "A longer entry becomes a dead letter with its first 64 KB. At most a quarter of "
                "`memory_max`."},
    {"workers", KEY_COUNT, "4", AT(workers), .least = 1, .most = 64,
        .help = "How many runs of jobs there may be at once, each in a process of its own. Their memory is "
                "not part of `memory_max`."},
    {"keep_runs", KEY_DURATION, "400d", AT(keep_runs_us), .least = DAY, .most = 36500 * DAY,
        .help = "How long runs stay on record."},
    {"postgres", KEY_SECTION, .required = true, .section = &section_postgres,
        .help = "The database that is written to."},
    {"databases", KEY_NAMED, .section = &section_database, .fallback_note = "none",
        .help = "Other databases that jobs may name, by name: " NAME_RULE " `postgres` is the one above."},
    {"stores", KEY_NAMED, .section = &section_store, .fallback_note = "none",
        .help = "Buckets and folders that jobs may name, by name: " NAME_RULE},
    {"streams", KEY_NAMED, .section = &section_stream, .fallback_note = "none",
        .help = "The streams by name: " NAME_RULE},
    {"jobs", KEY_NAMED, .section = &section_job, .fallback_note = "none",
        .help = "The jobs by name: " NAME_RULE " No stream may have the same."},
};

static const struct key postgres_keys[] = {
    {"url", KEY_DATABASE, AT(postgres.url), .required = true, .needs_restart = true,
        .help = "`postgresql://user@host/database`, or a libpq connection string of `key=value` words."},
    {"password_file", KEY_PATH, AT(postgres.password_file), .most = 4000, .needs_restart = true,
        .fallback_note = "no file",
        .help = "The password is the first line of this file, which others must not be able to read. It is "
                "read again at each connect."},
    {"schema", KEY_SCHEMA, "ingest", AT(postgres.schema), .needs_restart = true,
        .help = "The schema of the daemon's own tables (ledger, dead letters)."},
    {"timeout", KEY_DURATION, "30s", AT(postgres.timeout_us), .least = SECOND, .most = 3600 * SECOND,
        .needs_restart = true, .help = "A statement that takes longer is given up and tried again."},
};

static const struct key database_keys[] = {
    {"url", KEY_ANY_DATABASE, AT_DATABASE(url), .required = true,
        .help = "`postgresql://user@host/database`, a libpq connection string, "
                "`mysql://[user[:password]@]host[:port]/database`, or `duckdb:///path/to/file`."},
    {"password_file", KEY_PATH, AT_DATABASE(password_file), .most = 4000, .fallback_note = "no file",
        .help = "The password is the first line of this file, which others must not be able to read. It is "
                "read again for each run."},
};

static const struct key stream_keys[] = {
    {"source", KEY_SOURCE, AT_STREAM(source), .required = true,
        .help = "`redis://[user[:password]@]host[:port]/DB/STREAM`, or `fifo:///path/to/pipe`."},
    {"password_file", KEY_PATH, AT_STREAM(password_file), .most = 4000, .only = "redis",
        .fallback_note = "no file",
        .help = "The source's password is the first line of this file, which others must not be able to "
                "read."},
    {"group", KEY_TEXT, "ingestd", AT_STREAM(group), .most = 128, .only = "redis",
        .help = "The consumer group; made at the start of the stream if it is missing."},
    {"consumer", KEY_TEXT, AT_STREAM(consumer), .most = 200, .only = "redis",
        .fallback_note = "the host's name, a dash, and `name`",
        .help = "The daemon's own name in the group; no two daemons may share one."},
    {"claim_after", KEY_DURATION, "60s", AT_STREAM(claim_after_us), .least = SECOND / 10, .most = 30 * DAY,
        .only = "redis", .help = "Entries that another consumer left pending this long are taken over."},
    {"spool_max", KEY_SIZE, "1GB", AT_STREAM(spool_max), .least = 16 * MB, .most = 1024 * 1024 * MB,
        .only = "fifo", .help = "How much of the disk may be used while the database is away."},
    {"table", KEY_TABLE, AT_STREAM(table), .required = true,
        .help = "`[schema.]table`; the schema is `public` unless given."},
    {"columns", KEY_COLUMNS, AT_STREAM(columns), .required = true,
        .help = "`column: field` for each column that is written. The field `@received` is the entry's own "
                "time."},
    {"connections", KEY_COUNT, "2", AT_STREAM(connections), .least = 1, .most = 8,
        .help = "How many connections to Postgres write the stream side by side; entries of one key keep to "
                "one."},
    {"time_zone", KEY_TIME_ZONE, "UTC", AT_STREAM(time_zone),
        .help = "The zone in which `@received` is written into a timestamp without time zone."},
    {"park_for", KEY_DURATION, "7d", AT_STREAM(park_for_us), .most = 3650 * DAY,
        .help = "How long a row waits for the parent it names before it counts as dead."},
};

static const struct key rest_keys[] = {
    {"rows", KEY_TEXT, "data", AT_REST(rows), .most = 500,
        .help = "Where the rows are in a page: `data`, or `result.items`; `.` where the page itself is the "
                "list."},
    {"paging", KEY_CHOICE, "offset", AT_REST(paging), .words = pagings,
        .help = "How pages go: by `offset` and `limit`, by the number of the `page`, by the URL of the "
                "`next` in each, or by a "
                "word (`cursor`) in each that the next request repeats."},
    {"page_size", KEY_COUNT, "1000", AT_REST(page_size), .least = 1, .most = 1000000,
        .help = "Rows of a page; an API that gives fewer is understood."},
    {"first_page", KEY_COUNT, "1", AT_REST(first_page), .most = 1000000,
        .help = "The number of the first page, where pages have numbers."},
    {"parallel", KEY_COUNT, "4", AT_REST(parallel), .least = 1, .most = 64,
        .help = "How many pages are under way at once, and in memory."},
    {"per_second", KEY_COUNT, "0", AT_REST(per_second), .most = 1000000,
        .help = "So many requests a second at most; with `0` there is no limit."},
    {"fields", KEY_WORDS, AT_REST(fields), .most = 20000, .fallback_note = "all there are",
        .help = "The members to keep, in this order."},
    {"headers", KEY_HEADERS, AT_REST(headers), .most = 20000, .fallback_note = "none",
        .help = "Sent with each request: `Name: value`, with commas between several. What is secret belongs "
                "in a file."},
    {"header_file", KEY_PATH, AT_REST(header_file), .most = 4000, .fallback_note = "no file",
        .help = "One more header, the first line of this file, which others must not be able to read: "
                "`X-Api-Key: …`."},
    {"token_file", KEY_PATH, AT_REST(token_file), .most = 4000, .fallback_note = "no file",
        .help =
            "The first line of this file, which others must not be able to read, is sent as a bearer token."},
    {"credentials_file", KEY_PATH, AT_REST(credentials_file), .most = 4000, .fallback_note = "no file",
        .help = "The first line of this file, which others must not be able to read, is `user:password`, "
                "sent as basic "
                "credentials."},
    {"next", KEY_TEXT, AT_REST(next), .most = 500, .fallback_note = "`next`",
        .help = "Where the URL of the next page is, or its word: `meta.next`. A `Link` header is looked at "
                "as well."},
    {"cursor", KEY_TEXT, AT_REST(cursor), .most = 200, .fallback_note = "`cursor`",
        .help = "The parameter that takes that word."},
    {"limit", KEY_TEXT, AT_REST(limit), .most = 200,
        .fallback_note = "`limit`; but for `offset` none is sent unless named",
        .help = "The parameter that takes the page's size."},
    {"offset", KEY_TEXT, AT_REST(offset), .most = 200, .fallback_note = "`offset`",
        .help = "The parameter that takes the number of the rows before the page."},
    {"page", KEY_TEXT, AT_REST(page), .most = 200, .fallback_note = "`page`",
        .help = "The parameter that takes the page's number."},
    /* What follows is a sync's alone: SYNC_ALONE. */
    {"order", KEY_QUERY, AT_REST(order), .most = 2000, .fallback_note = "as the API has it",
        .help = "Parameters of a full pass, for an order that never changes: `sort_field=id&sort_dir=asc`."},
    {"updated", KEY_TEXT, AT_REST(updated), .most = 500, .fallback_note = "none: every pass is full",
        .help = "The member that tells when a row was changed. With it a pass reads only what changed, until "
                "a full pass is due."},
    {"updated_order", KEY_QUERY, AT_REST(updated_order), .most = 2000,
        .fallback_note = "`sort_field=UPDATED&sort_dir=desc`",
        .help = "Parameters of a pass by cursor, with which the rows that were changed last come first."},
    {"full_every", KEY_DURATION, "7d", AT_REST(full_every_us), .most = 36500 * DAY,
        .help = "A pass is full when the last such is so long ago; it alone sees what is gone. With `0s` "
                "each is."},
};

#define SYNC_ALONE 4

static const struct key rule_keys[] = {
    {"left", KEY_TEXT, AT_RULE(left), .most = 500, .fallback_note = "the name above it",
        .help = "The column of the left side."},
    {"right", KEY_TEXT, AT_RULE(right), .most = 500, .fallback_note = "the name above it",
        .help = "The column of the right side."},
    {"normalise", KEY_LIST, "trim, blanks, case, nfc", AT_RULE(normalise), .most = 500, .words = normals,
        .may_be_empty = true,
        .help =
            "What is made of both values before they are compared; with `\"\"` nothing. `trim`: no blanks at "
            "the ends; `blanks`: several are one; `case`: capital and small letters are the same; `nfc`: "
            "composed characters and their parts are the same; `underscore`: `_` is a blank."},
};

static const struct key side_keys[] = {
    {"name", KEY_NAME, AT_SIDE(name), .most = 20, .fallback_note = "`left`, `right`",
        .help = "Stands before its columns in the table: `vendor_id`. `a-z`, `0-9` and `_`."},
    {"database", KEY_NAME, AT_SIDE(database), .most = ENTRY_NAME_MAX,
        .fallback_note = "none: it has a source",
        .help = "Where `sql` runs: one of `databases:`, or `postgres`."},
    {"sql", KEY_FILE, AT_SIDE(sql), .most = 4000, .fallback_note = "none: it has a source",
        .help = "The file with one SELECT, whose rows are the side's."},
    {"source", KEY_RESOURCE, AT_SIDE(source), .fallback_note = "none: it has a database and sql",
        .help = "The REST resource whose rows are the side's."},
    {"rest", KEY_SECTION, AT_SIDE(rest), .section = &section_side_rest,
        .fallback_note = "as a REST resource usually is",
        .help = "How the pages of `source` go: the keys of `jobs.NAME.rest`, but for those of a sync alone."},
    {"id", KEY_TEXT, "id", AT_SIDE(id), .most = 500, .help = "The column that tells the side's users apart."},
    {"active", KEY_TEXT, AT_SIDE(active), .most = 500, .fallback_note = "none: nobody is known to be active",
        .help = "The column with the date somebody was last active."},
    {"columns", KEY_LIST, AT_SIDE(columns), .most = 20000, .fallback_note = "none",
        .help = "Columns that go into the table as they came, as `NAME_COLUMN`."},
};

static const struct key job_keys[] = {
    {"kind", KEY_CHOICE, AT_JOB(kind), .words = kinds, .required = true,
        .help = "A `rollup` fills a table window by window; a `query` runs an SQL file; a `sync` loads dumps "
                "into a table with history; a `match` finds out who is the same on two sides; a `harmonize` "
                "makes of many sources the tables of a lake."},
    {"schedule", KEY_SCHEDULE, AT_JOB(schedule), .most = 500, .required_by = "rollup",
        .fallback_note = "by hand alone; required for a rollup",
        .help = "When it is due. The windows of a rollup lie between one firing and the next."},
    {"time_zone", KEY_TIME_ZONE, "UTC", AT_JOB(time_zone),
        .help = "The zone of a cron line, of a match's `today`, and of the timestamps without time zone "
                "that a rollup reads."},
    {"catch_up", KEY_CHOICE, AT_JOB(catch_up), .words = catch_ups,
        .fallback_note = "`all` for a rollup, else `last`",
        .help = "Which of the firings that were missed are made up for, after a downtime."},
    {"sql", KEY_FILE, AT_JOB(sql), .most = 4000, .only = "rollup and query",
        .required_by = "rollup and query", .fallback_note = "required for a rollup and a query",
        .help = "The file of SQL that is run."},
    {"table", KEY_PLAIN_TABLE, AT_JOB(table), .only = "rollup, sync and match",
        .required_by = "rollup, sync and match", .fallback_note = "required for a rollup, a sync and a match",
        .help = "The table it fills; the schema is `public` unless given. A sync makes it, and its history "
                "beside it; a match makes it too."},
    {"database", KEY_NAME, "postgres", AT_JOB(database), .most = ENTRY_NAME_MAX,
        .only = "query, sync and match",
        .help = "Where it runs, or where its table is: one of `databases:`, or `postgres` for the one under "
                "`postgres:`. A sync and a match need one that is given as a URL."},
    {"source", KEY_DUMPS, AT_JOB(source), .only = "sync", .required_by = "sync",
        .fallback_note = "required for a sync",
        .help =
            "Where the dumps are: `https://`, `http://` or `file://`. One file; or, with `%Y`, `%m` and `%d` "
            "in it, a file for each date; or, with `pattern`, the page or folder that lists them. All that "
            "are newer than the newest in the table are loaded, in order of their dates."},
    {"pattern", KEY_TEXT, AT_JOB(pattern), .most = 500, .only = "sync", .fallback_note = "none",
        .help =
            "Which links of the page, or files of the folder, are dumps: a glob in which `%Y`, `%m` and `%d` "
            "stand for the parts of a dump's date. Two names of one date are refused, but for one that is "
            "there plain and packed: then the packed one is taken."},
    {"since", KEY_DATE, AT_JOB(since), .only = "sync",
        .fallback_note = "the beginning; required where `source` has a date in it",
        .help = "Dumps of before this date are left alone."},
    {"member", KEY_TEXT, AT_JOB(member), .most = 500, .only = "sync", .fallback_note = "the only one",
        .help = "Which file of a zip is the dump: a glob."},
    {"rest", KEY_SECTION, AT_JOB(rest), .section = &section_rest, .only = "sync",
        .fallback_note = "the source is dumps",
        .help =
            "The source is a REST resource: a list in pages of JSON. `rest: {}` takes all as it usually is."},
    {"key", KEY_WORDS, AT_JOB(key), .most = 4000, .only = "sync", .fallback_note = "the first column",
        .help = "The headers of the columns that tell one record from another."},
    {"null", KEY_WORDS, "NULL", AT_JOB(null_tokens), .most = 4000, .only = "sync", .may_be_empty = true,
        .help = "Cells that are exactly one of these hold nothing, as the empty cell does; with `\"\"` that "
                "one alone."},
    {"delimiter", KEY_DELIMITER, AT_JOB(delimiter), .only = "sync",
        .fallback_note = "found out from the header", .help = "What stands between the cells."},
    {"types", KEY_TYPES, AT_JOB(types), .most = 20000, .only = "sync",
        .fallback_note = "found out from the cells",
        .help = "In DuckDB: what columns are, for good. A row with another cell is rejected."},
    {"max_removed", KEY_COUNT, "20", AT_JOB(max_removed), .most = 100, .only = "sync",
        .help =
            "A dump in which more than so many percent of the keys are missing (and more than 20 keys) is "
            "refused; with `100` none is."},
    {"max_rejected", KEY_COUNT, "10", AT_JOB(max_rejected), .most = 100, .only = "sync and harmonize",
        .help =
            "A dump, or a run of a harmonize, of which more than so many percent of the rows cannot be taken "
            "(and more than 20 rows) is refused; with `100` none is."},
    {"left", KEY_SECTION, AT_JOB(left), .section = &section_side, .only = "match", .required_by = "match",
        .fallback_note = "required for a match", .help = "One side."},
    {"right", KEY_SECTION, AT_JOB(right), .section = &section_side, .only = "match", .required_by = "match",
        .fallback_note = "required for a match", .help = "The other side."},
    {"keys", KEY_ORDERED, AT_JOB(keys), .section = &section_rule, .most = 16, .only = "match",
        .required_by = "match", .fallback_note = "required for a match",
        .help = "Who is equal in all of these is a candidate: a mapping of names (" RULE_NAME
                ") to the keys of `jobs.NAME.keys.KEY`; `lastname: {}` takes all as it usually is."},
    {"tie_breaks", KEY_ORDERED, AT_JOB(tie_breaks), .section = &section_rule, .most = 6, .only = "match",
        .fallback_note = "none",
        .help = "What decides among several candidates, the strongest first; written as `keys`. The table "
                "tells of each match whether it agrees, as `NAME_agrees`."},
    {"report_date", KEY_REPORT_DATE, "today", AT_JOB(report_date), .only = "match",
        .help = "The date the table speaks for; its rows are replaced, those of other dates stay."},
    {"active_days", KEY_COUNT, "30", AT_JOB(active_days), .most = 36500, .only = "match",
        .help = "Active is who was last active at most so many days before the report date."},
    {"batch_fraction", KEY_FRACTION, "0.1", AT_JOB(batch_fraction), .least = 1, .most = 100000,
        .only = "match", .help = "The share of a side's rows that is in memory at most."},
    {"outcomes", KEY_LIST, "matched, ambiguous, left_only, right_only, rejected", AT_JOB(outcomes),
        .most = 500, .words = outcomes, .only = "match", .help = "Which outcomes go into the table."},
    {"sources", KEY_ORDERED, AT_JOB(sources), .section = &section_feed, .most = 64, .only = "harmonize",
        .required_by = "harmonize", .fallback_note = "required for a harmonize",
        .help = "What it reads: a mapping of names (" PLAIN_NAME ") to the keys of "
                "`jobs.NAME.sources.SOURCE`. Each is `staged.SOURCE` to the SQL."},
    {"transform", KEY_FILES, AT_JOB(transform), .most = 20000, .only = "harmonize",
        .required_by = "harmonize", .fallback_note = "required for a harmonize",
        .help = "The files of SQL that are run, in this order."},
    {"variables", KEY_VARIABLES, AT_JOB(variables), .most = 20000, .only = "harmonize",
        .fallback_note = "none", .help = "Variables of the SQL: `getvariable('unknown_care_site')`."},
    {"lake", KEY_NAME, AT_JOB(lake), .most = ENTRY_NAME_MAX, .only = "harmonize", .required_by = "harmonize",
        .fallback_note = "required for a harmonize", .help = "Where the tables are kept: one of `stores:`."},
    {"tables", KEY_ORDERED, AT_JOB(tables), .section = &section_target, .most = 64, .only = "harmonize",
        .required_by = "harmonize", .fallback_note = "required for a harmonize",
        .help = "The tables of the lake that it fills: a mapping of names (" PLAIN_NAME ") to the keys of "
                "`jobs.NAME.tables.TABLE`."},
    {"revision", KEY_NAME, AT_JOB(revision), .most = 64, .only = "harmonize", .fallback_note = "none",
        .help = "A word of yours. When it is another one than at the run before, everything is taken anew."},
    {"full_every", KEY_DURATION, "7d", AT_JOB(full_every_us), .most = 36500 * DAY, .only = "harmonize",
        .help = "A table is read in full when that was last done so long ago. With `0s` each time."},
    {"keep_versions", KEY_DURATION, "30d", AT_JOB(keep_versions_us), .least = 3600 * SECOND,
        .most = 36500 * DAY, .or_zero = true, .only = "harmonize",
        .help =
            "How long files stay that only older versions of the lake's tables have. With `0s` for ever."},
    {"time_limit", KEY_DURATION, AT_JOB(time_limit_us), .least = SECOND, .most = 30 * DAY,
        .fallback_note = "10m, for a sync, a match and a harmonize 6h",
        .help = "A run that takes longer is ended, and counts as failed."},
    {"retries", KEY_COUNT, "3", AT_JOB(retries), .most = 100,
        .help = "How often a run that failed is tried again."},
    {"retry_after", KEY_DURATION, "10s", AT_JOB(retry_after_us), .least = SECOND / 10, .most = DAY,
        .help = "The wait before the first new attempt; it is doubled each time, up to an hour."},
    {"memory_max", KEY_SIZE, AT_JOB(memory_max), .least = 32 * MB, .most = 1024 * GB,
        .fallback_note = "128MB, for a harmonize 512MB", .help = "Ceiling for the memory of its process."},
    {"result_rows", KEY_COUNT, "20", AT_JOB(result_rows), .most = 1000, .only = "query",
        .help = "How many rows of its result are kept on record."},
    {"transaction", KEY_CHOICE, "yes", AT_JOB(transaction), .words = yes_or_no, .only = "query",
        .help = "Whether the whole file is one transaction."},
};

static const char *stream_kind(const void *entry)
{
    const struct config_stream *stream = entry;
    return stream->source ? source_scheme(stream->source) : NULL;
}

static const char *job_kind(const void *entry)
{
    const struct config_job *job = entry;
    return job->kind;
}

static const struct named databases = {
    NAMED_DATABASES, "database", .reserved = "postgres", .most = 256, KEPT(databases, config_database)};
static const struct named streams = {NAMED_STREAMS, "stream", .most = 256, KEPT(streams, config_stream)};
static const struct named jobs = {NAMED_JOBS, "job", .most = 1000, KEPT(jobs, config_job)};

/* A rule compares the columns that are called as it is. */
static void fill_rule(void *one)
{
    struct config_rule *rule = one;
    if (!rule->left)
        rule->left = xstrdup(rule->name);
    if (!rule->right)
        rule->right = xstrdup(rule->name);
}

static const struct ordered rules = {"lastname: {}", .fill = fill_rule, PART_KEPT(config_rule)};

const struct section section_top = {"", "The top level.", top_keys, N_ELEMENTS(top_keys), NULL};
const struct section section_postgres = {
    "postgres", "Where the rows go.", postgres_keys, N_ELEMENTS(postgres_keys), NULL};
const struct section section_database = {"databases.NAME",
    "A database that jobs may run against, beside the one under `postgres:`.", database_keys,
    N_ELEMENTS(database_keys), &databases};
const struct section section_stream = {"streams.NAME",
    "One stream: where its entries come from, and what becomes of them.", stream_keys,
    N_ELEMENTS(stream_keys), &streams, .kind_noun = "source", .kind = stream_kind};
const struct section section_job = {"jobs.NAME", "One job: what is run, and when.", job_keys,
    N_ELEMENTS(job_keys), &jobs, .kind_noun = "job", .kind = job_kind};

const struct section section_rest = {"jobs.NAME.rest",
    "A REST resource that a sync reads: how its pages go. docs/rest.md says what it must offer.", rest_keys,
    N_ELEMENTS(rest_keys), NULL};
const struct section section_side_rest = {"jobs.NAME.left.rest", "A REST resource that a match reads.",
    rest_keys, N_ELEMENTS(rest_keys) - SYNC_ALONE, NULL, .lacks = "a match reads the whole each time"};
const struct section section_side = {"jobs.NAME.left",
    "One side of a match: a query (`database` and `sql`), or a REST resource (`source`). `jobs.NAME.right` "
    "has "
    "the same keys. docs/match.md says what becomes of the rows.",
    side_keys, N_ELEMENTS(side_keys), NULL};
const struct section section_rule = {"jobs.NAME.keys.KEY",
    "A pair of columns that a match compares. `jobs.NAME.tie_breaks.TIE_BREAK` has the same keys.", rule_keys,
    N_ELEMENTS(rule_keys), .ordered = &rules};

const struct section *const all_sections[N_SECTIONS] = {&section_top, &section_postgres, &section_database,
    &section_store, &section_stream, &section_job, &section_rest, &section_side, &section_rule, &section_feed,
    &section_target};
const struct section *const named_sections[N_NAMED] = {[NAMED_DATABASES] = &section_database,
    [NAMED_STORES] = &section_store,
    [NAMED_STREAMS] = &section_stream,
    [NAMED_JOBS] = &section_job};

_Static_assert(N_ELEMENTS(top_keys) <= SECTION_MAX, "raise SECTION_MAX");
_Static_assert(N_ELEMENTS(postgres_keys) <= SECTION_MAX, "raise SECTION_MAX");
_Static_assert(N_ELEMENTS(database_keys) <= SECTION_MAX, "raise SECTION_MAX");
_Static_assert(N_ELEMENTS(stream_keys) <= SECTION_MAX, "raise SECTION_MAX");
_Static_assert(N_ELEMENTS(job_keys) <= SECTION_MAX, "raise SECTION_MAX");
_Static_assert(N_ELEMENTS(rest_keys) <= SECTION_MAX, "raise SECTION_MAX");
_Static_assert(N_ELEMENTS(side_keys) <= SECTION_MAX, "raise SECTION_MAX");

bool kinds_have(const char *list, const char *kind)
{
    size_t n = strlen(kind);
    for (const char *at = list; (at = strstr(at, kind)); at += n)
        if ((at == list || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' ' || at[n] == ','))
            return true;
    return false;
}

const struct key *section_find(const struct section *s, const char *name)
{
    for (size_t i = 0; i < s->n_keys; i++)
        if (strcmp(s->keys[i].name, name) == 0)
            return &s->keys[i];
    return NULL;
}
