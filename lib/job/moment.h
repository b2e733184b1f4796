#pragma once
/* Moments as a dataset has them: in UTC, to the microsecond, without zeros at the end of the fraction, so that strcmp() is
 * their order: "2026-11-21 13:45:10.1234". A date is its first one. */
#include <stdbool.h>
#include <stdint.h>

#define MOMENT_SIZE 32

bool moment_parse(const char *text, int64_t *ret_us);
void moment_format(int64_t wall_us, char ret[MOMENT_SIZE]);
/* Now; or just behind `newest`, if the clock went back. newest: or NULL. */
int64_t moment_after(const char *newest);
