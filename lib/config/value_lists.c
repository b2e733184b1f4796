/* Values that are several with commas between them. */
#include "config/problems.h"
#include "config/value.h"
#include "util/buffer.h"
#include "util/text.h"

#include <strings.h>

int check_words(const struct key *key, const char *text, struct error *err)
{
    if (!*text)
        return key->may_be_empty ? 0 : error_set(err, "a word is expected here");
    const char *at = text;
    bool missing = false;
    for (char *word; (word = text_next_word(&at)); free(word))
        missing |= !*word;
    if (at)
        return error_set(
            err, "a word in quotes ends with a quote and a comma behind it, and a quote in it stands twice");
    if (missing)
        return error_set(err, "between its commas there is a word missing");
    return check_length(key, text, err);
}

/* Of some words alone, where the key has them. */
static int check_item(const struct key *key, const char *item, struct error *err)
{
    if (!*item)
        return error_set(err, "between its commas there is a word missing");
    return key->words ? check_choice(key, item, err) : 0;
}

int check_list(const struct key *key, const char *text, struct error *err)
{
    if (!*text)
        return key->may_be_empty ? 0 : error_set(err, "a word is expected here");
    const char *at = text;
    int r = 0;
    for (char *item; r == 0 && (item = text_next_item(&at)); free(item))
        r = check_item(key, item, err);
    if (r == 0 && at)
        return error_set(
            err, "a word in quotes ends with a quote and a comma behind it, and a quote in it stands twice");
    return r < 0 ? -1 : check_length(key, text, err);
}

/* -- of a harmonize -------------------------------------------------------------------------------------- */

struct items {
    char **list;
    size_t n;
};

static void items_done(struct items *items)
{
    for (size_t i = 0; i < items->n; i++)
        free(items->list[i]);
    free(items->list);
}
#define _cleanup_items_ _cleanup_(items_done)

/* The items of a list that is one. */
static int split(const struct key *key, const char *text, struct items *ret, struct error *err)
{
    if (check_list(key, text, err) < 0)
        return -1;
    for (char *item; (item = text_next_item(&text));) {
        ret->list = xrealloc(ret->list, ret->n + 1, sizeof(char *));
        ret->list[ret->n++] = item;
    }
    return 0;
}

static size_t before_equals(const char *item)
{
    return strcspn(item, "=");
}

/* A '?' at the end says that the field may be missing. */
static size_t field_length(const char *item)
{
    size_t n = strlen(item);
    return n - (item[n - 1] == '?');
}

/* One before it has the same name, which is so long; SQL takes capital and small letters for the same. */
static bool is_doubled(const struct items *items, size_t i, size_t length(const char *item))
{
    size_t n = length(items->list[i]);
    for (size_t k = 0; k < i; k++)
        if (length(items->list[k]) == n && strncasecmp(items->list[k], items->list[i], n) == 0)
            return true;
    return false;
}

static bool is_one_of(const char *const *words, const char *word)
{
    for (; *words; words++)
        if (strcasecmp(*words, word) == 0)
            return true;
    return false;
}

/* "a, "b, c"": an item that could not stand as it is gets its quotes. */
static void put_item(struct buffer *out, const char *item)
{
    bool plain = !strpbrk(item, ",\"") && item[0] != ' ' && item[strlen(item) - 1] != ' ';
    buffer_put_string(out, out->n ? ", " : "");
    buffer_put_string(out, plain ? "" : "\"");
    for (const char *at = item; *at; at++)
        buffer_put_string(out, !plain && *at == '"' ? "\"\"" : (char[]){*at, '\0'});
    buffer_put_string(out, plain ? "" : "\"");
}

int files_beside(const char *config_path, const char *names, char **ret_paths, struct error *err)
{
    static const struct key any = {.type = KEY_LIST};
    _cleanup_items_ struct items items = {0};
    _cleanup_buffer_ struct buffer out = {0};
    if (split(&any, names, &items, err) < 0)
        return -1;
    for (size_t i = 0; i < items.n; i++) {
        _cleanup_free_ char *path = NULL;
        if (file_beside(config_path, items.list[i], &path, err) < 0)
            return -1;
        put_item(&out, path);
    }
    *ret_paths = xstrdup(buffer_string(&out));
    return 0;
}

int check_files(const struct key *key, const char *text, struct error *err)
{
    static const struct key one = {.most = 4000};
    _cleanup_items_ struct items items = {0};
    if (split(key, text, &items, err) < 0)
        return -1;
    for (size_t i = 0; i < items.n; i++)
        if (check_file(&one, items.list[i], err) < 0)
            return -1;
    return 0;
}

/* Those that are there without. */
static const char *const own_variables[] = {"tenant", "run", "run_at", "folder", NULL};

static int check_variable(const struct items *items, size_t i, struct error *err)
{
    char quoted[QUOTE_MAX];
    const char *item = items->list[i];
    size_t n = strspn(item, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (n == 0 || n > PART_NAME_MAX || item[n] != '=' || (item[0] >= '0' && item[0] <= '9'))
        return error_set(err,
            "%s is no variable: name=value, the name of a-z, 0-9 and '_', beginning with a letter, of at "
            "most "
            "%d characters",
            quote_text(item, quoted), PART_NAME_MAX);
    _cleanup_free_ char *name = xstrndup(item, n);
    if (is_one_of(own_variables, name))
        return error_set(err, "the variable %s is there without; choose another name", name);
    return is_doubled(items, i, before_equals) ? error_set(err, "the variable %s is given twice", name) : 0;
}

int check_variables(const struct key *key, const char *text, struct error *err)
{
    _cleanup_items_ struct items items = {0};
    int r = split(key, text, &items, err);
    for (size_t i = 0; r == 0 && i < items.n; i++)
        r = check_variable(&items, i, err);
    return r;
}

/* What a staged table has besides. */
static const char *const own_columns[] = {"_more", "_source", "_object", "_etag", "_line", "_delivery", NULL};

static int check_field(const struct items *items, size_t i, struct error *err)
{
    char quoted[QUOTE_MAX];
    const char *item = items->list[i];
    _cleanup_free_ char *name = xstrndup(item, field_length(item));
    if (!*name)
        return error_set(err, "the name is missing before the '?'");
    if (is_one_of(own_columns, name))
        return error_set(err, "%s is the name of a column that ingestd adds; it cannot be one of the data's",
            quote_text(name, quoted));
    return is_doubled(items, i, field_length)
               ? error_set(err,
                     "the column %s is named twice (SQL takes capital and small letters for the same)",
                     quote_text(name, quoted))
               : 0;
}

int check_fields(const struct key *key, const char *text, struct error *err)
{
    _cleanup_items_ struct items items = {0};
    int r = split(key, text, &items, err);
    for (size_t i = 0; r == 0 && i < items.n; i++)
        r = check_field(&items, i, err);
    return r;
}

int check_references(const struct key *key, const char *text, struct error *err)
{
    char quoted[QUOTE_MAX];
    _cleanup_items_ struct items items = {0};
    int r = split(key, text, &items, err);
    for (size_t i = 0; r == 0 && i < items.n; i++) {
        const char *item = items.list[i], *equals = strchr(item, '=');
        if (!equals || equals == item || !equals[1])
            r = error_set(err, "%s is no reference: a column and its table, as care_site_id=care_site",
                quote_text(item, quoted));
        else if (is_doubled(&items, i, before_equals))
            r = error_set(err, "%s: its column has a reference already", quote_text(item, quoted));
    }
    return r;
}
