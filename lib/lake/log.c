/*
 * Log entries are read by the house's own JSON reader: it is strict, keeps the digits of numbers, and builds nothing. An
 * action is one line with one member; whatever is not known in it is passed over, as the protocol asks.
 */
#include "lake/inside.h"

#include "util/json.h"
#include "util/text.h"

#include <event2/http.h>

#define READER_VERSION 1 /* what we understand */
#define WRITER_VERSION 2

/* ---- members ---- */

static int take_text(const struct json_token *v, const char *name, char **ret, struct error *err)
{
    if (v->type == JSON_NULL)
        return 0;
    if (v->type != JSON_STRING || v->has_nul)
        return error_set(err, "%s is no text", name);
    free(*ret);
    *ret = xstrndup(v->text.p, v->text.n);
    return 0;
}

static int take_number(const struct json_token *v, const char *name, int64_t *ret, struct error *err)
{
    char digits[24], *end;
    if (v->type == JSON_NULL)
        return 0;
    if (v->type != JSON_NUMBER || v->text.n >= sizeof(digits))
        return error_set(err, "%s is no whole number", name);
    memcpy(digits, v->text.p, v->text.n);
    digits[v->text.n] = '\0';
    long long n = strtoll(digits, &end, 10);
    if (*end || n < 0 || n > INT64_MAX / 4)
        return error_set(err, "%s is no whole number that can be", name);
    *ret = n;
    return 0;
}

/* The members of an action: what each is, and where it goes. */
struct member {
    const char *name;
    enum { TEXT, NUMBER, RAW, TRUTH } kind;
    void *into;
};

static int take_member(
    const struct member *m, const struct json_token *v, const char *action, struct error *err)
{
    char name[64];
    snprintf(name, sizeof(name), "%s.%s", action, m->name);
    if (m->kind == TEXT)
        return take_text(v, name, m->into, err);
    if (m->kind == NUMBER)
        return take_number(v, name, m->into, err);
    if (m->kind == TRUTH) {
        *(bool *)m->into = v->type == JSON_TRUE;
        return 0;
    }
    if (v->type == JSON_NULL)
        return 0;
    free(*(char **)m->into);
    *(char **)m->into = xstrndup(v->raw.p, v->raw.n);
    return 0;
}

static int take_members(
    struct slice raw, const char *action, const struct member *members, size_t n, struct error *err)
{
    struct json_reader r = {0};
    struct slice key;
    struct json_token v;
    int result = 0;
    json_begin(&r, raw);
    bool good = json_object(&r);
    while (good && result == 0 && json_member(&r, &key, &v))
        for (size_t i = 0; result == 0 && i < n; i++)
            if (slice_is(key, members[i].name))
                result = take_member(&members[i], &v, action, err);
    json_done(&r);
    return result;
}

/* ---- add, remove ---- */

char *log_encode_path(const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    _cleanup_buffer_ struct buffer out = {0};
    for (const char *p = path; *p; p++) {
        if (strchr(plain, *p))
            buffer_put(&out, p, 1);
        else
            buffer_printf(&out, "%%%02X", (unsigned char)*p);
    }
    return xstrdup(buffer_string(&out));
}

/* Below the table's folder and nowhere else: no part is "", "." or "..", and none is the log's. */
static bool is_inside(const char *path)
{
    for (const char *p = path;; p++) {
        size_t n = strcspn(p, "/");
        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += n;
        if (!*p)
            break;
    }
    return strncmp(path, LOG_FOLDER, strlen(LOG_FOLDER)) != 0 && strlen(path) < 900 &&
           text_is_utf8(path, strlen(path));
}

static int take_path(struct lake_file *f, const char *action, struct error *err)
{
    size_t n;
    if (!f->entry)
        return error_set(err, "%s has no path", action);
    char *decoded = evhttp_uridecode(f->entry, 0, &n);
    if (decoded && strlen(decoded) == n && is_inside(decoded) && !strstr(f->entry, "://")) {
        f->path = decoded;
        return 0;
    }
    free(decoded);
    return error_set(err,
        "the path of %s is not one of a file in the table's own folder: tables that point at files elsewhere "
        "(shallow "
        "clones) are not read",
        action);
}

