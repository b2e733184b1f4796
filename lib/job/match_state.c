#include "job/match_state.h"

#include "job/member.h"
#include "util/buffer.h"
#include "util/clock.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>

#define FORMAT       1 /* of what is staged: another version of ours may write it differently */
#define KEPT_US      (24 * 3600 * US_PER_SEC)
#define MANIFEST     "state.json"
#define MANIFEST_TMP "state.json.tmp"
#define MANIFEST_MAX (16 * 1024 * 1024)
#define LOCK         "lock"

static const char *const parts[N_MATCH_PARTS] = {"left", "right"};

struct match_state {
    char *folder;
    int dir, lock;
    pthread_mutex_t mutex; /* of the manifest */
    cJSON *manifest;
    char *fingerprint;
};

static int fail(const struct match_state *s, const char *what, struct error *err)
{
    return error_set(err,
        "the folder %s, where a match keeps what it has read, cannot be used: %s: %s; our user must be able "
        "to write there, and the disk needs room",
        s->folder, what, strerror(errno));
}

/* ---- the folder ---- */

/* Those above it, which others may see. */
static int make_parents(const struct match_state *s, struct error *err)
{
    _cleanup_free_ char *path = xstrdup(s->folder);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return fail(s, path, err);
        *slash = '/';
    }
    return 0;
}

static int open_folder(struct match_state *s, struct error *err)
{
    struct stat st;
    if (make_parents(s, err) < 0)
        return -1;
    if (mkdir(s->folder, 0700) < 0 && errno != EEXIST)
        return fail(s, "making it", err);
    s->dir = open(s->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (s->dir < 0 || fstat(s->dir, &st) < 0)
        return fail(s, "opening it", err);
    if (st.st_uid != geteuid())
        return error_set(err,
            "the folder %s belongs to another user (%u): a match keeps what it has read there, "
            "and nobody else may see it",
            s->folder, (unsigned)st.st_uid);
    if ((st.st_mode & 077) && fchmod(s->dir, 0700) < 0)
        return fail(s, "closing it to others", err);
    return 0;
}

/* ---- the lock ---- */

static int refuse_busy(const struct match_state *s, struct error *err)
{
    char pid[24] = "";
    ssize_t n = pread(s->lock, pid, sizeof(pid) - 1, 0);
    pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
    return error_set(err,
        "another run of this match is under way (process %s has %s/" LOCK "): wait for its end",
        *pid ? pid : "unknown", s->folder);
}

static int take_lock(struct match_state *s, bool *ret_busy, struct error *err)
{
    s->lock = openat(s->dir, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (s->lock < 0)
        return fail(s, "opening the file " LOCK, err);
    if (flock(s->lock, LOCK_EX | LOCK_NB) < 0) {
        *ret_busy = errno == EWOULDBLOCK;
        return *ret_busy ? refuse_busy(s, err) : fail(s, "locking the file " LOCK, err);
    }
    if (ftruncate(s->lock, 0) < 0 || dprintf(s->lock, "%d\n", (int)getpid()) < 0)
        return fail(s, "writing the file " LOCK, err);
    return 0;
}

/* ---- the manifest ---- */

static int write_text(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, text, n);
        if (written < 0 && errno != EINTR)
            return -1;
        text += MAX(written, 0);
        n -= (size_t)MAX(written, 0);
    }
    return fsync(fd);
}

static int write_manifest(const struct match_state *s, struct error *err)
{
    _cleanup_free_ char *text = cJSON_PrintUnformatted(s->manifest);
    if (!text)
        return error_set(err, "no memory for the manifest of a match");
    _cleanup_close_ int fd =
        openat(s->dir, MANIFEST_TMP, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || write_text(fd, text, strlen(text)) < 0 ||
        renameat(s->dir, MANIFEST_TMP, s->dir, MANIFEST) < 0 || fsync(s->dir) < 0)
        return fail(s, "writing the file " MANIFEST, err);
    return 0;
}

/* NULL: there is none, or it is no whole one. */
static cJSON *read_manifest(const struct match_state *s, bool *ret_there)
{
    cJSON *manifest = NULL;
    struct stat st;
    struct error ignored;
    _cleanup_close_ int fd = openat(s->dir, MANIFEST, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    *ret_there = fd >= 0 || errno != ENOENT;
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > MANIFEST_MAX)
        return NULL;
    size_t n = (size_t)st.st_size;
    _cleanup_free_ char *text = xcalloc(n, 1);
    if (pread(fd, text, n, 0) != (ssize_t)n || member_parse_object(text, n, "it", &manifest, &ignored) < 0)
        return NULL;
    return manifest;
}

