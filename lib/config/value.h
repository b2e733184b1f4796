#pragma once
/*
 * The types a value can have: what its text must look like, and how it is kept in the struct. `base` is the
 * struct that the key's offset goes into: struct config, or an entry's.
 */
#include "config/keys.h"

enum slot { SLOT_NONE, SLOT_TEXT, SLOT_SIZE, SLOT_COUNT, SLOT_DURATION, SLOT_FRACTION, SLOT_ORDERED };

struct value_type {
    const char *name;    /* "duration" */
    const char *looks;   /* "a number with its unit: 250ms, 30s, 10m, 6h or 7d" */
    const char *pattern; /* of the JSON Schema, anchored; NULL: any text */
    enum slot slot;
    /* Texts only: 0, or -1 and what is wrong. */
    int (*check)(const struct key *key, const char *text, struct error *err);
};

const struct value_type *value_type(enum key_type type);

int value_take(const struct key *key, const char *text, void *base, struct error *err);
/* As one would type it, exactly; NULL when it is not set. A new string. Passwords are not masked. */
char *value_show(const struct key *key, const void *base);
bool value_equal(const struct key *key, const void *a, const void *b);
void value_copy(const struct key *key, void *to, const void *from);
void value_done(const struct key *key, void *base);

/* All values of a section, and of those within it (config/values.c). */
bool values_equal(const struct section *section, const void *a, const void *b);
void values_copy(const struct section *section, void *to, const void *from);
void values_done(const struct section *section, void *base);
/* The defaults of a section of which nothing was said. */
void values_default(const struct section *section, void *base);
/* The struct of a section within one. */
static inline void *section_base(const struct key *key, const void *base)
{
    return (char *)(uintptr_t)base + key->offset;
}

/* Of KEY_ORDERED (config/ordered.c): {list, n} at base, each of them a section's. */
void ordered_new(const struct section *section, void *base, size_t n); /* room for n, none of them there */
void *ordered_add(const struct section *section, void *base, char *name, int line); /* takes the name */
size_t ordered_n(const void *base);
void *ordered_at(const struct section *section, const void *base, size_t i);
const char *ordered_name(const struct section *section, const void *one);
int ordered_line(const struct section *section, const void *one);
bool ordered_equal(const struct section *section, const void *a, const void *b);
void ordered_copy(const struct section *section, void *to, const void *from);
void ordered_done(const struct section *section, void *base);

/* The exact text of a size, a duration, a count: "64MB", "90s", "12". A new string. */
char *value_size_text(uint64_t bytes);
char *value_duration_text(uint64_t us);
char *value_count_text(uint64_t n);
char *value_fraction_text(uint64_t millionths);

/* Where the first of some headers ends, "Name: value, Name: value": at its comma, or the text's end. */
size_t value_header_end(const char *text);

/* The checks of values that name a place (config/place.c). */
int check_path(const struct key *key, const char *text, struct error *err);
int check_file(const struct key *key, const char *text, struct error *err);
int check_listen(const struct key *key, const char *text, struct error *err);
int check_time_zone(const struct key *key, const char *text, struct error *err);
int check_database(const struct key *key, const char *text, struct error *err);
int check_dumps(const struct key *key, const char *text, struct error *err);
int check_any_database(const struct key *key, const char *text, struct error *err);
int check_resource(const struct key *key, const char *text, struct error *err);
int check_source(const struct key *key, const char *text, struct error *err);
/* Of objects (config/place_store.c). */
int check_store(const struct key *key, const char *text, struct error *err);
int check_endpoint(const struct key *key, const char *text, struct error *err);
int check_prefix(const struct key *key, const char *text, struct error *err);
/* Lists (config/value_lists.c). */
int check_words(const struct key *key, const char *text, struct error *err);
int check_list(const struct key *key, const char *text, struct error *err);
int check_files(const struct key *key, const char *text, struct error *err);
int check_variables(const struct key *key, const char *text, struct error *err);
int check_fields(const struct key *key, const char *text, struct error *err);
int check_references(const struct key *key, const char *text, struct error *err);
int check_length(const struct key *key, const char *text, struct error *err);
int check_choice(const struct key *key, const char *text, struct error *err);

/* The absolute path of a file named in the configuration: a relative one begins at the folder where the
 * configuration is, by the path it was read from. A new string. */
int file_beside(const char *config_path, const char *name, char **ret_path, struct error *err);
/* The same of several, as KEY_FILES has them. */
int files_beside(const char *config_path, const char *names, char **ret_paths, struct error *err);

/* "BUCKET/prefix/" at an endpoint, or "/folder/": whether one store is within another, or the same. */
bool store_within(const struct config_store *inner, const struct config_store *outer, const char *prefix);

/* "redis" or "fifo" of a source that passed the check; NULL for any other text. */
const char *source_scheme(const char *source);
/* Two streams with equal identities would take each other's entries. A new string; NULL if it is no source.
 */
char *source_identity(const char *source, const char *group);
