#include "stream/table.h"

static void free_strings(char **strings, size_t n)
{
    for (size_t i = 0; strings && i < n; i++)
        free(strings[i]);
    free(strings);
}

static void column_done(struct column *c)
{
    free(c->name);
    free(c->field);
    free(c->array_sql);
    free(c->type_sql);
    free_strings(c->labels, c->n_labels);
}

static void foreign_key_done(struct foreign_key *k)
{
    free(k->constraint);
    free(k->parent);
    free(k->columns);
    free_strings(k->references, k->n_columns);
}

struct table *table_share(const struct table *t)
{
    struct table *shared = (struct table *)t;
    shared->n_users++;
    return shared;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    if (t->n_users > 0) {
        t->n_users--;
        return;
    }
    for (size_t i = 0; t->columns && i < t->n_columns; i++)
        column_done(&t->columns[i]);
    for (size_t i = 0; t->foreign_keys && i < t->n_foreign_keys; i++)
        foreign_key_done(&t->foreign_keys[i]);
    for (size_t i = 0; t->checks && i < t->n_checks; i++) {
        free(t->checks[i].constraint);
        free(t->checks[i].expression);
    }
    free(t->columns);
    free(t->foreign_keys);
    free(t->checks);
    free(t->key);
    free(t->schema);
    free(t->name);
    free(t->sql_name);
    free(t->time_zone);
    free(t);
}

static bool same_string(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_strings(char *const *a, char *const *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!same_string(a[i], b[i]))
            return false;
    return true;
}

static bool same_indexes(const size_t *a, const size_t *b, size_t n)
{
    return n == 0 || memcmp(a, b, n * sizeof(*a)) == 0;
}

static bool same_column(const struct column *a, const struct column *b)
{
    return same_string(a->name, b->name) && same_string(a->field, b->field) && a->received == b->received &&
           a->not_null == b->not_null && a->kind == b->kind && a->type_oid == b->type_oid &&
           a->array_oid == b->array_oid && same_string(a->type_sql, b->type_sql) &&
           a->max_chars == b->max_chars && a->precision == b->precision && a->scale == b->scale &&
           a->n_labels == b->n_labels && same_strings(a->labels, b->labels, a->n_labels);
}

static bool same_foreign_key(const struct foreign_key *a, const struct foreign_key *b)
{
    return same_string(a->constraint, b->constraint) && same_string(a->parent, b->parent) &&
           a->n_columns == b->n_columns && same_indexes(a->columns, b->columns, a->n_columns) &&
           same_strings(a->references, b->references, a->n_columns);
}

static bool same_check(const struct check *a, const struct check *b)
{
    return same_string(a->constraint, b->constraint) && same_string(a->expression, b->expression);
}

bool table_equal(const struct table *a, const struct table *b)
{
    if (!same_string(a->schema, b->schema) || !same_string(a->name, b->name) ||
        !same_string(a->sql_name, b->sql_name) || !same_string(a->time_zone, b->time_zone) ||
        a->n_columns != b->n_columns || a->n_key != b->n_key || a->n_foreign_keys != b->n_foreign_keys ||
        a->n_checks != b->n_checks || a->key_is_exact != b->key_is_exact ||
        !same_indexes(a->key, b->key, a->n_key))
        return false;
    for (size_t i = 0; i < a->n_columns; i++)
        if (!same_column(&a->columns[i], &b->columns[i]))
            return false;
    for (size_t i = 0; i < a->n_foreign_keys; i++)
        if (!same_foreign_key(&a->foreign_keys[i], &b->foreign_keys[i]))
            return false;
    for (size_t i = 0; i < a->n_checks; i++)
        if (!same_check(&a->checks[i], &b->checks[i]))
            return false;
    return true;
}
