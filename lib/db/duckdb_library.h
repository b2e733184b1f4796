#pragma once
/*
 * DuckDB's library, loaded when the first DuckDB database is opened: whoever opens none neither needs it nor carries its
 * 60 MB of code. It stands beside the program, or where the build found it.
 */
#include "db/driver.h"

#include <duckdb.h>

/* What we call of it: library->query is duckdb_query. */
#define DUCK_FUNCTIONS(F)                                                                                    \
    F(library_version)                                                                                       \
    F(free)                                                                                                  \
    F(create_config)                                                                                         \
    F(set_config)                                                                                            \
    F(destroy_config)                                                                                        \
    F(create_instance_cache)                                                                                 \
    F(get_or_create_from_cache)                                                                              \
    F(close)                                                                                                 \
    F(connect)                                                                                               \
    F(disconnect)                                                                                            \
    F(interrupt)                                                                                             \
    F(query)                                                                                                 \
    F(extract_statements)                                                                                    \
    F(extract_statements_error)                                                                              \
    F(prepare_extracted_statement)                                                                           \
    F(destroy_extracted)                                                                                     \
    F(prepare_error)                                                                                         \
    F(destroy_prepare)                                                                                       \
    F(nparams)                                                                                               \
    F(bind_varchar_length)                                                                                   \
    F(bind_null)                                                                                             \
    F(pending_prepared_streaming)                                                                            \
    F(pending_error)                                                                                         \
    F(pending_execute_task)                                                                                  \
    F(pending_execution_is_finished)                                                                         \
    F(execute_pending)                                                                                       \
    F(destroy_pending)                                                                                       \
    F(result_error)                                                                                          \
    F(result_error_type)                                                                                     \
    F(result_return_type)                                                                                    \
    F(result_statement_type)                                                                                 \
    F(rows_changed)                                                                                          \
    F(column_count)                                                                                          \
    F(column_name)                                                                                           \
    F(column_logical_type)                                                                                   \
    F(destroy_result)                                                                                        \
    F(fetch_chunk)                                                                                           \
    F(destroy_data_chunk)                                                                                    \
    F(data_chunk_get_size)                                                                                   \
    F(data_chunk_get_vector)                                                                                 \
    F(vector_get_data)                                                                                       \
    F(vector_get_validity)                                                                                   \
    F(list_vector_get_child)                                                                                 \
    F(array_vector_get_child)                                                                                \
    F(struct_vector_get_child)                                                                               \
    F(get_type_id)                                                                                           \
    F(destroy_logical_type)                                                                                  \
    F(decimal_width)                                                                                         \
    F(decimal_scale)                                                                                         \
    F(decimal_internal_type)                                                                                 \
    F(enum_internal_type)                                                                                    \
    F(list_type_child_type)                                                                                  \
    F(array_type_child_type)                                                                                 \
    F(array_type_array_size)                                                                                 \
    F(map_type_key_type)                                                                                     \
    F(map_type_value_type)                                                                                   \
    F(struct_type_child_count)                                                                               \
    F(struct_type_child_type)                                                                                \
    F(union_type_member_type)                                                                                \
    F(create_null_value)                                                                                     \
    F(create_bool)                                                                                           \
    F(create_int8)                                                                                           \
    F(create_int16)                                                                                          \
    F(create_int32)                                                                                          \
    F(create_int64)                                                                                          \
    F(create_uint8)                                                                                          \
    F(create_uint16)                                                                                         \
    F(create_uint32)                                                                                         \
    F(create_uint64)                                                                                         \
    F(create_hugeint)                                                                                        \
    F(create_uhugeint)                                                                                       \
    F(create_float)                                                                                          \
    F(create_double)                                                                                         \
    F(create_decimal)                                                                                        \
    F(create_date)                                                                                           \
    F(create_time)                                                                                           \
    F(create_time_ns)                                                                                        \
    F(create_time_tz_value)                                                                                  \
    F(create_timestamp)                                                                                      \
    F(create_timestamp_tz)                                                                                   \
    F(create_timestamp_s)                                                                                    \
    F(create_timestamp_ms)                                                                                   \
    F(create_timestamp_ns)                                                                                   \
    F(create_interval)                                                                                       \
    F(create_varchar_length)                                                                                 \
    F(create_blob)                                                                                           \
    F(create_bit)                                                                                            \
    F(create_uuid)                                                                                           \
    F(create_enum_value)                                                                                     \
    F(create_list_value)                                                                                     \
    F(create_array_value)                                                                                    \
    F(create_struct_value)                                                                                   \
    F(create_map_value)                                                                                      \
    F(create_union_value)                                                                                    \
    F(get_varchar)                                                                                           \
    F(destroy_value)                                                                                         \
    F(create_logical_type)                                                                                   \
    F(create_table_function)                                                                                 \
    F(table_function_set_name)                                                                               \
    F(table_function_set_bind)                                                                               \
    F(table_function_set_init)                                                                               \
    F(table_function_set_function)                                                                           \
    F(register_table_function)                                                                               \
    F(destroy_table_function)                                                                                \
    F(bind_add_result_column)                                                                                \
    F(bind_set_error)                                                                                        \
    F(init_set_max_threads)                                                                                  \
    F(function_set_error)                                                                                    \
    F(vector_size)                                                                                           \
    F(vector_ensure_validity_writable)                                                                       \
    F(data_chunk_set_size)

struct duck_library {
#define DUCK_MEMBER(name) __typeof__(duckdb_##name) *name;
    DUCK_FUNCTIONS(DUCK_MEMBER)
#undef DUCK_MEMBER
    duckdb_instance_cache instances; /* of all files that are open: one file is opened once in a process */
};

/* Loads it at the first call; stays until the process ends. NULL: the fault says why. */
const struct duck_library *duck_library(struct db_fault *fault);
/* The same when a database is open. */
const struct duck_library *duck_library_loaded(void);
