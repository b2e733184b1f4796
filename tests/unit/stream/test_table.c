#include "../util/suite.h"
#include "stream/table.h"

static char **strings(const char *a, const char *b)
{
    char **list = xcalloc(2, sizeof(*list));
    list[0] = xstrdup(a);
    list[1] = xstrdup(b);
    return list;
}

static struct table *make(void)
{
    struct table *t = xnew(struct table);
    t->schema = xstrdup("public");
    t->name = xstrdup("claim");
    t->sql_name = xstrdup("public.claim");
    t->time_zone = xstrdup("UTC");
    t->n_columns = 2;
    t->columns = xcalloc(2, sizeof(*t->columns));
    t->columns[0] = (struct column){.name = xstrdup("id"), .field = xstrdup("id"), .kind = VALUE_INT8};
    t->columns[1] = (struct column){.name = xstrdup("mood"), .received = true, .kind = VALUE_ENUM};
    t->columns[1].labels = strings("ok", "sad");
    t->columns[1].n_labels = 2;
    t->n_key = 1;
    t->key = xcalloc(1, sizeof(*t->key));
    t->n_foreign_keys = 1;
    t->foreign_keys = xcalloc(1, sizeof(*t->foreign_keys));
    t->foreign_keys[0] = (struct foreign_key){.constraint = xstrdup("fk"), .parent = xstrdup("patient")};
    t->foreign_keys[0].n_columns = 2;
    t->foreign_keys[0].columns = xcalloc(2, sizeof(size_t));
    t->foreign_keys[0].references = strings("a", "b");
    t->n_checks = 1;
    t->checks = xcalloc(1, sizeof(*t->checks));
    t->checks[0] = (struct check){xstrdup("positive"), xstrdup("(id > 0)")};
    return t;
}

START_TEST(equal_tables_are_equal)
{
    _cleanup_(table_freep) struct table *a = make(), *b = make();
    ck_assert(table_equal(a, b));
    ck_assert(table_equal(a, a));
    struct table none = {0}, neither = {0};
    ck_assert(table_equal(&none, &neither));
    ck_assert(!table_equal(&none, a));
}
END_TEST

/* One change at a time, each undone again. */
#define ASSERT_MATTERS(place, other)                                                                         \
    do {                                                                                                     \
        __typeof__(place) was = (place);                                                                     \
        (place) = (other);                                                                                   \
        ck_assert_msg(!table_equal(a, b), #place);                                                           \
        ck_assert_msg(!table_equal(b, a), #place);                                                           \
        (place) = was;                                                                                       \
    } while (0)

START_TEST(every_difference_counts)
{
    _cleanup_(table_freep) struct table *a = make(), *b = make();
    static char other[] = "other";
    ASSERT_MATTERS(b->schema, other);
    ASSERT_MATTERS(b->name, other);
    ASSERT_MATTERS(b->sql_name, other);
    ASSERT_MATTERS(b->time_zone, other);
    ASSERT_MATTERS(b->n_columns, 1);
    ASSERT_MATTERS(b->columns[0].name, other);
    ASSERT_MATTERS(b->columns[0].field, NULL);
    ASSERT_MATTERS(b->columns[0].received, true);
    ASSERT_MATTERS(b->columns[0].not_null, true);
    ASSERT_MATTERS(b->columns[0].kind, VALUE_INT4);
    ASSERT_MATTERS(b->columns[0].type_oid, 1);
    ASSERT_MATTERS(b->columns[0].array_oid, 1);
    ASSERT_MATTERS(b->columns[0].type_sql, other);
    ASSERT_MATTERS(b->columns[0].max_chars, 1);
    ASSERT_MATTERS(b->columns[0].precision, 1);
    ASSERT_MATTERS(b->columns[0].scale, 1);
    ASSERT_MATTERS(b->columns[1].n_labels, 1);
    ASSERT_MATTERS(b->columns[1].labels[1], other);
    ASSERT_MATTERS(b->n_key, 0);
    ASSERT_MATTERS(b->key[0], 1);
    ASSERT_MATTERS(b->n_foreign_keys, 0);
    ASSERT_MATTERS(b->foreign_keys[0].constraint, other);
    ASSERT_MATTERS(b->foreign_keys[0].parent, other);
    ASSERT_MATTERS(b->foreign_keys[0].n_columns, 1);
    ASSERT_MATTERS(b->foreign_keys[0].columns[1], 1);
    ASSERT_MATTERS(b->foreign_keys[0].references[1], other);
    ASSERT_MATTERS(b->n_checks, 0);
    ASSERT_MATTERS(b->checks[0].constraint, other);
    ASSERT_MATTERS(b->checks[0].expression, other);
    ck_assert(table_equal(a, b));
}
END_TEST

START_TEST(half_made_tables_can_be_freed)
{
    struct table *t = xnew(struct table);
    t->n_columns = t->n_key = t->n_foreign_keys = t->n_checks = 3;
    t->foreign_keys = xcalloc(3, sizeof(*t->foreign_keys));
    t->foreign_keys[0].n_columns = 2;
    table_free(t);
    table_free(NULL);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        equal_tables_are_equal,
        every_difference_counts,
        half_made_tables_can_be_freed,
    };
    return run_tests("table", tests, N_ELEMENTS(tests));
}
