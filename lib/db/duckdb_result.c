/*
 * The rows of a statement, streamed: DuckDB computes a chunk of at most 2,048 rows when it is asked for. The commonest
 * types are written as text here, all others by DuckDB itself.
 */
#include "db/duckdb_inside.h"

#include "util/text.h"

#include <inttypes.h>
#include <time.h>

#define NUMBER_MAX 24
#define PAUSE_US   1000

struct column {
    duckdb_logical_type type;
    duckdb_type id;
    duckdb_vector vector;
    const void *data;
    const uint64_t *validity; /* NULL: no value is NULL */
    char number[NUMBER_MAX];
    char *text; /* of DuckDB's, for one row */
};

struct duck_result {
    struct duck *duck;
    const struct duck_library *library;
    duckdb_result result;
    int nth; /* statement of the text */
    duckdb_data_chunk chunk;
    idx_t row, n_rows; /* in the chunk */
    int n;
    struct column *columns;
    struct db_value *values;
};

/* ---- statements ---- */

static int failed(struct duck_result *r, struct db_fault *fault)
{
    const char *text = r->library->result_error(&r->result);
    return duck_fault(fault, r->duck->base.label, r->library->result_error_type(&r->result),
        text ? text : "no reason is given", r->nth);
}

static void find_columns(struct duck_result *r)
{
    r->n = (int)r->library->column_count(&r->result);
    r->columns = xcalloc((size_t)r->n + 1, sizeof(*r->columns));
    r->values = xcalloc((size_t)r->n + 1, sizeof(*r->values));
    for (int i = 0; i < r->n; i++) {
        r->columns[i].type = r->library->column_logical_type(&r->result, (idx_t)i);
        r->columns[i].id = r->library->get_type_id(r->columns[i].type);
    }
}

/* The rows of a load come from one function, so there is work for one thread alone, and as a rule that is not this one: which
 * then asks without a pause whether it is done, a whole core's time. 0, or -1: it failed. */
static int work(const struct duck_library *l, duckdb_pending_result pending)
{
    for (;;) {
        duckdb_pending_state state = l->pending_execute_task(pending);
        if (l->pending_execution_is_finished(state))
            return state == DUCKDB_PENDING_ERROR ? -1 : 0;
        if (state == DUCKDB_PENDING_NO_TASKS_AVAILABLE)
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_US * 1000}, NULL);
    }
}

int duck_execute(struct duck *duck, duckdb_prepared_statement statement, int nth,
    struct duck_result **ret_result, struct db_fault *fault)
{
    const struct duck_library *l = duck->library;
    duckdb_pending_result pending = NULL;
    if (l->pending_prepared_streaming(statement, &pending) != DuckDBSuccess ||
        (duck->patient && work(l, pending) < 0)) {
        duck_fault_text(fault, duck->base.label, l->pending_error(pending), nth);
        l->destroy_pending(&pending);
        return -1;
    }
    struct duck_result *r = xnew(struct duck_result);
    r->duck = duck;
    r->library = l;
    r->nth = nth;
    duckdb_state state = l->execute_pending(pending, &r->result);
    l->destroy_pending(&pending);
    if (state != DuckDBSuccess) {
        failed(r, fault);
        duck_result_free(r);
        return -1;
    }
    bool rows = l->result_return_type(r->result) == DUCKDB_RESULT_TYPE_QUERY_RESULT;
    if (rows)
        find_columns(r);
    *ret_result = r;
    return rows;
}

static void drop_texts(struct duck_result *r)
{
    for (int i = 0; i < r->n; i++)
        if (r->columns[i].text)
            r->library->free(TAKE(r->columns[i].text));
}

void duck_result_free(struct duck_result *r)
{
    if (!r)
        return;
    drop_texts(r);
    for (int i = 0; i < r->n; i++)
        r->library->destroy_logical_type(&r->columns[i].type);
    if (r->chunk)
        r->library->destroy_data_chunk(&r->chunk);
    r->library->destroy_result(&r->result); /* ends the statement where it is not at its end */
    free(r->columns);
    free(r->values);
    free(r);
}

int duck_result_columns(struct duck_result *r)
{
    return r->n;
}

const char *duck_result_column(struct duck_result *r, int i)
{
    return r->library->column_name(&r->result, (idx_t)i);
}

int64_t duck_result_changed(struct duck_result *r)
{
    return (int64_t)r->library->rows_changed(&r->result);
}

