/* Values that name a place: paths, addresses, time zones, URLs. No message here repeats a URL as it was
 * typed: there may be a password in it. */
#include "calendar/zone.h"
#include "config/problems.h"
#include "config/value.h"
#include "util/date.h"
#include "util/text.h"
#include "util/url.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#define ZONE_DIR "/usr/share/zoneinfo"

int check_path(const struct key *key, const char *text, struct error *err)
{
    char quoted[QUOTE_MAX];
    if (text[0] != '/')
        return error_set(err, "%s is not an absolute path: it must begin with /", quote_text(text, quoted));
    if (strlen(text) > key->most)
        return error_set(err, "this path is too long: at most %" PRIu64 " bytes", key->most);
    return 0;
}

int check_file(const struct key *key, const char *text, struct error *err)
{
    char quoted[QUOTE_MAX];
    if (text[strlen(text) - 1] == '/')
        return error_set(err, "%s is a folder's name, not a file's", quote_text(text, quoted));
    return check_path(key, text, err);
}

/* "../a" beside "/b/c": "/b/a". Only the dots at the beginning are worked off: the folder's own path is known
 * to hold no link, what follows is not. */
static char *join_path(const char *folder, const char *name)
{
    size_t n = strcmp(folder, "/") == 0 ? 0 : strlen(folder);
    for (;; name += strspn(name, "/")) {
        if (strncmp(name, "./", 2) == 0) {
            name += 2;
        } else if (strncmp(name, "../", 3) == 0) {
            name += 3;
            while (n > 0 && folder[--n] != '/')
                ;
        } else {
            return xasprintf("%.*s/%s", (int)n, folder, name);
        }
    }
}

int file_beside(const char *config_path, const char *name, char **ret_path, struct error *err)
{
    if (name[0] == '/') {
        *ret_path = xstrdup(name);
        return 0;
    }
    const char *slash = strrchr(config_path, '/');
    _cleanup_free_ char *given =
        slash ? xstrndup(config_path, (size_t)(slash - config_path) + 1) : xstrdup(".");
    _cleanup_free_ char *folder = realpath(given, NULL);
    if (!folder)
        return error_set(err,
            "the folder of the configuration file cannot be found (%s); write the path in full",
            strerror(errno));
    *ret_path = join_path(folder, name);
    return 0;
}

/* Digits of 1..65535. */
static bool is_port(const char *s)
{
    size_t n = strspn(s, "0123456789");
    if (n == 0 || n > 5 || s[n] != '\0')
        return false;
    int port = atoi(s);
    return port >= 1 && port <= 65535;
}

int check_listen(const struct key *key, const char *text, struct error *err)
{
    static const char *const hosts[] = {"127.0.0.1:", "[::1]:", "localhost:"};
    for (size_t i = 0; i < N_ELEMENTS(hosts); i++)
        if (strncmp(text, hosts[i], strlen(hosts[i])) == 0 && is_port(text + strlen(hosts[i])))
            return 0;
    char quoted[QUOTE_MAX];
    return error_set(err,
        "%s is not a loopback address with a port: 127.0.0.1:PORT, [::1]:PORT or localhost:PORT (there is no "
        "password on it, so it is for this machine alone)",
        quote_text(text, quoted));
}

int check_time_zone(const struct key *key, const char *text, struct error *err)
{
    _cleanup_(zone_freep) struct zone *zone = NULL;
    return zone_open(text, &zone, err);
}

/* libpq has the last word on it, at connect; here only what is surely something else is refused. */
static bool looks_like_postgres(const char *text)
{
    const char *equals = strchr(text, '=');
    size_t word = strspn(text, " abcdefghijklmnopqrstuvwxyz_");
    return strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0 ||
           (equals && equals == text + word && equals != text);
}

#define POSTGRES_LOOKS                                                                                       \
    "postgresql://user@host/database, or libpq's key=value words as \"host=db dbname=doctor_office\""

