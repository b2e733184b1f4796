#include "config/keys.h"

#define KB     UINT64_C(1024)
#define MB     (KB * 1024)
#define GB     (MB * 1024)
#define SECOND UINT64_C(1000000)
#define DAY    (SECOND * 86400)

#define AT(field)        .offset = offsetof(struct config, field)
#define AT_STREAM(field) .offset = offsetof(struct config_stream, field)

static const struct key top_keys[] = {
    {"name", KEY_NAME, "ingestd", AT(name), .most = 64, .needs_restart = true,
        .help = "What this daemon is called in status, logs and as a consumer."},
    {"control", KEY_PATH, "/run/ingestd/control", AT(control), .most = 107, .needs_restart = true,
        .help = "The control socket, which `ingestctl` talks to."},
    {"state_dir", KEY_PATH, "/var/lib/ingestd", AT(state_dir), .most = 4000, .needs_restart = true,
        .help = "The folder of the spools; it must survive a reboot."},
    {"http", KEY_LISTEN, AT(http), .fallback_note = "no listener", .needs_restart = true,
        .help = "Serves `/metrics` and `/healthz` on this loopback address."},
    {"log_level", KEY_LOG_LEVEL, "info", AT(log_level), .help = "The least important lines that are logged."},
    {"memory_max", KEY_SIZE, "64MB", AT(memory_max), .least = 24 * MB, .most = 64 * GB, .needs_restart = true,
        .help = "Ceiling for the daemon's memory; batches are sized from it."},
    {"max_entry", KEY_SIZE, "16MB", AT(max_entry), .least = KB, .most = 512 * MB, .needs_restart = true,
        .fallback_note = "16MB, or a quarter of `memory_max` where that is less",
        .help = "A longer entry becomes a dead letter with its first 64 KB. At most a quarter of "
                "`memory_max`."},
    {"postgres", KEY_SECTION, .required = true, .section = &section_postgres,
        .help = "The database that is written to."},
    {"streams", KEY_STREAMS, AT(streams), .section = &section_stream, .fallback_note = "none",
        .help = "The streams by name: `a-z`, `0-9`, `_` and `-`, beginning with a letter or digit, at most "
                "48 characters."},
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

const struct section section_top = {"", "The top level.", top_keys, N_ELEMENTS(top_keys)};
const struct section section_postgres = {
    "postgres", "Where the rows go.", postgres_keys, N_ELEMENTS(postgres_keys)};
const struct section section_stream = {"streams.NAME",
    "One stream: where its entries come from, and what becomes of them.", stream_keys,
    N_ELEMENTS(stream_keys)};

const struct section *const all_sections[3] = {&section_top, &section_postgres, &section_stream};

_Static_assert(N_ELEMENTS(top_keys) <= SECTION_MAX, "raise SECTION_MAX");
_Static_assert(N_ELEMENTS(postgres_keys) <= SECTION_MAX, "raise SECTION_MAX");
_Static_assert(N_ELEMENTS(stream_keys) <= SECTION_MAX, "raise SECTION_MAX");

const struct key *section_find(const struct section *s, const char *name)
{
    for (size_t i = 0; i < s->n_keys; i++)
        if (strcmp(s->keys[i].name, name) == 0)
            return &s->keys[i];
    return NULL;
}
