/* A bucket as a store: where it is, and who asks. */
#include "store/s3_inside.h"

#include "util/clock.h"
#include "util/text.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define CREDENTIALS_MAX 16384

static bool is_of(const char *text, const char *allowed)
{
    return *text && !text[strspn(text, allowed)];
}

/* ---- who asks ---- */

static int read_line(const char *path, char line[CREDENTIALS_MAX], struct store_fault *fault)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return store_fault_set(
            fault, false, "cannot read the credentials file %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return store_fault_set(fault, false, "the credentials file %s is no file", path);
    if (st.st_mode & S_IRWXO)
        return store_fault_set(fault, false,
            "everybody on this machine can read or write the credentials file %s: chmod o= it, and have new "
            "keys made",
            path);
    ssize_t n = read(fd, line, CREDENTIALS_MAX - 1);
    if (n < 0)
        return store_fault_set(
            fault, false, "cannot read the credentials file %s: %s", path, strerror(errno));
    line[n] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    return 0;
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static int take_credentials(struct s3 *s, const char *path, struct store_fault *fault)
{
    char line[CREDENTIALS_MAX] = "";
    if (!path)
        return 0;
    if (read_line(path, line, fault) < 0)
        return -1;
    char *secret = strchr(line, ':'), *token = secret ? strchr(secret + 1, ':') : NULL;
    bool sound = secret && is_printable(line);
    if (secret)
        *secret++ = '\0';
    if (token)
        *token++ = '\0';
    if (sound && *line && *secret && (!token || *token)) {
        s->access_key = xstrdup(line);
        s->secret_key = xstrdup(secret);
        s->token = xstrdup(token);
        s->sign = xasprintf("aws:amz:%s:s3", s->region);
    }
    explicit_bzero(line, sizeof(line));
    return s->sign ? 0
                   : store_fault_set(fault, false,
                         "the first line of the credentials file %s is not ACCESS_KEY:SECRET_KEY, with "
                         ":SESSION_TOKEN behind "
                         "them where there is one",
                         path);
}

/* ---- where it is ---- */

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"

static int take_endpoint(
    struct s3 *s, const struct store_options *o, const char *bucket, struct store_fault *fault)
{
    _cleanup_target_ struct target t = {0};
    _cleanup_free_ char *own = xasprintf("https://s3.%s.amazonaws.com", s->region);
    struct fetch_fault why = {0};
    if (target_parse(o->endpoint ? o->endpoint : own, NULL, &t, &why) < 0)
        return store_fault_set(
            fault, false, "the endpoint of %s is no URL: %s", s->base.label, why.error.text);
    if (t.user || t.password || strcmp(t.path, "/") != 0 || strchr(t.url, '?'))
        return store_fault_set(fault, false,
            "the endpoint of %s is to be http(s)://host[:port] alone: keys belong into the credentials_file, "
            "the bucket into the url",
            s->base.label);
    s->tls = target_is_https(&t);
    s->origin = o->path_style ? xasprintf("%s://%s:%s/%s", t.scheme, t.host, t.port, bucket)
                              : xasprintf("%s://%s.%s:%s", t.scheme, bucket, t.host, t.port);
    return 0;
}

/* s3://bucket/prefix */
static int take_url(struct s3 *s, const struct store_options *o, struct store_fault *fault)
{
    const char *rest = o->url + strlen("s3://");
    size_t n = strcspn(rest, "/");
    _cleanup_free_ char *bucket = xstrndup(rest, n), *prefix = xstrdup(rest[n] ? rest + n + 1 : "");
    size_t n_prefix = strlen(prefix);
    while (n_prefix > 0 && prefix[n_prefix - 1] == '/')
        prefix[--n_prefix] = '\0';
    if (n > 255 || !is_of(bucket, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") || strstr(bucket, "..") ||
        bucket[0] == '.')
        return store_fault_set(
            fault, false, "\"%.300s\" has no name of a bucket: write s3://bucket/prefix", o->url);
    if (n_prefix > 0 && store_key_wrong(prefix))
        return store_fault_set(
            fault, false, "the prefix of \"%.300s\" cannot begin a key: %s", o->url, store_key_wrong(prefix));
    s->prefix = xasprintf("%s%s", prefix, n_prefix > 0 ? "/" : "");
    s->base.label = xasprintf("s3://%s%s%s", bucket, n_prefix > 0 ? "/" : "", prefix);
    if (!is_of(s->region, LOWER "-_"))
        return store_fault_set(
            fault, false, "the region of %s is none: \"%.100s\"", s->base.label, s->region);
    return take_endpoint(s, o, bucket, fault);
}

/* ---- the store ---- */

static void forget(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

static void s3_free(struct store *store)
{
    struct s3 *s = (struct s3 *)store;
    request_free(s->request);
    curl_slist_free_all(s->sent);
    free(s->origin);
    free(s->prefix);
    free(s->region);
    free(s->sign);
    free(s->access_key);
    forget(s->secret_key);
    forget(s->token);
    free(s->ca_file);
    free(s->block);
    free(s);
}

static void s3_stop_when(struct store *store, const atomic_bool *stop)
{
    ((struct s3 *)store)->stop = stop;
}

static const struct store_driver s3_driver = {
    .list = s3_list,
    .head = s3_head,
    .get_file = s3_get_file,
    .get = s3_get,
    .put_file = s3_put_file,
    .put = s3_put,
    .remove = s3_remove,
    .stop_when = s3_stop_when,
    .free = s3_free,
};

int s3_open(const struct store_options *o, struct store **ret_store, struct store_fault *fault)
{
    struct s3 *s = xnew(struct s3);
    _cleanup_(store_freep) struct store *store = &s->base;
    s->base.driver = &s3_driver;
    s->region = xstrdup(o->region ? o->region : "us-east-1");
    s->ca_file = xstrdup(o->ca_file);
    s->retries = o->retries < 0 ? 5 : o->retries;
    s->pause_us = o->retry_after_us > 0 ? o->retry_after_us : 200 * US_PER_MS;
    s->stall_us = o->stall_us > 0 ? o->stall_us : 30 * US_PER_SEC;
    if (take_url(s, o, fault) < 0 || take_credentials(s, o->credentials_file, fault) < 0)
        return -1;
    s->request = request_new();
    if (!s->request)
        return store_fault_set(fault, false, "cannot use %s: no memory", s->base.label);
    *ret_store = TAKE(store);
    return 0;
}
