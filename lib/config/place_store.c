/* Where objects are: buckets, folders, servers of S3. As in place.c no message repeats what may hold a password. */
#include "config/problems.h"
#include "config/value.h"
#include "util/buffer.h"
#include "util/url.h"

#include <ctype.h>
#include <inttypes.h>

#define PREFIX_MAX  900 /* of a key's 1024 bytes */
#define LOWER       "abcdefghijklmnopqrstuvwxyz"
#define DIGITS      "0123456789"
#define STORE_LOOKS "s3://bucket[/prefix], or file:///folder"

/* Parts with slashes between them, none of them empty, "." or "..": else what they name is not plain to see. */
static int check_parts(const char *path, struct error *err)
{
    for (const char *at = path; *at; at += strspn(at, "/")) {
        size_t n = strcspn(at, "/");
        if (n == 0 || (at[n] == '/' && at[n + 1] == '/'))
            return error_set(err, "there is a slash too many: parts have one between them");
        if ((n == 1 && at[0] == '.') || (n == 2 && at[0] == '.' && at[1] == '.'))
            return error_set(err, "'.' and '..' have no meaning here: write the path in full");
        at += n;
    }
    return 0;
}

int check_prefix(const struct key *key, const char *text, struct error *err)
{
    if (strlen(text) > key->most)
        return error_set(err, "this prefix is too long: at most %" PRIu64 " bytes", key->most);
    if (text[0] == '/')
        return error_set(err, "no key begins with a slash; leave it out: provider/");
    return check_parts(text, err);
}

/* -- buckets --------------------------------------------------------------------------------------------- */

static bool looks_like_address(const char *name)
{
    return name[strspn(name, DIGITS ".")] == '\0';
}

/* Names that S3 keeps for its own. */
static bool is_kept(const char *name)
{
    static const char *const before[] = {"xn--", "sthree-", "amzn-s3-demo-"};
    static const char *const behind[] = {"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"};
    size_t n = strlen(name);
    for (size_t i = 0; i < N_ELEMENTS(before); i++)
        if (strncmp(name, before[i], strlen(before[i])) == 0)
            return true;
    for (size_t i = 0; i < N_ELEMENTS(behind); i++)
        if (n >= strlen(behind[i]) && strcmp(name + n - strlen(behind[i]), behind[i]) == 0)
            return true;
    return false;
}

/* docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
static int check_bucket(const char *name, struct error *err)
{
    char quoted[QUOTE_MAX];
    size_t n = strlen(name);
    quote_text(name, quoted);
    if (n < 3 || n > 63)
        return error_set(err, "%s is no bucket: its name has 3 to 63 characters", quoted);
    if (name[strspn(name, LOWER DIGITS ".-")])
        return error_set(err, "%s is no bucket: its name is of a-z, 0-9, '-' and '.'", quoted);
    if (strchr(".-", name[0]) || strchr(".-", name[n - 1]) || strstr(name, ".."))
        return error_set(err,
            "%s is no bucket: its name begins and ends with a letter or digit, and has no two dots in a row",
            quoted);
    if (looks_like_address(name))
        return error_set(
            err, "%s is no bucket: it looks like an address. The server is named by endpoint:", quoted);
    return is_kept(name) ? error_set(err, "%s is a name that S3 keeps for its own", quoted) : 0;
}

static int check_s3(const char *rest, struct error *err)
{
    size_t n = strcspn(rest, "/");
    if (memchr(rest, '@', n))
        return error_set(err,
            "credentials have no place in this URL: write ACCESS_KEY:SECRET_KEY into a file "
            "that others cannot read, and name it by credentials_file:");
    if (memchr(rest, ':', n))
        return error_set(err,
            "a port has no place in this URL: s3://bucket[/prefix], and the server is named by "
            "endpoint: https://host:9000");
    if (n == 0)
        return error_set(err, "the bucket is missing: s3://bucket[/prefix]");
    _cleanup_free_ char *bucket = xstrndup(rest, n);
    if (check_bucket(bucket, err) < 0)
        return -1;
    rest += n;
    if (strlen(rest) > PREFIX_MAX)
        return error_set(err, "the prefix is too long: at most %d bytes", PREFIX_MAX);
    return *rest ? check_parts(rest + 1, err) : 0;
}

static int check_folder(const char *rest, struct error *err)
{
    if (rest[0] != '/')
        return error_set(err, "a folder is file:///folder, with three slashes: it is on this machine");
    if (!rest[1])
        return error_set(err, "the folder is missing: file:///srv/drop");
    return check_parts(rest + 1, err);
}

int check_store(const struct key *key, const char *text, struct error *err)
{
    bool s3 = strncmp(text, "s3://", 5) == 0, file = strncmp(text, "file://", 7) == 0;
    if (strlen(text) > 4000)
        return error_set(err, "this URL is too long: at most 4000 bytes");
    if (!s3 && !file)
        return error_set(err, "this is no store: " STORE_LOOKS "%s",
            strncmp(text, "http", 4) == 0 ? ". A server's address goes into endpoint:" : "");
    if (strpbrk(text, "?#%"))
        return error_set(err, "'?', '#' and '%%' cannot stand in this URL: " STORE_LOOKS);
    return s3 ? check_s3(text + 5, err) : check_folder(text + 7, err);
}

int check_endpoint(const struct key *key, const char *text, struct error *err)
{
    _cleanup_url_ struct url u = {0};
    if (strlen(text) > 1000)
        return error_set(err, "this URL is too long: at most 1000 bytes");
    if (url_parse(text, &u, err) < 0)
        return -1;
    if (strcmp(u.scheme, "https") != 0 && strcmp(u.scheme, "http") != 0)
        return error_set(err, "an endpoint is https://host[:port], or http:// within this machine or site");
    if (u.user || u.password)
        return error_set(err,
            "credentials have no place in this URL: write ACCESS_KEY:SECRET_KEY into a file "
            "that others cannot read, and name it by credentials_file:");
    if (!u.host)
        return error_set(err, "the host is missing: https://host[:port]");
    if ((*u.path && strcmp(u.path, "/") != 0) || strpbrk(text, "?#"))
        return error_set(
            err, "an endpoint ends with its host and port; the bucket goes into url: s3://bucket");
    return 0;
}

/* -- one within another ---------------------------------------------------------------------------------- */

/* "https://minio.site:9000/bucket/prefix" */
static void put_s3(struct buffer *out, const struct config_store *store)
{
    _cleanup_url_ struct url u = {0};
    if (!store->endpoint || url_parse(store->endpoint, &u, NULL) < 0 || !u.host)
        return buffer_printf(out, "https://amazon:443/%s", store->url + 5);
    int port = u.port ? u.port : strcmp(u.scheme, "http") == 0 ? 80 : 443;
    buffer_printf(out, "s3://%s:%d/", u.host, port);
    for (char *p = out->p; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    buffer_put_string(out, store->url + 5);
}

/* With a slash at its end, unless a prefix ends it. */
static char *whole_place(const struct config_store *store, const char *prefix)
{
    _cleanup_buffer_ struct buffer out = {0};
    if (strncmp(store->url, "s3://", 5) == 0) {
        put_s3(&out, store);
    } else {
        char *real = realpath(store->url + 7, NULL);
        buffer_printf(&out, "file://%s", real ? real : store->url + 7);
        free(real);
    }
    if (out.p[out.n - 1] != '/')
        buffer_put_string(&out, "/");
    buffer_put_string(&out, prefix ? prefix : "");
    return xstrdup(buffer_string(&out));
}

bool store_within(const struct config_store *inner, const struct config_store *outer, const char *prefix)
{
    _cleanup_free_ char *a = whole_place(inner, NULL), *b = whole_place(outer, prefix);
    return strncmp(a, b, strlen(b)) == 0;
}
