#pragma once
/* The reader's own: what its two files (read.c: keys, read_stream.c: streams and columns) share. */
#include "config/document.h"
#include "config/keys.h"

struct reading {
    yaml_document_t document;
    struct config *config;
    struct config_problems *problems;
    char **identities; /* one a stream, see source_identity(); NULL where there is none */
};

/* Where a section's keys were given; line 0: not given. */
struct marks {
    struct {
        int line, column;
    } at[SECTION_MAX];
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
void read_streams(struct reading *r, const yaml_node_t *node, const char *where);
void read_columns(
    struct reading *r, struct config_stream *stream, const yaml_node_t *node, const char *where);
