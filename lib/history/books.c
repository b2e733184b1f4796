#include "history/books.h"

#include "util/clock.h"
#include "util/moment.h"

#include <cjson/cJSON.h>

#define N_BOOKS "3"

static const char count_books_sql[] =
    "SELECT count(*) FROM information_schema.tables WHERE table_schema = {1}"
    " AND table_name IN ('ingest_dump', 'ingest_reject', 'ingest_column')";

static const char *const make_sql[] = {
    "CREATE TABLE IF NOT EXISTS {dump} (id {id}, dataset {name} NOT NULL, as_of {moment} NOT NULL, status "
    "{name} NOT NULL, pass {name} NOT NULL, {cursor} {note},"
    " url {note}, name {note}, etag {note}, last_modified {note}, sha256 {name}, bytes bigint, header {note},"
    " key_columns {note}, schema_changes {note}, records bigint, added bigint, changed bigint, removed "
    "bigint,"
    " reactivated bigint, unchanged bigint, rejected bigint, present bigint, started {time} NOT NULL,"
    " finished {time} NOT NULL, error {note}, UNIQUE (dataset, as_of, id)){options}",
    "CREATE TABLE IF NOT EXISTS {reject} (id {id}, dump bigint NOT NULL, line bigint NOT NULL, reason {name} "
    "NOT NULL,"
    " detail {note}, raw {note}, UNIQUE (dump, line, id)){options}",
    "CREATE TABLE IF NOT EXISTS {column} (dataset {name} NOT NULL, column_name {name} NOT NULL, header "
    "{note} NOT NULL,"
    " nth bigint NOT NULL, position bigint NOT NULL, is_key bigint NOT NULL, first_dump bigint,"
    " PRIMARY KEY (dataset, column_name)){options}",
    NULL,
};

#define DUMP_FACTS                                                                                           \
    "SELECT id, as_of, url, name, etag, last_modified, sha256, {cursor}, bytes, pass, present, rejected"     \
    " FROM {dump} WHERE dataset = {1} AND status = 'loaded'"

#define NEWEST " ORDER BY as_of DESC, id DESC LIMIT 1"

static const char newest_sql[] = DUMP_FACTS NEWEST;
static const char newest_full_sql[] = DUMP_FACTS " AND pass = 'full'" NEWEST;
static const char find_sql[] = DUMP_FACTS " AND as_of = {2} AND sha256 = {3}" NEWEST;
static const char of_that_time_sql[] = DUMP_FACTS " AND as_of = {2}" NEWEST;
static const char by_id_sql[] = DUMP_FACTS " AND id = {2}";

/* Whether versions begin on days or at moments. */
static const char valid_type_sql[] =
    "SELECT lower(data_type) FROM information_schema.columns WHERE table_schema = {1} AND table_name = {2}"
    " AND column_name = 'valid_from'";

static const char columns_sql[] =
    "SELECT column_name, header, nth, is_key, first_dump FROM {column} WHERE dataset = {1} "
    "ORDER BY position, column_name";

/* ---- reading ---- */

void dump_record_done(struct dump_record *r)
{
    for (size_t i = 0; i < N_ELEMENTS(r->text); i++)
        free(r->text[i]);
    *r = (struct dump_record){0};
}

static char *copy_value(const struct db_value *v)
{
    return v->p ? xstrndup(v->p, v->n) : NULL;
}

static int64_t number_of(const struct db_value *v)
{
    _cleanup_free_ char *text = copy_value(v);
    return text ? strtoll(text, NULL, 10) : 0;
}

static bool value_is(const struct db_value *v, const char *word)
{
    return v->p && v->n == strlen(word) && memcmp(v->p, word, v->n) == 0;
}

static bool take_dump(void *arg, int n, const struct db_value *values)
{
    struct dump_record *r = arg;
    for (size_t i = 0; i < N_ELEMENTS(r->text); i++)
        r->text[i] = copy_value(&values[i + 1]);
    r->dump = (struct history_dump){.id = number_of(&values[0]),
        .as_of = r->text[0],
        .url = r->text[1],
        .name = r->text[2],
        .etag = r->text[3],
        .last_modified = r->text[4],
        .sha256 = r->text[5],
        .cursor = r->text[6],
        .bytes = number_of(&values[8]),
        .partial = value_is(&values[9], "partial")};
    r->present = number_of(&values[10]);
    r->rejected = number_of(&values[11]);
    r->there = true;
    return true;
}

static int read_dump(struct history *h, const char *sql, int n, const char *const *parameters,
    struct dump_record *r, struct db_fault *fault)
{
    dump_record_done(r);
    struct db_sink sink = {.row = take_dump, .arg = r};
    if (h->books && history_run(h, sql, n, parameters, &sink, fault) < 0)
        return -1;
    if (r->there)
        moment_tidy(r->text[0], !h->moments);
    return 0;
}

