/* What is made of values before they are compared, and of the dates that tell who is active. */
#include "../util/suite.h"
#include "match/normal.h"
#include "util/text.h"

#include <utf8proc.h>

#define ALL (NORMAL_TRIM | NORMAL_BLANKS | NORMAL_CASE | NORMAL_NFC | NORMAL_UNDERSCORE)

static struct buffer made;

static void drop_made(void)
{
    buffer_done(&made);
}

/* Valid until the next call. */
static const char *normal_of(const char *value, unsigned normal)
{
    made.n = 0;
    if (!normal_put(&made, SLICE(value), normal))
        ck_abort_msg("no memory");
    return buffer_string(&made);
}

static void expect(unsigned normal, const char *value, const char *wanted)
{
    ck_assert_str_eq(normal_of(value, normal), wanted);
}

/* Both are made into the same, with these ways and with all. */
static void expect_same(unsigned normal, const char *one, const char *other)
{
    _cleanup_free_ char *first = xstrdup(normal_of(one, normal));
    expect(normal, other, first);
    _cleanup_free_ char *all = xstrdup(normal_of(one, ALL));
    expect(ALL, other, all);
}

static void expect_other(unsigned normal, const char *one, const char *other)
{
    _cleanup_free_ char *first = xstrdup(normal_of(one, normal));
    ck_assert_str_ne(normal_of(other, normal), first);
}

START_TEST(nothing_is_done_that_is_not_asked_for)
{
    expect(0, "  A\t_  b\xc3\x89 ", "  A\t_  b\xc3\x89 ");
    expect(0, "", "");
    made.n = 0;
    ck_assert(normal_put(&made, (struct slice){0}, ALL));
    ck_assert_uint_eq(made.n, 0);
}
END_TEST

START_TEST(it_is_added_to_what_is_there)
{
    made.n = 0;
    buffer_put_string(&made, "Before ");
    ck_assert(normal_put(&made, SLICE("  X "), ALL));
    ck_assert(normal_put(&made, SLICE(" "), ALL));
    ck_assert(normal_put(&made, SLICE("\xc3\x89 "), ALL));
    ck_assert_str_eq(buffer_string(&made), "Before x\xc3\xa9");
}
END_TEST

START_TEST(trim_takes_the_blanks_at_the_ends_only)
{
    expect(NORMAL_TRIM, " \t\n\v\f\r a  b \r\n", "a  b");
    expect(NORMAL_TRIM, "  ", "");
    expect(NORMAL_TRIM, "_a_", "_a_");
    expect(NORMAL_TRIM | NORMAL_UNDERSCORE, "_ a__b _", "a  b");
    expect(NORMAL_TRIM, "\xc2\xa0 a\xe3\x80\x80", "a");
}
END_TEST

START_TEST(several_blanks_are_one)
{
    expect(NORMAL_BLANKS, "  a \t b\n", " a b ");
    expect(NORMAL_BLANKS, "a\tb", "a b");
    expect(NORMAL_BLANKS, "a\xe2\x80\x89\xc2\xa0 b", "a b");
    expect(NORMAL_BLANKS | NORMAL_TRIM, "  a \t b\n", "a b");
    expect(NORMAL_BLANKS | NORMAL_TRIM, " \t ", "");
    expect(NORMAL_BLANKS, " \t ", " ");
}
END_TEST

