#include "fake_intake.h"

#include "config/config.h"
#include "pg/session.h"
#include "stream/reason.h"
#include "util/clock.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

struct stream {
    struct stream_report report;
};

struct intake {
    struct stream streams[2];
};

bool fake_answers_later;
const char *fake_why;
char fake_asked[256];
bool fake_postgres_up;
int fake_n_letters;
size_t fake_payload_size;

static const struct intake fresh = {
    {
        {{.name = "claim",
            .table = "public.claim",
            .source = "redis claim/ingestd",
            .state = STREAM_RUNNING,
            .rate = 0.5,
            .spool_bytes = -1,
            .connected = true,
            .delivered = 6012,
            .inserted = 5412,
            .duplicate = 598,
            .dead = 2,
            .parked = 6,
            .dead_letters = 2,
            .batches = 5412,
            .batch_rows_max = 64,
            .commit_us_mean = 1900}},
        {{.name = "diagnose",
            .table = "public.diagnose",
            .source = "fifo diagnose-pipe",
            .state = STREAM_RUNNING,
            .rate = 1250,
            .lag = 12,
            .pending = -1,
            .spool_bytes = 2048,
            .claimed = -1,
            .connected = true,
            .delivered = 6011,
            .inserted = 5409,
            .duplicate = 601,
            .dead = 1,
            .parked = 5,
            .batches = 5400,
            .batch_rows_max = 512}},
    },
};

static struct intake the_intake; /* fake_daemon_init() resets it */

struct intake *fake_intake(void)
{
    return &the_intake;
}

struct stream_report *fake_report(size_t i)
{
    return &the_intake.streams[i].report;
}

/* The questions that wait for their answer. */
static struct {
    intake_answer_fn *answer;
    void *arg;
    cJSON *result;
} waiting[64];
static size_t n_waiting;

void fake_intake_reset(void)
{
    the_intake = fresh;
    fake_answers_later = false;
    fake_why = NULL;
    fake_asked[0] = '\0';
    fake_postgres_up = true;
    fake_n_letters = 2;
    fake_payload_size = 0;
    while (n_waiting > 0)
        cJSON_Delete(waiting[--n_waiting].result);
}

void fake_ask(intake_answer_fn *answer, void *arg, cJSON *result)
{
    if (fake_why) {
        cJSON_Delete(result);
        result = NULL;
    }
    if (fake_answers_later && n_waiting < N_ELEMENTS(waiting)) {
        waiting[n_waiting].answer = answer;
        waiting[n_waiting].arg = arg;
        waiting[n_waiting++].result = result;
        return;
    }
    answer(arg, result, fake_why);
}

size_t fake_answer_all(void)
{
    size_t n = n_waiting;
    n_waiting = 0;
    for (size_t i = 0; i < n; i++)
        waiting[i].answer(waiting[i].arg, waiting[i].result, waiting[i].result ? NULL : "Postgres is away");
    return n;
}

static void note_asked(const char *what, const struct letter_filter *f)
{
    snprintf(fake_asked, sizeof(fake_asked), "%s id=%" PRId64 " stream=%s reason=%s state=%s", what, f->id,
        f->stream ? f->stream : "-", f->reason ? f->reason : "-", f->state ? f->state : "-");
}

static cJSON *letter(int64_t id)
{
    cJSON *l = cJSON_CreateObject();
    cJSON_AddNumberToObject(l, "id", (double)id);
    cJSON_AddStringToObject(l, "stream", "claim");
    cJSON_AddStringToObject(l, "entry", "1767323045678-0");
    cJSON_AddStringToObject(l, "state", "dead");
    cJSON_AddStringToObject(l, "reason", "wrong_type");
    cJSON_AddStringToObject(l, "detail", "field price: text where a number belongs");
    cJSON_AddNullToObject(l, "sqlstate");
    cJSON_AddNumberToObject(l, "bytes", 42);
    cJSON_AddStringToObject(l, "received", "2026-01-02T03:04:05.678Z");
    cJSON_AddStringToObject(l, "recorded", "2026-01-02T03:04:05.700Z");
    return l;
}

void letters_list(struct intake *in, const struct letter_filter *filter, intake_answer_fn *answer, void *arg)
{
    note_asked("list", filter);
    cJSON *list = cJSON_CreateArray();
    for (int i = 1; i <= fake_n_letters; i++)
        cJSON_AddItemToArray(list, letter(filter->after + i));
    fake_ask(answer, arg, list);
}

