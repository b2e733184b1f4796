/* The keys of stores, and of what is within a harmonize: its sources and its tables. */
#include "config/keys.h"
#include "config/value.h"

#define AT_STORE(field)  .offset = offsetof(struct config_store, field)
#define AT_FEED(field)   .offset = offsetof(struct config_feed, field)
#define AT_TARGET(field) .offset = offsetof(struct config_target, field)

static const char *const addressings[] = {"path", "virtual", NULL};
static const char *const formats[] = {"auto", "csv", "json", "ndjson", NULL};
/* Tables that a harmonize has besides. */
static const char *const taken[] = {"quarantine", "delivery", "reason", NULL};

static const struct key store_keys[] = {
    {"url", KEY_STORE, AT_STORE(url), .required = true,
        .help = "`s3://bucket[/prefix]`, or `file:///folder`. Nothing outside of it is read or written."},
    {"endpoint", KEY_ENDPOINT, AT_STORE(endpoint), .only = "s3", .fallback_note = "Amazon's own",
        .help = "The S3-compatible server: `https://minio.site:9000`."},
    {"region", KEY_NAME, "us-east-1", AT_STORE(region), .most = 64, .only = "s3",
        .help = "The region that requests are signed for."},
    {"addressing", KEY_CHOICE, AT_STORE(addressing), .words = addressings, .only = "s3",
        .fallback_note = "`path` with an `endpoint`, or a bucket with a dot in its name; else `virtual`",
        .help = "Whether the bucket stands in the path (`https://host/bucket`) or before the host "
                "(`https://bucket.host`)."},
    {"credentials_file", KEY_PATH, AT_STORE(credentials_file), .most = 4000, .only = "s3",
        .fallback_note = "no file: requests are not signed",
        .help = "The first line of this file, which others must not be able to read, is "
                "`ACCESS_KEY:SECRET_KEY`."},
    {"ca_file", KEY_PATH, AT_STORE(ca_file), .most = 4000, .only = "s3", .fallback_note = "the system's",
        .help = "The certificates, in PEM, that the server's is judged by."},
};

static const struct key feed_keys[] = {
    {"database", KEY_NAME, AT_FEED(database), .most = ENTRY_NAME_MAX,
        .fallback_note = "none: it has a `store`",
        .help = "A Postgres database: one of `databases:`, or `postgres`. All that is read of one database "
                "is of one moment."},
    {"table", KEY_TABLE, AT_FEED(table), .only = "database", .fallback_note = "none: it has `sql`",
        .help = "`[schema.]table`; the schema is `public` unless given. After the first run only rows that "
                "were written since are read."},
    {"sql", KEY_FILE, AT_FEED(sql), .most = 4000, .only = "database",
        .fallback_note = "none: it has a `table`",
        .help = "The file with one SELECT, read in full each time."},
    {"store", KEY_NAME, AT_FEED(store), .most = ENTRY_NAME_MAX, .fallback_note = "none: it has a `database`",
        .help = "One of `stores:`; each of its objects is taken once."},
    {"prefix", KEY_PREFIX, "", AT_FEED(prefix), .most = 900, .only = "store", .may_be_empty = true,
        .fallback_note = "none: the whole store", .help = "What the objects' keys begin with: `provider/`."},
    {"pattern", KEY_TEXT, "*", AT_FEED(pattern), .most = 500, .only = "store",
        .help = "A glob of the last part of the keys: `*.csv.gz`."},
    {"format", KEY_CHOICE, "auto", AT_FEED(format), .words = formats, .only = "store",
        .help = "What the objects are; `auto` goes by each one's name and beginning. gzip is seen besides."},
    {"columns", KEY_FIELDS, AT_FEED(columns), .most = 20000, .only = "store", .required_by = "store",
        .fallback_note = "required for a store's",
        .help = "The columns, or members, that each object must have; one with a `?` behind it may be "
                "missing. What else is in a row is kept in `_more`."},
    {"null", KEY_WORDS, "NULL", AT_FEED(null_tokens), .most = 4000, .only = "store", .may_be_empty = true,
        .help = "Cells that are exactly one of these hold nothing, as the empty cell does; with `\"\"` that "
                "one alone."},
    {"delimiter", KEY_DELIMITER, AT_FEED(delimiter), .only = "store",
        .fallback_note = "found out from the header", .help = "What stands between the cells of CSV."},
};

static const struct key target_keys[] = {
    {"key", KEY_LIST, AT_TARGET(key), .most = 4000, .required = true,
        .help = "The columns that tell one row from another: a row with a key that is there replaces that "
                "one."},
    {"references", KEY_REFERENCES, AT_TARGET(references), .most = 4000, .fallback_note = "none",
        .help = "Columns that name a row of another table of the job, which has a `key` of one column: "
                "`care_site_id=care_site`. It is checked that each does."},
};

static const char *store_kind(const void *base)
{
    const struct config_store *store = base;
    return !store->url ? NULL : strncmp(store->url, "file:", 5) == 0 ? "file" : "s3";
}

/* With both or none it is no source, which is told. */
static const char *feed_kind(const void *base)
{
    const struct config_feed *feed = base;
    return !feed->database == !feed->store ? NULL : feed->database ? "database" : "store";
}

static const struct named stores = {NAMED_STORES, "store", .most = 256, KEPT(stores, config_store)};
static const struct ordered feeds = {
    "partner: {database: NAME, table: TABLE}", .plain = true, .reserved = taken, PART_KEPT(config_feed)};
static const struct ordered targets = {
    "provider: {key: provider_id}", .plain = true, .reserved = taken, PART_KEPT(config_target)};

const struct section section_store = {"stores.NAME",
    "A place for objects, which a harmonize reads from, or has its lake in: a bucket, or a folder of this "
    "machine.",
    store_keys, N_ELEMENTS(store_keys), &stores, .kind_noun = "store", .kind = store_kind};
const struct section section_feed = {"jobs.NAME.sources.SOURCE",
    "One source of a harmonize: a table or SELECT of Postgres (`database`, and `table` or `sql`), or objects "
    "(`store`).",
    feed_keys, N_ELEMENTS(feed_keys), .kind_noun = "source", .kind = feed_kind, .ordered = &feeds};
const struct section section_target = {"jobs.NAME.tables.TABLE",
    "One table of the lake that a harmonize fills. Its columns are those of `out.TABLE`, which the SQL "
    "makes.",
    target_keys, N_ELEMENTS(target_keys), .ordered = &targets};

_Static_assert(N_ELEMENTS(store_keys) <= SECTION_MAX, "raise SECTION_MAX");
_Static_assert(N_ELEMENTS(feed_keys) <= SECTION_MAX, "raise SECTION_MAX");
