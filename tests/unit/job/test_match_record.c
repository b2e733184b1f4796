/* The columns of a match's table, and what becomes of a result in them. */
#include "job/match_record.h"

#include "../util/suite.h"

#define NOTHING ((struct source_cell){NULL, 0})

static char ours[] = "ours", vendor[] = "vendor", first[] = "first", given[] = "given", seen[] = "seen",
            location[] = "location", specialty[] = "specialty", klass[] = "class";
static char *our_columns[] = {first}, *their_columns[] = {given, seen};
static struct job_rule tie_breaks[] = {{.name = location}, {.name = specialty}, {.name = klass}};

static const struct job_match match = {
    .left = {.name = ours, .columns = {our_columns, 1}},
    .right = {.name = vendor, .columns = {their_columns, 2}},
    .tie_breaks = tie_breaks,
    .n_tie_breaks = 3,
};

static struct source_cell cell(const char *text)
{
    return (struct source_cell){text, strlen(text)};
}

/* What the table gets, as text: cells with | between, - for NULL. */
static char *row_of(const struct match_result *result, const struct match_reject *reject)
{
    _cleanup_buffer_ struct buffer out = {0};
    struct error err;
    struct slice bytes;
    const struct db_value *values;
    _cleanup_(match_record_freep) struct match_record *r = match_record_new(&match, "2017-02-02");
    ck_assert_int_eq(match_record_make(r, result, reject, &bytes, &err), 0);
    _cleanup_free_ char *kept = xcalloc(bytes.n, 1);
    memcpy(kept, bytes.p, bytes.n);
    ck_assert(match_record_read(r, (struct slice){kept, bytes.n}, &values));
    for (size_t i = 0; i < match_at_end(&match) + MATCH_N_END; i++) {
        buffer_put_string(&out, i ? "|" : "");
        buffer_put(&out, values[i].p ? values[i].p : "-", values[i].p ? values[i].n : 1);
    }
    return xstrdup(buffer_string(&out));
}

static void is_row(const struct match_result *result, const struct match_reject *reject, const char *expected)
{
    _cleanup_free_ char *row = row_of(result, reject);
    ck_assert_str_eq(row, expected);
}

START_TEST(the_columns_are_in_their_order)
{
    _cleanup_match_columns_ struct match_columns columns = {0};
    _cleanup_buffer_ struct buffer names = {0};
    struct error err;
    ck_assert_int_eq(match_columns_make(&match, &columns, &err), 0);
    for (size_t i = 0; i < columns.n; i++)
        buffer_printf(&names, "%s%s", columns.list[i].name, columns.list[i].may_come ? "+ " : " ");
    ck_assert_str_eq(buffer_string(&names),
        "report_date outcome reason score location_agrees+ specialty_agrees+ class_agrees+ ours_id vendor_id "
        "ours_active vendor_active ours_first+ vendor_given+ vendor_seen+ n_candidates candidates side raw ");
    ck_assert_str_eq(columns.list[match_at_ids(&match)].name, "ours_id");
    ck_assert_str_eq(columns.list[match_at_carried(&match, true)].name, "vendor_given");
    ck_assert_str_eq(columns.list[match_at_end(&match)].name, "n_candidates");
}
END_TEST

START_TEST(a_match)
{
    const struct source_cell a[] = {cell("1"), cell("x"), cell("y"), NOTHING, cell("Ann")},
                             b[] = {cell("101"), cell("x"), cell("z"), cell("c"), cell(""), NOTHING};
    const struct match_row left = {.activity = ACTIVITY_WITHIN, .n_cells = 5, .cells = a},
                           right = {.activity = ACTIVITY_FUTURE, .n_cells = 6, .cells = b};
    is_row(&(struct match_result){.outcome = MATCH_MATCHED, .left = &left, .right = &right, .reason = "keys"},
        NULL, "2017-02-02|matched|keys|0.333|1|0|-|1|101|1|0|Ann||-|-|-|-|-");
}
END_TEST

START_TEST(one_that_cannot_be_told_apart)
{
    const struct source_cell a[] = {cell("1"), cell("x"), NOTHING, NOTHING, cell("Ann")};
    const struct match_row left = {.activity = ACTIVITY_NEVER, .n_cells = 5, .cells = a};
    const struct slice named[] = {SLICE("7"), SLICE("a\"b\\ \n\xc3\xbc")};
    const struct match_result result = {.outcome = MATCH_AMBIGUOUS,
        .left = &left,
        .reason = "location+class",
        .n_named = 2,
        .named = named,
        .n_candidates = 12345678901};
    is_row(&result, NULL,
        "2017-02-02|ambiguous|location+class|-|-|-|-|1|-|0|-|Ann|-|-|12345678901|[\"7\",\"a\\\"b\\\\ "
        "\\n\xc3\xbc\"]|ours|-");
}
END_TEST

START_TEST(one_that_was_rejected)
{
    is_row(&(struct match_result){.outcome = MATCH_REJECTED, .reason = "null_key"},
        &(struct match_reject){"vendor", SLICE(",a,b")},
        "2017-02-02|rejected|null_key|-|-|-|-|-|-|-|-|-|-|-|-|-|vendor|,a,b");
}
END_TEST

START_TEST(bytes_that_are_none)
{
    const struct db_value *values;
    _cleanup_(match_record_freep) struct match_record *r = match_record_new(&match, "2017-02-02");
    ck_assert(!match_record_read(r, (struct slice){"", 0}, &values));
    ck_assert(!match_record_read(r, (struct slice){"\0\0\5", 3}, &values));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_columns_are_in_their_order, a_match, one_that_cannot_be_told_apart,
        one_that_was_rejected, bytes_that_are_none};
    return run_tests("job-match-record", tests, N_ELEMENTS(tests));
}
