#pragma once
/*
 * The log: one line per event, to the journal with fields when stderr is the journal, else to stderr as
 * "2026-01-02T03:04:05.678Z warning redis claim: words". No line ever holds row data: what may be named is
 * the stream, the entry's id, the SQLSTATE and the constraint.
 */
#include "util/cleanup.h"

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* What the line is about; each may be NULL. They become the journal fields INGESTD_STREAM and so on. */
struct log_about {
    const char *stream, *entry, *sqlstate, *constraint;
};

/* Lines above this level are dropped. The default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
/* "error", "warning", "notice", "info", "debug" to a level; -1 when it is none of these. */
int log_level_from_string(const char *word);

/* room: the word for the part that speaks ("redis", "writer"). about may be NULL. */
void log_line(enum log_level level, const char *room, const struct log_about *about, const char *fmt, ...)
    _printf_(4, 5);

#define log_error(room, about, ...)   log_line(LOG_LEVEL_ERROR, room, about, __VA_ARGS__)
#define log_warning(room, about, ...) log_line(LOG_LEVEL_WARNING, room, about, __VA_ARGS__)
#define log_notice(room, about, ...)  log_line(LOG_LEVEL_NOTICE, room, about, __VA_ARGS__)
#define log_info(room, about, ...)    log_line(LOG_LEVEL_INFO, room, about, __VA_ARGS__)
#define log_debug(room, about, ...)   log_line(LOG_LEVEL_DEBUG, room, about, __VA_ARGS__)

/* For a line about one stream: log_notice("redis", ABOUT_STREAM(name), …). */
#define ABOUT_STREAM(name) (&(const struct log_about){.stream = (name)})
