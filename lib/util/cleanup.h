#pragma once
/*
 * Ownership in a scope. A variable declared with _cleanup_(x_freep) is released when the scope ends; hand it
 * over by storing it elsewhere and setting the variable to NULL (TAKE does both).
 *
 * Memory: x*alloc end the process when there is none left. They are for sizes of our own choosing; a size
 * that a peer chooses goes through buffer_reserve(), which can say no.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _noreturn_     __attribute__((noreturn))

#define TAKE(p)                                                                                              \
    ({                                                                                                       \
        __typeof__(p) taken_ = (p);                                                                          \
        (p) = NULL;                                                                                          \
        taken_;                                                                                              \
    })

#define DEFINE_CLEANUP(type, name, release)                                                                  \
    static inline void name(type *p)                                                                         \
    {                                                                                                        \
        if (*p)                                                                                              \
            release(*p);                                                                                     \
    }

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
/* Each evaluates the smaller, or the larger, of its arguments twice: no calls in them. */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

static inline void freep(void *p)
{
    free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(freep)

static inline void closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define _cleanup_close_ _cleanup_(closep)

static inline void fclosep(FILE **f)
{
    if (*f)
        fclose(*f);
}
#define _cleanup_fclose_ _cleanup_(fclosep)

/* Zeroed memory for n things of one size; never NULL. The caller frees it. */
void *xcalloc(size_t n, size_t size);
#define xnew(type) ((type *)xcalloc(1, sizeof(type)))

/* realloc for n things of one size; never NULL unless the total is 0. */
void *xrealloc(void *p, size_t n, size_t size);

/* Copies; never NULL, but xstrdup(NULL) is NULL. */
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);

/* A formatted string of its own; never NULL. */
char *xasprintf(const char *fmt, ...) _printf_(1, 2);
