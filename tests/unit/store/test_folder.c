/* A folder as a store: order, versions, what is not seen, and that no key leads out of it. */
#include "../util/suite.h"
#include "store/store.h"
#include "util/buffer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

static char root[] = "/tmp/store-folder-XXXXXX";
static char *folder, *outside;
static struct store *store;
static struct store_fault fault;

static void run(const char *fmt, const char *path)
{
    _cleanup_free_ char *command = xasprintf("cd '%s' && %s", path, fmt);
    ck_assert_int_eq(system(command), 0);
}

static void set_up(void)
{
    strcpy(root, "/tmp/store-folder-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    folder = xasprintf("%s/lake", root);
    outside = xasprintf("%s/outside", root);
    run("mkdir lake outside", root);
    run("echo secret >file", outside);
    _cleanup_free_ char *url = xasprintf("file://%s", folder);
    struct store_options options = {.url = url};
    ck_assert_msg(store_open(&options, &store, &fault) == 0, "%s", fault.error.text);
}

static void tear_down(void)
{
    store_free(store);
    run("rm -rf lake outside", root);
    rmdir(root);
    free(folder);
    free(outside);
}

static void put(const char *key)
{
    ck_assert_msg(store_put(store, key, key, strlen(key), &fault) == 0, "%s", fault.error.text);
}

static bool note(void *arg, const struct store_object *o)
{
    buffer_printf(arg, "%s ", o->key);
    ck_assert_uint_gt(strlen(o->etag), 0);
    ck_assert_msg(o->size == (int64_t)strlen(o->key), "%s", o->key);
    return true;
}

static void list_is(const char *prefix, const char *after, const char *keys)
{
    _cleanup_buffer_ struct buffer got = {0};
    int rc = store_list(store, prefix, after, note, &got, &fault);
    ck_assert_msg(rc == 0, "%s", fault.error.text);
    ck_assert_str_eq(buffer_string(&got), keys);
}

START_TEST(keys_come_in_the_order_of_their_bytes)
{
    static const char *const keys[] = {
        "a/x", "a-b", "a.txt", "a/b/c", "b", "é", "a0", "zz/1", "zz/10", "zz/2"};
    for (size_t i = 0; i < N_ELEMENTS(keys); i++)
        put(keys[i]);
    list_is("", NULL, "a-b a.txt a/b/c a/x a0 b zz/1 zz/10 zz/2 é ");
    list_is("a/", NULL, "a/b/c a/x ");
    list_is("a", NULL, "a-b a.txt a/b/c a/x a0 ");
    list_is("zz/1", NULL, "zz/1 zz/10 ");
    list_is("", "a/b/c", "a/x a0 b zz/1 zz/10 zz/2 é ");
    list_is("", "a/b/d", "a/x a0 b zz/1 zz/10 zz/2 é ");
    list_is("", "a/y", "a0 b zz/1 zz/10 zz/2 é ");
    list_is("zz/", "zz/1", "zz/10 zz/2 ");
    list_is("zz/", "a", "zz/1 zz/10 zz/2 ");
    list_is("none/", NULL, "");
    list_is("é", NULL, "é ");
    list_is("../", NULL, "");
    list_is("a/../a/", NULL, "");
}
END_TEST

static bool count(void *arg, const struct store_object *o)
{
    static char last[64];
    size_t *n = arg;
    ck_assert(*n == 0 || strcmp(last, o->key) < 0);
    snprintf(last, sizeof(last), "%s", o->key);
    return ++*n != 20000;
}

START_TEST(a_folder_of_more_names_than_are_in_memory)
{
    size_t n = 0;
    run("mkdir many && cd many && seq -f %06.0f 30000 | shuf | xargs touch", folder);
    ck_assert_int_eq(store_list(store, "many/", NULL, count, &n, &fault), 0);
    ck_assert_uint_eq(n, 20000); /* then it was told to end */
    n = 20000;
    ck_assert_int_eq(store_list(store, "many/", "many/020000", count, &n, &fault), 0);
    ck_assert_uint_eq(n, 30000);
}
END_TEST

START_TEST(what_was_put_is_read)
{
    _cleanup_free_ char *bytes = NULL, *copy = xasprintf("%s/copy", outside);
    struct store_object o;
    size_t n;
    put("x/y");
    ck_assert_int_eq(store_get(store, "x/y", 3, &bytes, &n, &fault), 0);
    ck_assert_str_eq(bytes, "x/y");
    ck_assert_int_eq(store_head(store, "x/y", &o, &fault), 0);
    ck_assert_int_eq(o.size, 3);
    ck_assert_int_eq(store_get_file(store, "x/y", o.etag, copy, &fault), 0);
    ck_assert_int_eq(store_put_file(store, "x/z", copy, &fault), 0);
    list_is("", NULL, "x/y x/z ");
}
END_TEST

START_TEST(faults_say_which)
{
    _cleanup_free_ char *bytes = NULL, *copy = xasprintf("%s/copy", outside);
    size_t n;
    ck_assert_int_eq(store_get(store, "no", 3, &bytes, &n, &fault), -1);
    ck_assert(fault.absent && !fault.transient);
    put("four");
    ck_assert_int_eq(store_get(store, "four", 3, &bytes, &n, &fault), -1);
    ck_assert(!fault.absent && strstr(fault.error.text, "larger than"));
    ck_assert_int_eq(store_get_file(store, "four", "4-0.0-0", copy, &fault), -1);
    ck_assert(fault.changed && access(copy, F_OK) < 0);
    ck_assert_int_eq(store_put_new(store, "four", "x", 1, &fault), -1);
    ck_assert(fault.exists);
    ck_assert_int_eq(store_put_new(store, "five!", "five!", 5, &fault), 0);
    list_is("", NULL, "five! four ");
    ck_assert_int_eq(store_put(store, "four/more", "x", 1, &fault), -1);
    ck_assert_msg(strstr(fault.error.text, "is in its way"), "%s", fault.error.text);
    ck_assert_int_eq(store_remove(store, "four", &fault), 0);
    ck_assert_int_eq(store_remove(store, "four", &fault), 0);
    ck_assert_int_eq(store_remove(store, "no/such", &fault), 0);
    list_is("", NULL, "five! ");
}
END_TEST

START_TEST(no_key_leads_out)
{
    static const char *const keys[] = {"", "/x", "../outside/file", "a/../../outside/file", "a//b", "a/",
        "./a", "a/.", "..", "\xFF", "\xC0\xAF", ".ingestd-put-0", "a/.ingestd-put-0"};
    run("ln -s ../outside out && ln -s ../outside/file link && mkdir a && ln -s ../../outside a/out", folder);
    struct store_object o;
    _cleanup_free_ char *bytes = NULL;
    size_t n;
    for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
        ck_assert_msg(store_get(store, keys[i], 99, &bytes, &n, &fault) < 0, "%s", keys[i]);
        ck_assert_msg(store_put(store, keys[i], "x", 1, &fault) < 0, "%s", keys[i]);
        ck_assert_ptr_null(
            strchr(keys[i], '.') && strstr(keys[i], "put-") ? NULL : store_path(store, keys[i]));
    }
    static const char *const links[] = {"link", "out/file", "a/out/file"};
    for (size_t i = 0; i < N_ELEMENTS(links); i++) {
        ck_assert_int_eq(store_get(store, links[i], 99, &bytes, &n, &fault), -1);
        ck_assert_int_eq(store_head(store, links[i], &o, &fault), -1);
        ck_assert_ptr_null(store_path(store, links[i]));
    }
    ck_assert_int_eq(store_put(store, "out/new", "x", 1, &fault), -1);
    ck_assert_int_eq(
        store_put(store, "link", "link", 4, &fault), 0); /* the link goes, not what it leads to */
    run("test $(cat file) = secret && test $(ls | wc -l) = 1", outside);
    list_is("", NULL, "link ");
    ck_assert_int_eq(store_list(store, "out/", NULL, note, NULL, &fault), -1);
}
END_TEST

