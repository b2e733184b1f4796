/* docs/config.md is what config_reference() says. To print it anew: test_reference --print > docs/config.md
 */
#include "config/keys.h"
#include "parse.h"
#include "util/log.h"

#include <cjson/cJSON.h>

START_TEST(the_page_is_true)
{
    _cleanup_free_ char *wanted = config_reference();
    _cleanup_buffer_ struct buffer found = {0};
    _cleanup_fclose_ FILE *f = fopen(REFERENCE, "r");
    ck_assert_msg(f != NULL, "docs/config.md is missing; run: test_reference --print > docs/config.md");
    char chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
        buffer_put(&found, chunk, n);
    ck_assert_msg(strcmp(buffer_string(&found), wanted) == 0,
        "docs/config.md is not what lib/config/keys.c says; run: test_reference --print > docs/config.md");
}
END_TEST

static const cJSON *at(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static void expect_described(const cJSON *schema, const struct section *section)
{
    size_t n_required = 0;
    ck_assert(cJSON_IsFalse(at(schema, "additionalProperties")));
    for (size_t i = 0; i < section->n_keys; i++) {
        const struct key *key = &section->keys[i];
        const cJSON *property = at(at(schema, "properties"), key->name);
        ck_assert_msg(property != NULL, "%s", key->name);
        ck_assert_str_eq(cJSON_GetStringValue(at(property, "description")), key->help);
        n_required += key->required;
        if (key->fallback)
            ck_assert_str_eq(cJSON_GetStringValue(at(property, "default")), key->fallback);
        else
            ck_assert_ptr_null(at(property, "default"));
    }
    ck_assert_int_eq(cJSON_GetArraySize(at(schema, "properties")), (int)section->n_keys);
    ck_assert_int_eq(cJSON_GetArraySize(at(schema, "required")), (int)n_required);
}

START_TEST(the_schema_has_every_key)
{
    cJSON *schema = config_schema();
    ck_assert_str_eq(
        cJSON_GetStringValue(at(schema, "$schema")), "https://json-schema.org/draft/2020-12/schema");
    expect_described(schema, &section_top);
    expect_described(at(at(schema, "properties"), "postgres"), &section_postgres);
    for (size_t i = 0; i < N_NAMED; i++)
        expect_described(at(at(schema, "$defs"), named_sections[i]->named->noun), named_sections[i]);
    ck_assert_int_eq(cJSON_GetArraySize(at(schema, "$defs")), N_NAMED);
    const cJSON *jobs = at(at(schema, "properties"), "jobs");
    ck_assert_str_eq(cJSON_GetStringValue(at(at(jobs, "additionalProperties"), "$ref")), "#/$defs/job");
    cJSON_Delete(schema);
}
END_TEST

START_TEST(every_key_says_what_it_is)
{
    for (size_t s = 0; s < N_ELEMENTS(all_sections); s++)
        for (size_t i = 0; i < all_sections[s]->n_keys; i++) {
            const struct key *key = &all_sections[s]->keys[i];
            ck_assert_msg(key->help && *key->help, "%s", key->name);
            ck_assert_msg(key->required + !!(key->fallback || key->fallback_note) == 1, "%s", key->name);
        }
}
END_TEST

START_TEST(every_level_is_one_of_the_log)
{
    const struct key *key = section_find(&section_top, "log_level");
    for (size_t i = 0; key->words[i]; i++)
        ck_assert_msg(log_level_from_string(key->words[i]) >= 0, "%s", key->words[i]);
}
END_TEST

/* What is kept by offsets is kept where the struct has it. */
START_TEST(mappings_of_names_are_where_the_table_says)
{
    for (size_t i = 0; i < N_NAMED; i++) {
        const struct named *named = named_sections[i]->named;
        _cleanup_free_ char *path = xasprintf("%ss.NAME", named->noun), *key = xasprintf("%ss", named->noun);
        ck_assert_uint_eq(named->index, i);
        ck_assert_str_eq(named_sections[i]->path, path);
        ck_assert_ptr_eq(section_find(&section_top, key)->section, named_sections[i]);
        for (size_t k = 0; k < named_sections[i]->n_keys; k++)
            ck_assert_uint_lt(named_sections[i]->keys[k].offset, named->size);
    }
}
END_TEST

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--print") == 0) {
        _cleanup_free_ char *page = config_reference();
        return fputs(page, stdout) < 0;
    }
    const TTest *const tests[] = {the_page_is_true, the_schema_has_every_key, every_key_says_what_it_is,
        every_level_is_one_of_the_log, mappings_of_names_are_where_the_table_says};
    return run_tests("config-reference", tests, N_ELEMENTS(tests));
}
