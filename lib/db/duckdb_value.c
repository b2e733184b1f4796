/*
 * A cell of a DuckDB vector as a value of DuckDB's own, so that it is DuckDB that writes it as text: a double, a decimal,
 * a list of structs. Vectors are laid out as the documentation of the C API says ("Vectors", "Types").
 */
#include "db/duckdb_inside.h"

static duckdb_value make(
    const struct duck_library *l, duckdb_logical_type type, duckdb_vector vector, idx_t row);

static bool is_null(const struct duck_library *l, duckdb_vector vector, idx_t row)
{
    const uint64_t *validity = l->vector_get_validity(vector);
    return validity && !(validity[row / 64] >> (row % 64) & 1);
}

/* ---- of one piece ---- */

static duckdb_hugeint decimal_digits(
    const struct duck_library *l, duckdb_logical_type type, const void *data, idx_t row)
{
    int64_t v;
    switch (l->decimal_internal_type(type)) {
    case DUCKDB_TYPE_SMALLINT:
        v = ((const int16_t *)data)[row];
        break;
    case DUCKDB_TYPE_INTEGER:
        v = ((const int32_t *)data)[row];
        break;
    case DUCKDB_TYPE_BIGINT:
        v = ((const int64_t *)data)[row];
        break;
    default:
        return ((const duckdb_hugeint *)data)[row];
    }
    return (duckdb_hugeint){.lower = (uint64_t)v, .upper = v < 0 ? -1 : 0};
}

static duckdb_value make_decimal(
    const struct duck_library *l, duckdb_logical_type type, const void *data, idx_t row)
{
    return l->create_decimal((duckdb_decimal){
        .width = l->decimal_width(type),
        .scale = l->decimal_scale(type),
        .value = decimal_digits(l, type, data, row),
    });
}

static duckdb_value make_enum(
    const struct duck_library *l, duckdb_logical_type type, const void *data, idx_t row)
{
    switch (l->enum_internal_type(type)) {
    case DUCKDB_TYPE_UTINYINT:
        return l->create_enum_value(type, ((const uint8_t *)data)[row]);
    case DUCKDB_TYPE_USMALLINT:
        return l->create_enum_value(type, ((const uint16_t *)data)[row]);
    default:
        return l->create_enum_value(type, ((const uint32_t *)data)[row]);
    }
}

/* A UUID is kept with its highest bit turned, so that it sorts as a signed number. */
static duckdb_value make_uuid(const struct duck_library *l, duckdb_hugeint v)
{
    return l->create_uuid(
        (duckdb_uhugeint){.lower = v.lower, .upper = (uint64_t)v.upper ^ (UINT64_C(1) << 63)});
}

static duckdb_value make_string(const struct duck_library *l, duckdb_type id, const duckdb_string_t *s)
{
    uint32_t n = s->value.inlined.length;
    const char *p = n <= sizeof(s->value.inlined.inlined) ? s->value.inlined.inlined : s->value.pointer.ptr;
    if (id == DUCKDB_TYPE_BLOB)
        return l->create_blob((const uint8_t *)p, n);
    if (id == DUCKDB_TYPE_BIT)
        return l->create_bit((duckdb_bit){.data = (uint8_t *)(uintptr_t)p, .size = n});
    return l->create_varchar_length(p, n);
}

#define PLAIN(name, ctype, create)                                                                           \
    case DUCKDB_TYPE_##name:                                                                                 \
        return l->create(((const ctype *)data)[row]);

