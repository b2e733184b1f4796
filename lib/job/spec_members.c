#include "job/spec_members.h"

#include "util/cleanup.h"

/* In the order they are written. */
static const struct member rest_members[] = {
    {"rows", STRING, offsetof(struct job_rest, rows)},
    {"paging", STRING, offsetof(struct job_rest, paging)},
    {"page_size", UINT, offsetof(struct job_rest, page_size)},
    {"first_page", UINT, offsetof(struct job_rest, first_page)},
    {"parallel", UINT, offsetof(struct job_rest, parallel)},
    {"per_second", UINT, offsetof(struct job_rest, per_second)},
    {"order", MAYBE_STRING, offsetof(struct job_rest, order)},
    {"updated", MAYBE_STRING, offsetof(struct job_rest, updated)},
    {"updated_order", MAYBE_STRING, offsetof(struct job_rest, updated_order)},
    {"full_every_us", INT, offsetof(struct job_rest, full_every_us)},
    {"fields", WORDS, offsetof(struct job_rest, fields)},
    {"headers", WORDS, offsetof(struct job_rest, headers)},
    {"header_file", MAYBE_STRING, offsetof(struct job_rest, header_file)},
    {"token_file", MAYBE_STRING, offsetof(struct job_rest, token_file)},
    {"credentials_file", MAYBE_STRING, offsetof(struct job_rest, credentials_file)},
    {"next", MAYBE_STRING, offsetof(struct job_rest, next)},
    {"cursor", MAYBE_STRING, offsetof(struct job_rest, cursor)},
    {"limit", MAYBE_STRING, offsetof(struct job_rest, limit)},
    {"offset", MAYBE_STRING, offsetof(struct job_rest, offset)},
    {"page", MAYBE_STRING, offsetof(struct job_rest, page)},
    {"full", BOOL, offsetof(struct job_rest, full)},
    {"if_json", BOOL, offsetof(struct job_rest, if_json)},
};
static const struct shape rest_shape = {
    rest_members, N_ELEMENTS(rest_members), offsetof(struct job_rest, rows)};

static const struct member sync_members[] = {
    {"source", STRING, offsetof(struct job_sync, source)},
    {"pattern", MAYBE_STRING, offsetof(struct job_sync, pattern)},
    {"member", MAYBE_STRING, offsetof(struct job_sync, member)},
    {"delimiter", MAYBE_STRING, offsetof(struct job_sync, delimiter)},
    {"as_of", MAYBE_STRING, offsetof(struct job_sync, as_of)},
    {"since", MAYBE_STRING, offsetof(struct job_sync, since)},
    {"key", WORDS, offsetof(struct job_sync, key)},
    {"null_tokens", WORDS, offsetof(struct job_sync, null_tokens)},
    {"max_removed", UINT, offsetof(struct job_sync, max_removed)},
    {"max_rejected", UINT, offsetof(struct job_sync, max_rejected)},
    {"types", WORDS, offsetof(struct job_sync, types)},
    {"rest", MAYBE_OBJECT, offsetof(struct job_sync, rest), &rest_shape},
};
static const struct shape sync_shape = {
    sync_members, N_ELEMENTS(sync_members), offsetof(struct job_sync, source)};

static const struct member side_members[] = {
    {"name", STRING, offsetof(struct job_side, name)},
    {"database", MAYBE_DATABASE, offsetof(struct job_side, database)},
    {"sql", MAYBE_STRING, offsetof(struct job_side, sql)},
    {"source", MAYBE_STRING, offsetof(struct job_side, source)},
    {"rest", MAYBE_OBJECT, offsetof(struct job_side, rest), &rest_shape},
    {"id", STRING, offsetof(struct job_side, id)},
    {"active", MAYBE_STRING, offsetof(struct job_side, active)},
    {"columns", WORDS, offsetof(struct job_side, columns)},
};
static const struct shape side_shape = {
    side_members, N_ELEMENTS(side_members), offsetof(struct job_side, name)};

static const struct member rule_members[] = {
    {"name", STRING, offsetof(struct job_rule, name)},
    {"left", STRING, offsetof(struct job_rule, left)},
    {"right", STRING, offsetof(struct job_rule, right)},
    {"normalise", TEXT, offsetof(struct job_rule, normalise)},
};
static const struct shape rule_shape = {
    rule_members, N_ELEMENTS(rule_members), offsetof(struct job_rule, name), sizeof(struct job_rule)};

