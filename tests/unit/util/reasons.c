#include "reasons.h"

#include "suite.h"
#include "util/buffer.h"
#include "util/text.h"

static const struct reasons *given;
static char *whole, *part; /* the page; what stands under the heading */

static void read_page(void)
{
    _cleanup_fclose_ FILE *f = fopen(BAD_DATA_PAGE, "rb");
    ck_assert_msg(f, "cannot open %s", BAD_DATA_PAGE);
    whole = xcalloc(1, 1 << 20);
    ck_assert_uint_gt(fread(whole, 1, (1 << 20) - 1, f), 0);
    part = strstr(whole, given->heading);
    ck_assert_msg(part, "the page has no part %s", given->heading);
    char *next = strstr(part + 1, "\n## ");
    if (next)
        *next = '\0';
}

static void drop_page(void)
{
    free(whole);
}

START_TEST(every_reason_has_its_row)
{
    for (int r = 1; r < given->n; r++) {
        _cleanup_free_ char *row = xasprintf("\n| `%s` | %s | ", given->code(r), given->sentence(r));
        ck_assert_msg(strstr(part, row), "the page has no row that begins%s", row);
    }
}
END_TEST

static bool is_code(const char *word, size_t n)
{
    for (int r = 1; r < given->n; r++)
        if (slice_is((struct slice){word, n}, given->code(r)))
            return true;
    return false;
}

START_TEST(every_row_has_its_reason)
{
    int rows = 0;
    for (const char *p = part; (p = strstr(p, "\n| `")); rows++) {
        p += strlen("\n| `");
        size_t n = strcspn(p, "`");
        ck_assert_msg(is_code(p, n), "the page has a row for %.*s, the code has none", (int)n, p);
    }
    ck_assert_int_eq(rows, given->n - 1);
}
END_TEST

START_TEST(codes_are_different_and_plain)
{
    for (int a = 0; a < given->n; a++) {
        const char *code = given->code(a);
        ck_assert_uint_eq(strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(code));
        for (int b = 0; b < a; b++)
            ck_assert_str_ne(code, given->code(b));
    }
}
END_TEST

START_TEST(numbers_that_are_no_reason)
{
    ck_assert_str_eq(given->code(given->n), "unknown");
    ck_assert_str_eq(given->code(-1), "unknown");
    ck_assert_ptr_nonnull(given->sentence(given->n));
}
END_TEST

int test_reasons(const char *name, const struct reasons *reasons)
{
    const TTest *const tests[] = {every_reason_has_its_row, every_row_has_its_reason,
        codes_are_different_and_plain, numbers_that_are_no_reason};
    given = reasons;
    return run_staged(name, read_page, drop_page, tests, N_ELEMENTS(tests));
}
