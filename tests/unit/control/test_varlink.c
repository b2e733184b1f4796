/* Framing and parsing of varlink messages, with hostile ones. */
#include "../util/suite.h"
#include "control/varlink.h"

#include <cjson/cJSON.h>

static enum varlink_frame next(const char *p, size_t n, size_t max, size_t *ret_length)
{
    size_t scanned = 0;
    return varlink_next(p, n, max, &scanned, ret_length);
}

START_TEST(a_message_is_whole_when_its_nul_is_there)
{
    size_t length = 99;
    ck_assert_int_eq(next(NULL, 0, 10, &length), VARLINK_PART);
    ck_assert_int_eq(next("{}", 2, 10, &length), VARLINK_PART);
    ck_assert_uint_eq(length, 99);
    ck_assert_int_eq(next("{}\0{}", 5, 10, &length), VARLINK_WHOLE);
    ck_assert_uint_eq(length, 2);
    ck_assert_int_eq(next("\0", 1, 10, &length), VARLINK_WHOLE);
    ck_assert_uint_eq(length, 0);
}
END_TEST

START_TEST(the_limit_is_exact)
{
    size_t length = 0;
    ck_assert_int_eq(next("12345\0", 6, 5, &length), VARLINK_WHOLE);
    ck_assert_int_eq(next("12345", 5, 5, &length), VARLINK_PART);
    ck_assert_int_eq(next("123456", 6, 5, &length), VARLINK_TOO_LONG);
    ck_assert_int_eq(next("123456\0", 7, 5, &length), VARLINK_TOO_LONG);
}
END_TEST

START_TEST(bytes_are_looked_at_once)
{
    size_t scanned = 0, length = 0;
    ck_assert_int_eq(varlink_next("abc", 3, 10, &scanned, &length), VARLINK_PART);
    ck_assert_uint_eq(scanned, 3);
    /* A NUL among the bytes seen before would be found only by looking again. */
    ck_assert_int_eq(varlink_next("a\0cd", 4, 10, &scanned, &length), VARLINK_PART);
    ck_assert_int_eq(varlink_next("abcde\0", 6, 10, &scanned, &length), VARLINK_WHOLE);
    ck_assert_uint_eq(length, 5);
}
END_TEST

START_TEST(a_call_is_read)
{
    static const char text[] =
        "{\"method\":\"a.b.C\",\"parameters\":{\"x\":1},\"more\":true,\"oneway\":null,\"other\":[]}";
    struct varlink_call call;
    ck_assert_int_eq(varlink_call_parse(text, sizeof(text) - 1, &call, NULL), 0);
    ck_assert_str_eq(call.method, "a.b.C");
    ck_assert_double_eq(cJSON_GetObjectItem(call.parameters, "x")->valuedouble, 1);
    ck_assert(call.more && !call.oneway && !call.upgrade);
    varlink_call_done(&call);
    ck_assert_ptr_null(call.message);
}
END_TEST

static const char *const no_calls[] = {
    "",
    " ",
    "null",
    "[]",
    "\"text\"",
    "{",
    "}",
    "{}",
    "{}{}",
    "{\"method\":1}",
    "{\"method\":null}",
    "{\"method\":\"a.b\"} trailing",
    "{\"method\":\"a.b\",\"parameters\":[]}",
    "{\"method\":\"a.b\",\"parameters\":\"x\"}",
    "{\"method\":\"a.b\",\"more\":1}",
    "{\"method\":\"a.b\",\"oneway\":\"true\"}",
    "{\"method\":\"a.b\",\"upgrade\":{}}",
    "{\"method\":\"\xff\xfe\"}",
    "{\"method\":\"\xed\xa0\x80\"}",
    "GET / HTTP/1.1\r\n\r\n",
};

START_TEST(what_is_no_call_is_refused_with_a_reason)
{
    struct error err = {""};
    struct varlink_call call;
    ck_assert_int_eq(varlink_call_parse(no_calls[_i], strlen(no_calls[_i]), &call, &err), -1);
    ck_assert_str_ne(err.text, "");
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
    static char deep[200001];
    memset(deep, '[', sizeof(deep) - 1);
    struct varlink_call call;
    ck_assert_int_eq(varlink_call_parse(deep, sizeof(deep) - 1, &call, NULL), -1);
    for (size_t i = 0; i + 5 < sizeof(deep) - 1; i += 5)
        for (size_t k = 0; k < 5; k++)
            deep[i + k] = "{\"a\":"[k];
    ck_assert_int_eq(varlink_call_parse(deep, sizeof(deep) - 1, &call, NULL), -1);
}
END_TEST

START_TEST(what_is_written_can_be_read)
{
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, "why", "a \"quoted\"\nline");
    _cleanup_free_ char *text = varlink_write_error("io.ingestd.Failed", parameters);
    struct varlink_reply reply;
    ck_assert_int_eq(varlink_reply_parse(text, strlen(text), &reply, NULL), 0);
    ck_assert_str_eq(reply.error, "io.ingestd.Failed");
    ck_assert_str_eq(cJSON_GetObjectItem(reply.parameters, "why")->valuestring, "a \"quoted\"\nline");
    ck_assert(!reply.continues);
    varlink_reply_done(&reply);

    _cleanup_free_ char *more = varlink_write_reply(NULL, true);
    ck_assert_str_eq(more, "{\"parameters\":{},\"continues\":true}");
    ck_assert_int_eq(varlink_reply_parse(more, strlen(more), &reply, NULL), 0);
    ck_assert(reply.continues && !reply.error);
    varlink_reply_done(&reply);

    _cleanup_free_ char *call = varlink_write_call("a.b.C", NULL, true);
    ck_assert_str_eq(call, "{\"method\":\"a.b.C\",\"parameters\":{},\"more\":true}");
}
END_TEST

START_TEST(a_reply_without_parameters_has_an_empty_object)
{
    struct varlink_reply reply;
    ck_assert_int_eq(varlink_reply_parse("{}", 2, &reply, NULL), 0);
    ck_assert(cJSON_IsObject(reply.parameters));
    varlink_reply_done(&reply);
    ck_assert_int_eq(varlink_reply_parse("{\"parameters\":3}", 16, &reply, NULL), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("varlink");
    TCase *tc = add_case(suite, "varlink", NULL, NULL);
    tcase_add_test(tc, a_message_is_whole_when_its_nul_is_there);
    tcase_add_test(tc, the_limit_is_exact);
    tcase_add_test(tc, bytes_are_looked_at_once);
    tcase_add_test(tc, a_call_is_read);
    tcase_add_loop_test(tc, what_is_no_call_is_refused_with_a_reason, 0, N_ELEMENTS(no_calls));
    tcase_add_test(tc, deep_nesting_is_refused);
    tcase_add_test(tc, what_is_written_can_be_read);
    tcase_add_test(tc, a_reply_without_parameters_has_an_empty_object);
    return run_suite(suite);
}
