#pragma once
/*
 * Runs tests as one program. A list of them takes run_tests(), or run_staged() where each wants a stage that is set up
 * before it and torn down after it. Whoever has loops, or several cases, adds them to the cases of a suite by hand.
 *
 * Each test has a process of its own, but under valgrind all tests of a program share one (CK_FORK=no), which takes half of the
 * time: so a test leaves nothing behind in what is static.
 */
#include "folder.h"
#include "util/cleanup.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "vgpreload");
}

/* A tenth under valgrind, where each step takes thirty times as long. */
static inline size_t fewer(size_t n)
{
    return under_valgrind() ? n / 10 : n;
}

/* Either of the two functions may be NULL. */
static inline TCase *add_case(Suite *suite, const char *name, SFun setup, SFun teardown)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60); /* valgrind takes its time */
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static inline void add_tests(TCase *tcase, const TTest *const *tests, size_t n)
{
    for (size_t i = 0; i < n; i++)
        tcase_add_test(tcase, tests[i]);
}

/* What main() returns. */
static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    char home[FOLDER_MAX];
    make_runners_folder(home);
    srunner_run_all(runner, CK_ENV);
    remove_folder(home);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int run_staged(const char *name, SFun setup, SFun teardown, const TTest *const *tests, size_t n)
{
    Suite *suite = suite_create(name);
    add_tests(add_case(suite, name, setup, teardown), tests, n);
    return run_suite(suite);
}

static inline int run_tests(const char *name, const TTest *const *tests, size_t n)
{
    return run_staged(name, NULL, NULL, tests, n);
}