/* NULL: it is none. The same of the next two. */
static duckdb_value make_number(const struct duck_library *l, duckdb_type id, const void *data, idx_t row)
{
    switch (id) {
        PLAIN(BOOLEAN, bool, create_bool)
        PLAIN(TINYINT, int8_t, create_int8)
        PLAIN(SMALLINT, int16_t, create_int16)
        PLAIN(INTEGER, int32_t, create_int32)
        PLAIN(BIGINT, int64_t, create_int64)
        PLAIN(UTINYINT, uint8_t, create_uint8)
        PLAIN(USMALLINT, uint16_t, create_uint16)
        PLAIN(UINTEGER, uint32_t, create_uint32)
        PLAIN(UBIGINT, uint64_t, create_uint64)
        PLAIN(HUGEINT, duckdb_hugeint, create_hugeint)
        PLAIN(UHUGEINT, duckdb_uhugeint, create_uhugeint)
        PLAIN(FLOAT, float, create_float)
        PLAIN(DOUBLE, double, create_double)
    default:
        return NULL;
    }
}

static duckdb_value make_time(const struct duck_library *l, duckdb_type id, const void *data, idx_t row)
{
    switch (id) {
        PLAIN(DATE, duckdb_date, create_date)
        PLAIN(TIME, duckdb_time, create_time)
        PLAIN(TIME_NS, duckdb_time_ns, create_time_ns)
        PLAIN(TIME_TZ, duckdb_time_tz, create_time_tz_value)
        PLAIN(TIMESTAMP, duckdb_timestamp, create_timestamp)
        PLAIN(TIMESTAMP_TZ, duckdb_timestamp, create_timestamp_tz)
        PLAIN(TIMESTAMP_S, duckdb_timestamp_s, create_timestamp_s)
        PLAIN(TIMESTAMP_MS, duckdb_timestamp_ms, create_timestamp_ms)
        PLAIN(TIMESTAMP_NS, duckdb_timestamp_ns, create_timestamp_ns)
        PLAIN(INTERVAL, duckdb_interval, create_interval)
    default:
        return NULL;
    }
}
#undef PLAIN

static duckdb_value make_plain(
    const struct duck_library *l, duckdb_type id, duckdb_logical_type type, const void *data, idx_t row)
{
    duckdb_value made;
    switch (id) {
    case DUCKDB_TYPE_DECIMAL:
        return make_decimal(l, type, data, row);
    case DUCKDB_TYPE_ENUM:
        return make_enum(l, type, data, row);
    case DUCKDB_TYPE_UUID:
        return make_uuid(l, ((const duckdb_hugeint *)data)[row]);
    case DUCKDB_TYPE_VARCHAR:
    case DUCKDB_TYPE_BLOB:
    case DUCKDB_TYPE_BIT:
        return make_string(l, id, &((const duckdb_string_t *)data)[row]);
    default:
        made = make_number(l, id, data, row);
        return made ? made : make_time(l, id, data, row);
    }
}

/* ---- of several pieces ---- */

struct pieces {
    const struct duck_library *library;
    duckdb_value *values;
    idx_t n;
    bool complete; /* none is of an unknown type */
};

static struct pieces pieces_of(const struct duck_library *l, idx_t n)
{
    return (struct pieces){
        .library = l, .values = xcalloc((size_t)n + 1, sizeof(duckdb_value)), .n = n, .complete = true};
}

static void pieces_done(struct pieces *p)
{
    for (idx_t i = 0; i < p->n; i++)
        if (p->values[i])
            p->library->destroy_value(&p->values[i]);
    free(p->values);
}

/* The type is destroyed. */
static void put_piece(struct pieces *p, idx_t i, duckdb_logical_type type, duckdb_vector vector, idx_t row)
{
    p->values[i] = make(p->library, type, vector, row);
    p->complete &= p->values[i] != NULL;
    p->library->destroy_logical_type(&type);
}

/* A run of a list's or array's values. */
static void put_run(struct pieces *p, duckdb_logical_type (*type_of)(duckdb_logical_type),
    duckdb_logical_type type, duckdb_vector child, idx_t first)
{
    for (idx_t i = 0; i < p->n; i++)
        put_piece(p, i, type_of(type), child, first + i);
}

