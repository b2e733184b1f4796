#pragma once
/*
 * The one table of keys. Whatever needs to know a key (the reader, its defaults, the schema, the reference,
 * what is shown, what a reload takes) reads it here: a new key is one line in keys.c and one struct field.
 */
#include "config/config.h"

#include <stddef.h>

enum key_type {
    KEY_NAME,
    KEY_TEXT,
    KEY_PATH,
    KEY_SIZE,
    KEY_COUNT,
    KEY_DURATION,
    KEY_LISTEN,
    KEY_LOG_LEVEL,
    KEY_SCHEMA,
    KEY_TABLE,
    KEY_TIME_ZONE,
    KEY_DATABASE,
    KEY_SOURCE,
    KEY_SECTION, /* a mapping of its own keys */
    KEY_STREAMS, /* a mapping of names to such mappings */
    KEY_COLUMNS, /* a mapping of columns to fields */
};

struct key {
    const char *name;
    enum key_type type;
    const char *fallback;      /* the default as one would type it; NULL: none, or worked out by the reader */
    const char *fallback_note; /* for people, where the default is worked out */
    const char *help;
    size_t offset;        /* into struct config, or struct config_stream for a stream's keys */
    uint64_t least, most; /* sizes in bytes, durations in microseconds, texts in bytes; 0: no limit */
    bool required;        /* has no default and must be given */
    bool needs_restart;   /* a reload cannot take it */
    const char *only;     /* the scheme of the source it makes sense for; NULL: any */
    const struct section *section; /* of KEY_SECTION and KEY_STREAMS */
};

struct section {
    const char *path; /* "postgres", "streams.NAME"; "" for the top level */
    const char *help;
    const struct key *keys;
    size_t n_keys;
};

#define SECTION_MAX 16 /* keys in a section, at most */

extern const struct section section_top, section_postgres, section_stream;
/* The three, for what concerns all of them. */
extern const struct section *const all_sections[3];

const struct key *section_find(const struct section *s, const char *name);
