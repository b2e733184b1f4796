#include "fake_db.h"

#include <check.h>

const char *fake_driver;
const struct fake_answer *fake_answers;
size_t n_fake_answers;
char fake_said[4096];
struct db_options fake_options;

struct db {
    int nothing;
};
static struct db the_only_one;

void fake_start(const char *driver, const struct fake_answer *answers, size_t n)
{
    fake_driver = driver;
    fake_answers = answers;
    n_fake_answers = n;
    fake_said[0] = '\0';
}

static void say(const char *words)
{
    size_t n = strlen(fake_said);
    snprintf(fake_said + n, sizeof(fake_said) - n, "%s%s", n ? "|" : "", words);
}

int db_open(const char *url, const struct db_options *options, struct db **ret_db, struct db_fault *fault)
{
    say("open");
    ck_assert_str_eq(options->application_name, "ingestd job tidy");
    fake_options = *options;
    *ret_db = &the_only_one;
    return 0;
}

void db_close(struct db *db)
{
    if (db)
        say("close");
}

const char *db_driver(const struct db *db)
{
    return fake_driver;
}

const char *db_label(const struct db *db)
{
    return "fake";
}

static const struct fake_answer *answer_to(const char *sql)
{
    static const struct fake_answer fine = {0};
    for (size_t i = 0; i < n_fake_answers; i++)
        if (strncmp(sql, fake_answers[i].begins, strlen(fake_answers[i].begins)) == 0)
            return &fake_answers[i];
    return &fine;
}

static int end_with(const char *sqlstate, struct db_fault *fault)
{
    *fault = (struct db_fault){0};
    if (!sqlstate)
        return 0;
    snprintf(fault->sqlstate, sizeof(fault->sqlstate), "%s", sqlstate);
    fault->transient = *sqlstate == '\0' || strncmp(sqlstate, "40", 2) == 0;
    return error_set(&fault->error, "refused: %s", sqlstate);
}

int db_script(struct db *db, const char *sql, const struct db_sink *sink, struct db_fault *fault)
{
    const struct fake_answer *a = answer_to(sql);
    say(sql);
    struct db_value row[] = {{"x", 1}, {a->value, a->value ? strlen(a->value) : 0}};
    if (sink && sink->row && a->value)
        sink->row(sink->arg, 2, row);
    if (sink && sink->end && a->tag)
        sink->end(sink->arg, a->tag, 1);
    return end_with(a->sqlstate, fault);
}

int db_value(struct db *db, const char *sql, int n, const char *const *parameters, char **ret_value,
    struct db_fault *fault)
{
    const struct fake_answer *a = answer_to(sql);
    say("value");
    if (end_with(a->sqlstate, fault) < 0)
        return -1;
    *ret_value = xstrdup(a->value);
    return 0;
}

int db_query(struct db *db, const char *sql, int n, const char *const *parameters, const struct db_sink *sink,
    struct db_fault *fault)
{
    return db_script(db, sql, sink, fault);
}
