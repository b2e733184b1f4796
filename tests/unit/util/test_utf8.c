/* UTF-8 against the definition (RFC 3629, section 3), not against a second table: a sequence is well-formed
 * when it is exactly what encoding some character gives. */
#include "suite.h"
#include "util/text.h"

static size_t encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    out[0] = (char)(lead[n] | c);
    return n;
}

static bool is_character(uint32_t c)
{
    return c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
}

START_TEST(every_character_is_taken)
{
    char bytes[4];
    for (uint32_t c = 0; c < 0x200000; c++) {
        size_t n = encode(c, bytes);
        if (text_is_utf8(bytes, n) != is_character(c))
            ck_abort_msg("U+%04X", c);
        /* Cut short it is nothing, in front of something it is still itself. */
        if (n > 1 && text_is_utf8(bytes, n - 1))
            ck_abort_msg("U+%04X cut", c);
        if (is_character(c) && text_utf8_length(bytes, n) != 1)
            ck_abort_msg("U+%04X length", c);
    }
}
END_TEST

/* The only way to be right: decode naively, encode again, compare. */
static bool expected(const unsigned char *p, size_t n)
{
    while (n > 0) {
        size_t len = p[0] < 0x80   ? 1
                     : p[0] < 0xc0 ? 0
                     : p[0] < 0xe0 ? 2
                     : p[0] < 0xf0 ? 3
                     : p[0] < 0xf8 ? 4
                                   : 0;
        if (len == 0 || len > n)
            return false;
        uint32_t c = len == 1 ? p[0] : p[0] & (0x7fU >> len);
        for (size_t i = 1; i < len; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return false;
            c = c << 6 | (p[i] & 0x3f);
        }
        char again[4];
        if (!is_character(c) || encode(c, again) != len || memcmp(again, p, len) != 0)
            return false;
        p += len;
        n -= len;
    }
    return true;
}

/* Every string of up to five bytes that stand at some edge of the table. */
START_TEST(edges)
{
    static const unsigned char at[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
        0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff};
    size_t base = sizeof(at), total = base, n_good = 0;
    for (size_t n = 1; n <= 4; n++, total *= base)
        for (size_t i = 0; i < total; i++) {
            unsigned char bytes[4] = {0};
            for (size_t k = 0, rest = i; k < n; k++, rest /= base)
                bytes[k] = at[rest % base];
            bool good = text_is_utf8((const char *)bytes, n);
            n_good += good;
            if (good != expected(bytes, n))
                ck_abort_msg("%02x %02x %02x %02x (%zu)", bytes[0], bytes[1], bytes[2], bytes[3], n);
        }
    ck_assert_uint_gt(n_good, 100);
}
END_TEST

START_TEST(every_two_bytes)
{
    for (unsigned i = 0; i < 0x10000; i++) {
        unsigned char bytes[2] = {(unsigned char)(i >> 8), (unsigned char)i};
        if (text_is_utf8((const char *)bytes, 2) != expected(bytes, 2))
            ck_abort_msg("%04x", i);
    }
}
END_TEST

START_TEST(position_does_not_matter)
{
    char text[40];
    ck_assert(text_is_utf8("", 0));
    ck_assert_uint_eq(text_utf8_length("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10), 4);
    for (size_t i = 0; i < sizeof(text); i++) {
        memset(text, 'a', sizeof(text));
        text[i] = (char)0xff;
        ck_assert(!text_is_utf8(text, sizeof(text)));
        ck_assert(text_is_utf8(text, i));
    }
    /* A sequence that the end of the bytes cuts is not completed by what lies behind. */
    ck_assert(!text_is_utf8("aa\xc3\xa9", 3));
}
END_TEST

static void make(const char *from, size_t n, size_t max, const char *wanted)
{
    char out[32];
    size_t made = text_make_utf8(from, n, out, max);
    ck_assert_uint_eq(made, strlen(wanted));
    ck_assert_mem_eq(out, wanted, made);
}

START_TEST(what_is_not_utf8_is_made_it)
{
    make("", 0, 32, "");
    make("a\xc3\xa4z", 4, 32, "a\xc3\xa4z");
    make("a\xc3z\xff", 4, 32, "a\xef\xbf\xbdz\xef\xbf\xbd");
    make("a\0z", 3, 32, "a\xef\xbf\xbdz");
    make("\xed\xa0\x80", 3, 32, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    make("ab\xc3\xa4", 4, 3, "ab");
    make("ab\xc3\xa4", 4, 4, "ab\xc3\xa4");
    make("ab\xff"
         "c",
        4, 4, "ab");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {every_character_is_taken, edges, every_two_bytes, position_does_not_matter,
        what_is_not_utf8_is_made_it};
    return run_tests("util-utf8", tests, N_ELEMENTS(tests));
}
