#pragma once
/*
 * The one doctrine of errors.
 *
 * - A function that can fail for a reason a person must hear returns 0, or -1 with the reason written into
 * the caller's `struct error`. It does not log. Out-parameters (`ret_…`) are written only on success.
 * - Whoever handles the error decides, and says it once: it logs it, raises a health condition, or answers it
 * to the person who asked. Nobody both logs and passes on.
 * - A message says what failed, on what, why, and what to do. It never holds row data.
 * - Two circles: a fault of ours (a broken invariant, no memory) ends the process and the service manager
 * starts it again; a fault of a peer, a row or a job harms that one alone.
 */
#include "util/cleanup.h"

struct error {
    char text[512];
};

/* Writes the reason and returns -1, so that `return error_set(err, …)` reads well. err may be NULL. */
int error_set(struct error *err, const char *fmt, ...) _printf_(2, 3);

/* Puts "words: " before the reason that is there already, and returns -1. */
int error_prefix(struct error *err, const char *fmt, ...) _printf_(2, 3);
