/* What is known of the keys, told to editors (JSON Schema, draft 2020-12) and to people (docs/config.md). */
#include "config/config.h"
#include "config/value.h"
#include "util/buffer.h"

#include <cjson/cJSON.h>

#define ENTRY_NAME_PATTERN "^[a-z0-9][a-z0-9_-]{0,47}$"
#define PART_NAME_PATTERN  "^[a-z0-9_]{1,40}$"
#define PLAIN_NAME_PATTERN "^[a-z][a-z0-9_]{0,39}$"
_Static_assert(ENTRY_NAME_MAX == 48, "the pattern says how long a name may be");
_Static_assert(PART_NAME_MAX == 40, "the pattern says how long a name may be");

static cJSON *section_schema(const struct section *section);

/* What the value must look like; NULL: any text. A new string. */
static char *pattern_of(const struct key *key)
{
    if (key->type != KEY_CHOICE)
        return xstrdup(value_type(key->type)->pattern);
    _cleanup_buffer_ struct buffer out = {0};
    for (size_t i = 0; key->words[i]; i++)
        buffer_printf(&out, "%s%s", i ? "|" : "^(", key->words[i]);
    buffer_put_string(&out, ")$");
    return xstrdup(buffer_string(&out));
}

static void describe_text(cJSON *object, const struct key *key)
{
    enum slot slot = value_type(key->type)->slot;
    if (slot == SLOT_SIZE || slot == SLOT_COUNT || slot == SLOT_FRACTION) {
        cJSON *types = cJSON_AddArrayToObject(object, "type");
        cJSON_AddItemToArray(types, cJSON_CreateString("string"));
        cJSON_AddItemToArray(types, cJSON_CreateString(slot == SLOT_FRACTION ? "number" : "integer"));
    } else {
        cJSON_AddStringToObject(object, "type", "string");
        cJSON_AddNumberToObject(object, "minLength", key->may_be_empty ? 0 : 1);
    }
    _cleanup_free_ char *typed = pattern_of(key);
    if (!typed)
        return;
    /* A value with a variable in it can only be judged where the variable is set. */
    _cleanup_free_ char *pattern = xasprintf("(%s)|\\$\\{", typed);
    cJSON_AddStringToObject(object, "pattern", pattern);
}

static void describe_names(cJSON *object, const struct key *key)
{
    cJSON_AddStringToObject(object, "type", "object");
    cJSON *names = cJSON_AddObjectToObject(object, "propertyNames");
    cJSON_AddStringToObject(names, "pattern", ENTRY_NAME_PATTERN);
    if (key->section->named->reserved)
        cJSON_AddStringToObject(
            cJSON_AddObjectToObject(names, "not"), "const", key->section->named->reserved);
    cJSON *each = cJSON_AddObjectToObject(object, "additionalProperties");
    _cleanup_free_ char *reference = xasprintf("#/$defs/%s", key->section->named->noun);
    cJSON_AddStringToObject(each, "$ref", reference);
}

static void describe_columns(cJSON *object)
{
    cJSON_AddStringToObject(object, "type", "object");
    cJSON *names = cJSON_AddObjectToObject(object, "propertyNames");
    cJSON_AddNumberToObject(names, "maxLength", 63);
    cJSON_AddNumberToObject(object, "minProperties", 1);
    cJSON *each = cJSON_AddObjectToObject(object, "additionalProperties");
    cJSON_AddStringToObject(each, "type", "string");
    cJSON_AddStringToObject(each, "pattern", "^([^@]|@received$)");
}

static void describe_ordered(cJSON *object, const struct key *key)
{
    cJSON_AddStringToObject(object, "type", "object");
    cJSON *names = cJSON_AddObjectToObject(object, "propertyNames");
    const struct ordered *ordered = key->section->ordered;
    cJSON_AddStringToObject(names, "pattern", ordered->plain ? PLAIN_NAME_PATTERN : PART_NAME_PATTERN);
    cJSON *taken =
        ordered->reserved ? cJSON_AddArrayToObject(cJSON_AddObjectToObject(names, "not"), "enum") : NULL;
    for (size_t i = 0; ordered->reserved && ordered->reserved[i]; i++)
        cJSON_AddItemToArray(taken, cJSON_CreateString(ordered->reserved[i]));
    cJSON_AddNumberToObject(object, "minProperties", 1);
    cJSON_AddNumberToObject(object, "maxProperties", (double)key->most);
    cJSON_AddItemToObject(object, "additionalProperties", section_schema(key->section));
}

static cJSON *key_schema(const struct key *key)
{
    cJSON *object = key->type == KEY_SECTION ? section_schema(key->section) : cJSON_CreateObject();
    if (key->type == KEY_NAMED)
        describe_names(object, key);
    else if (key->type == KEY_COLUMNS)
        describe_columns(object);
    else if (key->type == KEY_ORDERED)
        describe_ordered(object, key);
    else if (key->type != KEY_SECTION)
        describe_text(object, key);
    cJSON_AddStringToObject(object, "description", key->help);
    if (key->fallback)
        cJSON_AddStringToObject(object, "default", key->fallback);
    return object;
}

