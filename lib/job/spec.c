#include "job/spec.h"

#include "job/member.h"
#include "job/spec_members.h"

#include <cjson/cJSON.h>

#define WHAT "the job's spec"

static const struct member *find_member(const struct shape *shape, const char *name)
{
    for (size_t i = 0; i < shape->n; i++)
        if (strcmp(shape->list[i].name, name) == 0)
            return &shape->list[i];
    return NULL;
}

static bool may_be_absent(const struct member *m)
{
    return m->type == MAYBE_STRING || m->type == WORDS || m->type == MAYBE_OBJECT ||
           m->type == MAYBE_DATABASE;
}

/* -- writing --------------------------------------------------------------------------------------------- */

static void add_string(cJSON *object, const char *name, const char *value)
{
    if (value)
        cJSON_AddStringToObject(object, name, value);
}

static void add_database(cJSON *object, const struct member *m, const struct job_database *d)
{
    if (m->type == MAYBE_DATABASE && !d->url)
        return;
    cJSON *o = cJSON_AddObjectToObject(object, m->name);
    add_string(o, "url", d->url);
    add_string(o, "password_file", d->password_file);
}

static void add_windows(cJSON *object, const char *name, const struct job_spec *spec)
{
    cJSON *list = cJSON_AddArrayToObject(object, name);
    for (size_t i = 0; i < spec->n_windows; i++) {
        cJSON *window = cJSON_CreateArray();
        cJSON_AddItemToArray(window, member_new_int(spec->windows[i].start_us));
        cJSON_AddItemToArray(window, member_new_int(spec->windows[i].end_us));
        cJSON_AddItemToArray(list, window);
    }
}

static void add_words(cJSON *object, const char *name, const struct job_words *words)
{
    cJSON *list = words->n > 0 ? cJSON_AddArrayToObject(object, name) : NULL;
    for (size_t i = 0; i < words->n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(words->list[i]));
}

static void add_members(cJSON *object, const struct shape *shape, void *base);

static void add_object(cJSON *object, const char *name, const struct shape *shape, void *base)
{
    if (*(char **)(void *)((char *)base + shape->there))
        add_members(cJSON_AddObjectToObject(object, name), shape, base);
}

static void add_objects(cJSON *object, const struct member *m, void *base)
{
    cJSON *list = cJSON_AddArrayToObject(object, m->name);
    for (size_t i = 0; i < *COUNT(base, m); i++) {
        cJSON *one = cJSON_CreateObject();
        add_members(one, m->shape, OBJECT_AT(base, m, i));
        cJSON_AddItemToArray(list, one);
    }
}

static void add_member(cJSON *object, const struct member *m, void *base)
{
    switch (m->type) {
    case STRING:
    case MAYBE_STRING:
    case TEXT:
        add_string(object, m->name, *FIELD(base, m, char *));
        break;
    case INT:
        member_add_int(object, m->name, *FIELD(base, m, int64_t));
        break;
    case UINT:
        member_add_uint(object, m->name, *FIELD(base, m, uint64_t));
        break;
    case BOOL:
        cJSON_AddBoolToObject(object, m->name, *FIELD(base, m, bool));
        break;
    case DATABASE:
    case MAYBE_DATABASE:
        add_database(object, m, FIELD(base, m, struct job_database));
        break;
    case WINDOWS:
        add_windows(object, m->name, base);
        break;
    case WORDS:
        add_words(object, m->name, FIELD(base, m, struct job_words));
        break;
    case OBJECT:
    case MAYBE_OBJECT:
        add_object(object, m->name, m->shape, FIELD(base, m, char));
        break;
    case OBJECTS:
        add_objects(object, m, base);
        break;
    }
}

static void add_members(cJSON *object, const struct shape *shape, void *base)
{
    for (size_t i = 0; i < shape->n; i++)
        add_member(object, &shape->list[i], base);
}

char *job_spec_to_json(const struct job_spec *spec)
{
    struct job_spec copy = *spec; /* shallow, only so that one macro serves reading and writing */
    cJSON *object = cJSON_CreateObject();
    add_members(object, &spec_shape, &copy);
    return member_print(object);
}

/* -- reading --------------------------------------------------------------------------------------------- */

static int wrong(struct error *err, const char *name, const char *rule)
{
    return error_set(err, WHAT ": \"%s\" %s", name, rule);
}

static int read_text(const cJSON *item, const char *name, char **ret, struct error *err)
{
    const char *s = cJSON_GetStringValue(item);
    if (!s)
        return wrong(err, name, "is not a string");
    *ret = xstrdup(s);
    return 0;
}

static int read_string(const cJSON *item, const char *name, bool needed, char **ret, struct error *err)
{
    if (!needed && (!item || cJSON_IsNull(item)))
        return 0;
    const char *s = cJSON_GetStringValue(item);
    if (!s || *s == '\0')
        return wrong(err, name, "is not a string with something in it");
    *ret = xstrdup(s);
    return 0;
}