static int read_valid_type(struct history *h, struct db_fault *fault)
{
    const char *const parameters[] = {h->schema, h->place.table};
    _cleanup_free_ char *type = NULL;
    if (h->books && history_value(h, valid_type_sql, 2, parameters, &type, fault) < 0)
        return -1;
    h->moments = type && strcmp(type, "date") != 0;
    return 0;
}

static bool take_column(void *arg, int n, const struct db_value *values)
{
    struct columns *columns = arg;
    _cleanup_free_ char *name = copy_value(&values[0]), *header = copy_value(&values[1]);
    columns_add(columns, name, header, number_of(&values[2]), number_of(&values[3]) != 0, true);
    columns->list[columns->n - 1].in_dumps = values[4].p != NULL;
    return true;
}

/* The columns as outsiders see them. */
static void show_columns(struct history *h)
{
    free(h->shown);
    h->shown = xcalloc(h->columns.n + 1, sizeof(*h->shown));
    for (size_t i = 0; i < h->columns.n; i++) {
        const struct column *c = &h->columns.list[i];
        h->shown[i] = (struct history_column){.name = c->name, .header = c->header, .is_key = c->is_key};
    }
}

int books_read(struct history *h, struct db_fault *fault)
{
    _cleanup_free_ char *n_books = NULL;
    const char *const schema[] = {h->schema}, *const dataset[] = {h->place.table};
    if (history_value(h, count_books_sql, 1, schema, &n_books, fault) < 0)
        return -1;
    h->books = n_books && strcmp(n_books, N_BOOKS) == 0;
    columns_done(&h->columns);
    struct db_sink sink = {.row = take_column, .arg = &h->columns};
    if (h->books && history_run(h, columns_sql, 1, dataset, &sink, fault) < 0)
        return -1;
    show_columns(h);
    if (read_valid_type(h, fault) < 0 ||
        read_dump(h, newest_full_sql, 1, dataset, &h->newest_full, fault) < 0)
        return -1;
    return read_dump(h, newest_sql, 1, dataset, &h->newest, fault);
}

const struct history_dump *history_find(struct history *h, const char *as_of, const char *sha256)
{
    struct db_fault ignored;
    const struct history_dump *found;
    return books_find(h, as_of, sha256, &found, &ignored) < 0 ? NULL : found;
}

int books_find(struct history *h, const char *as_of, const char *sha256, const struct history_dump **ret_dump,
    struct db_fault *fault)
{
    const char *const parameters[] = {h->place.table, as_of, sha256};
    const char *sql = sha256 ? find_sql : of_that_time_sql;
    if (read_dump(h, sql, sha256 ? 3 : 2, parameters, &h->found, fault) < 0)
        return -1;
    *ret_dump = h->found.there ? &h->found.dump : NULL;
    return 0;
}

const struct history_dump *history_dump_by_id(struct history *h, int64_t id)
{
    struct db_fault ignored;
    char number[24];
    snprintf(number, sizeof(number), "%lld", (long long)id);
    const char *const parameters[] = {h->place.table, number};
    if (read_dump(h, by_id_sql, 2, parameters, &h->by_id, &ignored) < 0 || !h->by_id.there)
        return NULL;
    return &h->by_id.dump;
}

/* ---- making ---- */

static int make_all(struct history *h, struct db_fault *fault)
{
    if (h->dialect->lock_books && history_run(h, h->dialect->lock_books, 0, NULL, NULL, fault) < 0)
        return -1;
    for (const char *const *sql = make_sql; *sql; sql++)
        if (history_run(h, *sql, 0, NULL, NULL, fault) < 0)
            return -1;
    return history_run(h, "COMMIT", 0, NULL, NULL, fault);
}

int books_make(struct history *h, struct db_fault *fault)
{
    struct db_fault ignored;
    if (h->books)
        return 0;
    if (history_run(h, "BEGIN", 0, NULL, NULL, fault) < 0)
        return -1;
    if (make_all(h, fault) < 0) {
        db_query(h->db, "ROLLBACK", 0, NULL, NULL, &ignored);
        return error_prefix(&fault->error,
            "%s: the tables ingest_dump, ingest_reject and ingest_column could not be made", h->label);
    }
    h->books = true;
    return 0;
}

/* ---- writing ---- */

