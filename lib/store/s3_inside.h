#pragma once
/* A bucket of an S3-compatible server: what its files say to each other. */
#include "fetch/request.h"
#include "store/driver.h"

#define SHA256_HEX     (2 * SHA256_DIGEST_SIZE + 1)
#define S3_HEADERS_MAX 4
#define S3_BLOCK       ((size_t)128 * 1024)
#define S3_ANSWER_MAX  ((size_t)8 << 20) /* of what is no object: a thousand keys, a fault */
/* What tells whether the server heeds a condition; it stays there. */
#define S3_PROBE ".ingestd-probe"

struct s3 {
    struct store base;
    bool tls;     /* to it */
    char *origin; /* "https://bucket.host", "http://host:9000/bucket" */
    char *prefix; /* of all keys: "", or with its slash */
    char *region;
    char *sign; /* for libcurl; NULL: requests are not signed */
    char *access_key, *secret_key, *token, *ca_file;
    int retries;
    int64_t pause_us, stall_us;
    int64_t retry_after_us; /* as the last refusal said; -1: it did not */
    bool no_bucket;         /* as the last refusal said */
    struct request *request;
    struct curl_slist *sent; /* the headers of the question under way */
    char *block;             /* S3_BLOCK bytes of a download; or NULL: there was none yet */
    bool heeds_conditions;   /* that was found out */
    const atomic_bool *stop;
};

/* One question. */
struct s3_ask {
    const char *method;
    const char *verb;  /* for messages: "read" */
    const char *key;   /* or NULL: it is of the bucket */
    const char *query; /* in order and encoded, as it is signed; or NULL */
    const char *headers[S3_HEADERS_MAX];
    const struct request_body *body; /* or NULL */
    const char *sha256;              /* of the body; NULL: of nothing */
    bool alone;                      /* not on a connection of before, where libcurl would ask twice unseen */
};

/* The URL's part behind the origin, with all that is not plain as %XX, as AWS wants it. */
void s3_encode(struct buffer *out, const char *text, bool keep_slash);
void s3_sha256(struct slice bytes, char out[SHA256_HEX]);

/* Asks once, and waits for the headers. 0: it is a success (2xx), whose body is to be read. -1: it did not get that far, or
 * the server says no, and why was read. */
int s3_begin(struct s3 *s, const struct s3_ask *ask, struct answer *ret_answer, struct store_fault *fault);
/* The rest of the body; more than max is a fault, and so is less than was promised. */
int s3_read_body(
    struct s3 *s, const struct s3_ask *ask, size_t max, struct buffer *into, struct store_fault *fault);
/* After the n-th failure in a row: waits and returns true when it is worth another try. Else the fault says how many there were. */
bool s3_again(struct s3 *s, int failures, struct store_fault *fault);
/* All of it, as often as it takes. ret_answer and ret_attempts (how many failed) may be NULL. */
int s3_talk(struct s3 *s, const struct s3_ask *ask, size_t max, struct buffer *into,
    struct answer *ret_answer, int *ret_attempts, struct store_fault *fault);

/* "read KEY in s3://bucket". A new string. */
char *s3_what(const struct s3 *s, const struct s3_ask *ask);
/* The server's no, from its status and the XML behind it; it returns -1. */
int s3_refused(
    struct s3 *s, const struct s3_ask *ask, int status, struct slice xml, struct store_fault *fault);

int s3_list(struct store *s, const char *prefix, const char *after, store_listed *fn, void *arg,
    struct store_fault *fault);
int s3_head(struct store *s, const char *key, struct store_object *ret_object, struct store_fault *fault);
int s3_get_file(
    struct store *s, const char *key, const char *etag, const char *path, struct store_fault *fault);
int s3_get(struct store *s, const char *key, size_t max, struct buffer *into, struct store_fault *fault);
int s3_put_file(struct store *s, const char *key, const char *path, struct store_fault *fault);
int s3_put(struct store *s, const char *key, struct slice bytes, bool fresh, struct store_fault *fault);
int s3_remove(struct store *s, const char *key, struct store_fault *fault);

/* A file of more than a part, in parts. */
int s3_put_parts(struct s3 *s, const char *key, int fd, int64_t size, struct store_fault *fault);
/* What is signed for a part of a file: its sum; by TLS, which sees to it that it arrives as it is, a word that says so. 0, or
 * -1 where it cannot be read. */
int s3_sha256_file(const struct s3 *s, int fd, int64_t at, int64_t n, char out[SHA256_HEX]);
