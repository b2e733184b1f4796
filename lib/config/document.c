#include "config/document.h"

#include "config/problems.h"
#include "util/buffer.h"
#include "util/text.h"

#include <ctype.h>

#define DEPTH_MAX 8     /* the deepest key there is stands on 4 */
#define NODES_MAX 50000 /* keys and values; keeps the search for doubled keys short */
#define VALUE_MAX 65536 /* bytes of one value, variables replaced */

#define VARIABLE_NAME_MAX 128

static void place_of(const char *text, size_t offset, int *ret_line, int *ret_column)
{
    size_t begin = 0;
    *ret_line = 1;
    for (size_t i = 0; i < offset; i++)
        if (text[i] == '\n') {
            *ret_line += 1;
            begin = i + 1;
        }
    *ret_column = (int)text_utf8_length(text + begin, offset - begin) + 1;
}

/* How many bytes at the start of the text are UTF-8. */
static size_t good_bytes(const char *text, size_t n)
{
    size_t good = 0;
    while (good < n) {
        size_t step = 1;
        while (step <= 4 && good + step <= n && !text_is_utf8(text + good, step))
            step++;
        if (step > 4 || good + step > n)
            break;
        good += step;
    }
    return good;
}

static int check_bytes(const char *text, size_t n, struct config_problems *problems)
{
    int line, column;
    if (n > DOCUMENT_BYTES_MAX) {
        problem_add(problems, 0, 0, "the file is too large: a configuration has at most 1 MB");
        return -1;
    }
    if (text_is_utf8(text, n))
        return 0;
    place_of(text, good_bytes(text, n), &line, &column);
    problem_add(problems, line, column, "this is not UTF-8: save the file in that encoding");
    return -1;
}

static void not_yaml(
    const yaml_parser_t *parser, const char *text, size_t n, struct config_problems *problems)
{
    int line = (int)parser->problem_mark.line + 1, column = (int)parser->problem_mark.column + 1;
    if (parser->error == YAML_READER_ERROR)
        place_of(text, MIN(parser->problem_offset, n), &line, &column);
    problem_add(problems, line, column, "this is not YAML: %s%s%s%s", parser->problem ? parser->problem : "",
        parser->context ? " (" : "", parser->context ? parser->context : "", parser->context ? ")" : "");
}

struct scan {
    struct config_problems *problems;
    int depth, nodes, documents;
    bool fatal; /* no use to read on */
};

static void refuse(struct scan *s, const yaml_event_t *e, const char *why)
{
    problem_add(s->problems, (int)e->start_mark.line + 1, (int)e->start_mark.column + 1, "%s", why);
}

static void refuse_marks(struct scan *s, const yaml_event_t *e, const void *anchor, const void *tag)
{
    if (anchor)
        refuse(s, e, "anchors (&name) are not taken in this file: write each value out");
    if (tag)
        refuse(s, e, "tags (!name) are not taken in this file: write the bare value");
}

static void see_event(struct scan *s, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++s->documents > 1) {
            refuse(s, e, "a second document begins here (---): a configuration is one document");
            s->fatal = true;
        }
        break;
    case YAML_ALIAS_EVENT:
        refuse(s, e, "aliases (*name) are not taken in this file: write each value out");
        break;
    case YAML_SCALAR_EVENT:
        s->nodes++;
        refuse_marks(s, e, e->data.scalar.anchor, e->data.scalar.tag);
        break;
    case YAML_SEQUENCE_START_EVENT:
        s->nodes++;
        s->depth++;
        refuse_marks(s, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
        break;
    case YAML_MAPPING_START_EVENT:
        s->nodes++;
        s->depth++;
        refuse_marks(s, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        s->depth--;
        break;
    default:
        break;
    }
    if (!s->fatal && (s->depth > DEPTH_MAX || s->nodes > NODES_MAX)) {
        refuse(s, e,
            s->depth > DEPTH_MAX ? "this is nested too deep for a configuration"
                                 : "these are too many keys for a configuration");
        s->fatal = true;
    }
}

/* Reads the file once without building anything. */
static void scan_events(const char *text, size_t n, struct config_problems *problems)
{
    yaml_parser_t parser;
    struct scan scan = {.problems = problems};
    if (!yaml_parser_initialize(&parser))
        abort();
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    for (bool end = false; !end && !scan.fatal;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            not_yaml(&parser, text, n, problems);
            break;
        }
        see_event(&scan, &event);
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
}

int document_load(const char *text, size_t n, yaml_document_t *ret_document, struct config_problems *problems)
{
    size_t before = problems->n;
    if (check_bytes(text, n, problems) < 0)
        return -1;
    scan_events(text, n, problems);
    if (problems->n > before)
        return -1;
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser))
        abort();
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    bool loaded = yaml_parser_load(&parser, &document);
    if (!loaded)
        not_yaml(&parser, text, n, problems);
    yaml_parser_delete(&parser);
    if (!loaded)
        return -1;
    if (!yaml_document_get_root_node(&document)) {
        yaml_document_delete(&document);
        problem_add(problems, 0, 0, "the file is empty: at least postgres: with its url: must be given");
        return -1;
    }
    *ret_document = document;
    return 0;
}

bool yaml_is_null_word(const char *s)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < N_ELEMENTS(words); i++)
        if (strcmp(s, words[i]) == 0)
            return true;
    return false;
}

