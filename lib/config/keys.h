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
    KEY_CHOICE, /* one of the key's words */
    KEY_PATH,
    KEY_FILE, /* a path; a relative one begins at the configuration file's folder and is kept absolute */
    KEY_SIZE,
    KEY_COUNT,
    KEY_DURATION,
    KEY_LISTEN,
    KEY_SCHEMA,
    KEY_TABLE,
    KEY_PLAIN_TABLE, /* one that can stand in a statement or inside a name without quotes */
    KEY_TIME_ZONE,
    KEY_SCHEDULE, /* judged in neighbours.c, because it needs the zone */
    KEY_DATABASE, /* Postgres */
    KEY_ANY_DATABASE,
    KEY_SOURCE,
    KEY_DUMPS, /* what a sync reads */
    KEY_WORDS, /* with commas between them */
    KEY_LIST,  /* the same with blanks around them, of the key's words where it has some */
    KEY_DATE,
    KEY_REPORT_DATE, /* or today */
    KEY_FRACTION,
    KEY_RESOURCE, /* a REST one */
    KEY_DELIMITER,
    KEY_STORE,      /* a bucket or a folder */
    KEY_ENDPOINT,   /* of S3 */
    KEY_PREFIX,     /* of keys in a store */
    KEY_FILES,      /* KEY_LIST of what KEY_FILE is */
    KEY_VARIABLES,  /* of SQL */
    KEY_FIELDS,     /* columns that must or may be there */
    KEY_REFERENCES, /* from columns to tables */
    KEY_QUERY,      /* parameters of a URL */
    KEY_HEADERS,    /* of requests; their values are never shown */
    KEY_TYPES,      /* of columns */
    KEY_SECTION,    /* a mapping of its own keys */
    KEY_NAMED,      /* a mapping of names to such mappings */
    KEY_COLUMNS,    /* a mapping of columns to fields */
    KEY_ORDERED,    /* a mapping of names to sections, in order: {list, n}, as struct config_rules */
    N_KEY_TYPES,
};

struct key {
    const char *name;
    enum key_type type;
    const char *fallback;      /* the default as one would type it; NULL: none, or worked out by the reader */
    const char *fallback_note; /* for people, where the default is worked out */
    const char *help;
    size_t offset; /* into the section's struct: struct config, that of an entry, or the outer's */
    uint64_t least,
        most;     /* sizes in bytes, durations in us, fractions in millionths, texts in bytes; 0: none */
    bool or_zero; /* 0 is a value too, below the least: it means something of its own */
    const char *const *words;      /* of KEY_CHOICE and KEY_LIST, up to a NULL */
    bool required;                 /* has no default and must be given */
    bool may_be_empty;             /* "" is a value, and means none */
    bool needs_restart;            /* a reload cannot take it */
    const char *only;              /* the kinds of entry it makes sense for (see struct named); NULL: any */
    const char *required_by;       /* the kinds that cannot be without it: "rollup and sync"; NULL: none */
    const struct section *section; /* of KEY_SECTION, KEY_NAMED and KEY_ORDERED */
};

/* The mappings of names, in the order of the reference. */
enum { NAMED_DATABASES, NAMED_STORES, NAMED_STREAMS, NAMED_JOBS, N_NAMED };

/* One such mapping: what an entry of it is called, and where the entries are kept. */
struct named {
    size_t index;         /* NAMED_… */
    const char *noun;     /* "stream"; with an s it is the key that the mapping stands under */
    const char *reserved; /* a name that no entry may have, or NULL */
    size_t most;          /* entries */
    size_t list, count;   /* where they are in struct config */
    size_t size;          /* of one */
    size_t name, line;    /* where these are in one */
};

/* A mapping of names within an entry, whose order is kept (KEY_ORDERED): what is in its list. */
struct ordered {
    const char *example;         /* "lastname: {}" */
    bool plain;                  /* the names begin with a letter: they stand in SQL */
    const char *const *reserved; /* names that none may have, up to a NULL; or NULL */
    void (*fill)(void *one);     /* what the name alone tells; or NULL */
    size_t size;                 /* of one */
    size_t name, line;           /* where these are in one */
};

struct section {
    const char *path; /* "postgres", "streams.NAME"; "" for the top level */
    const char *help;
    const struct key *keys;
    size_t n_keys;
    const struct named *named;             /* of a section that stands under names */
    const char *kind_noun;                 /* "source", "job": what has a kind; NULL where all are of one */
    const char *(*kind)(const void *base); /* "redis", "rollup"; NULL while it is not known */
    const struct ordered *ordered;         /* of one that stands under names within an entry */
    const char *lacks;                     /* why a key that others have is not known here; or NULL */
};

#define SECTION_MAX    44 /* keys in a section, at most */
#define ENTRY_NAME_MAX 48 /* characters of a stream's, a database's or a job's name */
#define PART_NAME_MAX  40 /* of a name within an entry: a column is named after it, NAME_agrees */

/* How the entries of struct config are kept, and those of an ordered mapping. */
#define PART_KEPT(type)                                                                                      \
    .size = sizeof(struct type), .name = offsetof(struct type, name), .line = offsetof(struct type, line)
#define KEPT(entries, type)                                                                                  \
    .list = offsetof(struct config, entries), .count = offsetof(struct config, n_##entries), PART_KEPT(type)

extern const struct section section_top, section_postgres, section_database, section_store, section_stream,
    section_job, section_rest, section_side, section_side_rest, section_rule, section_feed, section_target;
#define N_SECTIONS 11
/* Those of the reference, and those under names by their index. */
extern const struct section *const all_sections[N_SECTIONS];
extern const struct section *const named_sections[N_NAMED];

/* list: as in struct key. */
bool kinds_have(const char *list, const char *kind);

const struct key *section_find(const struct section *s, const char *name);