/* "{}", "null" or nothing. */
static bool is_empty(const char *raw)
{
    return !raw || (raw[0] == '{' && raw[1 + strspn(raw + 1, " \t\r\n")] == '}');
}

static void take_rows(struct lake_file *f)
{
    struct error ignored;
    f->rows = -1;
    const struct member members[] = {{"numRecords", NUMBER, &f->rows}};
    if (f->stats && take_members(SLICE(f->stats), "stats", members, 1, &ignored) < 0)
        f->rows = -1;
}

static int check_add(const struct log_file *f, const char *vector, const char *partition, struct error *err)
{
    if (vector)
        return error_set(err, "it has deletion vectors, which are not read: let a program that can rewrite "
                              "the table without them "
                              "(REORG … APPLY (PURGE), then drop the feature)");
    if (!is_empty(partition))
        return error_set(err, "it is partitioned, which is not read: write it to a table without partitions");
    if (f->there && f->file.size < 0)
        return error_set(err, "add has no size");
    return 0;
}

static int take_file(struct log_state *s, struct slice raw, bool add, struct error *err)
{
    struct log_file f = {.there = add, .file.size = -1};
    _cleanup_free_ char *vector = NULL, *partition = NULL;
    const char *action = add ? "add" : "remove";
    const struct member members[] = {
        {"path", TEXT, &f.file.entry},
        {"size", NUMBER, &f.file.size},
        {"modificationTime", NUMBER, &f.file.modified_ms},
        {"deletionTimestamp", NUMBER, &f.removed_ms},
        {"stats", TEXT, &f.file.stats},
        {"deletionVector", RAW, &vector},
        {"partitionValues", RAW, &partition},
    };
    int r = take_members(raw, action, members, N_ELEMENTS(members), err);
    if (!add)
        free(TAKE(f.file.stats)); /* a file that is gone needs none */
    take_rows(&f.file);
    if (r == 0)
        r = take_path(&f.file, action, err);
    if (r == 0 && add)
        r = check_add(&f, vector, partition, err);
    if (r == 0)
        r = log_put_file(s, &f, err);
    lake_file_done(&f.file);
    return r;
}

static int take_add(struct log_state *s, struct slice raw, struct error *err)
{
    return take_file(s, raw, true, err);
}

static int take_remove(struct log_state *s, struct slice raw, struct error *err)
{
    return take_file(s, raw, false, err);
}

/* ---- protocol, metaData ---- */

static int take_protocol(struct log_state *s, struct slice raw, struct error *err)
{
    int64_t reader = 0, writer = 0;
    const struct member members[] = {
        {"minReaderVersion", NUMBER, &reader}, {"minWriterVersion", NUMBER, &writer}};
    if (take_members(raw, "protocol", members, N_ELEMENTS(members), err) < 0)
        return -1;
    if (reader < 1 || writer < 1)
        return error_set(err, "protocol has no versions");
    if (reader > READER_VERSION || writer > WRITER_VERSION)
        return error_set(err,
            "it needs Delta's protocol %lld (reader) and %lld (writer), and this program knows %d and %d: "
            "some other "
            "program gave it features that we must not touch. Write its rows to a new table, or drop those "
            "features",
            (long long)reader, (long long)writer, READER_VERSION, WRITER_VERSION);
    s->reader = reader;
    s->writer = writer;
    return 0;
}

/* What of its settings we would have to respect. */
static int check_configuration(struct log_state *s, struct error *err)
{
    struct json_reader r = {0};
    struct slice key;
    struct json_token v;
    const char *wrong = NULL;
    s->append_only = false;
    json_begin(&r, SLICE(s->configuration));
    bool good = json_object(&r);
    while (good && json_member(&r, &key, &v)) {
        bool is_true = v.type == JSON_STRING && v.text.n == 4 && strncasecmp(v.text.p, "true", 4) == 0;
        if (slice_is(key, "delta.appendOnly"))
            s->append_only = is_true;
        else if (slice_is(key, "delta.columnMapping.mode") && !slice_is(v.text, "none"))
            wrong = "column mapping";
        else if (key.n > 18 && memcmp(key.p, "delta.constraints.", 18) == 0)
            wrong = "CHECK constraints";
    }
    good = good && r.fault == JSON_GOOD;
    json_done(&r);
    if (!good)
        return error_set(err, "metaData.configuration is no object");
    return wrong ? error_set(err,
                       "it has %s, which this program does not know: write its rows to a new table, or drop "
                       "that "
                       "feature",
                       wrong)
                 : 0;
}

