/* The dead letters as a person asks for them: listed, shown, dropped. Sending them again is in replay.c. */
#include "stream/letter_filter.h"

#include "config/config.h"
#include "pg/session.h"
#include "stream/batch.h"
#include "stream/books.h"
#include "util/text.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

#define LIST_DEFAULT 100
#define LIST_MOST    10000

/* -- asking ---------------------------------------------------------------------------------------------- */

/* A question that is answered from one result. */
struct asking {
    struct intake *in;
    intake_answer_fn *answer;
    void *arg;
    cJSON *(*make)(const PGresult *res, const char **ret_why);
};

static void on_asked(void *arg, const PGresult *res)
{
    struct asking *a = arg;
    char words[256] = "Postgres went away while it was asked; try again";
    const char *why = words;
    cJSON *result = NULL;
    if (res && pg_fault_of(res) != PG_FAULT_NONE)
        pg_describe(res, words, sizeof(words));
    else if (res)
        result = a->make(res, &why);
    a->answer(a->arg, result, result ? NULL : why);
    free(a);
}

static void ask(struct intake *in, const char *sql, int n, const char *const *values, int result_format,
    cJSON *(*make)(const PGresult *res, const char **ret_why), intake_answer_fn *answer, void *arg)
{
    struct pg_session *session = intake_session(in);
    struct asking *a = xnew(struct asking);
    *a = (struct asking){in, answer, arg, make};
    _cleanup_free_ char *text = books_sql(sql, intake_config(in)->postgres.schema);
    struct pg_params p = {.n = n, .values = values};
    if (pg_session_send(session, false, text, &p, result_format, on_asked, a)) {
        pg_session_sync(session, NULL, NULL);
        return;
    }
    free(a);
    answer(arg, NULL, "Postgres is away, and the letters are kept there; see ingestctl status");
}

void letter_filter_values(const struct letter_filter *f, struct filter_texts *t)
{
    int limit = f->limit <= 0 ? LIST_DEFAULT : MIN(f->limit, LIST_MOST);
    snprintf(t->id, sizeof(t->id), "%" PRId64, f->id);
    snprintf(t->after, sizeof(t->after), "%" PRId64, f->after);
    snprintf(t->limit, sizeof(t->limit), "%d", limit);
    const char *values[] = {t->id, f->stream ? f->stream : "", f->state ? f->state : "",
        f->reason ? f->reason : "", t->after, t->limit};
    memcpy(t->values, values, sizeof(values));
}

#define LETTER_COLUMNS                                                                                       \
    "d.id, d.stream, d.entry_id, d.state, d.reason, d.detail, coalesce(d.sqlstate, ''), d.bytes,"            \
    " to_char(d.received AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'),"                          \
    " to_char(d.recorded AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

static cJSON *make_letter(const PGresult *res, int row)
{
    static const char *const names[] = {
        "id", "stream", "entry", "state", "reason", "detail", "sqlstate", "bytes", "received", "recorded"};
    cJSON *letter = cJSON_CreateObject();
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        const char *v = PQgetvalue(res, row, (int)i);
        bool is_number = strcmp(names[i], "id") == 0 || strcmp(names[i], "bytes") == 0;
        if (is_number)
            cJSON_AddNumberToObject(letter, names[i], strtod(v, NULL));
        else
            cJSON_AddStringToObject(letter, names[i], v);
    }
    return letter;
}

static cJSON *make_list(const PGresult *res, const char **ret_why)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < PQntuples(res); i++)
        cJSON_AddItemToArray(list, make_letter(res, i));
    return list;
}

void letters_list(struct intake *in, const struct letter_filter *filter, intake_answer_fn *answer, void *arg)
{
    struct filter_texts t;
    letter_filter_values(filter, &t);
    ask(in,
        "SELECT " LETTER_COLUMNS " FROM {s}.dead_letter d WHERE" LETTER_FILTER
        " AND d.id > $5::int8 ORDER BY d.id LIMIT $6::int8",
        6, t.values, 0, make_list, answer, arg);
}

