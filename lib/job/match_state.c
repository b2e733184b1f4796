#include "job/match_state.h"

#include "job/folder.h"
#include "job/member.h"
#include "util/buffer.h"
#include "util/clock.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <pthread.h>
#include <sys/stat.h>

#define FORMAT       1 /* of what is staged: another version of ours may write it differently */
#define KEPT_US      (24 * 3600 * US_PER_SEC)
#define MANIFEST     "state.json"
#define MANIFEST_TMP "state.json.tmp"
#define MANIFEST_MAX (16 * 1024 * 1024)

static const char *const parts[N_MATCH_PARTS] = {"left", "right"};

struct match_state {
    struct job_folder folder;
    pthread_mutex_t mutex; /* of the manifest */
    cJSON *manifest;
    char *fingerprint;
};

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
        openat(s->folder.fd, MANIFEST_TMP, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || write_text(fd, text, strlen(text)) < 0 ||
        renameat(s->folder.fd, MANIFEST_TMP, s->folder.fd, MANIFEST) < 0 || fsync(s->folder.fd) < 0)
        return job_folder_fail(&s->folder, "writing the file " MANIFEST, err);
    return 0;
}

/* NULL: there is none, or it is no whole one. */
static cJSON *read_manifest(const struct match_state *s, bool *ret_there)
{
    cJSON *manifest = NULL;
    struct stat st;
    struct error ignored;
    _cleanup_close_ int fd = openat(s->folder.fd, MANIFEST, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
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
    s->fingerprint = xstrdup(fingerprint);
    s->folder.fd = s->folder.lock = -1;
    pthread_mutex_init(&s->mutex, NULL);
    if (job_folder_open(folder, "match", &s->folder, ret_busy, err) < 0)
        return -1;
    take_manifest(s, notes);
    *ret_state = TAKE(s);
    return 0;
}

void match_state_free(struct match_state *s)
{
    if (!s)
        return;
    job_folder_done(&s->folder);
    pthread_mutex_destroy(&s->mutex);
    cJSON_Delete(s->manifest);
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
        unlinkat(s->folder.fd, MANIFEST, 0);
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
    unlinkat(s->folder.fd, MANIFEST, 0);
    int fd = openat(s->folder.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        closep(&fd);
        return;
    }
    for (const struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            strcmp(e->d_name, JOB_FOLDER_LOCK) != 0)
            unlinkat(s->folder.fd, e->d_name, 0);
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
