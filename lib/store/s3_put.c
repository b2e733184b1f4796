/*
 * Objects are made as a whole: by one PUT, or of a large file in parts (s3_parts.c). Where there must be none yet the PUT says
 * "If-None-Match: *", which the server heeds on its own side, at one point in time. A server that does not know it would
 * overwrite in silence; so before the first such PUT two others show it, of an object that stays there for that: the second
 * of them must be refused. Where it is there already, one shows it.
 */
#include "store/s3_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define PART ((int64_t)16 << 20)

static int put(struct s3 *s, const char *key, struct slice bytes, const char *condition, int *ret_attempts,
    struct store_fault *fault)
{
    _cleanup_buffer_ struct buffer answer = {0};
    char sum[SHA256_HEX];
    struct request_body body = {.p = bytes.n > 0 ? bytes.p : "", .fd = -1, .n = (int64_t)bytes.n};
    struct s3_ask ask = {.method = "PUT",
        .verb = "write",
        .key = key,
        .headers = {"Content-Type: application/octet-stream", condition},
        .body = &body,
        .sha256 = sum,
        .alone = condition != NULL};
    s3_sha256(bytes, sum);
    return s3_talk(s, &ask, S3_ANSWER_MAX, &answer, NULL, ret_attempts, fault);
}

/* ---- only where there is none ---- */

#define CONDITION "If-None-Match: *"

static int heedless(struct s3 *s, struct store_fault *fault)
{
    return store_fault_set(fault, false,
        "the server of %s does not heed \"If-None-Match: *\", so that of two who make the same object both "
        "would succeed: "
        "it is no place for what this is for. Use a server that does (Amazon S3, MinIO, Ceph …), in a "
        "version that does",
        s->base.label);
}

static int check_conditions(struct s3 *s, struct store_fault *fault)
{
    static const char words[] = "ingestd looks here whether the server heeds If-None-Match.\n";
    for (int i = 0; i < 2 && !s->heeds_conditions; i++) {
        int rc = put(s, S3_PROBE, SLICE(words), CONDITION, NULL, fault);
        if (rc < 0 && fault->status == 501)
            return heedless(s, fault);
        if (rc < 0 && fault->status != 412)
            return -1;
        s->heeds_conditions = rc < 0;
    }
    return s->heeds_conditions ? 0 : heedless(s, fault);
}

/* What became of a PUT whose answer never came? Says so in the fault, if it is not ours. */
static int look_back(struct s3 *s, const char *key, struct slice bytes, struct store_fault *fault)
{
    _cleanup_buffer_ struct buffer there = {0};
    struct store_fault why;
    int rc = s3_get(&s->base, key, bytes.n, &there, &why);
    if (rc == 0 && slice_equal((struct slice){there.p, there.n}, bytes)) {
        *fault = (struct store_fault){0};
        return 0;
    }
    bool larger = rc < 0 && why.status == 0 && !why.transient;
    return fault->status == 412 || rc == 0 || larger ? store_exists(&s->base, key, fault) : -1;
}

static int put_fresh(struct s3 *s, const char *key, struct slice bytes, struct store_fault *fault)
{
    int attempts = 0;
    if (check_conditions(s, fault) < 0)
        return -1;
    if (put(s, key, bytes, CONDITION, &attempts, fault) == 0)
        return 0;
    if (fault->status == 501)
        return heedless(s, fault);
    if (attempts > 1 || fault->transient)
        return look_back(s, key, bytes, fault);
    return fault->status == 412 ? store_exists(&s->base, key, fault) : -1;
}

int s3_put(struct store *store, const char *key, struct slice bytes, bool fresh, struct store_fault *fault)
{
    struct s3 *s = (struct s3 *)store;
    return fresh ? put_fresh(s, key, bytes, fault) : put(s, key, bytes, NULL, NULL, fault);
}

/* ---- files ---- */

static int put_small(struct s3 *s, const char *key, int fd, int64_t size, struct store_fault *fault)
{
    _cleanup_buffer_ struct buffer answer = {0};
    char sum[SHA256_HEX];
    struct request_body body = {.fd = fd, .n = size};
    struct s3_ask ask = {.method = "PUT",
        .verb = "write",
        .key = key,
        .headers = {"Content-Type: application/octet-stream"},
        .body = &body,
        .sha256 = sum};
    if (s3_sha256_file(s, fd, 0, size, sum) < 0)
        return store_fault_set(fault, false, "the file for %s in %s cannot be read", key, s->base.label);
    return s3_talk(s, &ask, S3_ANSWER_MAX, &answer, NULL, NULL, fault);
}

int s3_put_file(struct store *store, const char *key, const char *path, struct store_fault *fault)
{
    struct s3 *s = (struct s3 *)store;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return store_fault_set(fault, false, "cannot read %s: %s", path, strerror(errno));
    return (st.st_size <= PART ? put_small : s3_put_parts)(s, key, fd, st.st_size, fault);
}

int s3_remove(struct store *store, const char *key, struct store_fault *fault)
{
    _cleanup_buffer_ struct buffer answer = {0};
    struct s3 *s = (struct s3 *)store;
    struct s3_ask ask = {.method = "DELETE", .verb = "remove", .key = key};
    if (s3_talk(s, &ask, S3_ANSWER_MAX, &answer, NULL, NULL, fault) == 0)
        return 0;
    if (!fault->absent || s->no_bucket)
        return -1;
    *fault = (struct store_fault){0};
    return 0;
}