static cJSON *section_schema(const struct section *section)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "type", "object");
    cJSON_AddFalseToObject(object, "additionalProperties");
    cJSON *required = cJSON_AddArrayToObject(object, "required");
    cJSON *properties = cJSON_AddObjectToObject(object, "properties");
    for (size_t i = 0; i < section->n_keys; i++) {
        const struct key *key = &section->keys[i];
        if (key->required)
            cJSON_AddItemToArray(required, cJSON_CreateString(key->name));
        cJSON_AddItemToObject(properties, key->name, key_schema(key));
    }
    return object;
}

struct cJSON *config_schema(void)
{
    cJSON *root = section_schema(&section_top);
    cJSON_AddStringToObject(root, "$schema", "https://json-schema.org/draft/2020-12/schema");
    cJSON_AddStringToObject(root, "title", "The configuration of ingestd");
    cJSON *defs = cJSON_AddObjectToObject(root, "$defs");
    for (size_t i = 0; i < N_NAMED; i++) {
        cJSON *entry = section_schema(named_sections[i]);
        cJSON_AddStringToObject(entry, "description", named_sections[i]->help);
        cJSON_AddItemToObject(defs, named_sections[i]->named->noun, entry);
    }
    return root;
}

/* -- the reference --------------------------------------------------------------------------------------- */

static const char head[] =
    "# The configuration\n"
    "\n"
    "<!-- Generated from lib/config/keys.c; a unit test compares the two and says how to print it anew. -->\n"
    "\n"
    "`ingestd` reads one YAML file. `ingestctl check` names every mistake in it with line and column,\n"
    "`ingestctl config` shows what is in force with passwords masked, and `ingestctl config --schema` "
    "prints\n"
    "the JSON Schema that editors understand. `setup/examples/doctor-office.yaml` is a file to begin from.\n"
    "\n"
    "- `${NAME}` in a value is taken from the environment, `${NAME:-words}` with a default. A plain `${` is\n"
    "  written `$${`.\n"
    "- A tenant's file has two keys, `template` and `values` (names to values): the configuration is the "
    "template,\n"
    "  in which `${tenant}` is the file's name without its `.yaml`, and `${NAME}` one of the values before "
    "it is the\n"
    "  environment's. See ingestd(8).\n"
    "- A key that is not known, a key given twice and a key without a value are mistakes: nothing is "
    "guessed.\n"
    "- Anchors, aliases, tags and several documents in one file are not taken.\n"
    "- *reload* tells whether `ingestctl reload` takes a change; the others need a restart. "
    "Databases,\n"
    "  streams and jobs are added, changed and removed by a reload.\n"
    "- Keep passwords out of the file: `password_file` names a file for each, as systemd's "
    "`LoadCredential=`\n"
    "  makes them.\n";

static void put_cell_default(struct buffer *out, const struct key *key)
{
    if (key->required)
        buffer_put_string(out, "required");
    else if (key->fallback_note)
        buffer_put_string(out, key->fallback_note);
    else
        buffer_printf(out, "`%s`", key->fallback);
}

static void put_limits(struct buffer *out, const struct key *key)
{
    enum slot slot = value_type(key->type)->slot;
    for (size_t i = 0; key->words && key->words[i]; i++)
        buffer_printf(out, "%s`%s`%s",
            i                       ? ", "
            : key->type == KEY_LIST ? " Of "
                                    : " One of ",
            key->words[i], key->words[i + 1] ? "" : ".");
    if (slot != SLOT_SIZE && slot != SLOT_COUNT && slot != SLOT_DURATION && slot != SLOT_FRACTION)
        return;
    char *(*show)(uint64_t) = slot == SLOT_DURATION   ? value_duration_text
                              : slot == SLOT_COUNT    ? value_count_text
                              : slot == SLOT_FRACTION ? value_fraction_text
                                                      : value_size_text;
    _cleanup_free_ char *least = show(key->least), *most = show(key->most);
    buffer_printf(out, " From %s to %s%s.", least, most, key->or_zero ? ", or 0" : "");
}

static void put_row(struct buffer *out, const struct section *section, const struct key *key)
{
    buffer_printf(out, "| `%s` | %s | ", key->name, value_type(key->type)->name);
    put_cell_default(out, key);
    const char *reload = key->type == KEY_SECTION ? "see below" : key->needs_restart ? "no" : "yes";
    buffer_printf(out, " | %s | %s", reload, key->help);
    put_limits(out, key);
    if (key->only)
        buffer_printf(out, " Only for %s %ss.", key->only, section->kind_noun);
    buffer_put_string(out, " |\n");
}

static void put_section(struct buffer *out, const struct section *section)
{
    if (*section->path)
        buffer_printf(out, "\n## `%s:`\n\n%s\n\n", section->path, section->help);
    else
        buffer_printf(out, "\n## Top level\n\n");
    buffer_put_string(out, "| key | type | default | reload | what it is |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < section->n_keys; i++)
        put_row(out, section, &section->keys[i]);
}

char *config_reference(void)
{
    _cleanup_buffer_ struct buffer out = {0};
    buffer_put_string(&out, head);
    for (size_t i = 0; i < N_ELEMENTS(all_sections); i++)
        put_section(&out, all_sections[i]);
    buffer_put_string(&out, "\n## Types\n\n| type | how it is written |\n|---|---|\n");
    for (int t = 0; t < N_KEY_TYPES; t++)
        buffer_printf(&out, "| %s | %s |\n", value_type(t)->name, value_type(t)->looks);
    return xstrdup(buffer_string(&out));
}
