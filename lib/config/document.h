#pragma once
/*
 * The YAML file as a tree of nodes, each with its place. What a configuration has no use for and a hostile
 * file lives from is refused before the tree is built: aliases and anchors, tags, several documents, deep
 * nesting, huge files.
 */
#include "config/config.h"

#include <yaml.h>

#define DOCUMENT_BYTES_MAX (1024 * 1024)

/* On success (0) the document is the caller's, to be released with yaml_document_delete(), and has a root. */
int document_load(
    const char *text, size_t n, yaml_document_t *ret_document, struct config_problems *problems);

struct buffer;
/* The file's bytes (config/file.c), or as many as show that it is too large. */
int config_file_read(const char *path, struct buffer *out, struct error *err);

static inline int node_line(const yaml_node_t *node)
{
    return (int)node->start_mark.line + 1;
}

static inline int node_column(const yaml_node_t *node)
{
    return (int)node->start_mark.column + 1;
}

/* The words that mean "nothing" in YAML. */
bool yaml_is_null_word(const char *s);

/* The text of a key: a new string, or NULL and why not. */
char *node_key(const yaml_node_t *node, struct error *err);
/* What a tenant's file gives to the template that it names. */
struct variable {
    char *name, *value;
    int line, column;
    bool used;
};

struct variables {
    const char *path; /* of the tenant's file; NULL: the configuration is nobody's */
    char *tenant;
    struct variable *list;
    size_t n;
};

/* The text of a value, with ${NAME} and ${NAME:-words} replaced: from the variables, then from the environment. ${tenant}
 * is a variable alone. $${ stands for a plain ${. A new string, or NULL and why not. It is empty only where it may be,
 * and "" is written. */
char *node_value(const yaml_node_t *node, struct variables *variables, bool may_be_empty, struct error *err);
/* The value is a tenant's own: ${tenant} stands in it, or a value that its file gives. */
bool node_is_of_tenant(const yaml_node_t *node, const struct variables *variables);
/* How long the name of a variable is that begins here; 0: none does. */
size_t variable_name_length(const char *s);
