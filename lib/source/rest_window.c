#include "source/rest_window.h"

#include <endian.h>
#include <nettle/sha2.h>
#include <sys/random.h>

static size_t n_slots(const struct rest_window *w)
{
    return 2 * w->size;
}

void rest_window_init(struct rest_window *w, size_t size)
{
    *w = (struct rest_window){.size = size};
    w->recent = xcalloc(n_slots(w), sizeof(*w->recent));
    w->older = xcalloc(n_slots(w), sizeof(*w->older));
    if (getrandom(&w->seed, sizeof(w->seed), 0) != sizeof(w->seed))
        w->seed = (uint64_t)(uintptr_t)w->recent;
}

void rest_window_done(struct rest_window *w)
{
    free(w->recent);
    free(w->older);
    *w = (struct rest_window){0};
}

/* Up to 15 bytes as they are behind their number; of more a hash, with a first byte that no number is. */
static void digest(struct slice text, uint64_t out[2])
{
    unsigned char bytes[16] = {(unsigned char)(text.n + 1)};
    if (text.n < sizeof(bytes)) {
        memcpy(bytes + 1, text.p, text.n);
    } else {
        uint8_t sum[SHA256_DIGEST_SIZE];
        struct sha256_ctx ctx;
        sha256_init(&ctx);
        sha256_update(&ctx, text.n, (const uint8_t *)text.p);
        sha256_digest(&ctx, sizeof(sum), sum);
        memcpy(bytes, sum, sizeof(bytes));
        bytes[0] = 0xff;
    }
    memcpy(out, bytes, sizeof(bytes));
    out[0] = le64toh(out[0]);
}

struct rest_seen rest_seen_of(struct slice key, struct slice updated)
{
    struct rest_seen s = {0};
    uint64_t version[2];
    digest(key, s.key);
    if (updated.p) {
        digest(updated, version);
        s.version = version[0] * UINT64_C(0x9e3779b97f4a7c15) ^ version[1];
    }
    return s;
}

static size_t slot_of(const struct rest_window *w, const struct rest_seen *s)
{
    uint64_t h = (s->key[0] ^ w->seed) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ (h >> 32) ^ s->key[1]) * UINT64_C(0xd6e8feb86659fd93);
    return (size_t)((h ^ (h >> 32)) & (n_slots(w) - 1));
}

static bool is_same(const struct rest_seen *a, const struct rest_seen *b)
{
    return a->key[0] == b->key[0] && a->key[1] == b->key[1];
}

/* Where it stands in the table, or would. */
static struct rest_seen *place(
    const struct rest_window *w, struct rest_seen *table, const struct rest_seen *s)
{
    size_t at = slot_of(w, s);
    while ((table[at].key[0] || table[at].key[1]) && !is_same(&table[at], s))
        at = (at + 1) & (n_slots(w) - 1);
    return &table[at];
}

static const struct rest_seen *find(const struct rest_window *w, const struct rest_seen *s)
{
    const struct rest_seen *found = place(w, w->recent, s);
    if (!is_same(found, s))
        found = place(w, w->older, s);
    return is_same(found, s) ? found : NULL;
}

bool rest_window_has(const struct rest_window *w, const struct rest_seen *s)
{
    return find(w, s);
}

bool rest_window_has_version(const struct rest_window *w, const struct rest_seen *s)
{
    const struct rest_seen *found = find(w, s);
    return found && found->version == s->version;
}

void rest_window_note(struct rest_window *w, const struct rest_seen *s)
{
    if (w->n_recent == w->size) {
        struct rest_seen *forgotten = w->older;
        w->has_forgotten = w->has_older;
        w->has_older = true;
        w->older = w->recent;
        memset(forgotten, 0, n_slots(w) * sizeof(*forgotten));
        w->recent = forgotten;
        w->n_recent = 0;
    }
    struct rest_seen *at = place(w, w->recent, s);
    w->n_recent += !is_same(at, s);
    *at = *s;
}