int check_database(const struct key *key, const char *text, struct error *err)
{
    if (looks_like_postgres(text))
        return 0;
    bool other = strncmp(text, "mysql://", 8) == 0 || strncmp(text, "duckdb://", 9) == 0;
    return error_set(err, "this is not a Postgres database: " POSTGRES_LOOKS "%s",
        other ? ". One of MySQL or DuckDB goes under databases:, for jobs" : "");
}

static int check_mysql(const char *text, struct error *err)
{
    _cleanup_url_ struct url u = {0};
    if (strlen(text) > 4000)
        return error_set(err, "this URL is too long: at most 4000 bytes");
    if (url_parse(text, &u, err) < 0)
        return -1;
    if (!u.host)
        return error_set(err, "the host is missing: mysql://[user@]host[:port]/database");
    if (u.path[0] != '/' || !u.path[1] || strchr(u.path + 1, '/'))
        return error_set(err, "the path must name the database: mysql://[user@]host[:port]/database");
    if (strpbrk(text, "?#"))
        return error_set(err, "'?' and '#' have no meaning in this URL: write them as %%3F and %%23");
    return 0;
}

/* It becomes a file of its own, and some beside it. */
static int check_duckdb(const char *text, struct error *err)
{
    _cleanup_url_ struct url u = {0};
    if (strlen(text) > 4000)
        return error_set(err, "this URL is too long: at most 4000 bytes");
    if (url_parse(text, &u, err) < 0)
        return -1;
    if (u.host || u.user || u.port)
        return error_set(
            err, "a DuckDB database is duckdb:///path/to/file, with three slashes: it is on this machine");
    if (u.path[0] != '/' || u.path[strlen(u.path) - 1] == '/')
        return error_set(err, "the file is missing: duckdb:///path/to/file");
    if (strpbrk(text, "?#") || strchr(u.path, '?'))
        return error_set(
            err, "'?' and '#' have no place in this URL: write # as %%23; a ? DuckDB cannot open");
    return 0;
}

int check_any_database(const struct key *key, const char *text, struct error *err)
{
    if (strncmp(text, "mysql://", 8) == 0)
        return check_mysql(text, err);
    if (strncmp(text, "duckdb://", 9) == 0)
        return check_duckdb(text, err);
    if (looks_like_postgres(text))
        return 0;
    return error_set(err, "this is not a database that is known: mysql://user@host/database, "
                          "duckdb:///path/to/file, " POSTGRES_LOOKS);
}

static int check_fifo(const struct url *u, struct error *err)
{
    if (u->host || u->user || u->port)
        return error_set(err, "a pipe is fifo:///path/to/pipe, with three slashes: it is on this machine");
    if (u->path[0] != '/' || u->path[strlen(u->path) - 1] == '/')
        return error_set(err, "the path of the pipe is missing: fifo:///path/to/pipe");
    return 0;
}

/* "/DB/STREAM": where the stream's key begins, NULL if it is not so. */
static const char *redis_key(const char *path, long *ret_db)
{
    size_t digits = path[0] == '/' ? strspn(path + 1, "0123456789") : 0;
    if (digits == 0 || digits > 5 || path[1 + digits] != '/' || !path[2 + digits])
        return NULL;
    *ret_db = strtol(path + 1, NULL, 10);
    return path + 2 + digits;
}

static int check_redis(const struct url *u, struct error *err)
{
    long db;
    if (!u->host)
        return error_set(err, "the host is missing: redis://host[:port]/DB/STREAM");
    if (!redis_key(u->path, &db))
        return error_set(err, "the path must name the database's number and the stream's key: "
                              "redis://host[:port]/DB/STREAM, as redis://localhost/0/claim");
    return 0;
}

