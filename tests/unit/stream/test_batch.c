#include "../util/suite.h"
#include "stream/batch.h"

#include <endian.h>

static struct column columns[] = {
    {.name = (char[]){"id"},
        .field = (char[]){"id"},
        .not_null = true,
        .kind = VALUE_INT8,
        .element_oid = 20},
    {.name = (char[]){"code"}, .field = (char[]){"code"}, .kind = VALUE_TEXT, .element_oid = 1043},
};
static size_t key[] = {0};
static struct table table = {.columns = columns, .n_columns = 2, .key = key, .n_key = 1};

/* The same, but code must not be longer than two characters. */
static struct column narrow_columns[2];
static struct table narrow;

static void add(struct batch *b, const char *json, uint64_t id)
{
    const struct entry e = {.id = {7, id}, .received_us = 1, .shape = ENTRY_JSON, .payload = SLICE(json)};
    batch_add(b, &e, 0);
}

static uint32_t word(const char *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof(v));
    return be32toh(v);
}

static uint64_t first_id(const char *array)
{
    uint64_t v;
    memcpy(&v, array + 24, sizeof(v));
    return be64toh(v);
}

static struct batch *three_rows_and_a_bad_one(void)
{
    struct batch *b = batch_new(&table);
    add(b, "{\"id\": 11, \"code\": \"a\"}", 1);
    add(b, "{\"id\": \"x\"}", 2);
    add(b, "{\"id\": 12, \"code\": null}", 3);
    add(b, "{\"id\": 13, \"code\": \"long\"}", 4);
    return b;
}

START_TEST(refused_entries_are_kept_beside_the_rows)
{
    struct batch *b = three_rows_and_a_bad_one();
    ck_assert_uint_eq(batch_n_items(b), 4);
    ck_assert_uint_eq(batch_n_rows(b), 3);
    ck_assert_int_eq(batch_item(b, 1)->reason, REASON_WRONG_TYPE);
    ck_assert_int_eq(batch_item(b, 1)->row, -1);
    ck_assert(slice_is(batch_payload(b, batch_item(b, 1)), "{\"id\": \"x\"}"));
    ck_assert_ptr_nonnull(strstr(batch_detail(b, batch_item(b, 1)), "id"));
    ck_assert_uint_eq(batch_row_item(b, 1), 2);
    ck_assert_uint_eq(batch_rows_before(b, 0), 0);
    ck_assert_uint_eq(batch_rows_before(b, 2), 1);
    ck_assert_uint_eq(batch_rows_before(b, 4), 3);
    batch_free(b);
}
END_TEST

START_TEST(any_range_of_rows_is_an_array)
{
    struct batch *b = three_rows_and_a_bad_one();
    const char *values[2];
    int lengths[2];
    for (size_t from = 0; from < 3; from++)
        for (size_t to = from + 1; to <= 3; to++) {
            batch_arrays(b, from, to, values, lengths);
            ck_assert_uint_eq(word(values[0]), 1);
            ck_assert_uint_eq(word(values[0] + 8), 20);
            ck_assert_uint_eq(word(values[0] + 12), to - from);
            ck_assert_int_eq(lengths[0], 20 + 12 * (int)(to - from));
            ck_assert_uint_eq(first_id(values[0]), 11 + from);
            ck_assert_uint_eq(word(values[1] + 8), 1043);
        }
    batch_arrays(b, 1, 2, values, lengths);
    ck_assert_uint_eq(word(values[1] + 20), UINT32_MAX); /* NULL */
    ck_assert_int_eq(lengths[1], 24);
    batch_free(b);
}
END_TEST

