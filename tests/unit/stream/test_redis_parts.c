/* URLs, ids, MOVED, and the table of outstanding ids: what needs no server. */
#include "../util/suite.h"
#include "config/config.h"
#include "stream/outstanding.h"
#include "stream/redis_reply.h"
#include "stream/redis_target.h"
#include "stream/source.h"

static int parse(const char *url, struct redis_target *ret, struct error *err)
{
    char *source = xstrdup(url);
    struct config_stream stream = {.source = source};
    int result = redis_target_parse(&stream, ret, err);
    free(source);
    return result;
}

START_TEST(a_url_is_taken_apart)
{
    _cleanup_target_ struct redis_target t = {0};
    struct error err;
    ck_assert_int_eq(parse("redis://me:p%40ss%3a@[::1]:16500/12/a/b%20c", &t, &err), 0);
    ck_assert_str_eq(t.host, "::1");
    ck_assert_int_eq(t.port, 16500);
    ck_assert_int_eq(t.db, 12);
    ck_assert_str_eq(t.key, "a/b c");
    ck_assert_str_eq(t.user, "me");
    ck_assert_str_eq(t.password, "p@ss:");
}
END_TEST

START_TEST(the_rest_of_a_url_has_defaults)
{
    _cleanup_target_ struct redis_target t = {0};
    ck_assert_int_eq(parse("redis://:word@cache/0/claim", &t, NULL), 0);
    ck_assert_int_eq(t.port, 6379);
    ck_assert_ptr_null(t.user);
    ck_assert_str_eq(t.password, "word");
}
END_TEST

static const char *const bad_urls[] = {
    "",
    "redis",
    "redis://",
    "redis://host",
    "redis://host/",
    "redis://host/claim",
    "redis://host/0",
    "redis://host/0/",
    "redis://host/-1/claim",
    "redis://host/99999999/claim",
    "redis://host:99999/0/claim",
    "redis://host:0x1/0/claim",
    "redis:///0/claim",
    "redis://user@host/0/claim",
    "redis://host/0/claim?x=1",
    "http://host/0/claim",
};

START_TEST(a_bad_url_is_refused)
{
    struct redis_target t = {0};
    struct error err = {""};
    ck_assert_int_eq(parse(bad_urls[_i], &t, &err), -1);
    ck_assert_str_ne(err.text, "");
    ck_assert_ptr_null(t.host);
}
END_TEST

START_TEST(the_scheme_chooses_the_source)
{
    struct error err;
    ck_assert_ptr_eq(source_for_url("redis://h/0/s", &err), &source_redis);
    ck_assert_ptr_eq(source_for_url("fifo:///run/pipe", &err), &source_fifo);
    ck_assert_ptr_null(source_for_url("redi://h/0/s", &err));
    ck_assert_ptr_nonnull(strstr(err.text, "redis://, fifo://"));
    ck_assert_ptr_null(source_for_url("", &err));
    ck_assert_ptr_null(source_for_url("redis:/h", &err));
}
END_TEST

static bool id_of(const char *text, struct entry_id *ret)
{
    char copy[64];
    snprintf(copy, sizeof(copy), "%s", text);
    redisReply reply = {.type = REDIS_REPLY_STRING, .str = copy, .len = strlen(copy)};
    return redis_id_parse(&reply, ret);
}

START_TEST(ids)
{
    struct entry_id id;
    ck_assert(id_of("18446744073709551615-18446744073709551615", &id));
    ck_assert_uint_eq(id.hi, UINT64_MAX);
    ck_assert_uint_eq(id.lo, UINT64_MAX);
    static const char *const bad[] = {
        "", "-", "1", "1-", "-1", "1-1-1", " 1-1", "1- 1", "+1-1", "1--1", "18446744073709551616-1", "0x1-1"};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        ck_assert_msg(!id_of(bad[i], &id), "%s", bad[i]);
    ck_assert(!redis_id_parse(NULL, &id));
}
END_TEST

START_TEST(moved)
{
    char host[16];
    int port;
    ck_assert(redis_moved_parse("MOVED 3999 127.0.0.1:6381", host, sizeof(host), &port));
    ck_assert_str_eq(host, "127.0.0.1");
    ck_assert_int_eq(port, 6381);
    ck_assert(redis_moved_parse("MOVED 1 ::1:7000", host, sizeof(host), &port));
    ck_assert_str_eq(host, "::1");
    ck_assert(redis_moved_parse("MOVED 1 :7000", host, sizeof(host), &port));
    ck_assert_str_eq(host, "");
    static const char *const bad[] = {"MOVED", "MOVED 1", "MOVED 1 h", "MOVED 1 h:", "MOVED 1 h:0",
        "MOVED 1 h:-1", "MOVED 1 h:70000", "MOVED 1 a-host-name-too-long:7000"};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        ck_assert_msg(!redis_moved_parse(bad[i], host, sizeof(host), &port), "%s", bad[i]);
}
END_TEST

/* A small range of ids, added and removed at random, against a plain array. */
START_TEST(outstanding_ids_are_found_until_removed)
{
    enum { N = 3000 };
    static bool there[N];
    struct outstanding o = {0};
    size_t n = 0;
    unsigned seed = 7;
    for (int i = 0; i < 200000; i++) {
        int k = rand_r(&seed) % (i < 100000 ? N : 50);
        struct entry_id id = {(uint64_t)k / 8, (uint64_t)k % 8};
        if ((outstanding_find(&o, id) != NULL) != there[k])
            ck_abort_msg("step %d: id %d", i, k);
        if (there[k])
            outstanding_remove(&o, id);
        else
            outstanding_add(&o, id, 1)->in_hand = (uint32_t)k;
        there[k] = !there[k];
        n += there[k] ? 1 : (size_t)-1;
        if (o.n != n)
            ck_abort_msg("step %d: %zu ids instead of %zu", i, o.n, n);
    }
    for (int k = 0; k < N; k++) {
        struct outstanding_slot *slot =
            outstanding_find(&o, (struct entry_id){(uint64_t)k / 8, (uint64_t)k % 8});
        ck_assert_int_eq(slot != NULL, there[k]);
        ck_assert(!slot || slot->in_hand == (uint32_t)k);
    }
    outstanding_done(&o);
}
END_TEST

START_TEST(outstanding_memory_is_given_back)
{
    struct outstanding o = {0};
    for (uint64_t i = 0; i < 100000; i++)
        outstanding_add(&o, (struct entry_id){1700000000000 + i, 0}, 1);
    for (uint64_t i = 0; i < 99990; i++)
        outstanding_remove(&o, (struct entry_id){1700000000000 + i, 0});
    ck_assert_uint_le(o.cap, 4096);
    for (uint64_t i = 99990; i < 100000; i++)
        ck_assert_ptr_nonnull(outstanding_find(&o, (struct entry_id){1700000000000 + i, 0}));
    outstanding_done(&o);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis parts");
    TCase *c = add_case(suite, "redis parts", NULL, NULL);
    tcase_add_test(c, a_url_is_taken_apart);
    tcase_add_test(c, the_rest_of_a_url_has_defaults);
    tcase_add_loop_test(c, a_bad_url_is_refused, 0, (int)N_ELEMENTS(bad_urls));
    tcase_add_test(c, the_scheme_chooses_the_source);
    tcase_add_test(c, ids);
    tcase_add_test(c, moved);
    tcase_add_test(c, outstanding_ids_are_found_until_removed);
    tcase_add_test(c, outstanding_memory_is_given_back);
    return run_suite(suite);
}