static int read_database(const cJSON *item, const char *name, struct job_database *ret, struct error *err)
{
    if (!cJSON_IsObject(item))
        return wrong(err, name, "is not an object");
    for (const cJSON *c = item->child; c; c = c->next)
        if (strcmp(c->string, "url") != 0 && strcmp(c->string, "password_file") != 0)
            return wrong(err, name, "has a member that is neither url nor password_file");
    struct error inner;
    const cJSON *url = cJSON_GetObjectItemCaseSensitive(item, "url");
    const cJSON *file = cJSON_GetObjectItemCaseSensitive(item, "password_file");
    if (read_string(url, "url", true, &ret->url, &inner) < 0 ||
        read_string(file, "password_file", false, &ret->password_file, &inner) < 0)
        return error_set(err, "in \"%s\": %s", name, inner.text);
    return 0;
}

/* [start, end), in microseconds. */
static bool read_window(const cJSON *item, struct job_window *ret)
{
    return cJSON_IsArray(item) && cJSON_GetArraySize(item) == 2 && member_int(item->child, &ret->start_us) &&
           member_int(item->child->next, &ret->end_us) && ret->start_us < ret->end_us;
}

static int read_windows(const cJSON *item, const char *name, struct job_spec *spec, struct error *err)
{
    if (!cJSON_IsArray(item))
        return wrong(err, name, "is not an array");
    spec->windows = xcalloc((size_t)cJSON_GetArraySize(item), sizeof(struct job_window));
    const struct job_window *before = NULL;
    for (const cJSON *w = item->child; w; w = w->next) {
        struct job_window *window = &spec->windows[spec->n_windows];
        if (!read_window(w, window))
            return wrong(err, name, "holds something that is not [start, end] with start before end");
        if (before && window->start_us < before->end_us)
            return wrong(err, name, "are not in order of time, or overlap");
        before = window;
        spec->n_windows++;
    }
    return 0;
}

static int read_words(const cJSON *item, const char *name, struct job_words *ret, struct error *err)
{
    if (!item || cJSON_IsNull(item))
        return 0;
    if (!cJSON_IsArray(item))
        return wrong(err, name, "is not an array");
    ret->list = xcalloc((size_t)cJSON_GetArraySize(item), sizeof(char *));
    for (const cJSON *word = item->child; word; word = word->next) {
        if (!cJSON_IsString(word) || word->valuestring[0] == '\0')
            return wrong(err, name, "holds something that is not a string with something in it");
        ret->list[ret->n++] = xstrdup(word->valuestring);
    }
    return 0;
}

static int read_members(const cJSON *object, const struct shape *shape, void *base, struct error *err);

static int read_object(
    const cJSON *item, const char *name, const struct shape *shape, void *base, struct error *err)
{
    struct error inner;
    if (!cJSON_IsObject(item))
        return wrong(err, name, "is not an object");
    if (read_members(item, shape, base, &inner) < 0)
        return error_set(err, "in \"%s\": %s", name, inner.text);
    return 0;
}

static int read_objects(const cJSON *item, const struct member *m, void *base, struct error *err)
{
    if (!cJSON_IsArray(item))
        return wrong(err, m->name, "is not an array");
    *FIELD(base, m, void *) = xcalloc((size_t)cJSON_GetArraySize(item), m->shape->size);
    for (const cJSON *one = item->child; one; one = one->next) {
        size_t i = (*COUNT(base, m))++;
        if (read_object(one, m->name, m->shape, OBJECT_AT(base, m, i), err) < 0)
            return -1;
    }
    return 0;
}

static bool is_nothing(const cJSON *item)
{
    return !item || cJSON_IsNull(item);
}

static int read_member(const cJSON *item, const struct member *m, void *base, struct error *err)
{
    if ((m->type == MAYBE_OBJECT || m->type == MAYBE_DATABASE) && is_nothing(item))
        return 0;
    switch (m->type) {
    case STRING:
    case MAYBE_STRING:
        return read_string(item, m->name, m->type == STRING, FIELD(base, m, char *), err);
    case TEXT:
        return read_text(item, m->name, FIELD(base, m, char *), err);
    case INT:
        if (!member_int(item, FIELD(base, m, int64_t)))
            return wrong(err, m->name, "is not a whole number of 64 bits");
        return 0;
    case UINT:
        if (!member_uint(item, FIELD(base, m, uint64_t)))
            return wrong(err, m->name, "is not a whole number from 0 on");
        return 0;
    case BOOL:
        if (!cJSON_IsBool(item))
            return wrong(err, m->name, "is not true or false");
        *FIELD(base, m, bool) = cJSON_IsTrue(item);
        return 0;
    case DATABASE:
    case MAYBE_DATABASE:
        return read_database(item, m->name, FIELD(base, m, struct job_database), err);
    case WINDOWS:
        return read_windows(item, m->name, base, err);
    case WORDS:
        return read_words(item, m->name, FIELD(base, m, struct job_words), err);
    case OBJECT:
    case MAYBE_OBJECT:
        return read_object(item, m->name, m->shape, FIELD(base, m, char), err);
    case OBJECTS:
        return read_objects(item, m, base, err);
    }
    return -1;
}