static const struct member match_members[] = {
    {"left", OBJECT, offsetof(struct job_match, left), &side_shape},
    {"right", OBJECT, offsetof(struct job_match, right), &side_shape},
    {"keys", OBJECTS, offsetof(struct job_match, keys), &rule_shape, offsetof(struct job_match, n_keys)},
    {"tie_breaks", OBJECTS, offsetof(struct job_match, tie_breaks), &rule_shape,
        offsetof(struct job_match, n_tie_breaks)},
    {"report_date", STRING, offsetof(struct job_match, report_date)},
    {"active_days", UINT, offsetof(struct job_match, active_days)},
    {"batch_fraction", UINT, offsetof(struct job_match, batch_fraction)},
    {"outcomes", WORDS, offsetof(struct job_match, outcomes)},
    {"folder", STRING, offsetof(struct job_match, folder)},
};
static const struct shape match_shape = {
    match_members, N_ELEMENTS(match_members), offsetof(struct job_match, report_date)};

static const struct member store_members[] = {
    {"name", STRING, offsetof(struct job_store, name)},
    {"url", STRING, offsetof(struct job_store, url)},
    {"endpoint", MAYBE_STRING, offsetof(struct job_store, endpoint)},
    {"region", MAYBE_STRING, offsetof(struct job_store, region)},
    {"path_style", BOOL, offsetof(struct job_store, path_style)},
    {"credentials_file", MAYBE_STRING, offsetof(struct job_store, credentials_file)},
    {"ca_file", MAYBE_STRING, offsetof(struct job_store, ca_file)},
};
static const struct shape store_shape = {
    store_members, N_ELEMENTS(store_members), offsetof(struct job_store, url)};

static const struct member feed_members[] = {
    {"name", STRING, offsetof(struct job_feed, name)},
    {"database", MAYBE_DATABASE, offsetof(struct job_feed, database)},
    {"table", MAYBE_STRING, offsetof(struct job_feed, table)},
    {"sql", MAYBE_STRING, offsetof(struct job_feed, sql)},
    {"store", MAYBE_OBJECT, offsetof(struct job_feed, store), &store_shape},
    {"prefix", TEXT, offsetof(struct job_feed, prefix)},
    {"pattern", MAYBE_STRING, offsetof(struct job_feed, pattern)},
    {"format", MAYBE_STRING, offsetof(struct job_feed, format)},
    {"columns", WORDS, offsetof(struct job_feed, columns)},
    {"null_tokens", WORDS, offsetof(struct job_feed, null_tokens)},
    {"delimiter", MAYBE_STRING, offsetof(struct job_feed, delimiter)},
};
static const struct shape feed_shape = {
    feed_members, N_ELEMENTS(feed_members), offsetof(struct job_feed, name), sizeof(struct job_feed)};

static const struct member target_members[] = {
    {"name", STRING, offsetof(struct job_target, name)},
    {"key", WORDS, offsetof(struct job_target, key)},
    {"references", WORDS, offsetof(struct job_target, references)},
};
static const struct shape target_shape = {
    target_members, N_ELEMENTS(target_members), offsetof(struct job_target, name), sizeof(struct job_target)};

static const struct member harmonize_members[] = {
    {"sources", OBJECTS, offsetof(struct job_harmonize, sources), &feed_shape,
        offsetof(struct job_harmonize, n_sources)},
    {"tables", OBJECTS, offsetof(struct job_harmonize, tables), &target_shape,
        offsetof(struct job_harmonize, n_tables)},
    {"transform", WORDS, offsetof(struct job_harmonize, transform)},
    {"variables", WORDS, offsetof(struct job_harmonize, variables)},
    {"lake", OBJECT, offsetof(struct job_harmonize, lake), &store_shape},
    {"tenant", MAYBE_STRING, offsetof(struct job_harmonize, tenant)},
    {"revision", MAYBE_STRING, offsetof(struct job_harmonize, revision)},
    {"full_every_us", INT, offsetof(struct job_harmonize, full_every_us)},
    {"keep_versions_us", INT, offsetof(struct job_harmonize, keep_versions_us)},
    {"max_rejected", UINT, offsetof(struct job_harmonize, max_rejected)},
    {"folder", STRING, offsetof(struct job_harmonize, folder)},
};
static const struct shape harmonize_shape = {
    harmonize_members, N_ELEMENTS(harmonize_members), offsetof(struct job_harmonize, lake.url)};

