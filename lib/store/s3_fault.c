/* The server's no in words of ours: by the code in its XML, or by the status where there is none. Its own words are not shown:
 * they may hold what is nobody's business, as the bytes it signed. */
#include "store/s3_inside.h"
#include "store/s3_xml.h"

#include "util/clock.h"
#include "util/text.h"

#include <inttypes.h>

enum kind { LASTING, TRANSIENT, ABSENT, NO_OBJECT, CLOCK, REGION, DENIED, CHANGED };

static const struct {
    const char *code;
    enum kind kind;
    const char *words;
} list[] = {
    {"AccessDenied", DENIED, "access is denied"},
    {"AccountProblem", DENIED, "there is a problem with the account: ask whoever keeps the server"},
    {"AllAccessDisabled", DENIED, "all access to it is disabled: ask whoever keeps the server"},
    {"AuthorizationHeaderMalformed", REGION, ""},
    {"BadDigest", TRANSIENT, "what arrived there is not what was sent"},
    {"ConditionalRequestConflict", TRANSIENT, "somebody else writes it at this moment"},
    {"EntityTooLarge", LASTING, "it is larger than the server takes"},
    {"ExpiredToken", DENIED, "the session token has expired: write a new one into the credentials_file"},
    {"IllegalLocationConstraintException", REGION, ""},
    {"IncompleteBody", TRANSIENT, "not all of it arrived there"},
    {"InternalError", TRANSIENT, "the server has a fault"},
    {"InvalidAccessKeyId", DENIED,
        "the server does not know the access key: check the credentials_file, and the endpoint"},
    {"InvalidBucketName", LASTING, "that is no name of a bucket: check the url"},
    {"InvalidObjectState", LASTING, "it is in an archive: restore it first"},
    {"InvalidToken", DENIED, "the session token is none of the server's: check the credentials_file"},
    {"KeyTooLongError", LASTING, "the key is too long for the server, with the prefix"},
    {"MethodNotAllowed", LASTING, "the server does not allow that"},
    {"NoSuchBucket", ABSENT, "there is no such bucket: check the url and the endpoint, or have it made"},
    {"NoSuchKey", NO_OBJECT, ""},
    {"NoSuchUpload", LASTING, "the upload is gone: somebody aborted it, or a rule of the bucket"},
    {"NotImplemented", LASTING, "the server does not know how"},
    {"OperationAborted", TRANSIENT, "somebody else changes it at this moment"},
    {"PermanentRedirect", REGION, ""},
    {"PreconditionFailed", CHANGED, ""},
    {"QuotaExceeded", LASTING, "the bucket is full: its quota is used up"},
    {"RequestTimeTooSkewed", CLOCK, ""},
    {"RequestTimeout", TRANSIENT, "the server had to wait too long for us"},
    {"ServiceUnavailable", TRANSIENT, "the server is overloaded, or under repair"},
    {"SignatureDoesNotMatch", DENIED,
        "the secret key is not the one of this access key: check the credentials_file, and the region"},
    {"SlowDown", TRANSIENT, "the server is asked too often"},
    {"TemporaryRedirect", REGION, ""},
    {"XAmzContentSHA256Mismatch", TRANSIENT, "what arrived there is not what was sent"},
    {"XMinioStorageFull", LASTING, "the disk of the server is full"},
};

/* Letters and digits alone, as all codes are. */
static bool is_code(const char *code)
{
    size_t n = strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
    return n > 0 && n <= 64 && !code[n];
}

/* By how much the clocks differ, and whose is ahead. */
static void tell_clock(const struct s3 *s, const char *what, struct store_fault *fault)
{
    const char *date = request_header(s->request, "Date");
    time_t theirs = date ? curl_getdate(date, NULL) : -1;
    int64_t ahead = clock_wall_us() - (int64_t)theirs * US_PER_SEC;
    char by[32];
    if (theirs < 0) {
        store_fault_set(fault, false,
            "cannot %s: the clocks of this machine and of the server differ too much: have both set by NTP",
            what);
        return;
    }
    store_fault_set(fault, false,
        "cannot %s: this machine's clock is %s %s the server's, and a signature holds for minutes: have it "
        "set by NTP "
        "(timedatectl), or the server's if that is the wrong one",
        what, text_duration(ahead < 0 ? -ahead : ahead, by), ahead < 0 ? "behind" : "ahead of");
}

static void tell_region(const struct s3 *s, const char *what, struct store_fault *fault)
{
    const char *other = request_header(s->request, "x-amz-bucket-region");
    bool known =
        other && strlen(other) <= 40 && !other[strspn(other, "abcdefghijklmnopqrstuvwxyz0123456789-")];
    store_fault_set(fault, false,
        "cannot %s: the bucket is of another region than %s%s%s: set `region`, and the endpoint where one is "
        "given",
        what, s->region, known ? ", of " : "", known ? other : "");
}

static void tell_denied(const struct s3 *s, const char *what, const char *words, struct store_fault *fault)
{
    bool rights = strcmp(words, "access is denied") == 0;
    store_fault_set(fault, false, "cannot %s: %s%s", what, words,
        !rights   ? ""
        : s->sign ? ": whoever has this access key needs the right to it (s3:ListBucket of the bucket; "
                    "s3:GetObject, "
                    "s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload of its keys)"
                  : ": requests are not signed, as there is no credentials_file");
}

static void tell_status(
    const struct s3_ask *ask, const char *what, int status, const char *code, struct store_fault *fault)
{
    const char *advice = status == 403 ? ": access is denied; check the credentials_file, and what it allows"
                         : status == 404 ? ": there is nothing under that name"
                         : status < 400  ? ": it redirects; check the endpoint and the region"
                                         : answer_advice(status);
    store_fault_set(fault, answer_is_transient(status) && status != 501 && status != 507,
        "cannot %s: the server answered %d%s%s%s", what, status, *code ? " " : "", code, advice);
    fault->absent = status == 404;
}

static void tell(
    struct s3 *s, const struct s3_ask *ask, size_t i, const char *what, struct store_fault *fault)
{
    switch (list[i].kind) {
    case CLOCK:
        return tell_clock(s, what, fault);
    case REGION:
        return tell_region(s, what, fault);
    case DENIED:
        return tell_denied(s, what, list[i].words, fault);
    case NO_OBJECT:
        store_absent(&s->base, ask->key ? ask->key : "", fault);
        return;
    case CHANGED:
        store_changed(&s->base, ask->key ? ask->key : "", fault);
        return;
    default:
        store_fault_set(fault, list[i].kind == TRANSIENT, "cannot %s: %s", what, list[i].words);
        fault->absent = s->no_bucket = list[i].kind == ABSENT;
    }
}

int s3_refused(
    struct s3 *s, const struct s3_ask *ask, int status, struct slice xml, struct store_fault *fault)
{
    _cleanup_free_ char *code = s3_xml_find(xml, "Error/Code"), *what = s3_what(s, ask);
    size_t i = N_ELEMENTS(list);
    if (code && is_code(code))
        for (i = 0; i < N_ELEMENTS(list) && strcmp(list[i].code, code) != 0; i++)
            ;
    if (i < N_ELEMENTS(list))
        tell(s, ask, i, what, fault);
    else if (status == 412)
        store_changed(&s->base, ask->key ? ask->key : "", fault);
    else if (status == 404 && ask->key)
        store_absent(&s->base, ask->key, fault);
    else
        tell_status(ask, what, status, code && is_code(code) ? code : "", fault);
    fault->status = status;
    return -1;
}