/* -- showing one ----------------------------------------------------------------------------------------- */

/* Text as text where it is UTF-8 without NUL, else the base64 that the server made of it. */
static void add_bytes(cJSON *to, const char *name, struct slice s, const char *base64)
{
    if (memchr(s.p, '\0', s.n) || !text_is_utf8(s.p, s.n)) {
        _cleanup_free_ char *other = xasprintf("%s_base64", name);
        cJSON_AddStringToObject(to, other, base64);
        return;
    }
    _cleanup_free_ char *text = xstrndup(s.p, s.n);
    cJSON_AddStringToObject(to, name, text);
}

static void add_fields(cJSON *letter, const struct entry *entry)
{
    cJSON *fields = cJSON_AddObjectToObject(letter, "fields");
    for (size_t i = 0; i < entry->n_fields; i++) {
        _cleanup_free_ char *name = xstrndup(entry->fields[i].name.p, entry->fields[i].name.n);
        add_bytes(fields, name, entry->fields[i].value, "(not UTF-8)");
    }
}

static cJSON *make_shown(const PGresult *res, const char **ret_why)
{
    if (PQntuples(res) == 0) {
        *ret_why = "there is no letter with that id; see ingestctl dead list";
        return NULL;
    }
    cJSON *letter = make_letter(res, 0);
    if (PQgetisnull(res, 0, 11))
        return letter; /* dropped: its payload is forgotten */
    size_t n;
    unsigned char *bytes = PQunescapeBytea((const unsigned char *)PQgetvalue(res, 0, 11), &n);
    if (!bytes)
        return letter;
    struct slice payload = {(const char *)bytes, n};
    struct entry entry = {0};
    _cleanup_free_ struct entry_field *fields = NULL;
    enum entry_shape shape = entry_shape_from_string(PQgetvalue(res, 0, 10));
    if (shape == ENTRY_FIELDS && entry_from_payload(shape, payload, &entry, &fields) == 0)
        add_fields(letter, &entry);
    else
        add_bytes(letter, "payload", payload, PQgetvalue(res, 0, 12));
    PQfreemem(bytes);
    return letter;
}

void letters_show(struct intake *in, int64_t id, intake_answer_fn *answer, void *arg)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, id);
    ask(in,
        "SELECT " LETTER_COLUMNS ", d.shape, d.payload, translate(encode(d.payload, 'base64'), E'\\n', '')"
        " FROM {s}.dead_letter d WHERE d.id = $1::int8",
        1, (const char *const[]){text}, 0, make_shown, answer, arg);
}

/* -- dropping -------------------------------------------------------------------------------------------- */

static cJSON *make_dropped(const PGresult *res, const char **ret_why)
{
    if (strcmp(PQgetvalue(res, 0, 0), "0") == 0) {
        *ret_why = "no letter fits, so none was dropped; see ingestctl dead list";
        return NULL;
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "dropped", strtod(PQgetvalue(res, 0, 0), NULL));
    return result;
}

void letters_drop(struct intake *in, const struct letter_filter *filter, const char *who,
    intake_answer_fn *answer, void *arg)
{
    struct filter_texts t;
    letter_filter_values(filter, &t);
    t.values[4] = who;
    ask(in,
        "WITH o AS (SELECT d.id, d.state, d.stream FROM {s}.dead_letter d WHERE" LETTER_FILTER
        "  AND d.state <> 'dropped' FOR UPDATE),"
        " n AS (UPDATE {s}.dead_letter d SET state = 'dropped', payload = NULL, parent_key = NULL, "
        "dropped_by = $5,"
        "  dropped_at = now() FROM o WHERE d.id = o.id RETURNING 1),"
        " p AS (SELECT o.stream FROM o WHERE o.state = 'parked')," ACCOUNT_AS_DEAD " SELECT count(*) FROM n",
        5, t.values, 0, make_dropped, answer, arg);
    intake_refresh(in);
}