static const struct member members[] = {
    {"job", STRING, offsetof(struct job_spec, job)},
    {"kind", STRING, offsetof(struct job_spec, kind)},
    {"run", INT, offsetof(struct job_spec, run)},
    {"pass", INT, offsetof(struct job_spec, pass)},
    {"scheduled_us", INT, offsetof(struct job_spec, scheduled_us)},
    {"windows", WINDOWS, 0},
    {"sql", STRING, offsetof(struct job_spec, sql)},
    {"table", MAYBE_STRING, offsetof(struct job_spec, table)},
    {"time_zone", STRING, offsetof(struct job_spec, time_zone)},
    {"sync", MAYBE_OBJECT, offsetof(struct job_spec, sync), &sync_shape},
    {"match", MAYBE_OBJECT, offsetof(struct job_spec, match), &match_shape},
    {"harmonize", MAYBE_OBJECT, offsetof(struct job_spec, harmonize), &harmonize_shape},
    {"store", MAYBE_OBJECT, offsetof(struct job_spec, store), &store_shape},
    {"words", WORDS, offsetof(struct job_spec, words)},
    {"database", DATABASE, offsetof(struct job_spec, database)},
    {"books", DATABASE, offsetof(struct job_spec, books)},
    {"schema", STRING, offsetof(struct job_spec, schema)},
    {"time_limit_us", INT, offsetof(struct job_spec, time_limit_us)},
    {"memory_max", UINT, offsetof(struct job_spec, memory_max)},
    {"result_rows", UINT, offsetof(struct job_spec, result_rows)},
    {"transaction", BOOL, offsetof(struct job_spec, transaction)},
    {"dry_run", BOOL, offsetof(struct job_spec, dry_run)},
};
const struct shape spec_shape = {members, N_ELEMENTS(members), offsetof(struct job_spec, job)};

_Static_assert(N_ELEMENTS(members) <= MEMBERS_MAX, "raise MEMBERS_MAX");
_Static_assert(N_ELEMENTS(sync_members) <= MEMBERS_MAX, "raise MEMBERS_MAX");
_Static_assert(N_ELEMENTS(rest_members) <= MEMBERS_MAX, "raise MEMBERS_MAX");
_Static_assert(N_ELEMENTS(match_members) <= MEMBERS_MAX, "raise MEMBERS_MAX");
_Static_assert(N_ELEMENTS(side_members) <= MEMBERS_MAX, "raise MEMBERS_MAX");

static void objects_done(const struct member *m, void *base)
{
    for (size_t i = 0; i < *COUNT(base, m); i++)
        members_done(m->shape, OBJECT_AT(base, m, i));
    free(*FIELD(base, m, char *));
    *FIELD(base, m, char *) = NULL;
    *COUNT(base, m) = 0;
}

static void string_done(char **string)
{
    free(*string);
    *string = NULL;
}

static void member_done(const struct member *m, void *base)
{
    switch (m->type) {
    case STRING:
    case MAYBE_STRING:
    case TEXT:
        string_done(FIELD(base, m, char *));
        break;
    case DATABASE:
    case MAYBE_DATABASE:
        string_done(&FIELD(base, m, struct job_database)->url);
        string_done(&FIELD(base, m, struct job_database)->password_file);
        break;
    case WINDOWS:
        free(((struct job_spec *)base)->windows);
        ((struct job_spec *)base)->windows = NULL;
        break;
    case WORDS:
        job_words_done(FIELD(base, m, struct job_words));
        break;
    case OBJECT:
    case MAYBE_OBJECT:
        members_done(m->shape, FIELD(base, m, char));
        break;
    case OBJECTS:
        objects_done(m, base);
        break;
    case INT:
    case UINT:
    case BOOL:
        break;
    }
}

void members_done(const struct shape *shape, void *base)
{
    for (size_t i = 0; i < shape->n; i++)
        member_done(&shape->list[i], base);
}