START_TEST(what_unicode_calls_white_space)
{
    static const char *const blanks[] = {"\t", "\n", "\v", "\f", "\r", " ", "\xc2\x85", "\xc2\xa0",
        "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84",
        "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
        "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};
    static const char *const no_blanks[] = {"\b", "\x0e", "\x1f", "\x7f", "\xc2\x84", "\xc2\xa1",
        "\xe1\x9a\x81", "\xe1\xa0\x8e" /* U+180E was one once */, "\xe2\x80\x8b" /* zero width */,
        "\xe2\x80\xaa", "\xe2\x81\xa0", "\xe3\x80\x81", "\xef\xbb\xbf"};
    for (size_t i = 0; i < N_ELEMENTS(blanks); i++) {
        _cleanup_free_ char *value = xasprintf("%sa%s%sb%s", blanks[i], blanks[i], blanks[i], blanks[i]);
        expect(NORMAL_TRIM | NORMAL_BLANKS, value, "a b");
        expect(ALL, value, "a b");
    }
    for (size_t i = 0; i < N_ELEMENTS(no_blanks); i++) {
        expect(NORMAL_TRIM | NORMAL_BLANKS, no_blanks[i], no_blanks[i]);
        expect(ALL, no_blanks[i], no_blanks[i]);
    }
}
END_TEST

START_TEST(every_character_that_is_a_blank_by_the_tables_is_one_here)
{
    for (int32_t c = 1; c <= 0x10ffff; c++) {
        char text[5] = {0};
        if (!utf8proc_codepoint_valid(c))
            continue;
        utf8proc_encode_char(c, (utf8proc_uint8_t *)text);
        utf8proc_category_t kind = utf8proc_category(c);
        bool blank = kind == UTF8PROC_CATEGORY_ZS || kind == UTF8PROC_CATEGORY_ZL ||
                     kind == UTF8PROC_CATEGORY_ZP || (c >= 9 && c <= 13) || c == 0x85;
        if ((*normal_of(text, NORMAL_TRIM) == '\0') != blank)
            ck_abort_msg("U+%04X", (unsigned)c);
    }
}
END_TEST

START_TEST(an_underscore_is_a_blank_where_asked_for)
{
    expect(NORMAL_UNDERSCORE, "family_medicine__", "family medicine  ");
    expect_same(ALL, "family_medicine", " Family  Medicine");
    expect_same(ALL, "_", "");
    expect(NORMAL_CASE, "A_B", "a_b");
    expect(NORMAL_UNDERSCORE | NORMAL_NFC, "_\xcc\x81", " \xcc\x81");
}
END_TEST

START_TEST(case_is_folded_in_full)
{
    expect(NORMAL_CASE, "AZaz@[`{", "azaz@[`{");
    expect_same(NORMAL_CASE,
        "Stra\xc3\x9f"
        "e",
        "STRASSE");
    expect_same(NORMAL_CASE,
        "Stra\xe1\xba\x9e"
        "e",
        "strasse");
    expect_same(NORMAL_CASE, "\xc3\x89mile", "\xc3\xa9MILE");
    expect_same(NORMAL_CASE, "\xce\xa3\xce\xaf\xcf\x83\xcf\x85\xcf\x86\xce\xbf\xcf\x82",
        "\xce\xa3\xce\x8a\xce\xa3\xce\xa5\xce\xa6\xce\x9f\xce\xa3"); /* Sisyphos, both final and other sigmas */
    expect_same(NORMAL_CASE, "\xef\xac\x81sh", "FISH");              /* the ligature fi */
    expect_other(NORMAL_CASE, "I", "\xc4\xb1");                      /* a dotless i is another letter */
    expect(NORMAL_CASE, "\xd0\x9f\xd0\x81\xd0\xa2\xd0\xa0", "\xd0\xbf\xd1\x91\xd1\x82\xd1\x80");
}
END_TEST

START_TEST(composed_characters_and_their_parts)
{
    expect_same(NORMAL_NFC, "Rene\xcc\x81", "Ren\xc3\xa9");
    expect(NORMAL_NFC, "Rene\xcc\x81", "Ren\xc3\xa9");
    expect_other(NORMAL_CASE, "Rene\xcc\x81", "Ren\xc3\xa9");
    expect_other(NORMAL_NFC, "REN\xc3\x89", "ren\xc3\xa9");
    expect_same(NORMAL_CASE | NORMAL_NFC, "RENE\xcc\x81", "ren\xc3\xa9");
    expect_same(NORMAL_NFC, "\xe2\x84\xab", "\xc3\x85");                             /* the Angstrom sign */
    expect_same(NORMAL_NFC, "\xea\xb0\x81", "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8"); /* Hangul */
    expect_same(NORMAL_NFC, "o\xcc\x88\xcc\xa3", "o\xcc\xa3\xcc\x88");               /* the order of marks */
    expect_other(NORMAL_NFC, "\xef\xac\x81sh", "fish"); /* compatibility is more than canonical */
    /* One iota below, written three ways: folding makes a letter of it, so marks have to be in order before. */
    expect_same(NORMAL_CASE | NORMAL_NFC, "\xe1\xbe\xb3\xcd\x82", "\xe1\xbe\xb7");
    expect_same(NORMAL_CASE | NORMAL_NFC, "\xce\xb1\xcd\x85\xcd\x82", "\xe1\xbe\xb7");
    expect_same(NORMAL_CASE | NORMAL_NFC, "\xce\xb1\xcd\x82\xcd\x85", "\xe1\xbe\xb7");
}
END_TEST

START_TEST(what_is_no_utf8_stays_as_it_is)
{
    static const char *const values[] = {
        " A\xff_ ", "\xc3", "\xe2\x80", " \xed\xa0\x80 ", "\xf4\x90\x80\x80X"};
    for (size_t i = 0; i < N_ELEMENTS(values); i++)
        expect(ALL, values[i], values[i]);
}
END_TEST

START_TEST(long_values_too)
{
    enum { N = 20000 };
    _cleanup_buffer_ struct buffer value = {0}, wanted = {0};
    for (int i = 0; i < N; i++) {
        buffer_put_string(&value, "\xc7\x95 \xce\x90"); /* three code points when taken apart */
        buffer_put_string(&wanted, "\xc7\x96 \xce\x90");
    }
    expect(ALL, buffer_string(&value), buffer_string(&wanted));
    for (size_t n = 240; n < 270; n++) { /* where the small room ends */
        value.n = 0;
        for (size_t i = 0; i < n; i++)
            buffer_put_string(&value, "\xc3\xa9");
        expect(ALL, buffer_string(&value), buffer_string(&value));
    }
}
END_TEST

/* A value of ASCII, blanks, marks, letters that fold into several, Hangul, and whatever. */
static void random_value(struct buffer *value, bool ascii)
{
    static const int32_t nasty[] = {' ', ' ', '_', '\t', 'I', 'i', 0xa0, 0x85, 0xdf, 0x1e9e, 0x130, 0x131,
        0x149, 0x345, 0x342, 0x301, 0x323, 0x308, 0x1fb3, 0x1fb7, 0x390, 0x3c2, 0x3a3, 0x2126, 0x212a, 0x1f88,
        0xac00, 0x1100, 0x1161, 0x11a8, 0x2000, 0x2003, 0x3000, 0xfb01, 0x958, 0x1d15e, 0x13a0, 0xab70, 0x1c5,
        0x587, 0x1e2f, 0xf900};
    value->n = 0;
    for (int n = rand() % 12; n > 0; n--) {
        char text[4];
        int32_t c = rand() % 127 + 1;
        if (!ascii && rand() % 2)
            c = rand() % 3 ? nasty[(size_t)rand() % N_ELEMENTS(nasty)] : rand() % 0x30000 + 1;
        if (rand() % 4 == 0)
            c = rand() % 2 ? ' ' : '_';
        if (utf8proc_codepoint_valid(c))
            buffer_put(value, text, (size_t)utf8proc_encode_char(c, (utf8proc_uint8_t *)text));
    }
}

START_TEST(again_changes_nothing)
{
    _cleanup_buffer_ struct buffer value = {0};
    for (int i = 0; i < 1500; i++) {
        unsigned normal = (unsigned)rand() % (ALL + 1);
        random_value(&value, false);
        _cleanup_free_ char *once = xstrdup(normal_of(buffer_string(&value), normal));
        expect(normal, once, once);
        ck_assert(text_is_utf8(once, strlen(once)));
    }
}
END_TEST

START_TEST(the_spelling_makes_no_difference)
{
    _cleanup_buffer_ struct buffer value = {0};
    for (int i = 0; i < 1500; i++) {
        unsigned normal = NORMAL_NFC | (unsigned)rand() % (ALL + 1);
        random_value(&value, false);
        const utf8proc_uint8_t *given = (const utf8proc_uint8_t *)buffer_string(&value);
        _cleanup_free_ char *composed = (char *)utf8proc_NFC(given);
        _cleanup_free_ char *apart = (char *)utf8proc_NFD(given);
        _cleanup_free_ char *made_of = xstrdup(normal_of(composed, normal));
        expect(normal, apart, made_of);
        expect(normal, buffer_string(&value), made_of);
    }
}
END_TEST

/* What ASCII is made into without tables must be what it is made into with them: a letter beside it forces those. */
START_TEST(ascii_alone_and_beside_other_letters)
{
    _cleanup_buffer_ struct buffer value = {0};
    for (int i = 0; i < 1500; i++) {
        unsigned normal = (unsigned)rand() % (ALL + 1);
        random_value(&value, true);
        _cleanup_free_ char *between = xasprintf("\xc3\xa9%s\xc3\xa9", buffer_string(&value));
        _cleanup_free_ char *plain = xasprintf("a%sa", buffer_string(&value));
        _cleanup_free_ char *slow = xstrdup(normal_of(between, normal));
        const char *fast = normal_of(plain, normal);
        size_t n = strlen(fast);
        ck_assert_uint_eq(strlen(slow), n + 2);
        ck_assert_mem_eq(slow + 2, fast + 1, n - 2);
    }
}
END_TEST

START_TEST(the_words)
{
    unsigned normal = 99;
    struct error err;
    ck_assert_int_eq(normal_parse("trim, blanks, case, nfc, underscore", &normal, &err), 0);
    ck_assert_uint_eq(normal, ALL);
    ck_assert_int_eq(normal_parse(" nfc trim,", &normal, &err), 0);
    ck_assert_uint_eq(normal, NORMAL_NFC | NORMAL_TRIM);
    ck_assert_int_eq(normal_parse("case,case", &normal, &err), 0);
    ck_assert_uint_eq(normal, NORMAL_CASE);
    ck_assert_int_eq(normal_parse("", &normal, &err), 0);
    ck_assert_uint_eq(normal, 0);
    ck_assert_int_eq(normal_parse("trim, cases", &normal, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "'cases'; did you mean 'case'?"));
    ck_assert_int_eq(normal_parse("trim;blanks", &normal, &err), -1);
    ck_assert_int_eq(normal_parse("TRIM", &normal, &err), -1);
    ck_assert_uint_eq(normal, 0);
}
END_TEST

static int64_t day_of(const char *date)
{
    int64_t day;
    ck_assert_msg(match_day(SLICE(date), &day), "%s", date);
    return day;
}

START_TEST(days)
{
    ck_assert_int_eq(day_of("1970-01-01"), 0);
    ck_assert_int_eq(day_of("1969-12-31"), -1);
    ck_assert_int_eq(day_of("2017-02-02"), 17199);
    ck_assert_int_eq(day_of("2017-02-02T23:59:59.999Z"), 17199);
    ck_assert_int_eq(day_of("2017-02-02 00:00:00"), 17199);
    ck_assert_int_eq(day_of("2000-02-29"), 11016);
    ck_assert_int_eq(day_of("9999-12-31"), 2932896);
    ck_assert_int_eq(day_of("0001-01-01"), -719162);
}
END_TEST

START_TEST(every_day_has_the_next_number)
{
    static const int in_month[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day = -135140, got; /* twice the four centuries after which all comes again */
    for (int y = 1600; y <= 2400; y++)
        for (int m = 1; m <= 12; m++)
            for (int d = 1; d <= 32; d++) {
                char text[40];
                snprintf(text, sizeof(text), "%04d-%02d-%02d", y, m, d);
                bool leap = m == 2 && (y % 400 == 0 || (y % 4 == 0 && y % 100 != 0));
                bool is_day = d <= in_month[m - 1] + leap;
                if (match_day(SLICE(text), &got) != is_day || (is_day && got != day++))
                    ck_abort_msg("%s", text);
            }
    ck_assert_int_eq(day, 157420);
}
END_TEST

START_TEST(no_days)
{
    static const char *const bad[] = {"", "2017", "2017-02-0", "2017-02-29", "1900-02-29", "2017-04-31",
        "2017-00-10", "2017-13-01", "2017-01-00", "0000-00-00", "0000-01-01", "2017-1-010", "2017/01/01",
        "2017-01-01x", "2017-01-01T", "2017-01-01 ", "2017-01-01t12:00", "20170101", "-017-01-01",
        "+017-01-01", " 2017-01-01", "2017-01- 1", "2017-01-01Z12", "\xd9\xa2\xd9\xa0\xd9\xa1\xd9\xa7-01-01",
        "01/02/2017", "12017-01-01"};
    int64_t day;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        ck_assert_msg(!match_day(SLICE(bad[i]), &day), "%s", bad[i]);
}
END_TEST

START_TEST(who_is_active)
{
    static const struct {
        const char *date;
        enum match_activity wanted;
    } list[] = {
        {"2017-02-02", ACTIVITY_WITHIN},
        {"2017-02-02T23:59:59", ACTIVITY_WITHIN},
        {"2017-01-03", ACTIVITY_WITHIN}, /* thirty days */
        {"2017-01-02", ACTIVITY_BEFORE},
        {"2017-01-02 23:59:59", ACTIVITY_BEFORE},
        {"2017-02-03", ACTIVITY_FUTURE},
        {"", ACTIVITY_NEVER},
        {"yesterday", ACTIVITY_UNREADABLE},
        {"0000-00-00", ACTIVITY_UNREADABLE},
    };
    int64_t report = day_of("2017-02-02");
    for (size_t i = 0; i < N_ELEMENTS(list); i++)
        ck_assert_msg(match_activity(SLICE(list[i].date), report, 30) == list[i].wanted, "%s", list[i].date);
    ck_assert_int_eq(match_activity((struct slice){0}, report, 30), ACTIVITY_NEVER);
    ck_assert_int_eq(match_activity(SLICE("2017-02-02"), report, 0), ACTIVITY_WITHIN);
    ck_assert_int_eq(match_activity(SLICE("2017-02-01"), report, 0), ACTIVITY_BEFORE);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {nothing_is_done_that_is_not_asked_for, it_is_added_to_what_is_there,
        trim_takes_the_blanks_at_the_ends_only, several_blanks_are_one, what_unicode_calls_white_space,
        every_character_that_is_a_blank_by_the_tables_is_one_here, an_underscore_is_a_blank_where_asked_for,
        case_is_folded_in_full, composed_characters_and_their_parts, what_is_no_utf8_stays_as_it_is,
        long_values_too, again_changes_nothing, the_spelling_makes_no_difference,
        ascii_alone_and_beside_other_letters, the_words, days, every_day_has_the_next_number, no_days,
        who_is_active};
    return run_staged("normal", NULL, drop_made, tests, N_ELEMENTS(tests));
}