const char *duck_result_tag(struct duck_result *r)
{
    static const char *const tags[] = {
        [DUCKDB_STATEMENT_TYPE_SELECT] = "SELECT",
        [DUCKDB_STATEMENT_TYPE_INSERT] = "INSERT",
        [DUCKDB_STATEMENT_TYPE_UPDATE] = "UPDATE",
        [DUCKDB_STATEMENT_TYPE_DELETE] = "DELETE",
        [DUCKDB_STATEMENT_TYPE_CREATE] = "CREATE",
        [DUCKDB_STATEMENT_TYPE_ALTER] = "ALTER",
        [DUCKDB_STATEMENT_TYPE_DROP] = "DROP",
        [DUCKDB_STATEMENT_TYPE_COPY] = "COPY",
    };
    size_t type = r->library->result_statement_type(r->result);
    return type < N_ELEMENTS(tags) && tags[type] ? tags[type] : "";
}

/* ---- rows ---- */

static int fetch(struct duck_result *r, struct db_fault *fault)
{
    if (r->chunk)
        r->library->destroy_data_chunk(&r->chunk);
    r->chunk = r->library->fetch_chunk(r->result);
    r->row = 0;
    r->n_rows = r->chunk ? r->library->data_chunk_get_size(r->chunk) : 0;
    if (!r->chunk && r->library->result_error_type(&r->result) != DUCKDB_ERROR_INVALID)
        return failed(r, fault);
    for (int i = 0; r->n_rows > 0 && i < r->n; i++) {
        struct column *c = &r->columns[i];
        c->vector = r->library->data_chunk_get_vector(r->chunk, (idx_t)i);
        c->data = r->library->vector_get_data(c->vector);
        c->validity = r->library->vector_get_validity(c->vector);
    }
    return r->n_rows > 0;
}

static struct db_value put_number(struct column *c, int64_t number)
{
    int n = snprintf(c->number, sizeof(c->number), "%" PRId64, number);
    return (struct db_value){c->number, (size_t)n};
}

/* False: DuckDB has to write it. */
static bool write_common(struct column *c, idx_t row, struct db_value *out)
{
    const duckdb_string_t *s;
    switch (c->id) {
    case DUCKDB_TYPE_VARCHAR:
        s = &((const duckdb_string_t *)c->data)[row];
        out->n = s->value.inlined.length;
        out->p = out->n <= sizeof(s->value.inlined.inlined) ? s->value.inlined.inlined : s->value.pointer.ptr;
        return true;
    case DUCKDB_TYPE_BOOLEAN:
        *out = ((const bool *)c->data)[row] ? (struct db_value){"true", 4} : (struct db_value){"false", 5};
        return true;
    case DUCKDB_TYPE_INTEGER:
        *out = put_number(c, ((const int32_t *)c->data)[row]);
        return true;
    case DUCKDB_TYPE_BIGINT:
        *out = put_number(c, ((const int64_t *)c->data)[row]);
        return true;
    default:
        return false;
    }
}

static int write_other(struct duck_result *r, int i, struct db_value *out, struct db_fault *fault)
{
    struct column *c = &r->columns[i];
    duckdb_value value = duck_value(r->library, c->type, c->vector, r->row);
    if (!value)
        return db_fault_set(fault, "0A000", false,
            "%s: the statement's column %d is of a type that cannot be read as text here: cast it to VARCHAR",
            r->duck->base.label, i + 1);
    c->text = r->library->get_varchar(value);
    r->library->destroy_value(&value);
    if (!c->text)
        return db_fault_set(fault, "", true, "%s: no memory for a row of the result", r->duck->base.label);
    *out = (struct db_value){c->text, strlen(c->text)};
    return 0;
}

int duck_result_next(struct duck_result *r, const struct db_value **ret_values, struct db_fault *fault)
{
    drop_texts(r);
    if (r->row >= r->n_rows) {
        int more = fetch(r, fault);
        if (more <= 0)
            return more;
    }
    for (int i = 0; i < r->n; i++) {
        struct column *c = &r->columns[i];
        r->values[i] = (struct db_value){0};
        bool null = c->validity && !(c->validity[r->row / 64] >> (r->row % 64) & 1);
        if (!null && !write_common(c, r->row, &r->values[i]) && write_other(r, i, &r->values[i], fault) < 0)
            return -1;
    }
    r->row++;
    *ret_values = r->values;
    return 1;
}