void letters_show(struct intake *in, int64_t id, intake_answer_fn *answer, void *arg)
{
    note_asked("show", &(struct letter_filter){.id = id});
    cJSON *l = letter(id);
    _cleanup_free_ char *payload = fake_payload_size > 0 ? xcalloc(fake_payload_size + 1, 1)
                                                         : xstrdup("{\"id\": 7, \"price\": \"three\"}");
    if (fake_payload_size > 0)
        memset(payload, 'x', fake_payload_size);
    cJSON_AddStringToObject(l, "payload", payload);
    fake_ask(answer, arg, l);
}

void letters_replay(
    struct intake *in, const struct letter_filter *filter, intake_answer_fn *answer, void *arg)
{
    note_asked("replay", filter);
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "replayed", 1);
    fake_ask(answer, arg, result);
}

void letters_drop(struct intake *in, const struct letter_filter *filter, const char *who,
    intake_answer_fn *answer, void *arg)
{
    note_asked("drop", filter);
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "dropped", 1);
    fake_ask(answer, arg, result);
}

void intake_reconcile(struct intake *in, intake_answer_fn *answer, void *arg)
{
    fake_ask(answer, arg,
        cJSON_Parse(
            "{\"ok\": false, \"streams\": ["
            "{\"name\": \"claim\", \"ok\": true, \"checks\": [{\"what\": \"rows in public.claim\", "
            "\"expected\": 5412, \"found\": 5412, \"ok\": true, \"note\": null}]},"
            "{\"name\": \"diagnose\", \"ok\": false, \"checks\": [{\"what\": \"rows in public.diagnose\", "
            "\"expected\": 5409, \"found\": 5408, \"ok\": false, \"note\": \"1 row was deleted\"}]}]}"));
}

size_t intake_n_streams(const struct intake *in)
{
    return N_ELEMENTS(in->streams);
}

struct stream *intake_stream(struct intake *in, size_t i)
{
    return &in->streams[i];
}

struct stream *intake_find(struct intake *in, const char *name)
{
    for (size_t i = 0; i < N_ELEMENTS(in->streams); i++)
        if (strcmp(in->streams[i].report.name, name) == 0)
            return &in->streams[i];
    return NULL;
}

struct pg_session *intake_session(struct intake *in)
{
    return NULL;
}

void stream_report(struct stream *s, struct stream_report *ret)
{
    *ret = s->report;
    if (ret->since_us == 0)
        ret->since_us = clock_wall_us() - 60 * US_PER_SEC;
}

void stream_pause(struct stream *s)
{
    s->report.state = STREAM_PAUSED;
}

void stream_resume(struct stream *s)
{
    s->report.state = STREAM_RUNNING;
}

const char *stream_name(const struct stream *s)
{
    return s->report.name;
}

const char *stream_state_to_string(enum stream_state s)
{
    static const char *const names[] = {
        "starting", "running", "waiting", "paused", "refused", "draining", "stopped"};
    return names[s];
}

const char *reason_code(enum reason r)
{
    static const char *const codes[N_REASONS] = {
        [REASON_NONE] = "none", [REASON_WRONG_TYPE] = "wrong_type", [REASON_NO_PARENT] = "no_parent"};
    return codes[r] ? codes[r] : "another";
}

const char *reason_sentence(enum reason r)
{
    return r == REASON_WRONG_TYPE ? "A value is not of the type its column needs." : "";
}

enum pg_state pg_session_state(const struct pg_session *s)
{
    return fake_postgres_up ? PG_READY : PG_WAITING;
}

const char *pg_state_to_string(enum pg_state s)
{
    return s == PG_READY ? "ready" : "waiting";
}

int64_t pg_session_since_us(const struct pg_session *s)
{
    return clock_wall_us() - INT64_C(11520) * US_PER_SEC;
}

int64_t pg_session_round_trip_us(const struct pg_session *s)
{
    return 1100;
}

const char *pg_session_why(const struct pg_session *s)
{
    return fake_postgres_up ? "" : "connection refused";
}

const char *pg_session_label(const struct pg_session *s)
{
    return "doctor_office@db";
}

int pg_session_server_version(const struct pg_session *s)
{
    return 150004;
}

struct cJSON *config_to_json(const struct config *c)
{
    cJSON *to = cJSON_CreateObject();
    cJSON_AddStringToObject(to, "name", c->name);
    return to;
}