START_TEST(a_descriptor_stays_the_file_that_it_was)
{
    struct store_object o;
    char got[16] = "";
    put("a/key");
    ck_assert_int_eq(store_head(store, "a/key", &o, &fault), 0);
    _cleanup_free_ char *etag = xstrdup(o.etag);
    _cleanup_close_ int fd = store_descriptor(store, "a/key", etag, &fault);
    ck_assert_int_ge(fd, 0);
    run("ln -sf ../../outside/file a/key", folder);
    _cleanup_free_ char *path = xasprintf("/proc/self/fd/%d", fd);
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(got, sizeof(got), file));
    ck_assert_str_eq(got, "a/key");
    ck_assert_int_eq(store_descriptor(store, "a/key", etag, &fault), -1);
    ck_assert_msg(strstr(fault.error.text, "links are not followed"), "%s", fault.error.text);
    run("rm a/key && echo more >a/key", folder);
    ck_assert_int_eq(store_descriptor(store, "a/key", etag, &fault), -1);
    ck_assert(fault.changed);
    run("rm a/key && mkfifo a/key", folder);
    ck_assert_int_eq(store_descriptor(store, "a/key", NULL, &fault), -1);
    ck_assert(fault.absent);
    ck_assert_int_eq(store_descriptor(store, "../outside/file", NULL, &fault), -1);
}
END_TEST

START_TEST(what_a_killed_put_left_is_not_seen_and_goes)
{
    run("mkdir d && touch -d '2 hours ago' d/.ingestd-put-old d/.ingestd-put-held && touch "
        "d/.ingestd-put-new",
        folder);
    _cleanup_free_ char *held = xasprintf("%s/d/.ingestd-put-held", folder);
    _cleanup_close_ int fd = open(held, O_RDWR);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    put("d/key");
    list_is("", NULL, "d/key ");
    run("test \"$(ls -A d | tr '\\n' ' ')\" = '.ingestd-put-held .ingestd-put-new key '", folder);
}
END_TEST

START_TEST(names_that_are_no_keys_are_left_out)
{
    run("touch \"$(printf 'a\\377')\" && mkfifo pipe && mkdir empty", folder);
    put("ok");
    list_is("", NULL, "ok ");
}
END_TEST

START_TEST(a_folder_must_be_there)
{
    static const char *const urls[] = {
        "file:///no/such/folder", "file://host/x", "file:x", "/x", "", "s4://x", "file:///etc/passwd"};
    for (size_t i = 0; i < N_ELEMENTS(urls); i++) {
        struct store_options options = {.url = urls[i]};
        struct store *none = NULL;
        ck_assert_msg(store_open(&options, &none, &fault) < 0, "%s", urls[i]);
        ck_assert_uint_gt(strlen(fault.error.text), 0);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {keys_come_in_the_order_of_their_bytes,
        a_folder_of_more_names_than_are_in_memory, what_was_put_is_read, faults_say_which, no_key_leads_out,
        a_descriptor_stays_the_file_that_it_was, what_a_killed_put_left_is_not_seen_and_goes,
        names_that_are_no_keys_are_left_out, a_folder_must_be_there};
    return run_staged("store-folder", set_up, tear_down, tests, N_ELEMENTS(tests));
}