static bool has_control(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return true;
    return false;
}

char *node_key(const yaml_node_t *node, struct error *err)
{
    const char *s = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
    if (!s || node->data.scalar.length == 0) {
        error_set(err, "a key must be a word, not %s", s ? "empty" : "a list or a mapping");
        return NULL;
    }
    if (has_control(s, node->data.scalar.length)) {
        error_set(err, "a key must not hold control characters or line breaks");
        return NULL;
    }
    return xstrdup(s);
}

size_t variable_name_length(const char *s)
{
    size_t n = 0;
    if (isalpha((unsigned char)*s) || *s == '_')
        while (isalnum((unsigned char)s[n]) || s[n] == '_')
            n++;
    return n;
}

/* NULL where there is none; it may be empty. */
static const char *find_value(struct variables *v, const char *name)
{
    if (strcmp(name, "tenant") == 0)
        return v->tenant;
    for (size_t i = 0; i < v->n; i++)
        if (strcmp(v->list[i].name, name) == 0) {
            v->list[i].used = true;
            return v->list[i].value;
        }
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static int no_value(const struct variables *v, const char *name, struct error *err)
{
    if (strcmp(name, "tenant") == 0)
        return error_set(err,
            "${tenant} is the name of a tenant's file, and this file was not read by one: one is "
            "/etc/ingestd/tenants/north.yaml with template: and the path of this file in it");
    if (v->path)
        return error_set(err,
            "%s is neither among the values: of %s nor in the environment; give it there, or "
            "a default here: ${%s:-default}",
            name, v->path, name);
    return error_set(err, "the environment variable %s is %s; set it, or give a default: ${%s:-default}",
        name, getenv(name) ? "empty" : "not set", name);
}

/* p stands on "${"; its replacement is put into out. Where to go on, or NULL and why not. */
static const char *put_variable(
    const char *p, struct variables *variables, struct buffer *out, struct error *err)
{
    const char *name = p + 2;
    size_t n = variable_name_length(name);
    const char *rest = name + n;
    bool with_default = strncmp(rest, ":-", 2) == 0;
    const char *end = with_default ? strchr(rest, '}') : rest;
    if (n == 0 || n > VARIABLE_NAME_MAX || !end || *end != '}') {
        error_set(err, "a variable is ${NAME} or ${NAME:-default}, and a plain ${ is written $${");
        return NULL;
    }
    _cleanup_free_ char *variable = xstrndup(name, n);
    const char *value = find_value(variables, variable);
    if (value && (*value || !with_default))
        buffer_put_string(out, value);
    else if (with_default)
        buffer_put(out, rest + 2, (size_t)(end - rest - 2));
    else if (no_value(variables, variable, err) < 0)
        return NULL;
    return end + 1;
}

static char *expand(const char *s, struct variables *variables, struct error *err)
{
    _cleanup_buffer_ struct buffer out = {0};
    while (*s) {
        if (strncmp(s, "$${", 3) == 0) {
            buffer_put_string(&out, "${");
            s += 3;
        } else if (strncmp(s, "${", 2) == 0) {
            s = put_variable(s, variables, &out, err);
        } else {
            buffer_put(&out, s++, 1);
        }
        if (!s)
            return NULL;
        if (out.n > VALUE_MAX) {
            error_set(err, "this value is too long");
            return NULL;
        }
    }
    if (has_control(out.p, out.n) || !text_is_utf8(out.p, out.n)) {
        error_set(err, "with its variables replaced, this value holds bytes that are no text on one line");
        return NULL;
    }
    return xstrdup(buffer_string(&out));
}

char *node_value(const yaml_node_t *node, struct variables *variables, bool may_be_empty, struct error *err)
{
    if (node->type != YAML_SCALAR_NODE) {
        error_set(err, "a single value is expected here, not a %s",
            node->type == YAML_MAPPING_NODE ? "mapping" : "list");
        return NULL;
    }
    const char *s = (const char *)node->data.scalar.value;
    bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if ((node->data.scalar.length == 0 && !may_be_empty) || (plain && yaml_is_null_word(s))) {
        error_set(err, "the value is missing; give one, or remove the key");
        return NULL;
    }
    if (has_control(s, node->data.scalar.length)) {
        error_set(err, "the value must be text on one line, without control characters");
        return NULL;
    }
    char *value = expand(s, variables, err);
    if (value && !*value && !may_be_empty) {
        error_set(err, "the value is empty once its variables are replaced");
        free(value);
        return NULL;
    }
    return value;
}

/* Where the next variable's name begins, in what is no plain "${"; NULL: there is none. */
static const char *next_variable(const char *s)
{
    for (; (s = strstr(s, "${")); s += 2)
        if (s[-1] != '$')
            return s + 2;
    return NULL;
}

bool node_is_of_tenant(const yaml_node_t *node, const struct variables *v)
{
    const char *s = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
    _cleanup_free_ char *text = xasprintf(" %s", s);
    for (const char *at = text; (at = next_variable(at));) {
        size_t n = variable_name_length(at);
        if (n == strlen("tenant") && strncmp(at, "tenant", n) == 0)
            return true;
        for (size_t i = 0; i < v->n; i++)
            if (strlen(v->list[i].name) == n && strncmp(v->list[i].name, at, n) == 0)
                return true;
    }
    return false;
}
