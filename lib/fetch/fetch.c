/* The face of the room: a wire, and on it an unpacker where the first bytes say that it is packed. */
#include "fetch/inside.h"

#include "fetch/http.h"
#include "fetch/open.h"
#include "util/clock.h"

#include <strings.h>

struct fetch {
    struct wire *wire;
    struct intake intake;
    struct unpacker *unpacker; /* NULL: as it is, or not known yet */
    char *member;
    bool begun, ended;
    char first[PACKED_MAGIC]; /* what was handed out first */
    size_t n_first;
    int64_t unpacked;
    struct fetch_fault fault; /* it failed, and stays so */
};

static struct fetch_options complete(const struct fetch_options *options)
{
    struct fetch_options o = options ? *options : (struct fetch_options){.retries = -1};
    o.retries = o.retries < 0 ? 5 : o.retries;
    o.retry_after_us = o.retry_after_us > 0 ? o.retry_after_us : 500 * US_PER_MS;
    o.stall_us = o.stall_us > 0 ? o.stall_us : 30 * US_PER_SEC;
    o.connect_timeout_us = o.connect_timeout_us > 0 ? o.connect_timeout_us : 10 * US_PER_SEC;
    return o;
}

bool fetch_is_file(const char *url)
{
    return strncasecmp(url, "file:", 5) == 0;
}

int fetch_open(const char *url, const struct fetch_options *options, struct fetch **ret_fetch,
    enum fetch_answer *ret_answer, struct fetch_fault *fault)
{
    struct fetch_options o = complete(options);
    enum fetch_answer answer;
    struct wire *wire;
    *fault = (struct fetch_fault){0};
    if (o.member && !glob_is_sound(o.member, &fault->error))
        return -1;
    if ((fetch_is_file(url) ? file_open : http_open)(url, &o, &wire, &answer, fault) < 0)
        return -1;
    struct fetch *f = xnew(struct fetch);
    f->wire = wire;
    f->member = xstrdup(o.member);
    f->ended = answer == FETCH_UNCHANGED;
    *ret_fetch = f;
    *ret_answer = answer;
    return 0;
}

void fetch_free(struct fetch *f)
{
    if (!f)
        return;
    if (f->unpacker)
        f->unpacker->driver->free(f->unpacker);
    f->wire->driver->free(f->wire);
    free(f->intake.block);
    free(f->member);
    free(f);
}

const struct target *fetch_target(const struct fetch *f)
{
    return http_target(f->wire);
}

const char *fetch_packed_as(struct slice first)
{
    if (first.n >= 3 && memcmp(first.p, "\x1F\x8B\x08", 3) == 0)
        return "gzip";
    static const char *const zips[] = {
        "PK\3\4", "PK\5\6", "PK\7\10"}; /* a member, none, one of several volumes */
    for (size_t i = 0; i < N_ELEMENTS(zips); i++)
        if (first.n >= 4 && memcmp(first.p, zips[i], 4) == 0)
            return "zip";
    return NULL;
}

static int begin(struct fetch *f, struct fetch_fault *fault)
{
    struct slice first;
    f->intake = (struct intake){.wire = f->wire, .block = xcalloc(INTAKE_BLOCK, 1)};
    f->begun = true;
    if (intake_peek(&f->intake, PACKED_MAGIC, &first, fault) < 0)
        return -1;
    const char *packed = fetch_packed_as(first);
    if (!packed) {
        if (f->member)
            return fetch_fault_set(fault, false,
                "%s is no zip, so there is no member %s in it: leave the member out", f->wire->label,
                f->member);
        return 0;
    }
    bool zip = strcmp(packed, "zip") == 0;
    f->unpacker = zip ? zip_new(&f->intake, f->member) : gzip_new(&f->intake);
    return 0;
}

static ssize_t read_plain(struct fetch *f, char *p, size_t n, struct fetch_fault *fault)
{
    struct slice ahead;
    if (f->intake.at == f->intake.n)
        return wire_read(f->wire, p, n, fault);
    ahead = (struct slice){f->intake.block + f->intake.at, f->intake.n - f->intake.at};
    n = MIN(n, ahead.n);
    memcpy(p, ahead.p, n);
    f->intake.at += n;
    return (ssize_t)n;
}

/* What is packed in what was packed is refused, not handed out as if it were rows. */
static int check_first(struct fetch *f, const char *p, size_t n, struct fetch_fault *fault)
{
    if (!f->unpacker || f->n_first == sizeof(f->first))
        return 0;
    n = MIN(n, sizeof(f->first) - f->n_first);
    memcpy(f->first + f->n_first, p, n);
    f->n_first += n;
    const char *packed = fetch_packed_as((struct slice){f->first, f->n_first});
    if (!packed)
        return 0;
    fault->wrong = FETCH_PACKED_TWICE;
    return fetch_fault_set(fault, false, "%s is packed twice: in it is another %s%s%s. Have it packed once",
        f->wire->label, packed, f->unpacker->name ? ", " : "", f->unpacker->name ? f->unpacker->name : "");
}

static ssize_t read_some(struct fetch *f, char *p, size_t n, struct fetch_fault *fault)
{
    if (!f->begun && begin(f, fault) < 0)
        return -1;
    ssize_t got =
        f->unpacker ? f->unpacker->driver->read(f->unpacker, p, n, fault) : read_plain(f, p, n, fault);
    if (got > 0 && check_first(f, p, (size_t)got, fault) < 0)
        return -1;
    return got;
}

ssize_t fetch_read(struct fetch *f, char *p, size_t n, struct fetch_fault *fault)
{
    *fault = f->fault;
    if (f->fault.error.text[0])
        return -1;
    if (f->ended || n == 0)
        return 0;
    ssize_t got = read_some(f, p, n, fault);
    if (got < 0)
        f->fault = *fault;
    else if (got == 0)
        f->ended = true;
    else
        f->unpacked += got;
    return got;
}

void fetch_facts(const struct fetch *f, struct fetch_facts *ret_facts)
{
    const struct wire *w = f->wire;
    bool summed = f->ended && w->sum[0];
    *ret_facts = (struct fetch_facts){.url = w->url,
        .name = f->unpacker && f->unpacker->name ? f->unpacker->name : w->name,
        .etag = w->etag,
        .last_modified = w->last_modified,
        .content_type = w->content_type,
        .modified_us = w->modified_us,
        .total = w->total,
        .received = w->received,
        .unpacked = f->unpacked,
        .sha256 = summed ? w->sum : NULL,
        .resumed = w->resumed};
}
