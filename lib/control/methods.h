#pragma once
/* What can be called: a table of methods, each with its parameters. */
#include <stdbool.h>
#include <stddef.h>

struct call;

/* Answers the call, now or later; the call may be gone when this returns. */
void methods_run(struct call *c);
/* Answers once more a call that asked for more, as Status does each second. */
void methods_again(struct call *c);

/* The names of the methods of io.ingestd, for tests: NULL behind the last. */
const char *methods_name(size_t i);