/* Every member once, and none that we do not know: the two ends may not drift apart unseen. */
static int check_names(const cJSON *object, const struct shape *shape, struct error *err)
{
    bool seen[MEMBERS_MAX] = {false};
    for (const cJSON *item = object->child; item; item = item->next) {
        const struct member *m = find_member(shape, item->string);
        if (!m)
            return error_set(err,
                WHAT " has a member \"%.40s\" that this worker does not know: are the daemon and the worker "
                     "of one version?",
                item->string);
        if (seen[m - shape->list])
            return wrong(err, m->name, "is there twice");
        seen[m - shape->list] = true;
    }
    for (size_t i = 0; i < shape->n; i++)
        if (!seen[i] && !may_be_absent(&shape->list[i]))
            return wrong(err, shape->list[i].name, "is missing");
    return 0;
}

static int read_members(const cJSON *object, const struct shape *shape, void *base, struct error *err)
{
    if (check_names(object, shape, err) < 0)
        return -1;
    for (size_t i = 0; i < shape->n; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, shape->list[i].name);
        if (read_member(item, &shape->list[i], base, err) < 0)
            return -1;
    }
    return 0;
}

static bool is_side(const struct job_side *s)
{
    return s->source ? s->rest.rows && !s->database.url && !s->sql : s->database.url && s->sql;
}

static int check_match(const struct job_match *m, struct error *err)
{
    if (!is_side(&m->left) || !is_side(&m->right))
        return wrong(
            err, is_side(&m->left) ? "right" : "left", "is neither a query nor a REST resource, or both");
    return m->n_keys > 0 ? 0 : wrong(err, "keys", "are none");
}

static bool is_feed(const struct job_feed *f)
{
    bool query = !f->table != !f->sql;
    return f->store.url ? f->columns.n > 0 && !f->database.url && !f->table && !f->sql
                        : f->database.url && query;
}

static int check_harmonize(const struct job_harmonize *h, struct error *err)
{
    for (size_t i = 0; i < h->n_sources; i++)
        if (!is_feed(&h->sources[i]))
            return wrong(err, "sources", "has one that is neither a table, a SELECT nor objects, or several");
    for (size_t i = 0; i < h->n_tables; i++)
        if (h->tables[i].key.n == 0)
            return wrong(err, "tables", "has one without a key");
    if (h->n_sources == 0 || h->n_tables == 0)
        return wrong(err, h->n_sources ? "tables" : "sources", "are none");
    return h->transform.n > 0 ? 0 : wrong(err, "transform", "has no file");
}

static int read_spec(const cJSON *object, struct job_spec *spec, struct error *err)
{
    if (read_members(object, &spec_shape, spec, err) < 0)
        return -1;
    if (spec->match.report_date && check_match(&spec->match, err) < 0)
        return -1;
    if (spec->harmonize.lake.url && check_harmonize(&spec->harmonize, err) < 0)
        return -1;
    return spec->time_limit_us < 0 ? wrong(err, "time_limit_us", "is negative") : 0;
}

int job_spec_parse(const char *text, size_t n, struct job_spec *ret_spec, struct error *err)
{
    cJSON *object;
    if (member_parse_object(text, n, WHAT, &object, err) < 0)
        return -1;
    _cleanup_job_spec_ struct job_spec spec = {0};
    int r = read_spec(object, &spec, err);
    cJSON_Delete(object);
    if (r < 0)
        return -1;
    *ret_spec = spec;
    spec = (struct job_spec){0};
    return 0;
}

void job_words_add(struct job_words *words, const char *word)
{
    words->list = xrealloc(words->list, words->n + 1, sizeof(char *));
    words->list[words->n++] = xstrdup(word);
}

void job_words_split(struct job_words *to, const char *text, char *next(const char **at))
{
    for (char *word; (word = next(&text)); free(word))
        if (*word)
            job_words_add(to, word);
}

void job_words_done(struct job_words *words)
{
    for (size_t i = 0; i < words->n; i++)
        free(words->list[i]);
    free(words->list);
    *words = (struct job_words){0};
}

static bool is_harmonize(const struct job_spec *spec)
{
    return strcmp(spec->kind, "harmonize") == 0;
}

uint64_t job_spec_reserve_max(const struct job_spec *spec)
{
    return is_harmonize(spec) ? 2 * spec->memory_max : spec->memory_max;
}

uint64_t job_spec_memory_beside(const struct job_spec *spec)
{
    return is_harmonize(spec) ? UINT64_C(64) << 20 : 0;
}

void job_spec_done(struct job_spec *spec)
{
    members_done(&spec_shape, spec);
    *spec = (struct job_spec){0};
}
