#include "schedule/last_words.h"
#include "util/text.h"

#include "../util/suite.h"

static struct last_words words;
static char shown[LAST_WORDS_MAX + 1];

static void begin(void)
{
    words = (struct last_words){0};
}

static const char *show(void)
{
    last_words_show(&words, shown);
    return shown;
}

static void hear(const char *s)
{
    last_words_hear(&words, s, strlen(s));
}

START_TEST(test_what_is_shown)
{
    static const struct {
        const char *said, *shown;
    } cases[] = {
        {"", ""},
        {"\n\n \t\n", ""},
        {"one", "one"},
        {"one\r\ntwo\n\n\nthree  \n", "one\ntwo\nthree"},
        {"  LINE 1: select\n              ^\n", "LINE 1: select\n              ^"},
        {"a\tb", "a b"},
        {"gr\xc3\xbc\xc3\x9f \xf0\x9f\x92\x89", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x92\x89"},
        {"\x1b[31mred\x07\x7f", "[31mred"},
        {"\xc2\x9b"
         "31m",
            "31m"},
        {"\xff\xfe, \xc3", "??, ?"},
        {"\xed\xa0\x80", "???"},
        {"\xf0\x9f\x92", "???"},
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        begin();
        hear(cases[i].said);
        ck_assert_str_eq(show(), cases[i].shown);
    }
}
END_TEST

START_TEST(test_a_nul_is_no_end)
{
    begin();
    last_words_hear(&words, "a\0b", 3);
    ck_assert_str_eq(show(), "ab");
}
END_TEST

/* However it is cut into pieces, and wherever the ring begins. */
START_TEST(test_only_the_end_is_kept)
{
    for (size_t piece = 1; piece < 6000; piece = piece * 3 + 1) {
        _cleanup_buffer_ struct buffer all = {0};
        begin();
        for (int line = 0; all.n < 20000; line++)
            buffer_printf(&all, "%d ", line);
        buffer_put_string(&all, "END");
        for (size_t at = 0; at < all.n; at += piece)
            last_words_hear(&words, all.p + at, MIN(piece, all.n - at));
        const char *end = buffer_string(&all) + all.n - LAST_WORDS_MAX;
        ck_assert_str_eq(show(), end + strspn(end, " "));
    }
}
END_TEST

START_TEST(test_a_character_cut_in_two_is_left_out)
{
    for (size_t extra = 0; extra < 8; extra++) {
        begin();
        for (int i = 0; i < LAST_WORDS_MAX; i++)
            hear("\xf0\x9f\x92\x89");
        last_words_hear(&words, "12345678", extra);
        size_t n = strlen(show());
        ck_assert(text_is_utf8(shown, n));
        ck_assert_ptr_null(strchr(shown, '?'));
        ck_assert_uint_ge(n, LAST_WORDS_MAX - 3);
    }
}
END_TEST

/* Bytes of a continuation alone are no character that was cut. */
START_TEST(test_bytes_that_are_no_text)
{
    begin();
    for (int i = 0; i < 2 * LAST_WORDS_MAX; i++)
        hear("\x80");
    ck_assert_uint_eq(strlen(show()), LAST_WORDS_MAX - 3);
    ck_assert_uint_eq(strspn(shown, "?"), LAST_WORDS_MAX - 3);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_what_is_shown,
        test_a_nul_is_no_end,
        test_only_the_end_is_kept,
        test_a_character_cut_in_two_is_left_out,
        test_bytes_that_are_no_text,
    };
    return run_tests("last words", tests, N_ELEMENTS(tests));
}