/* Why what an earlier run has staged is not gone on with; NULL: it is. */
static const char *why_not(const cJSON *manifest, const char *fingerprint)
{
    int64_t format, began, now = clock_wall_us();
    const char *of = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(manifest, "fingerprint"));
    if (!manifest || !of || !member_int(cJSON_GetObjectItemCaseSensitive(manifest, "format"), &format) ||
        !member_int(cJSON_GetObjectItemCaseSensitive(manifest, "began"), &began))
        return "cannot be read";
    if (format != FORMAT)
        return "is of another version";
    if (strcmp(of, fingerprint) != 0)
        return "is of another configuration or report date";
    if (now - began > KEPT_US)
        return "is older than a day";
    return began > now ? "is of a time that has not come: the clock was set back" : NULL;
}

static void take_manifest(struct match_state *s, cJSON *notes)
{
    bool there;
    s->manifest = read_manifest(s, &there);
    const char *why = why_not(s->manifest, s->fingerprint);
    if (!why)
        return;
    match_state_clear(s);
    if (!there)
        return;
    _cleanup_free_ char *note = xasprintf("what an earlier run had staged %s: all is read again", why);
    cJSON_AddItemToArray(notes, cJSON_CreateString(note));
}

/* ---- life ---- */

int match_state_open(const char *folder, const char *fingerprint, cJSON *notes,
    struct match_state **ret_state, bool *ret_busy, struct error *err)
{
    _cleanup_(match_state_freep) struct match_state *s = xnew(struct match_state);
    s->folder = xstrdup(folder);
    s->fingerprint = xstrdup(fingerprint);
    s->dir = s->lock = -1;
    pthread_mutex_init(&s->mutex, NULL);
    *ret_busy = false;
    if (open_folder(s, err) < 0 || take_lock(s, ret_busy, err) < 0)
        return -1;
    take_manifest(s, notes);
    *ret_state = TAKE(s);
    return 0;
}

void match_state_free(struct match_state *s)
{
    if (!s)
        return;
    closep(&s->dir);
    closep(&s->lock);
    pthread_mutex_destroy(&s->mutex);
    cJSON_Delete(s->manifest);
    free(s->folder);
    free(s->fingerprint);
    free(s);
}

const cJSON *match_state_part(const struct match_state *s, enum match_part part)
{
    const cJSON *saved = cJSON_GetObjectItemCaseSensitive(s->manifest, parts[part]);
    return cJSON_IsObject(saved) ? saved : NULL;
}

int match_state_save(struct match_state *s, enum match_part part, cJSON *saved, struct error *err)
{
    pthread_mutex_lock(&s->mutex);
    cJSON_DeleteItemFromObjectCaseSensitive(s->manifest, parts[part]);
    cJSON_AddItemToObject(s->manifest, parts[part], saved);
    int r = write_manifest(s, err);
    pthread_mutex_unlock(&s->mutex);
    return r;
}

void match_state_forget(struct match_state *s, enum match_part part)
{
    struct error ignored;
    pthread_mutex_lock(&s->mutex);
    cJSON_DeleteItemFromObjectCaseSensitive(s->manifest, parts[part]);
    if (write_manifest(s, &ignored) < 0)
        unlinkat(s->dir, MANIFEST, 0);
    pthread_mutex_unlock(&s->mutex);
}

/* The manifest first: without it the rest is nothing. */
void match_state_clear(struct match_state *s)
{
    cJSON_Delete(s->manifest);
    s->manifest = cJSON_CreateObject();
    cJSON_AddStringToObject(s->manifest, "fingerprint", s->fingerprint);
    member_add_int(s->manifest, "format", FORMAT);
    member_add_int(s->manifest, "began", clock_wall_us());
    unlinkat(s->dir, MANIFEST, 0);
    int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        closep(&fd);
        return;
    }
    for (const struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && strcmp(e->d_name, LOCK) != 0)
            unlinkat(s->dir, e->d_name, 0);
    closedir(dir);
}

void match_fingerprint(const char *text, char ret[MATCH_FINGERPRINT_SIZE])
{
    struct sha256_ctx sum;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&sum);
    sha256_update(&sum, strlen(text), (const uint8_t *)text);
    sha256_digest(&sum, sizeof(digest), digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}
