#include "suite.h"
#include "util/text.h"

START_TEST(counts_have_commas)
{
    static const struct {
        uint64_t n;
        const char *text;
    } list[] = {{0, "0"}, {7, "7"}, {999, "999"}, {1000, "1,000"}, {5412, "5,412"}, {999999, "999,999"},
        {1000000, "1,000,000"}, {UINT64_MAX, "18,446,744,073,709,551,615"}};
    char out[28];
    for (size_t i = 0; i < N_ELEMENTS(list); i++)
        ck_assert_str_eq(text_count(list[i].n, out), list[i].text);
}
END_TEST

START_TEST(durations_are_short)
{
    static const struct {
        int64_t us;
        const char *text;
    } list[] = {{-5, "0.0 ms"}, {0, "0.0 ms"}, {1100, "1.1 ms"}, {10000, "10 ms"}, {999999, "999 ms"},
        {1000000, "1.0s"}, {9400000, "9.4s"}, {12400000, "12s"}, {59999999, "59s"}, {60000000, "1m 0s"},
        {INT64_C(11520000000), "3h 12m"}, {INT64_C(90000000000), "1d 1h"}, {INT64_MAX, "106751991d 4h"}};
    char out[32];
    for (size_t i = 0; i < N_ELEMENTS(list); i++)
        ck_assert_str_eq(text_duration(list[i].us, out), list[i].text);
}
END_TEST

START_TEST(bytes_are_short)
{
    static const struct {
        uint64_t n;
        const char *text;
    } list[] = {{0, "0 B"}, {1023, "1023 B"}, {1024, "1.0 KB"}, {25165824, "24.0 MB"}, {1048575, "1.0 MB"},
        {UINT64_C(1) << 40, "1.0 TB"}, {UINT64_MAX, "16384.0 PB"}};
    char out[32];
    for (size_t i = 0; i < N_ELEMENTS(list); i++)
        ck_assert_str_eq(text_bytes(list[i].n, out), list[i].text);
}
END_TEST

START_TEST(a_duration_needs_its_unit)
{
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {{"0s", 0}, {"250ms", 250000}, {"30s", 30000000}, {"10m", 600000000}, {"10M", 600000000},
        {"6h", INT64_C(21600000000)}, {"007d", INT64_C(604800000000)},
        {"106751991d", INT64_C(9223372022400000000)}};
    static const char *const bad[] = {"", "s", "30", "30 s", " 30s", "30s ", "-30s", "+30s", "1.5h", "1h30m",
        "30x", "30us", "0x10s", "106751992d", "9223372036854775808ms", "99999999999999999999s", "\xc2\xb2s"};
    int64_t us;
    for (size_t i = 0; i < N_ELEMENTS(good); i++) {
        ck_assert_msg(text_parse_duration(good[i].text, &us) == 0, "%s", good[i].text);
        ck_assert_int_eq(us, good[i].us);
    }
    us = 77;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        ck_assert_msg(text_parse_duration(bad[i], &us) == -1 && us == 77, "%s", bad[i]);
}
END_TEST

START_TEST(bytes_are_parsed)
{
    static const struct {
        const char *text;
        uint64_t n;
    } good[] = {{"0", 0}, {"512", 512}, {"512B", 512}, {"64KB", 65536}, {"24MB", 25165824},
        {"24mb", 25165824}, {"2GB", UINT64_C(1) << 31}, {"9223372036854775807", INT64_MAX},
        {"8589934591GB", UINT64_C(8589934591) << 30}};
    static const char *const bad[] = {"", "MB", "-1", "+1", " 1", "1 MB", "1.5MB", "1TB", "1K", "1MiB",
        "0x10", "9223372036854775808", "8589934592GB", "18446744073709551616", "17179869185GB"};
    uint64_t n;
    for (size_t i = 0; i < N_ELEMENTS(good); i++) {
        ck_assert_msg(text_parse_bytes(good[i].text, &n) == 0, "%s", good[i].text);
        ck_assert_uint_eq(n, good[i].n);
    }
    n = 77;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        ck_assert_msg(text_parse_bytes(bad[i], &n) == -1 && n == 77, "%s", bad[i]);
}
END_TEST

START_TEST(near_misses_are_suggested)
{
    static const char *const words[] = {"source", "table", "columns", "consumer", "http", "warning"};
    static const struct {
        const char *typed, *meant;
    } list[] = {{"tabel", "table"}, {"tables", "table"}, {"sorce", "source"}, {"column", "columns"},
        {"colums", "columns"}, {"htp", "http"}, {"warn", "warning"}, {"consume", "consumer"},
        {"table", "table"}, {"", NULL}, {"x", NULL}, {"wa", NULL}, {"frequency", NULL},
        {"zzzzzzzzzzzzzzzz", NULL}};
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        const char *found = text_suggest(list[i].typed, words, N_ELEMENTS(words));
        if (list[i].meant)
            ck_assert_msg(found && strcmp(found, list[i].meant) == 0, "%s", list[i].typed);
        else
            ck_assert_msg(!found, "%s: %s", list[i].typed, found);
    }
    ck_assert_ptr_null(text_suggest("table", words, 0));
}
END_TEST

START_TEST(long_words_are_no_danger)
{
    static const char *const words[] = {"table"};
    char typed[5000];
    memset(typed, 'e', sizeof(typed) - 1);
    typed[sizeof(typed) - 1] = '\0';
    ck_assert_ptr_null(text_suggest(typed, words, 1));
    for (size_t n = 60; n < 70; n++) {
        typed[n] = '\0';
        ck_assert_ptr_null(text_suggest(typed, words, 1));
        typed[n] = 'e';
    }
}
END_TEST

static void expect_words(const char *text, const char *wanted, bool is_sound)
{
    _cleanup_buffer_ struct buffer found = {0};
    const char *at = text;
    for (char *word; (word = text_next_word(&at)); free(word))
        buffer_printf(&found, "[%s]", word);
    ck_assert_str_eq(buffer_string(&found), wanted);
    ck_assert_msg(!at == is_sound, "%s", text);
}

START_TEST(words_with_commas_between)
{
    expect_words("a", "[a]", true);
    expect_words("", "[]", true);
    expect_words("a,b c,", "[a][b c][]", true);
    expect_words("\"a, b\",c", "[a, b][c]", true);
    expect_words("a\"b,\"\"\"a\"\",\"", "[a\"b][\"a\",]", true);
    expect_words("\"\",a", "[][a]", true);
    expect_words("a,\"b", "[a]", false);
    expect_words("\"a\"b", "", false);
    expect_words("\"\"\"", "", false);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {counts_have_commas, durations_are_short, bytes_are_short,
        a_duration_needs_its_unit, bytes_are_parsed, near_misses_are_suggested, long_words_are_no_danger,
        words_with_commas_between};
    return run_tests("util-text", tests, N_ELEMENTS(tests));
}
