/*
 * A large file in parts. Nobody sees anything of it before all of them are put together; when it fails, they are thrown away.
 * Those of a process that was killed stay until a rule of the bucket removes them (AbortIncompleteMultipartUpload).
 *
 * The answer to the last question may be lost, and asked again the upload is gone: so each has a mark of its own among the
 * object's metadata, and whether the object has it tells whose it is.
 */
#include "store/s3_inside.h"
#include "store/s3_xml.h"

#include <inttypes.h>
#include <sys/random.h>

#define PART      ((int64_t)16 << 20)
#define PARTS_MAX 10000
#define MARK      "x-amz-meta-ingestd-upload"

struct upload {
    struct s3 *s;
    const char *key;
    int fd;
    int64_t size, part;
    char *id; /* encoded for a query */
    char mark[64];
    struct buffer parts; /* the XML that lists them */
};

static void upload_done(struct upload *u)
{
    free(u->id);
    buffer_done(&u->parts);
}

static int begin(struct upload *u, struct store_fault *fault)
{
    _cleanup_buffer_ struct buffer answer = {0}, encoded = {0};
    uint64_t random = 0;
    struct request_body nothing = {.p = "", .fd = -1};
    struct s3_ask ask = {.method = "POST",
        .verb = "write",
        .key = u->key,
        .query = "uploads=",
        .headers = {"Content-Type: application/octet-stream", u->mark},
        .body = &nothing};
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return store_fault_set(fault, true, "cannot write %s in %s: no randomness", u->key, u->s->base.label);
    snprintf(u->mark, sizeof(u->mark), MARK ": %016" PRIx64, random);
    if (s3_talk(u->s, &ask, S3_ANSWER_MAX, &answer, NULL, NULL, fault) < 0)
        return -1;
    _cleanup_free_ char *id =
        s3_xml_find((struct slice){answer.p, answer.n}, "InitiateMultipartUploadResult/UploadId");
    if (!id || !*id)
        return store_fault_set(fault, false,
            "cannot write %s in %s: the server does not say how to send it in parts", u->key,
            u->s->base.label);
    s3_encode(&encoded, id, false);
    u->id = xstrdup(buffer_string(&encoded));
    return 0;
}

static void put_escaped(struct buffer *xml, const char *text)
{
    for (; *text; text++)
        if (strchr("<>&\"'", *text))
            buffer_printf(xml, "&#%d;", *text);
        else
            buffer_put(xml, text, 1);
}

static int put_part(struct upload *u, int number, int64_t at, int64_t n, struct store_fault *fault)
{
    _cleanup_answer_ struct answer a = {0};
    _cleanup_buffer_ struct buffer answer = {0};
    _cleanup_free_ char *query = xasprintf("partNumber=%d&uploadId=%s", number, u->id);
    char sum[SHA256_HEX];
    struct request_body body = {.fd = u->fd, .at = at, .n = n};
    struct s3_ask ask = {
        .method = "PUT", .verb = "write", .key = u->key, .query = query, .body = &body, .sha256 = sum};
    if (s3_sha256_file(u->s, u->fd, at, n, sum) < 0)
        return store_fault_set(fault, false, "the file for %s in %s cannot be read, or became shorter",
            u->key, u->s->base.label);
    if (s3_talk(u->s, &ask, S3_ANSWER_MAX, &answer, &a, NULL, fault) < 0)
        return -1;
    if (!a.etag)
        return store_fault_set(
            fault, false, "cannot write %s in %s: the server gives a part no ETag", u->key, u->s->base.label);
    buffer_printf(&u->parts, "<Part><PartNumber>%d</PartNumber><ETag>", number);
    put_escaped(&u->parts, a.etag);
    buffer_put_string(&u->parts, "</ETag></Part>");
    return 0;
}

/* Is the object that is there now the one with our mark? */
static bool is_there(struct upload *u)
{
    _cleanup_buffer_ struct buffer nothing = {0};
    struct store_fault why;
    struct s3_ask ask = {.method = "HEAD", .verb = "look at", .key = u->key};
    if (s3_talk(u->s, &ask, 0, &nothing, NULL, NULL, &why) < 0)
        return false;
    const char *mark = request_header(u->s->request, MARK);
    return mark && strcmp(mark, strchr(u->mark, ' ') + 1) == 0;
}

/* The server may say 200 first, and in the body that it failed. */
static int ask_complete(struct upload *u, const struct s3_ask *ask, struct store_fault *fault)
{
    _cleanup_buffer_ struct buffer answer = {0};
    if (s3_talk(u->s, ask, S3_ANSWER_MAX, &answer, NULL, NULL, fault) < 0)
        return -1;
    struct slice xml = {answer.p, answer.n};
    _cleanup_free_ char *etag = s3_xml_find(xml, "CompleteMultipartUploadResult/ETag");
    if (etag)
        return 0;
    s3_refused(u->s, ask, 500, xml, fault);
    return -1;
}

static int complete(struct upload *u, struct store_fault *fault)
{
    char sum[SHA256_HEX];
    _cleanup_free_ char *query = xasprintf("uploadId=%s", u->id);
    buffer_put_string(&u->parts, "</CompleteMultipartUpload>");
    struct request_body body = {.p = u->parts.p, .fd = -1, .n = (int64_t)u->parts.n};
    struct s3_ask ask = {.method = "POST",
        .verb = "write",
        .key = u->key,
        .query = query,
        .headers = {"Content-Type: application/xml"},
        .body = &body,
        .sha256 = sum};
    s3_sha256((struct slice){u->parts.p, u->parts.n}, sum);
    for (int failures = 0; ask_complete(u, &ask, fault) < 0;) {
        struct store_fault why = *fault;
        if (is_there(u)) {
            *fault = (struct store_fault){0};
            return 0;
        }
        *fault = why;
        if (why.status != 500 || !s3_again(u->s, ++failures, fault))
            return -1;
    }
    return 0;
}

/* Its own failure changes nothing of what is told. */
static void throw_away(struct upload *u)
{
    _cleanup_buffer_ struct buffer answer = {0};
    _cleanup_free_ char *query = xasprintf("uploadId=%s", u->id);
    struct store_fault ignored;
    struct s3_ask ask = {.method = "DELETE", .verb = "remove", .key = u->key, .query = query};
    s3_talk(u->s, &ask, S3_ANSWER_MAX, &answer, NULL, NULL, &ignored);
}

static int send_all(struct upload *u, struct store_fault *fault)
{
    int number = 1;
    buffer_put_string(
        &u->parts, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (int64_t at = 0; at < u->size; at += u->part, number++)
        if (put_part(u, number, at, MIN(u->part, u->size - at), fault) < 0)
            return -1;
    return complete(u, fault);
}

int s3_put_parts(struct s3 *s, const char *key, int fd, int64_t size, struct store_fault *fault)
{
    _cleanup_(upload_done) struct upload u = {.s = s, .key = key, .fd = fd, .size = size};
    u.part = MAX(PART, (size + PARTS_MAX - 1) / PARTS_MAX);
    if (begin(&u, fault) < 0)
        return -1;
    if (send_all(&u, fault) == 0)
        return 0;
    throw_away(&u);
    return -1;
}
