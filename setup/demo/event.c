#include "event.h"

#include <inttypes.h>

#define N_PATIENTS 1000

struct code {
    const char *code;
    int price;
};

static const struct code claim_codes[] = {{"03003", 5}, {"29001", 10}, {"45001", 20}, {"03230", 3}};
static const struct code diagnose_codes[] = {
    {"A77.9"}, {"R41.3"}, {"J45.998"}, {"J44.9"}, {"R10.2"}, {"I50.9"}};

/* A kind of bad event. In its text $id, $patient, $code (the column's name) and $rest (the other fields)
 * stand for the values of a good one; $deep and $large for too much of something. */
struct poison {
    const char *name;
    const char *meaning;
    const char *text;
    bool good;       /* odd, but a row */
    bool on_request; /* harms the events behind it, or takes long: only when named */
    bool no_data;
    enum frame_fault fault;
    int transports; /* 0: all */
};

#define OBJECT(fields) "{\"id\": $id, " fields "}"

static const struct poison poisons[] = {
    {"not_json", "text that ends early", "{\"id\": $id, \"patient_id\": $patient,"},
    {"not_object", "JSON, but an array", "[$id, $patient]"},
    {"missing_field", "no patient_id", OBJECT("$rest")},
    {"null_field", "patient_id is null", OBJECT("\"patient_id\": null, $rest")},
    {"doubled_field", "patient_id twice", OBJECT("\"patient_id\": $patient, \"patient_id\": 1, $rest")},
    {"extra_field", "one field more: still a row", OBJECT("\"patient_id\": $patient, $rest, \"note\": [1]"),
        true},
    {"wrong_type", "patient_id is a word", OBJECT("\"patient_id\": \"somebody\", $rest")},
    {"out_of_range", "patient_id above int4", OBJECT("\"patient_id\": 3000000000, $rest")},
    {"nan", "patient_id is NaN", OBJECT("\"patient_id\": NaN, $rest")},
    {"fraction", "patient_id is 1.5", OBJECT("\"patient_id\": 1.5, $rest")},
    {"too_long", "a code of 30 characters",
        "{\"id\": $id, \"patient_id\": $patient, \"price\": 1, \"$code\": \"longer than any code could "
        "be\"}"},
    {"nul_in_text", "a code with U+0000",
        "{\"id\": $id, \"patient_id\": $patient, \"price\": 1, \"$code\": \"A\\u0000B\"}"},
    {"not_utf8", "a code that is not UTF-8",
        "{\"id\": $id, \"patient_id\": $patient, \"price\": 1, \"$code\": \"\xff\xfe\"}"},
    {"half_surrogate", "half a surrogate pair",
        "{\"id\": $id, \"patient_id\": $patient, \"price\": 1, \"$code\": \"\\ud800\"}"},
    {"too_deep", "nested 200 deep", OBJECT("\"patient_id\": $deep, $rest")},
    {"empty", "no bytes at all", ""},
    {"no_data", "Redis: an entry without `data`", "{}", .no_data = true, .transports = TRANSPORT_REDIS},
    {"large", "a note of 10 MB: still a row", OBJECT("\"patient_id\": $patient, $rest, \"note\": \"$large\""),
        true, .on_request = true},
    {"huge_frame", "pipe: a length that cannot be true; what follows is lost", "{}", .on_request = true,
        .fault = FRAME_HUGE, .transports = TRANSPORT_PIPE},
    {"cut_frame", "pipe: ends in the middle of a frame, and the publisher with it",
        OBJECT("\"patient_id\": 1"), .on_request = true, .fault = FRAME_CUT, .transports = TRANSPORT_PIPE},
};

struct event_maker {
    struct event event;
    struct event_shares shares;
    const struct poison *kinds[N_ELEMENTS(poisons)];
    size_t n_kinds;
    const struct code *codes;
    size_t n_codes;
    const char *code_name;
    bool priced;
    int64_t first_id, next_id;
    uint64_t random;
};

void poison_list(void (*say)(const char *name, const char *meaning))
{
    for (size_t i = 0; i < N_ELEMENTS(poisons); i++)
        say(poisons[i].name, poisons[i].meaning);
}

static bool is_listed(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0'))
            return true;
    return false;
}

static void choose_kinds(struct event_maker *m, int transports)
{
    for (size_t i = 0; i < N_ELEMENTS(poisons); i++) {
        const struct poison *p = &poisons[i];
        if (p->transports && (transports & ~p->transports))
            continue;
        if (m->shares.kinds ? is_listed(m->shares.kinds, p->name) : !p->on_request)
            m->kinds[m->n_kinds++] = p;
    }
}

