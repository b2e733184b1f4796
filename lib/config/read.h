#pragma once
/*
 * The reader's own, which its files share: read.c (sections and their keys), read_named.c (mappings of names),
 * read_columns.c, read_ordered.c, and neighbours*.c (what one value alone cannot tell).
 */
#include "config/document.h"
#include "config/keys.h"

struct place {
    int line, column; /* line 0: not given */
    bool wrong;       /* what stands there, or within, has a mistake that is told already */
};

/* Where a section's keys were given, and the entry's own name. */
struct marks {
    struct place self, at[SECTION_MAX];
};

/* One of an ordered mapping, as it was read. */
struct part {
    const struct section *section;
    void *one;
    size_t job;  /* whose it is: of the configuration's jobs */
    char *where; /* "jobs.users.keys.lastname" */
    struct marks marks;
};

struct reading {
    yaml_document_t document;
    struct config *config;
    const char *path; /* of the file that is read: the template, where a tenant's file names one */
    struct variables variables;
    struct config_problems *problems;
    struct marks *marks[N_NAMED]; /* one an entry; NULL where there are none */
    struct part *parts;           /* of all jobs, in the order of the file */
    size_t n_parts;
};

/* Notes a mistake at the node: "where: words". */
void complain(struct reading *r, const yaml_node_t *node, const char *where, const char *fmt, ...)
    _printf_(4, 5);
yaml_node_t *node_at(struct reading *r, int index);
/* "postgres" and "url" -> "postgres.url", a new string. */
char *join(const char *where, const char *name);
/* A mapping with at most so many pairs, else the complaint is made. */
bool is_mapping(struct reading *r, const yaml_node_t *node, const char *where, const char *of, size_t most);

/* base: the struct that the section's keys go into. */
void read_section(struct reading *r, const yaml_node_t *node, const struct section *section, void *base,
    const char *where, struct marks *ret_marks);
/* section: of the entries. */
void read_named(struct reading *r, const yaml_node_t *node, const struct section *section, const char *where);
void read_columns(
    struct reading *r, struct config_stream *stream, const yaml_node_t *node, const char *where);
/* key: whose list it is. */
void read_ordered(
    struct reading *r, const yaml_node_t *node, const struct key *key, void *list, const char *where);
/* A key that means nothing to this kind of section is a mistake. */
void check_fitting_keys(struct reading *r, const struct section *section, const void *entry,
    const char *where, const struct marks *marks);
/* "jobs.revenue", as messages begin. A new string. */
char *entry_path(const struct section *section, const char *name);

/* A tenant's file (config/tenant.c): whether the document is one; and its values, then the template in its place. */
bool is_tenant(struct reading *r);
int read_tenant(struct reading *r);
/* What the tenant's file gives and nothing of the template asks for. */
void check_values_used(struct reading *r);
/* What is the tenant's own where the template does not say it. */
void fill_tenant(struct reading *r, const struct marks *top);
void tenant_done(struct reading *r);

/* Once all is read. top: the marks of the top level. */
void check_neighbours(struct reading *r, const struct marks *top);

/* What these share. A mistake of the section's entry i; key NULL: of its name. */
void complain_of(struct reading *r, const struct section *section, size_t i, const char *key, const char *fmt,
    ...) _printf_(5, 6);
/* Where the key of a section stands, else the section itself. */
const struct place *place_of(const struct section *section, const struct marks *marks, const char *key);
/* Words for an entry that nobody named: `there is no "x" under databases:`; NULL: there is one. A new string. */
char *no_such_entry(const struct config *c, const struct section *section, const char *name);
/* job i is one. */
void check_harmonize(struct reading *r, size_t i);
/* What is in the ordered mappings of all jobs. */
void check_parts(struct reading *r);
/* job i is one. */
void check_match(struct reading *r, size_t i);