int books_write_columns(struct history *h, struct db_fault *fault)
{
    static const char sql[] = "INSERT INTO {column} (dataset, column_name, header, nth, position, is_key)"
                              " VALUES ({1}, {2}, {3}, {4}, {5}, {6})";
    for (size_t i = 0; i < h->columns.n; i++) {
        struct column *c = &h->columns.list[i];
        char nth[24], position[24];
        snprintf(nth, sizeof(nth), "%lld", (long long)c->nth);
        snprintf(position, sizeof(position), "%zu", i + 1);
        const char *const parameters[] = {
            h->place.table, c->name, c->header, nth, position, c->is_key ? "1" : "0"};
        if (!c->recorded && history_run(h, sql, 6, parameters, NULL, fault) < 0)
            return -1;
    }
    return 0;
}

static char *headers_json(const struct source *source)
{
    cJSON *array = cJSON_CreateStringArray((const char **)source->columns, (int)source->n_columns);
    char *text = array ? cJSON_PrintUnformatted(array) : NULL;
    cJSON_Delete(array);
    return text;
}

static char *key_json(const struct history *h)
{
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < h->columns.n; i++)
        if (h->columns.list[i].is_key)
            cJSON_AddItemToArray(array, cJSON_CreateString(h->columns.list[i].name));
    char *text = cJSON_PrintUnformatted(array);
    cJSON_Delete(array);
    return text;
}

struct numbers {
    char text[9][24];
};

static void write_numbers(const struct attempt *a, struct numbers *out)
{
    const struct history_counts *c = a->counts;
    const int64_t list[9] = {a->dump->bytes, c->rows, c->added, c->changed, c->removed, c->reactivated,
        c->unchanged, c->rejected, c->current};
    for (size_t i = 0; i < 9; i++)
        snprintf(out->text[i], sizeof(out->text[i]), "%lld", (long long)list[i]);
}

/* "2026-01-02 03:04:05.678": sessions are in UTC. */
static void format_time(int64_t us, char *out, size_t size)
{
    clock_format_utc(us, out, size);
    char *t = strchr(out, 'T'), *z = strchr(out, 'Z');
    if (t)
        *t = ' ';
    if (z)
        *z = '\0';
}

static bool take_id(void *arg, int n, const struct db_value *values)
{
    *(int64_t *)arg = number_of(&values[0]);
    return true;
}

int books_begin_dump(struct history *h, const char *as_of, bool partial, const char *status, int64_t *ret_id,
    struct db_fault *fault)
{
    static const char sql[] = "INSERT INTO {dump} (dataset, as_of, status, pass, started, finished)"
                              " VALUES ({1}, {2}, {3}, {4}, {now}, {now}){returning}";
    const char *const parameters[] = {h->place.table, as_of, status, partial ? "partial" : "full"};
    struct db_sink sink = {.row = take_id, .arg = ret_id};
    if (history_run(h, sql, 4, parameters, &sink, fault) < 0)
        return -1;
    return h->dialect->last_id ? db_query(h->db, h->dialect->last_id, 0, NULL, &sink, fault) : 0;
}

/* name = $1, … in the order of the parameters */
static char *update_sql(const struct history *h, int n, const char *const *names)
{
    _cleanup_buffer_ struct buffer out = {0};
    _cleanup_free_ char *head = marks_expand(&h->marks, "UPDATE {dump} SET finished = {now}");
    buffer_put_string(&out, head);
    for (int i = 0; i < n; i++) {
        _cleanup_free_ char *name = db_quote_name(h->db, NULL, names[i]);
        h->dialect->numbered ? buffer_printf(&out, ", %s = $%d", name, i + 1)
                             : buffer_printf(&out, ", %s = ?", name);
    }
    return xstrdup(buffer_string(&out));
}

#define N_FACTS 20

int books_end_dump(struct history *h, const struct attempt *a, struct db_fault *fault)
{
    static const char *const names[N_FACTS] = {"url", "name", "etag", "last_modified", "sha256", "header",
        "key_columns", "schema_changes", "error", "cursor", "started", "bytes", "records", "added", "changed",
        "removed", "reactivated", "unchanged", "rejected", "present"};
    char started[40];
    struct numbers numbers;
    format_time(a->started_us, started, sizeof(started));
    write_numbers(a, &numbers);
    char *header = headers_json(a->load->source), *key = key_json(h);
    const struct history_dump *d = a->dump;
    const char *parameters[N_FACTS] = {d->url, d->name, d->etag, d->last_modified, d->sha256, header, key,
        a->schema_changes, a->error, d->cursor, started};
    for (size_t i = 0; i < 9; i++)
        parameters[11 + i] = numbers.text[i];
    _cleanup_free_ char *set = update_sql(h, N_FACTS, names);
    _cleanup_free_ char *sql = xasprintf("%s WHERE id = %lld", set, (long long)a->id);
    int result = db_query(h->db, sql, N_FACTS, parameters, NULL, fault);
    cJSON_free(header);
    cJSON_free(key);
    return result;
}
