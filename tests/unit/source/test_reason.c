/* The page about bad data and the code say the same of the rows of dumps. */
#include "source/reason.h"
#include "util/buffer.h"

#include <check.h>

static char *whole, *page; /* the file; its part */

static void read_page(void)
{
    _cleanup_fclose_ FILE *f = fopen(BAD_DATA_PAGE, "rb");
    ck_assert_msg(f, "cannot open %s", BAD_DATA_PAGE);
    whole = xcalloc(1, 1 << 20);
    ck_assert_uint_gt(fread(whole, 1, (1 << 20) - 1, f), 0);
    page = strstr(whole, "\n## Rows of dumps");
    ck_assert_ptr_nonnull(page);
}

static void drop_page(void)
{
    free(whole);
}

START_TEST(every_reason_has_its_row)
{
    for (int r = SOURCE_TAKEN + 1; r < N_SOURCE_REASONS; r++) {
        _cleanup_free_ char *row = xasprintf("\n| `%s` | %s | ", source_reason_code((enum source_reason)r),
            source_reason_sentence((enum source_reason)r));
        ck_assert_msg(strstr(page, row), "the page has no row that begins%s", row);
    }
}
END_TEST

static bool is_code(const char *word, size_t n)
{
    for (int r = SOURCE_TAKEN + 1; r < N_SOURCE_REASONS; r++)
        if (slice_is((struct slice){word, n}, source_reason_code((enum source_reason)r)))
            return true;
    return false;
}

START_TEST(every_row_has_its_reason)
{
    int rows = 0;
    for (const char *p = page; (p = strstr(p, "\n| `")); rows++) {
        p += strlen("\n| `");
        size_t n = strcspn(p, "`");
        ck_assert_msg(is_code(p, n), "the page has a row for %.*s, the code has none", (int)n, p);
    }
    ck_assert_int_eq(rows, N_SOURCE_REASONS - 1);
}
END_TEST

START_TEST(codes_are_different_and_plain)
{
    for (int a = 0; a < N_SOURCE_REASONS; a++) {
        const char *code = source_reason_code((enum source_reason)a);
        ck_assert_uint_eq(strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(code));
        for (int b = 0; b < a; b++)
            ck_assert_str_ne(code, source_reason_code((enum source_reason)b));
    }
}
END_TEST

START_TEST(numbers_that_are_no_reason)
{
    ck_assert_str_eq(source_reason_code(N_SOURCE_REASONS), "unknown");
    ck_assert_str_eq(source_reason_code((enum source_reason) - 1), "unknown");
    ck_assert_ptr_nonnull(source_reason_sentence(N_SOURCE_REASONS));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reason");
    TCase *tc = tcase_create("reason");
    tcase_add_checked_fixture(tc, read_page, drop_page);
    tcase_add_test(tc, every_reason_has_its_row);
    tcase_add_test(tc, every_row_has_its_reason);
    tcase_add_test(tc, codes_are_different_and_plain);
    tcase_add_test(tc, numbers_that_are_no_reason);
    suite_add_tcase(s, tc);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
