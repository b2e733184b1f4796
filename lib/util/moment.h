#pragma once
/*
 * When a dump speaks for, as text in UTC: a day ("2016-02-07") or a moment ("2026-11-21 13:45:10.5"). A fraction has no zeros
 * at its end, so that strcmp() is their order.
 */
#include <stdbool.h>

#define MOMENT_SIZE 27

enum moment_kind { MOMENT_NONE, MOMENT_DAY, MOMENT_TIME };

/* What a text is: ret is it in that form. Years as in date_is_good(), up to six digits of a fraction. */
enum moment_kind moment_read(const char *text, char ret[MOMENT_SIZE]);

/* What a database writes of a timestamp is brought to that form where it stands; day: it is the midnight of one. */
void moment_tidy(char *text, bool day);