START_TEST(moving_keeps_everything_and_empties_the_other)
{
    struct batch *to = batch_new(&table), *from = three_rows_and_a_bad_one();
    add(to, "{\"id\": 10}", 9);
    batch_move(to, from);
    ck_assert_uint_eq(batch_n_items(from), 0);
    ck_assert_uint_eq(batch_n_rows(from), 0);
    ck_assert_uint_eq(batch_n_items(to), 5);
    ck_assert_uint_eq(batch_n_rows(to), 4);
    ck_assert_uint_eq(batch_item(to, 2)->id.lo, 2);
    ck_assert_int_eq(batch_item(to, 2)->reason, REASON_WRONG_TYPE);
    ck_assert_ptr_nonnull(strstr(batch_detail(to, batch_item(to, 2)), "id"));
    const char *values[2];
    int lengths[2];
    batch_arrays(to, 0, 4, values, lengths);
    ck_assert_uint_eq(first_id(values[0]), 10);
    batch_arrays(to, 3, 4, values, lengths);
    ck_assert_uint_eq(first_id(values[0]), 13);
    ck_assert_int_eq(lengths[1], 28);
    batch_free(to);
    batch_free(from);
}
END_TEST

START_TEST(one_key_one_hash)
{
    struct batch *b = batch_new(&table);
    add(b, "{\"id\": 5, \"code\": \"a\"}", 1);
    add(b, "{\"code\": \"b\", \"id\": 5}", 2);
    ck_assert_uint_eq(batch_key_hash(b, 0), batch_key_hash(b, 1));
    size_t odd = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char json[40];
        snprintf(json, sizeof(json), "{\"id\": %u}", i * 8);
        batch_reset(b);
        add(b, json, i);
        odd += batch_key_hash(b, 0) % 2;
    }
    ck_assert_uint_gt(odd, 400); /* lanes share the load */
    ck_assert_uint_lt(odd, 600);
    batch_free(b);
}
END_TEST

START_TEST(another_table_decodes_all_again)
{
    memcpy(narrow_columns, columns, sizeof(columns));
    narrow_columns[1].max_chars = 2;
    narrow = table;
    narrow.columns = narrow_columns;
    struct batch *b = three_rows_and_a_bad_one();
    batch_rebuild(b, &narrow);
    ck_assert_uint_eq(batch_n_items(b), 4);
    ck_assert_uint_eq(batch_n_rows(b), 2);
    ck_assert_int_eq(batch_item(b, 3)->reason, REASON_TOO_LONG);
    batch_rebuild(b, &table);
    ck_assert_uint_eq(batch_n_rows(b), 3);
    ck_assert_int_eq(batch_item(b, 3)->reason, REASON_NONE);
    ck_assert(slice_is(batch_payload(b, batch_item(b, 3)), "{\"id\": 13, \"code\": \"long\"}"));
    batch_free(b);
}
END_TEST

START_TEST(fields_come_back_from_their_payload)
{
    const struct entry_field fields[] = {
        {SLICE("id"), SLICE("5")}, {{"co\0de", 5}, {"\r\n$9\r\n\xff", 8}}, {{"", 0}, {"", 0}}};
    const struct entry e = {.shape = ENTRY_FIELDS, .fields = fields, .n_fields = N_ELEMENTS(fields)};
    _cleanup_buffer_ struct buffer payload = {0};
    entry_payload(&e, &payload);
    struct entry back = {0};
    struct entry_field *list = NULL;
    ck_assert_int_eq(entry_from_payload(ENTRY_FIELDS, (struct slice){payload.p, payload.n}, &back, &list), 0);
    ck_assert_uint_eq(back.n_fields, N_ELEMENTS(fields));
    for (size_t i = 0; i < N_ELEMENTS(fields); i++) {
        ck_assert(slice_equal(back.fields[i].name, fields[i].name));
        ck_assert(slice_equal(back.fields[i].value, fields[i].value));
    }
    free(list);
    for (size_t n = 0; n < payload.n;
         n++) { /* a payload cut off anywhere is refused, and nothing is read behind it */
        char *copy = xcalloc(n + 1, 1);
        memcpy(copy, payload.p, n);
        ck_assert_int_eq(entry_from_payload(ENTRY_FIELDS, (struct slice){copy, n}, &back, &list), -1);
        free(copy);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {refused_entries_are_kept_beside_the_rows, any_range_of_rows_is_an_array,
        moving_keeps_everything_and_empties_the_other, one_key_one_hash, another_table_decodes_all_again,
        fields_come_back_from_their_payload};
    return run_tests("batch", tests, N_ELEMENTS(tests));
}