static int check_parsed(const struct url *u, struct error *err)
{
    char quoted[QUOTE_MAX];
    if (strcmp(u->scheme, "redis") == 0)
        return check_redis(u, err);
    if (strcmp(u->scheme, "fifo") == 0)
        return check_fifo(u, err);
    if (strcmp(u->scheme, "rediss") == 0)
        return error_set(err,
            "rediss:// (Redis over TLS) is not possible: the Redis library of this build has "
            "no TLS. Use redis:// to a stunnel on this machine, or a private network");
    return error_set(
        err, "sources of the kind %s are not known: redis:// or fifo://", quote_text(u->scheme, quoted));
}

int check_source(const struct key *key, const char *text, struct error *err)
{
    _cleanup_url_ struct url u = {0};
    if (strlen(text) > 4000)
        return error_set(err, "this URL is too long: at most 4000 bytes");
    if (url_parse(text, &u, err) < 0)
        return -1;
    if (check_parsed(&u, err) < 0)
        return -1;
    if (strpbrk(text, "?#"))
        return error_set(err, "'?' and '#' have no meaning in a source: write them as %%3F and %%23");
    return 0;
}

static int check_dump_place(const struct url *u, struct error *err)
{
    char quoted[QUOTE_MAX];
    if (strcmp(u->scheme, "file") == 0)
        return u->host || u->path[0] != '/'
                   ? error_set(err, "a file is file:///path/to/it, with three slashes: it is on this machine")
                   : 0;
    if (strcmp(u->scheme, "http") != 0 && strcmp(u->scheme, "https") != 0)
        return error_set(err, "dumps from %s are not possible: https://, http:// or file://",
            quote_text(u->scheme, quoted));
    return u->host ? 0 : error_set(err, "the host is missing: https://host/path");
}

int check_dumps(const struct key *key, const char *text, struct error *err)
{
    _cleanup_url_ struct url u = {0};
    /* A date stands in for its pattern: %Y is no escape of a URL's. */
    enum date_pattern dates = date_pattern(text);
    _cleanup_free_ char *filled = dates == DATE_PATTERN_NONE ? xstrdup(text) : date_fill(text, "2016-02-07");
    if (strlen(text) > 4000)
        return error_set(err, "this URL is too long: at most 4000 bytes");
    if (dates == DATE_PATTERN_BROKEN)
        return error_set(err, "with %%Y in it it needs %%m too: a dump's date is its day, or its month");
    if (url_parse(filled, &u, err) < 0)
        return -1;
    return check_dump_place(&u, err);
}

int check_resource(const struct key *key, const char *text, struct error *err)
{
    _cleanup_url_ struct url u = {0};
    char quoted[QUOTE_MAX];
    if (strlen(text) > 4000)
        return error_set(err, "this URL is too long: at most 4000 bytes");
    if (url_parse(text, &u, err) < 0)
        return -1;
    if (strcmp(u.scheme, "http") != 0 && strcmp(u.scheme, "https") != 0)
        return error_set(
            err, "a REST resource is https:// or http://, and %s is neither", quote_text(u.scheme, quoted));
    return u.host ? 0 : error_set(err, "the host is missing: https://host/path");
}

const char *source_scheme(const char *source)
{
    static const char *const schemes[] = {"redis", "fifo"};
    for (size_t i = 0; i < N_ELEMENTS(schemes); i++)
        if (strncmp(source, schemes[i], strlen(schemes[i])) == 0 && source[strlen(schemes[i])] == ':')
            return schemes[i];
    return NULL;
}

char *source_identity(const char *source, const char *group)
{
    _cleanup_url_ struct url u = {0};
    if (url_parse(source, &u, NULL) < 0)
        return NULL;
    if (strcmp(u.scheme, "fifo") == 0)
        return xasprintf("fifo %s", u.path);
    long db;
    const char *key = redis_key(u.path, &db);
    if (!key || !u.host)
        return NULL;
    return xasprintf("redis %s:%d/%ld/%s %s", u.host, u.port ? u.port : 6379, db, key, group);
}
