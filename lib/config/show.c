/* The configuration in force, for people and programs: made from the table of keys, passwords masked. */
#include "config/config.h"
#include "config/document.h"
#include "config/entry.h"
#include "config/value.h"
#include "util/buffer.h"
#include "util/url.h"

#include <cjson/cJSON.h>

/* Their names alone: "X-Api-Key: …, Accept: …". */
static char *redact_headers(const char *text)
{
    _cleanup_buffer_ struct buffer out = {0};
    for (const char *at = text; *at;) {
        buffer_printf(&out, "%s%.*s: …", out.n ? ", " : "", (int)strcspn(at, ":"), at);
        at += value_header_end(at);
        at += strspn(at, ", ");
    }
    return xstrdup(buffer_string(&out));
}

/* Parameters are masked as behind a URL, which has some of them too. */
static char *redact_query(const char *text)
{
    static const char url[] = "http://h/?";
    _cleanup_free_ char *whole = xasprintf("%s%s", url, text), *shown = url_redact(whole);
    return xstrdup(shown + strlen(url));
}

/* A new string; NULL where there is nothing secret in it. */
static char *redact(const struct key *key, const char *text)
{
    if (key->type == KEY_HEADERS)
        return redact_headers(text);
    if (key->type == KEY_QUERY)
        return redact_query(text);
    bool url = key->type == KEY_DATABASE || key->type == KEY_ANY_DATABASE || key->type == KEY_SOURCE ||
               key->type == KEY_DUMPS || key->type == KEY_RESOURCE || key->type == KEY_STORE ||
               key->type == KEY_ENDPOINT;
    return url ? url_redact_connection(text) : NULL;
}

static void add_value(cJSON *object, const struct key *key, const void *base)
{
    _cleanup_free_ char *text = value_show(key, base);
    if (!text)
        return;
    _cleanup_free_ char *masked = redact(key, text);
    cJSON_AddStringToObject(object, key->name, masked ? masked : text);
}

static void add_columns(cJSON *object, const struct config_stream *stream)
{
    cJSON *columns = cJSON_AddObjectToObject(object, "columns");
    for (size_t i = 0; i < stream->n_columns; i++)
        cJSON_AddStringToObject(columns, stream->columns[i].column, stream->columns[i].field);
}

static cJSON *section_to_json(const struct section *section, const void *base);

static void add_entries(cJSON *object, const struct section *section, const struct config *c)
{
    for (size_t i = 0; i < n_entries(section, c); i++) {
        const void *entry = entry_at(section, c, i);
        cJSON_AddItemToObject(object, entry_name(section, entry), section_to_json(section, entry));
    }
}

/* One that may be left out is there with the first of its keys, which has a default. */
static void add_section(cJSON *object, const struct key *key, const void *base)
{
    const void *inner = section_base(key, base);
    _cleanup_free_ char *first = value_show(&key->section->keys[0], inner);
    if (key->required || first)
        cJSON_AddItemToObject(object, key->name, section_to_json(key->section, inner));
}

static void add_ordered(cJSON *object, const struct key *key, const void *base)
{
    const void *list = section_base(key, base);
    cJSON *mapping = ordered_n(list) > 0 ? cJSON_AddObjectToObject(object, key->name) : NULL;
    for (size_t i = 0; i < ordered_n(list); i++) {
        const void *one = ordered_at(key->section, list, i);
        cJSON_AddItemToObject(mapping, ordered_name(key->section, one), section_to_json(key->section, one));
    }
}

static void add_key(cJSON *object, const struct key *key, const void *base)
{
    if (key->type == KEY_SECTION)
        add_section(object, key, base);
    else if (key->type == KEY_NAMED)
        add_entries(cJSON_AddObjectToObject(object, key->name), key->section, base);
    else if (key->type == KEY_COLUMNS)
        add_columns(object, base);
    else if (key->type == KEY_ORDERED)
        add_ordered(object, key, base);
    else
        add_value(object, key, base);
}

static cJSON *section_to_json(const struct section *section, const void *base)
{
    cJSON *object = cJSON_CreateObject();
    for (size_t i = 0; i < section->n_keys; i++)
        if (entry_has(section, &section->keys[i], base))
            add_key(object, &section->keys[i], base);
    return object;
}

struct cJSON *config_to_json(const struct config *c)
{
    return section_to_json(&section_top, c);
}

/* "${" means a variable to the reader, so a plain one is doubled. */
static char *escape_variables(const char *s)
{
    _cleanup_buffer_ struct buffer out = {0};
    for (; *s; s++) {
        if (strncmp(s, "${", 2) == 0)
            buffer_put_string(&out, "$");
        buffer_put(&out, s, 1);
    }
    return xstrdup(buffer_string(&out));
}

static int add_text(yaml_document_t *document, const char *text)
{
    bool plain = !yaml_is_null_word(text) && text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
                                                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                               "0123456789_-./")] == '\0';
    return yaml_document_add_scalar(document, NULL, (const yaml_char_t *)text, -1,
        plain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

/* Objects and strings are all there is in config_to_json(). */
static int add_node(yaml_document_t *document, const cJSON *json)
{
    if (cJSON_IsString(json)) {
        _cleanup_free_ char *text = escape_variables(json->valuestring);
        return add_text(document, text);
    }
    int mapping = yaml_document_add_mapping(
        document, NULL, json->child ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE);
    const cJSON *child;
    cJSON_ArrayForEach(child, json)
    {
        int key = add_text(document, child->string);
        int value = add_node(document, child);
        if (!yaml_document_append_mapping_pair(document, mapping, key, value))
            abort();
    }
    return mapping;
}

static int put_chunk(void *out, unsigned char *bytes, size_t n)
{
    buffer_put(out, bytes, n);
    return 1;
}

char *config_to_yaml(const struct config *c)
{
    _cleanup_buffer_ struct buffer out = {0};
    yaml_emitter_t emitter;
    yaml_document_t document;
    if (!yaml_emitter_initialize(&emitter) || !yaml_document_initialize(&document, NULL, NULL, NULL, 1, 1))
        abort();
    cJSON *json = config_to_json(c);
    add_node(&document, json);
    cJSON_Delete(json);
    yaml_emitter_set_output(&emitter, put_chunk, &out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    if (!yaml_emitter_dump(&emitter, &document)) /* releases the document */
        abort();
    yaml_emitter_delete(&emitter);
    return xstrdup(buffer_string(&out));
}