static duckdb_value make_list(
    const struct duck_library *l, duckdb_logical_type type, duckdb_vector vector, idx_t row)
{
    duckdb_list_entry at = ((const duckdb_list_entry *)l->vector_get_data(vector))[row];
    _cleanup_(pieces_done) struct pieces p = pieces_of(l, at.length);
    put_run(&p, l->list_type_child_type, type, l->list_vector_get_child(vector), at.offset);
    duckdb_logical_type child = l->list_type_child_type(type);
    duckdb_value made = p.complete ? l->create_list_value(child, p.values, p.n) : NULL;
    l->destroy_logical_type(&child);
    return made;
}

static duckdb_value make_array(
    const struct duck_library *l, duckdb_logical_type type, duckdb_vector vector, idx_t row)
{
    idx_t n = l->array_type_array_size(type);
    _cleanup_(pieces_done) struct pieces p = pieces_of(l, n);
    put_run(&p, l->array_type_child_type, type, l->array_vector_get_child(vector), row * n);
    duckdb_logical_type child = l->array_type_child_type(type);
    duckdb_value made = p.complete ? l->create_array_value(child, p.values, p.n) : NULL;
    l->destroy_logical_type(&child);
    return made;
}

static duckdb_value make_struct(
    const struct duck_library *l, duckdb_logical_type type, duckdb_vector vector, idx_t row)
{
    _cleanup_(pieces_done) struct pieces p = pieces_of(l, l->struct_type_child_count(type));
    for (idx_t i = 0; i < p.n; i++)
        put_piece(&p, i, l->struct_type_child_type(type, i), l->struct_vector_get_child(vector, i), row);
    return p.complete ? l->create_struct_value(type, p.values) : NULL;
}

/* A map is a list of structs of a key and a value. */
static duckdb_value make_map(
    const struct duck_library *l, duckdb_logical_type type, duckdb_vector vector, idx_t row)
{
    duckdb_list_entry at = ((const duckdb_list_entry *)l->vector_get_data(vector))[row];
    duckdb_vector entries = l->list_vector_get_child(vector);
    _cleanup_(pieces_done) struct pieces keys = pieces_of(l, at.length), values = pieces_of(l, at.length);
    put_run(&keys, l->map_type_key_type, type, l->struct_vector_get_child(entries, 0), at.offset);
    put_run(&values, l->map_type_value_type, type, l->struct_vector_get_child(entries, 1), at.offset);
    return keys.complete && values.complete ? l->create_map_value(type, keys.values, values.values, at.length)
                                            : NULL;
}

/* A union is a struct of a tag and its members. */
static duckdb_value make_union(
    const struct duck_library *l, duckdb_logical_type type, duckdb_vector vector, idx_t row)
{
    idx_t tag = ((const uint8_t *)l->vector_get_data(l->struct_vector_get_child(vector, 0)))[row];
    _cleanup_(pieces_done) struct pieces p = pieces_of(l, 1);
    put_piece(&p, 0, l->union_type_member_type(type, tag), l->struct_vector_get_child(vector, tag + 1), row);
    return p.complete ? l->create_union_value(type, tag, p.values[0]) : NULL;
}

static duckdb_value make(
    const struct duck_library *l, duckdb_logical_type type, duckdb_vector vector, idx_t row)
{
    if (is_null(l, vector, row))
        return l->create_null_value();
    duckdb_type id = l->get_type_id(type);
    switch (id) {
    case DUCKDB_TYPE_LIST:
        return make_list(l, type, vector, row);
    case DUCKDB_TYPE_ARRAY:
        return make_array(l, type, vector, row);
    case DUCKDB_TYPE_STRUCT:
        return make_struct(l, type, vector, row);
    case DUCKDB_TYPE_MAP:
        return make_map(l, type, vector, row);
    case DUCKDB_TYPE_UNION:
        return make_union(l, type, vector, row);
    default:
        return make_plain(l, id, type, l->vector_get_data(vector), row);
    }
}

duckdb_value duck_value(
    const struct duck_library *library, duckdb_logical_type type, duckdb_vector vector, idx_t row)
{
    return make(library, type, vector, row);
}
