/* Records against a model that holds them all, in little memory, and with shares of few rows. */
#include "../util/suite.h"
#include "match/sorter.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <sys/stat.h>

#define MEMORY 65536

struct record {
    struct slice key, value;
    size_t order;
};

static char folder[FOLDER_MAX], path[FOLDER_MAX + 16];
static struct match_share share;
static struct sorter_options options;
static struct sorter *s;
static struct error err;
static struct record *model;
static size_t n_model;

static void setup(void)
{
    new_folder(folder);
    snprintf(path, sizeof(path), "%s/rows", folder);
    share = (struct match_share){.fraction = 0.1};
    options = (struct sorter_options){.path = path, .memory = MEMORY, .share = &share, .part = 0.25};
    ck_assert_msg(sorter_open(&options, &s, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    sorter_free(s);
    ck_assert_int_eq(share.held, 0);
    for (size_t i = 0; i < n_model; i++)
        free((void *)model[i].key.p);
    free(model);
    model = NULL;
    n_model = 0;
    if (!options.keep)
        ck_assert_int_lt(access(path, F_OK), 0);
    remove_folder(folder);
}

static void put(struct slice key, struct slice value)
{
    char *copy = malloc(key.n + value.n + 1);
    if (key.n)
        memcpy(copy, key.p, key.n);
    if (value.n)
        memcpy(copy + key.n, value.p, value.n);
    if (n_model % 1024 == 0)
        model = xrealloc(model, n_model + 1024, sizeof(*model));
    model[n_model] = (struct record){{copy, key.n}, {copy + key.n, value.n}, n_model};
    n_model++;
    share.rows++;
    ck_assert_msg(sorter_put(s, key, value, &err) == 0, "%s", err.text);
}

/* Few letters, so that many keys are the same or begin with another. */
static void put_random(size_t most)
{
    static const char letters[] = {'\0', 'a', 'b', '\xFF'};
    char bytes[1024];
    size_t n_key = (size_t)rand() % 14, n = (size_t)rand() % MIN(most, sizeof(bytes) - 14);
    for (size_t i = 0; i < n_key; i++)
        bytes[i] = letters[(size_t)rand() % sizeof(letters)];
    memset(bytes + n_key, (int)(n_model % 256), n);
    put((struct slice){bytes, n_key}, (struct slice){bytes + n_key, n});
}

static void put_number(size_t n)
{
    char key[16];
    snprintf(key, sizeof(key), "%010zu", n);
    put(SLICE(key), SLICE("a value of no great length"));
}

static int by_key(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    size_t n = MIN(x->key.n, y->key.n);
    int order = memcmp(x->key.p, y->key.p, n);
    if (order == 0)
        order = (x->key.n > y->key.n) - (x->key.n < y->key.n);
    return order ? order : x->order < y->order ? -1 : 1;
}

static void expect_in_order(void)
{
    struct slice key, value;
    if (n_model > 0)
        qsort(model, n_model, sizeof(*model), by_key);
    ck_assert_int_eq(sorter_records(s), (int64_t)n_model);
    ck_assert_msg(sorter_rewind(s, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < n_model; i++) {
        ck_assert_msg(sorter_next(s, &key, &value, &err) == 1, "%s", err.text);
        ck_assert_msg(slice_equal(key, model[i].key), "key %zu of %zu", i, n_model);
        ck_assert_msg(slice_equal(value, model[i].value), "value %zu of %zu", i, n_model);
    }
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(sorter_next(s, &key, &value, &err), 0);
    ck_assert_int_eq(share.held, 0);
}

/* Two are needed to merge. */
static void expect_few_held(void)
{
    ck_assert_int_ge(share.peak, 1);
    ck_assert_int_le(share.peak, MAX(share_part(&share, options.part), 2));
}

static size_t saved_runs(void)
{
    cJSON *saved;
    ck_assert_msg(sorter_save(s, &saved, &err) == 0, "%s", err.text);
    int n = cJSON_GetArraySize(cJSON_GetObjectItem(saved, "runs"));
    cJSON_Delete(saved);
    return (size_t)n;
}

START_TEST(records_come_in_order_of_their_keys)
{
    static const size_t counts[] = {1, 2, 3, 40, 200, 1000, 4000};
    for (size_t i = 0; i < counts[_i]; i++)
        put_random(300);
    expect_in_order();
    expect_few_held();
}
END_TEST

START_TEST(a_share_is_not_needed)
{
    sorter_free(s);
    options.share = NULL;
    ck_assert_int_eq(sorter_open(&options, &s, &err), 0);
    for (size_t i = 0; i < 3000; i++)
        put_random(900);
    ck_assert_uint_gt(saved_runs(), 15);
    expect_in_order();
    ck_assert_int_eq(share.peak, 0);
}
END_TEST

START_TEST(few_rows_are_held_of_sources_of_any_size)
{
    static const int64_t counts[] = {200, 1000, 10000};
    struct slice key, value;
    int64_t n = 0;
    char text[16], before[16] = "";
    while (share.rows < counts[_i]) {
        share.rows++;
        snprintf(text, sizeof(text), "%010d", rand());
        ck_assert_int_eq(sorter_put(s, SLICE(text), SLICE("a value"), &err), 0);
        if (share.held > share_part(&share, options.part))
            ck_abort_msg("%d rows are held of %d", (int)share.held, (int)share.rows);
    }
    expect_few_held();
    ck_assert_int_eq(sorter_rewind(s, &err), 0);
    for (; sorter_next(s, &key, &value, &err) == 1; n++) {
        if (key.n != 10 || memcmp(before, key.p, 10) > 0)
            ck_abort_msg("key %d is not in order", (int)n);
        memcpy(before, key.p, 10);
    }
    ck_assert_int_eq(n, counts[_i]);
    expect_few_held();
}
END_TEST

START_TEST(what_is_in_order_makes_one_run)
{
    for (size_t i = 0; i < 6000; i++)
        put_number(i / 3);
    ck_assert_uint_eq(saved_runs(), 1);
    expect_in_order();
    expect_few_held();
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(st.st_size, 6000 * (8 + 10 + 26)); /* each record once */
}
END_TEST

START_TEST(reversed)
{
    for (size_t i = 6000; i > 0; i--)
        put_number(i);
    ck_assert_uint_gt(saved_runs(), 5);
    expect_in_order();
    expect_few_held();
}
END_TEST

START_TEST(records_of_one_key_stay_in_order)
{
    char value[16];
    for (size_t i = 0; i < 4000; i++) {
        snprintf(value, sizeof(value), "%zu", i);
        put(SLICE(i % 7 == 0 ? "one" : "two"), SLICE(value));
    }
    expect_in_order();
}
END_TEST

START_TEST(a_record_may_be_larger_than_the_memory)
{
    char *large = malloc(3 * MEMORY);
    for (size_t i = 0; i < 600; i++) {
        put_random(300);
        memset(large, 'a' + (int)i % 3, 3 * MEMORY);
        if (i % 100 == 0)
            put((struct slice){large, 1}, (struct slice){large, 2 * MEMORY + i});
        if (i % 250 == 0)
            put((struct slice){large, MEMORY + i}, (struct slice){large, MEMORY});
    }
    free(large);
    expect_in_order();
    expect_few_held();
}
END_TEST

START_TEST(a_record_may_be_too_large)
{
    char *large = calloc(1, 64 << 20);
    ck_assert_int_lt(sorter_put(s, SLICE("k"), (struct slice){large, 64 << 20}, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_ptr_nonnull(strstr(err.text, "64 MB"));
    ck_assert_int_eq(
        sorter_put(s, (struct slice){large, 32 << 20}, (struct slice){large, 32 << 20}, &err), 0);
    free(large);
}
END_TEST

START_TEST(nothing_is_nothing)
{
    expect_in_order();
    expect_in_order();
}
END_TEST

START_TEST(a_record_may_be_nothing)
{
    for (size_t i = 0; i < 5; i++)
        put((struct slice){0}, (struct slice){0});
    expect_in_order();
    expect_in_order();
}
END_TEST

START_TEST(it_is_read_again)
{
    struct slice key, value;
    for (size_t i = 0; i < 3000; i++)
        put_random(100);
    ck_assert_int_lt(sorter_next(s, &key, &value, &err), 0);
    expect_in_order();
    ck_assert_int_eq(sorter_rewind(s, &err), 0);
    for (size_t i = 0; i < 10; i++)
        ck_assert_int_eq(sorter_next(s, &key, &value, &err), 1);
    expect_in_order();
    ck_assert_int_lt(sorter_put(s, key, value, &err), 0);
}
END_TEST

/* ---- more runs than are kept ---- */

START_TEST(too_many_runs_are_merged_on_the_way)
{
    share.fraction = 1e-9;
    for (size_t i = 4500; i > 0; i--)
        put_number(i);
    ck_assert_uint_le(saved_runs(), 4096);
    expect_in_order();
    ck_assert_int_le(share.peak, 2);
}
END_TEST

/* ---- another process ---- */

/* As text, as it would come from a file. */
static char *save(void)
{
    cJSON *saved;
    ck_assert_msg(sorter_save(s, &saved, &err) == 0, "%s", err.text);
    char *text = cJSON_PrintUnformatted(saved);
    cJSON_Delete(saved);
    return text;
}

static int resume(const char *text)
{
    sorter_free(TAKE(s));
    ck_assert_int_eq(share.held, 0);
    cJSON *saved = cJSON_Parse(text);
    int rc = sorter_resume(&options, saved, &s, &err);
    cJSON_Delete(saved);
    return rc;
}

static void keep(void)
{
    sorter_free(s);
    options.keep = true;
    ck_assert_int_eq(sorter_open(&options, &s, &err), 0);
}

static void put_lost(size_t n)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(sorter_put(s, SLICE("lost"), SLICE("lost"), &err), 0);
}

static off_t file_size(void)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_size;
}

START_TEST(it_goes_on_from_what_was_saved)
{
    keep();
    for (size_t round = 0; round < 5; round++) {
        for (size_t i = 0; i < 1500; i++)
            put_random(100);
        char *text = save();
        off_t size = file_size();
        put_lost(round * 700);
        ck_assert_msg(resume(text) == 0, "%s", err.text);
        ck_assert_int_eq(file_size(), size);
        free(text);
        ck_assert_int_eq(sorter_records(s), (int64_t)n_model);
    }
    expect_in_order();
    expect_few_held();
}
END_TEST

START_TEST(what_was_saved_stays_when_runs_were_merged)
{
    keep();
    for (size_t i = 0; i < 1000; i++)
        put_random(100);
    char *text = save();
    expect_in_order();
    ck_assert_msg(resume(text) == 0, "%s", err.text);
    expect_in_order();
    free(text);
}
END_TEST

START_TEST(nothing_can_be_saved)
{
    keep();
    char *text = save();
    ck_assert_msg(resume(text) == 0, "%s", err.text);
    free(text);
    put_random(10);
    expect_in_order();
}
END_TEST

static void expect_damaged(void)
{
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_ptr_nonnull(strstr(err.text, "damaged"));
    ck_assert_ptr_nonnull(strstr(err.text, "run it again"));
}

START_TEST(a_file_that_is_shorter_is_refused)
{
    keep();
    for (size_t i = 0; i < 1000; i++)
        put_random(100);
    char *text = save();
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(truncate(path, st.st_size - 1), 0);
    ck_assert_int_lt(resume(text), 0);
    expect_damaged();
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_lt(resume(text), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "No such file"));
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_int_lt(resume(text), 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_lt(resume(text), 0);
    expect_damaged();
    free(text);
}
END_TEST

static const char *const bad_saves[] = {
    "{}",
    "[]",
    "null",
    "{\"records\": 1}",
    "{\"records\": 1, \"runs\": {}}",
    "{\"records\": 1, \"runs\": []}",
    "{\"records\": 1, \"runs\": [1]}",
    "{\"records\": 1, \"runs\": [[0, 100, 1, 100]]}",
    "{\"records\": 2, \"runs\": [[0, 100, 1, 100, 100]]}",
    "{\"records\": 1, \"runs\": [[0, 100, 1, 0, 100]]}",
    "{\"records\": 1, \"runs\": [[0, 100, 1, 100, 1e9]]}",
    "{\"records\": 0, \"runs\": [[0, 100, 0, 100, 100]]}",
    "{\"records\": 1, \"runs\": [[-1, 100, 1, 100, 100]]}",
    "{\"records\": 1, \"runs\": [[0, 1e300, 1, 100, 100]]}",
    "{\"records\": 1, \"runs\": [[9007199254740992, 9007199254740992, 1, 100, 100]]}",
    "{\"records\": 9007199254740992, \"runs\": [[0, 100, 9007199254740992, 8, 100]]}",
    "{\"records\": 1.5, \"runs\": [[0, 100, 1.5, 8, 100]]}",
};

START_TEST(a_damaged_save_is_refused)
{
    keep();
    for (size_t i = 0; i < 100; i++)
        put_random(100);
    free(save());
    ck_assert_int_lt(resume(bad_saves[_i]), 0);
    expect_damaged();
}
END_TEST

/* Whatever is in the file, it is an error or a record that is too. */
START_TEST(a_damaged_file_is_no_crash)
{
    struct slice key, value;
    for (size_t i = 0; i < 500; i++)
        put_random(60);
    ck_assert_int_eq(sorter_rewind(s, &err), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC), got = 1;
    for (int i = 0; i < 30; i++) {
        uint32_t noise = (uint32_t)rand() >> (rand() % 32);
        ck_assert_int_eq(pwrite(fd, &noise, sizeof(noise), rand() % 10000), sizeof(noise));
    }
    close(fd);
    size_t n = 0;
    while (got > 0 && (got = sorter_next(s, &key, &value, &err)) > 0)
        n += key.n + value.n + 1;
    ck_assert_uint_gt(n, 0);
    if (got < 0)
        expect_damaged();
    while (got < 0 && sorter_rewind(s, &err) == 0 && _i % 2 == 0)
        got = 0;
}
END_TEST

START_TEST(a_file_that_is_cut_is_an_error)
{
    struct slice key, value;
    int got;
    for (size_t i = 0; i < 6000; i++)
        put_number(i);
    ck_assert_int_eq(sorter_rewind(s, &err), 0);
    ck_assert_int_eq(truncate(path, 150000), 0);
    while ((got = sorter_next(s, &key, &value, &err)) > 0)
        ck_assert_uint_eq(key.n, 10);
    ck_assert_int_lt(got, 0);
    expect_damaged();
    ck_assert_int_lt(sorter_next(s, &key, &value, &err), 0);
}
END_TEST

START_TEST(a_disk_that_takes_nothing_is_named)
{
    struct sorter *other;
    struct sorter_options away = options;
    away.path = "/proc/none/rows";
    ck_assert_int_lt(sorter_open(&away, &other, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "/proc/none/rows"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_share_is_not_needed, what_is_in_order_makes_one_run, reversed,
        records_of_one_key_stay_in_order, a_record_may_be_larger_than_the_memory, a_record_may_be_too_large,
        nothing_is_nothing, a_record_may_be_nothing, it_is_read_again, too_many_runs_are_merged_on_the_way,
        it_goes_on_from_what_was_saved, what_was_saved_stays_when_runs_were_merged, nothing_can_be_saved,
        a_file_that_is_shorter_is_refused, a_file_that_is_cut_is_an_error,
        a_disk_that_takes_nothing_is_named};
    Suite *suite = suite_create("sorter");
    TCase *sorter = add_case(suite, "sorter", setup, teardown);
    add_tests(sorter, tests, N_ELEMENTS(tests));
    tcase_add_loop_test(sorter, records_come_in_order_of_their_keys, 0, 7);
    tcase_add_loop_test(sorter, few_rows_are_held_of_sources_of_any_size, 0, 3);
    tcase_add_loop_test(sorter, a_damaged_save_is_refused, 0, (int)N_ELEMENTS(bad_saves));
    tcase_add_loop_test(sorter, a_damaged_file_is_no_crash, 0, 8);
    return run_suite(suite);
}
