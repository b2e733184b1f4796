/* A lake in a folder, with DuckDB. */
#include "../util/suite.h"
#include "lake/lake.h"

#include <cjson/cJSON.h>

static char folder[FOLDER_MAX];
static struct store *store;
static struct db *duck;
static struct lake *lake;
static struct db_fault fault;

static void good(int r)
{
    ck_assert_msg(r == 0, "%s", fault.error.text);
}

static void sql(const char *text)
{
    good(db_script(duck, text, NULL, &fault));
}

static void setup(void)
{
    struct store_fault broken;
    new_folder(folder);
    _cleanup_free_ char *run = xasprintf("%s/run", folder), *there = xasprintf("%s/lake", folder);
    _cleanup_free_ char *url = xasprintf("file://%s", there), *database = xasprintf("duckdb://%s/d", folder);
    ck_assert(mkdir(run, 0700) == 0 && mkdir(there, 0700) == 0);
    ck_assert_msg(
        store_open(&(struct store_options){.url = url}, &store, &broken) == 0, "%s", broken.error.text);
    const char *const folders[] = {folder};
    good(db_open(database,
        &(struct db_options){
            .files_folders = folders, .n_files_folders = 1, .memory_max = 64 << 20, .threads = 1},
        &duck, &fault));
    good(lake_open(&(struct lake_options){.store = store, .duck = duck, .folder = run, .writer = "a test"},
        &lake, &fault));
}

static void teardown(void)
{
    lake_free(lake);
    db_close(duck);
    store_free(store);
    remove_folder(folder);
}

static struct lake_table *at(int64_t version)
{
    struct lake_table *t;
    good(lake_table_open(lake, "p", version, &t, &fault));
    return t;
}

/* Merges the rows of the table r; the version. */
static int64_t put(int64_t version, struct lake_change *ret_change)
{
    bool lost;
    int64_t made;
    _cleanup_free_ char *note = NULL;
    _cleanup_(lake_table_freep) struct lake_table *t = at(version);
    good(lake_merge(lake, t, "r", (const char *const[]){"id"}, 1, ret_change, &fault));
    good(lake_commit(lake, t, ret_change, "MERGE", &made, &note, &lost, &fault));
    ck_assert_msg(!note && !lost, "%s", note);
    lake_change_done(ret_change);
    return made;
}

START_TEST(a_table_grows)
{
    struct lake_change c = {0};
    const char *type;
    sql("CREATE TABLE r AS SELECT i::BIGINT AS id, 'a' AS s FROM range(100) t(i)");
    ck_assert_int_eq(put(LAKE_NEWEST, &c), 0);
    sql("UPDATE r SET s = 'b' WHERE id = 7; INSERT INTO r VALUES (1000, NULL)");
    ck_assert_int_eq(put(LAKE_NEWEST, &c), 1);
    ck_assert_int_eq(put(LAKE_NEWEST, &c), 1);
    _cleanup_(lake_table_freep) struct lake_table *t = at(LAKE_NEWEST), *before = at(0);
    ck_assert_int_eq(lake_table_rows(t), 101);
    ck_assert_int_eq(lake_table_rows(before), 100);
    ck_assert_str_eq(lake_table_column(t, 1, &type), "s");
    ck_assert_str_eq(type, "VARCHAR");
    ck_assert_ptr_null(lake_table_column(t, 2, NULL));
    size_t n;
    const struct lake_file *files = lake_table_files(t, &n);
    ck_assert_uint_eq(n, 1);
    _cleanup_free_ char *path = xasprintf("%s/lake/p/%s", folder, files[0].path);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0440);
    ck_assert_int_eq(st.st_size, files[0].size);
    ck_assert_int_eq(lake_table_bytes(t), files[0].size);
}
END_TEST

START_TEST(nothing_is_left_in_the_folder)
{
    if (under_valgrind()) /* eleven merges by DuckDB */
        return;
    struct lake_change c = {0};
    sql("CREATE TABLE r AS SELECT 0::BIGINT AS id");
    for (int i = 0; i < 11; i++) {
        sql("UPDATE r SET id = id + 1");
        put(LAKE_NEWEST, &c);
    }
    _cleanup_free_ char *run = xasprintf("%s/run", folder);
    ck_assert_int_eq(rmdir(run), 0);
    _cleanup_(lake_table_freep) struct lake_table *t = at(LAKE_NEWEST);
    ck_assert_int_eq(lake_table_rows(t), 11);
    ck_assert(lake_append(lake, t, "r", &c, &fault) < 0);
    ck_assert_msg(strstr(fault.error.text, run) != NULL, "%s", fault.error.text);
}
END_TEST

START_TEST(a_pointer_is_made_once)
{
    bool lost;
    int64_t number;
    cJSON *pointer = cJSON_Parse("{\"tables\":{\"p\":{\"version\":3}},\"at\":\"x\"}"), *got;
    cJSON *other = cJSON_Parse("{\"tables\":{\"p\":{\"version\":3}},\"at\":\"y\"}");
    good(lake_published(lake, &number, &got, &fault));
    ck_assert(number == 0 && !got);
    good(lake_publish(lake, 0, pointer, &lost, &fault));
    good(
        lake_publish(lake, 0, pointer, &lost, &fault)); /* ours: the answer to the first may have been lost */
    ck_assert(!lost);
    ck_assert(lake_publish(lake, 0, other, &lost, &fault) < 0 && lost && fault.transient);
    good(lake_published(lake, &number, &got, &fault));
    ck_assert_int_eq(number, 1);
    ck_assert(cJSON_Compare(pointer, got, true));
    cJSON_Delete(got);
    cJSON_Delete(other);
    cJSON_Delete(pointer);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_table_grows, nothing_is_left_in_the_folder, a_pointer_is_made_once};
    return run_staged("lake table", setup, teardown, tests, N_ELEMENTS(tests));
}