struct event_maker *event_maker_new(
    const char *stream, uint64_t seed, int64_t first_id, int transports, const struct event_shares *shares)
{
    struct event_maker *m = xnew(struct event_maker);
    bool claim = strcmp(stream, "claim") == 0;
    m->event.stream = stream;
    m->shares = *shares;
    m->codes = claim ? claim_codes : diagnose_codes;
    m->n_codes = claim ? N_ELEMENTS(claim_codes) : N_ELEMENTS(diagnose_codes);
    m->code_name = claim ? "code" : "icd10_code";
    m->priced = claim;
    m->first_id = m->next_id = first_id;
    m->random = seed * 2 + claim;
    choose_kinds(m, transports);
    if (shares->poison > 0 && m->n_kinds == 0) {
        event_maker_free(m);
        return NULL;
    }
    return m;
}

void event_maker_free(struct event_maker *m)
{
    if (!m)
        return;
    buffer_done(&m->event.payload);
    free(m);
}

/* splitmix64 (Steele, Lea, Flood 2014): any seed will do. */
static uint64_t draw(struct event_maker *m)
{
    uint64_t z = m->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t draw_below(struct event_maker *m, uint64_t n)
{
    return draw(m) % n;
}

static bool draw_share(struct event_maker *m, double share)
{
    return (double)(draw(m) >> 11) * 0x1p-53 < share;
}

static void add_field(struct event *e, const char *name, const char *value)
{
    struct event_field *f = &e->fields[e->n_fields++];
    f->name = name;
    snprintf(f->value, sizeof(f->value), "%s", value);
}

/* The fields of a good event, in the practice's own order: the claim's code follows the patient. */
static void fill_fields(struct event_maker *m, int64_t id, unsigned patient)
{
    struct event *e = &m->event;
    const struct code *code = &m->codes[draw_below(m, m->n_codes)];
    char number[24];
    e->n_fields = 0;
    snprintf(number, sizeof(number), "%" PRId64, id);
    add_field(e, "id", number);
    snprintf(number, sizeof(number), "%u", patient);
    add_field(e, "patient_id", number);
    add_field(e, m->code_name, code->code);
    snprintf(number, sizeof(number), "%d", code->price);
    if (m->priced)
        add_field(e, "price", number);
}

/* Codes are text in the payload, everything else a number. */
static void put_fields(struct event *e, size_t from)
{
    for (size_t i = from; i < e->n_fields; i++) {
        const char *quote = i == 2 ? "\"" : "";
        buffer_printf(&e->payload, "%s\"%s\": %s%s%s", i > from ? ", " : "", e->fields[i].name, quote,
            e->fields[i].value, quote);
    }
}

static void put_many(struct buffer *b, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++)
        buffer_put_string(b, text);
}

/* Puts what the word at `text` stands for and returns the length of the word. */
static size_t put_word(struct event *e, const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz");
    struct slice word = {text, n};
    if (slice_is(word, "id"))
        buffer_put_string(&e->payload, e->fields[0].value);
    else if (slice_is(word, "patient"))
        buffer_put_string(&e->payload, e->fields[1].value);
    else if (slice_is(word, "code"))
        buffer_put_string(&e->payload, e->fields[2].name);
    else if (slice_is(word, "rest"))
        put_fields(e, 2);
    else if (slice_is(word, "large"))
        put_many(&e->payload, "0123456789abcdef", 10 * 1024 * 1024 / 16);
    else if (slice_is(word, "deep")) {
        put_many(&e->payload, "[", 200);
        put_many(&e->payload, "]", 200);
    }
    return n;
}

static void put_poison(struct event *e, const struct poison *p)
{
    for (const char *t = p->text; *t; t++)
        if (*t == '$')
            t += put_word(e, t + 1);
        else
            buffer_put(&e->payload, t, 1);
    e->n_fields = 0;
    e->kind = p->name;
    e->good = p->good;
    e->no_data = p->no_data;
    e->fault = p->fault;
}

const struct event *event_make(struct event_maker *m)
{
    struct event *e = &m->event;
    bool again = m->next_id > m->first_id && draw_share(m, m->shares.again);
    bool unknown = draw_share(m, m->shares.unknown_patient);
    int64_t id =
        again ? m->first_id + (int64_t)draw_below(m, (uint64_t)(m->next_id - m->first_id)) : m->next_id++;
    buffer_reset(&e->payload, 65536);
    fill_fields(m, id, unknown ? 0 : 1 + (unsigned)draw_below(m, N_PATIENTS));
    e->no_data = false;
    e->fault = FRAME_WHOLE;
    if (m->shares.poison > 0 && draw_share(m, m->shares.poison)) {
        put_poison(e, m->kinds[draw_below(m, m->n_kinds)]);
        e->good = e->good && !unknown;
        return e;
    }
    buffer_put_string(&e->payload, "{");
    put_fields(e, 0);
    buffer_put_string(&e->payload, "}");
    e->kind = unknown ? "unknown_patient" : again ? "again" : "event";
    e->good = !unknown;
    return e;
}
