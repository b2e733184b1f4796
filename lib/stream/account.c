#include "stream/account.h"

#include "pg/array.h"
#include "stream/books.h"

#include <inttypes.h>

#define N_LETTER_ARRAYS 11
enum {
    L_ENTRY,
    L_STATE,
    L_REASON,
    L_DETAIL,
    L_SQLSTATE,
    L_CONSTRAINT,
    L_PARENT,
    L_SHAPE,
    L_PAYLOAD,
    L_BYTES,
    L_RECEIVED
};

static const uint32_t letter_types[N_LETTER_ARRAYS] = {
    [L_ENTRY] = PG_TEXT_OID,
    [L_STATE] = PG_TEXT_OID,
    [L_REASON] = PG_TEXT_OID,
    [L_DETAIL] = PG_TEXT_OID,
    [L_SQLSTATE] = PG_TEXT_OID,
    [L_CONSTRAINT] = PG_TEXT_OID,
    [L_PARENT] = PG_TEXT_OID,
    [L_SHAPE] = PG_TEXT_OID,
    [L_PAYLOAD] = PG_BYTEA_OID,
    [L_BYTES] = PG_INT8_OID,
    [L_RECEIVED] = PG_TIMESTAMPTZ_OID,
};

static const char *state_of(enum reason reason)
{
    return reason == REASON_NO_PARENT ? "parked" : "dead";
}

/* The columns that both a new letter and one that comes back have: L_STATE … L_PARENT. */
static void put_reasons(const struct account *c, size_t i, struct pg_array *a)
{
    const struct batch_item *item = batch_item(c->batch, i);
    const struct refusal *r = refusals_find(c->refusals, i);
    pg_array_put_text(&a[L_STATE], state_of(item->reason));
    pg_array_put_text(&a[L_REASON], reason_code(item->reason));
    pg_array_put_text(&a[L_DETAIL], batch_detail(c->batch, item));
    pg_array_put_text(&a[L_SQLSTATE], r && r->sqlstate[0] ? r->sqlstate : NULL);
    pg_array_put_text(&a[L_CONSTRAINT], r ? r->constraint : NULL);
    pg_array_put_text(&a[L_PARENT], r ? r->parent_key : NULL);
}

static void put_letter(const struct account *c, size_t i, struct pg_array *a)
{
    const struct batch_item *item = batch_item(c->batch, i);
    struct slice payload = batch_payload(c->batch, item);
    char id[ENTRY_ID_MAX];
    pg_array_put_text(&a[L_ENTRY], entry_id_to_string(item->id, id));
    put_reasons(c, i, a);
    pg_array_put_text(&a[L_SHAPE], entry_shape_to_string(item->shape));
    pg_array_put_bytes(&a[L_PAYLOAD], payload);
    pg_array_put_int8(&a[L_BYTES], (int64_t)(item->size ? item->size : payload.n));
    pg_array_put_int8(&a[L_RECEIVED], pg_timestamp(item->received_us));
}

/* Parameters of one statement: a few texts, then arrays. */
struct books_params {
    const char *values[16];
    int lengths[16], formats[16];
    char numbers[3][24];
    int n, n_numbers;
};

static void param_text(struct books_params *p, const char *text)
{
    p->values[p->n++] = text;
}

static void param_number(struct books_params *p, int64_t v)
{
    char *text = p->numbers[p->n_numbers++];
    snprintf(text, sizeof(p->numbers[0]), "%" PRId64, v);
    param_text(p, text);
}

static void param_array(struct books_params *p, struct pg_array *a)
{
    struct slice v = pg_array_value(a);
    p->formats[p->n] = 1;
    p->lengths[p->n] = (int)v.n;
    p->values[p->n++] = v.p;
}

struct recipient {
    struct pg_session *session;
    pg_reply_fn *fn;
    void *arg;
};

static void send_books(const struct recipient *to, enum books_statement which, struct books_params *p)
{
    struct pg_params params = {.n = p->n, .values = p->values, .lengths = p->lengths, .formats = p->formats};
    pg_session_send(to->session, true, books_statement_name(which), &params, 0, to->fn, to->arg);
}