static bool is_empty_list(const char *raw)
{
    return !raw || (raw[0] == '[' && raw[1 + strspn(raw + 1, " \t\r\n")] == ']');
}

static int check_metadata(struct log_state *s, const char *format, const char *partitions, struct error *err)
{
    if (!s->id || !s->schema)
        return error_set(err, "metaData has no id, or no schemaString");
    if (format && strcmp(format, "parquet") != 0)
        return error_set(err, "its files are no Parquet");
    if (!is_empty_list(partitions))
        return error_set(err, "it is partitioned, which is not read: write it to a table without partitions");
    return check_configuration(s, err);
}

static int take_metadata(struct log_state *s, struct slice raw, struct error *err)
{
    _cleanup_free_ char *format = NULL, *partitions = NULL, *provider = NULL;
    free(s->id);
    free(s->schema);
    free(s->name);
    free(s->description);
    free(s->configuration);
    s->id = s->schema = s->name = s->description = NULL;
    s->configuration = xstrdup("{}");
    s->created_ms = 0;
    const struct member members[] = {
        {"id", TEXT, &s->id},
        {"schemaString", TEXT, &s->schema},
        {"name", TEXT, &s->name},
        {"description", TEXT, &s->description},
        {"configuration", RAW, &s->configuration},
        {"createdTime", NUMBER, &s->created_ms},
        {"format", RAW, &format},
        {"partitionColumns", RAW, &partitions},
    };
    const struct member of_format[] = {{"provider", TEXT, &provider}};
    if (take_members(raw, "metaData", members, N_ELEMENTS(members), err) < 0)
        return -1;
    if (format && take_members(SLICE(format), "format", of_format, 1, err) < 0)
        return -1;
    return check_metadata(s, provider, partitions, err);
}

/* ---- lines ---- */

static int take_other(struct log_state *s, struct slice raw, struct error *err)
{
    s->others = true;
    return 0;
}

static const struct {
    const char *name;
    int (*take)(struct log_state *s, struct slice raw, struct error *err);
} actions[] = {{"protocol", take_protocol}, {"metaData", take_metadata}, {"add", take_add},
    {"remove", take_remove}, {"txn", take_other}, {"domainMetadata", take_other}};

static int take_action(struct log_state *s, struct slice key, const struct json_token *v, struct error *err)
{
    for (size_t i = 0; i < N_ELEMENTS(actions); i++) {
        if (!slice_is(key, actions[i].name) || v->type == JSON_NULL)
            continue;
        if (v->type != JSON_OBJECT)
            return error_set(err, "%s is no object", actions[i].name);
        return actions[i].take(s, v->raw, err);
    }
    return 0;
}

static int take_line(struct log_state *s, struct json_reader *r, struct slice line, struct error *err)
{
    struct slice key;
    struct json_token v;
    json_begin(r, line);
    if (!json_object(r))
        return error_set(err, "no JSON object: the log is damaged");
    while (json_member(r, &key, &v))
        if (take_action(s, key, &v, err) < 0)
            return -1;
    return r->fault == JSON_GOOD ? 0 : error_set(err, "no JSON (%s): the log is damaged", r->words);
}

int log_take(struct log_state *s, struct slice text, struct error *err)
{
    struct json_reader r = {0};
    int result = 0;
    for (size_t line = 1; result == 0 && text.n > 0; line++) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;
        struct slice one = {text.p, n && text.p[n - 1] == '\r' ? n - 1 : n};
        if (one.n > 0 && take_line(s, &r, one, err) < 0)
            result = error_prefix(err, "line %zu", line);
        text.p += n + (end != NULL);
        text.n -= n + (end != NULL);
    }
    json_done(&r);
    return result;
}
