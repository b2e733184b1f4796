#pragma once
/* The tests of a table of reasons: its codes are plain, and its part of the page about bad data says the same. */
struct reasons {
    const char *heading; /* of its part */
    const char *(*code)(int), *(*sentence)(int);
    int n; /* the first of them, 0, is none */
};

/* What main() returns. */
int test_reasons(const char *name, const struct reasons *reasons);
