/* The text of a load's rows: the same whatever the room that it is read into. */
#include "db/lines.h"

#include "util/buffer.h"

#include "../util/suite.h"

#define TEXT(s)                                                                                              \
    {                                                                                                        \
        (s), sizeof(s) - 1                                                                                   \
    }
#define LONG "\xc3\xbc\xf0\x9f\x98\x80 plain text that is longer than some rooms"

static const struct db_value cells[][2] = {
    {TEXT("a\tb\nc\\d\re"), {NULL, 0}},
    {TEXT(""), TEXT("x\0y")},
    {{NULL, 0}, {NULL, 0}},
    {TEXT("\\N"), TEXT(LONG)},
};

static const char expected[] = "a\\tb\\nc\\\\d\\re\t\\N\n"
                               "\tx\\0y\n"
                               "\\N\t\\N\n"
                               "\\\\N\t" LONG "\n";

struct given {
    size_t n, fail_at;
    bool mute;
};

static int next_row(void *arg, const struct db_value **ret_values, struct db_fault *fault)
{
    struct given *g = arg;
    if (g->fail_at > 0 && g->n == g->fail_at) {
        if (!g->mute)
            *fault = (struct db_fault){.error.text = "broken off", .transient = true};
        return -1;
    }
    if (g->n == N_ELEMENTS(cells))
        return 0;
    *ret_values = cells[g->n++];
    return 1;
}

START_TEST(any_room)
{
    for (size_t size = 3; size < 200; size++) {
        struct given given = {0};
        struct db_load load = {.table = "t", .n_columns = 2, .next = next_row, .arg = &given};
        struct db_fault fault = {0};
        struct db_lines lines = {.load = &load, .fault = &fault};
        _cleanup_buffer_ struct buffer out = {0};
        _cleanup_free_ char *room = xcalloc(size, 1);
        ssize_t n;
        while ((n = db_lines_read(&lines, room, size)) > 0) {
            ck_assert_uint_le((size_t)n, size);
            buffer_put(&out, room, (size_t)n);
        }
        ck_assert_int_eq(n, 0);
        ck_assert_int_eq(db_lines_read(&lines, room, size), 0);
        ck_assert_int_eq(lines.n_rows, N_ELEMENTS(cells));
        ck_assert_str_eq(buffer_string(&out), expected);
        ck_assert_uint_eq(out.n, sizeof(expected) - 1);
    }
}
END_TEST

START_TEST(a_fault_of_the_rows)
{
    for (int mute = 0; mute < 2; mute++) {
        struct given given = {.fail_at = 2, .mute = mute};
        struct db_load load = {.table = "t", .n_columns = 2, .next = next_row, .arg = &given};
        struct db_fault fault = {0};
        struct db_lines lines = {.load = &load, .fault = &fault};
        char room[1024];
        ck_assert_int_eq(db_lines_read(&lines, room, sizeof(room)), -1);
        ck_assert_int_eq(db_lines_read(&lines, room, sizeof(room)), -1);
        ck_assert_int_eq(fault.transient, !mute);
        ck_assert_ptr_nonnull(strstr(fault.error.text, mute ? "table t" : "broken off"));
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {any_room, a_fault_of_the_rows};
    return run_tests("db-lines", tests, N_ELEMENTS(tests));
}
