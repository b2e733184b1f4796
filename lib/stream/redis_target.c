#include "stream/redis_target.h"

#include "config/config.h"
#include "util/url.h"

#define FORM "redis://[user[:password]@]host[:port]/DB/STREAM"

/* "/0/claim" -> 0 and "claim". */
static int split_path(const char *path, int *ret_db, const char **ret_key, struct error *err)
{
    const char *p = path + (*path == '/');
    int db = 0, n = 0;
    for (; p[n] >= '0' && p[n] <= '9' && n < 6; n++)
        db = db * 10 + (p[n] - '0');
    if (n == 0 || p[n] != '/')
        return error_set(err, "the URL names no database: write " FORM);
    if (!p[n + 1])
        return error_set(err, "the URL names no stream: write " FORM);
    *ret_db = db;
    *ret_key = p + n + 1;
    return 0;
}

static int check_url(const struct url *u, const struct config_stream *stream, struct error *err)
{
    if (strcmp(u->scheme, "redis") != 0)
        return error_set(err, "the URL is not " FORM);
    if (!u->host)
        return error_set(err, "the URL names no host: write " FORM);
    if (u->port > 65535)
        return error_set(err, "port %d does not exist", u->port);
    if (u->query)
        return error_set(err, "the URL takes no options after \"?\"; write a ? in a stream's name as %%3F");
    if (u->user && *u->user && !u->password && !stream->password_file)
        return error_set(err, "user \"%s\" has no password: put it into password_file", u->user);
    if (u->password && stream->password_file)
        return error_set(err, "the password is both in the URL and in password_file; keep one of them");
    return 0;
}

int redis_target_parse(const struct config_stream *stream, struct redis_target *ret, struct error *err)
{
    _cleanup_url_ struct url u = {0};
    if (url_parse(stream->source, &u, err) < 0)
        return -1;
    int db = 0;
    const char *key = NULL;
    if (check_url(&u, stream, err) < 0 || split_path(u.path, &db, &key, err) < 0)
        return -1;
    *ret = (struct redis_target){
        .host = TAKE(u.host),
        .port = u.port ? u.port : 6379,
        .db = db,
        .key = xstrdup(key),
        .user = u.user && *u.user ? TAKE(u.user) : NULL,
        .password = TAKE(u.password),
        .password_file = xstrdup(stream->password_file),
    };
    return 0;
}

void redis_forget(char *password)
{
    if (password)
        explicit_bzero(password, strlen(password));
    free(password);
}

void redis_target_done(struct redis_target *t)
{
    free(t->host);
    free(t->key);
    free(t->user);
    redis_forget(t->password);
    free(t->password_file);
    *t = (struct redis_target){0};
}

int redis_target_password(const struct redis_target *t, char **ret, struct error *err)
{
    if (t->password_file)
        return config_read_secret(t->password_file, ret, err);
    *ret = xstrdup(t->password);
    return 0;
}
