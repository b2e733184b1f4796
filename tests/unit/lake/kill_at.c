/*
 * Loaded before a program (LD_PRELOAD): kills it at one of its steps that change a file system, before the step is made.
 * KILL_AT says at which one, from 1. What is counted is what the store makes and gives names, not what DuckDB writes.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void step(void)
{
    static int n, at = -1;
    const char *word = getenv("KILL_AT");
    if (at < 0)
        at = word ? atoi(word) : 0;
    if (++n == at)
        raise(SIGKILL);
}

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

int linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
    step();
    return NEXT(linkat)(from_at, from, to_at, to, flags);
}

int renameat(int from_at, const char *from, int to_at, const char *to)
{
    step();
    return NEXT(renameat)(from_at, from, to_at, to);
}

int unlinkat(int at, const char *name, int flags)
{
    step();
    return NEXT(unlinkat)(at, name, flags);
}

int mkdirat(int at, const char *name, mode_t mode)
{
    step();
    return NEXT(mkdirat)(at, name, mode);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned flags)
{
    step();
    return NEXT(copy_file_range)(from, from_at, to, to_at, n, flags);
}
