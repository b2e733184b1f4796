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
/* The text of a value, with ${NAME} and ${NAME:-words} replaced from the environment and $${ standing for a
 * plain ${: a new string, or NULL and why not. It is empty only where it may be, and "" is written. */
char *node_value(const yaml_node_t *node, bool may_be_empty, struct error *err);
