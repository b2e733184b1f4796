#include "history/target.h"

#include "util/text.h"

#include <event2/http.h>
#include <strings.h>

static const struct {
    const char *scheme;
    bool schemas, file;
} schemes[] = {
    {"postgresql://", true}, {"postgres://", true}, {"mysql://", false}, {"duckdb://", false, true}};

static const char *const books[] = {
    "ingest_dump", "ingest_reject", "ingest_column", "ingest_delta", "ingest_stage", "ingest_keys"};

static int refuse(struct error *err, const char *why)
{
    return error_set(err,
        "the sink's URL %s: expected mysql://user@host/database/table, "
        "postgresql://user@host/database/[schema.]table or duckdb:///path/to/file/table",
        why);
}

static char *decode(const char *p, size_t n)
{
    _cleanup_free_ char *text = xstrndup(p, n);
    size_t n_decoded = 0;
    char *decoded = evhttp_uridecode(text, 0, &n_decoded);
    if (decoded && strlen(decoded) == n_decoded && text_is_utf8(decoded, n_decoded))
        return decoded;
    free(decoded);
    return NULL;
}

static int check_name(const char *name, const char *what, size_t max, struct error *err)
{
    if (!*name)
        return error_set(err, "the sink's URL has an empty name for its %s", what);
    if (strlen(name) > max)
        return error_set(err, "the sink's URL has a name of %zu bytes for its %s: at most %zu are possible",
            strlen(name), what, max);
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F || *p == '`' || *p == '"' || *p == '\\' || *p == '/' ||
            *p == '{')
            return error_set(err,
                "the sink's URL has a control character, a quote, a brace or a slash in the name of its %s",
                what);
    for (size_t i = 0; i < N_ELEMENTS(books); i++)
        if (strcasecmp(name, books[i]) == 0)
            return error_set(err, "%s is a table of our own: give the dataset another name", books[i]);
    return 0;
}

static int take_names(struct history_place *place, const char *p, size_t n, bool schemas, struct error *err)
{
    _cleanup_free_ char *name = decode(p, n);
    if (!name)
        return refuse(err, "names no table in valid UTF-8");
    char *dot = schemas ? strchr(name, '.') : NULL;
    if (dot) {
        *dot = '\0';
        place->schema = xstrdup(name);
        if (check_name(place->schema, "schema", 63, err) < 0)
            return -1;
    }
    place->table = xstrdup(dot ? dot + 1 : name);
    return check_name(place->table, "table", TABLE_NAME_MAX, err);
}

/* The path is /database/table, up to the end or a ? or #. */
static int take_path(struct history_place *place, const char *url, bool schemas, struct error *err)
{
    const char *authority = strstr(url, "://") + 3;
    const char *path = authority + strcspn(authority, "/?#");
    const char *end = path + strcspn(path, "?#");
    const char *slash = *path == '/' ? memchr(path + 1, '/', (size_t)(end - path - 1)) : NULL;
    if (!slash || slash == path + 1)
        return refuse(err, "names no database and table");
    if (slash + 1 == end || memchr(slash + 1, '/', (size_t)(end - slash - 1)))
        return refuse(
            err, slash + 1 == end ? "names no table" : "has more than a database and a table in its path");
    place->database = xasprintf("%.*s%s", (int)(slash - url), url, end);
    return take_names(place, slash + 1, (size_t)(end - slash - 1), schemas, err);
}

/* The file is all up to the last slash. */
static int take_file(struct history_place *place, const char *url, struct error *err)
{
    const char *path = strstr(url, "://") + 3;
    const char *end = path + strcspn(path, "?#");
    const char *slash = memrchr(path, '/', (size_t)(end - path));
    if (!slash || slash == path)
        return refuse(err, "names no file and table");
    place->database = xasprintf("%.*s%s", (int)(slash - url), url, end);
    if (take_names(place, slash + 1, (size_t)(end - slash - 1), false, err) < 0)
        return -1;
    const char *dot = place->table ? strrchr(place->table, '.') : NULL;
    if (dot && (strcmp(dot, ".duckdb") == 0 || strcmp(dot, ".db") == 0))
        return refuse(err, "names no table behind its file");
    return 0;
}

int history_place_parse(const char *url, struct history_place *ret_place, struct error *err)
{
    struct history_place place = {0};
    for (size_t i = 0; i < N_ELEMENTS(schemes); i++) {
        if (strncasecmp(url, schemes[i].scheme, strlen(schemes[i].scheme)) != 0)
            continue;
        place.file = schemes[i].file;
        if ((place.file ? take_file(&place, url, err) : take_path(&place, url, schemes[i].schemas, err)) <
            0) {
            history_place_done(&place);
            return -1;
        }
        *ret_place = place;
        return 0;
    }
    return refuse(err, "is of no database that can be a sink");
}

void history_place_done(struct history_place *place)
{
    free(place->database);
    free(place->schema);
    free(place->table);
    *place = (struct history_place){0};
}