static size_t count_letters(const struct account *c)
{
    size_t n = 0;
    for (size_t i = c->from; i < c->to; i++)
        n += batch_item(c->batch, i)->reason != REASON_NONE;
    return n;
}

static void init_arrays(struct pg_array *a)
{
    for (size_t i = 0; i < N_LETTER_ARRAYS; i++)
        a[i] = (struct pg_array){.element_oid = letter_types[i]};
}

static void done_arrays(struct pg_array *a)
{
    for (size_t i = 0; i < N_LETTER_ARRAYS; i++)
        pg_array_done(&a[i]);
}

static void send_letters(const struct account *c, const struct recipient *to)
{
    struct pg_array a[N_LETTER_ARRAYS];
    init_arrays(a);
    for (size_t i = c->from; i < c->to; i++)
        if (batch_item(c->batch, i)->reason != REASON_NONE)
            put_letter(c, i, a);
    struct books_params p = {0};
    param_text(&p, c->stream);
    param_number(&p, (int64_t)(c->to - c->from));
    param_number(&p, c->inserted);
    for (size_t i = 0; i < N_LETTER_ARRAYS; i++)
        param_array(&p, &a[i]);
    send_books(to, BOOKS_LETTERS, &p);
    done_arrays(a);
}

static void send_settle(const struct account *c, const struct recipient *to)
{
    struct pg_array a[N_LETTER_ARRAYS], stored = {.element_oid = PG_INT8_OID},
                                        kept = {.element_oid = PG_INT8_OID};
    init_arrays(a);
    for (size_t i = c->from; i < c->to; i++) {
        const struct batch_item *item = batch_item(c->batch, i);
        if (item->reason != REASON_NONE)
            put_reasons(c, i, a);
        pg_array_put_int8(item->reason == REASON_NONE ? &stored : &kept, item->letter_id);
    }
    struct books_params p = {0};
    param_text(&p, c->stream);
    param_text(&p, c->was);
    param_number(&p, c->inserted);
    param_array(&p, &stored);
    param_array(&p, &kept);
    for (size_t i = L_STATE; i <= L_PARENT; i++)
        param_array(&p, &a[i]);
    send_books(to, BOOKS_SETTLE, &p);
    done_arrays(a);
    pg_array_done(&stored);
    pg_array_done(&kept);
}

static void send_ledger(const struct account *c, const struct recipient *to)
{
    int64_t delivered = (int64_t)(c->to - c->from);
    struct books_params p = {0};
    param_text(&p, c->stream);
    param_number(&p, delivered);
    param_number(&p, c->inserted);
    param_number(&p, delivered - c->inserted);
    send_books(to, BOOKS_LEDGER, &p);
}

void account_send(const struct account *c, struct pg_session *session, pg_reply_fn *fn, void *arg)
{
    const struct recipient to = {session, fn, arg};
    if (c->was)
        send_settle(c, &to);
    else if (count_letters(c))
        send_letters(c, &to);
    else
        send_ledger(c, &to);
}

/* A statement without letters answers nothing: nothing is dead or parked then. */
static void read_delivery(const struct account *c, const int64_t *v, struct outcome *ret)
{
    int64_t dead = v[0], parked = v[1], delivered = (int64_t)(c->to - c->from) - parked;
    *ret = (struct outcome){
        .delivered = delivered,
        .inserted = c->inserted,
        .duplicate = delivered - c->inserted - dead,
        .dead = dead,
        .parked = parked,
        .dead_letters = dead,
    };
}

static void read_settled(const struct account *c, const int64_t *v, struct outcome *ret)
{
    int64_t dead = v[3], parked = v[4], gone = v[5];
    *ret = (struct outcome){
        .delivered = v[0],
        .inserted = v[1],
        .duplicate = v[2],
        .dead = dead,
        .parked = strcmp(c->was, "parked") == 0 ? -gone - dead : parked,
        .dead_letters = dead,
    };
}

void account_read(const struct account *c, const PGresult *res, struct outcome *ret)
{
    int64_t v[6] = {0};
    for (int i = 0; i < PQnfields(res) && i < 6 && PQntuples(res) == 1; i++)
        v[i] = strtoll(PQgetvalue(res, 0, i), NULL, 10);
    if (c->was)
        read_settled(c, v, ret);
    else
        read_delivery(c, v, ret);
}
