#include "job/harmonize/seen.h"

#include "job/harmonize/ask.h"
#include "job/job.h"
#include "util/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#define SEEN     "published"
#define SEEN_NEW "published.new"
#define SEEN_MAX 4096

/* "7 s3://lake/north\n". 0: nothing was seen, or of another lake. */
static int64_t number_seen(const struct harmonize *h)
{
    char text[SEEN_MAX], *end;
    _cleanup_close_ int fd = openat(h->folder.fd, SEEN, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0 || text[n - 1] != '\n')
        return 0;
    text[n - 1] = '\0';
    int64_t number = strtoll(text, &end, 10);
    return *end == ' ' && strcmp(end + 1, store_label(h->lake_store)) == 0 ? number : 0;
}

int seen_check(const struct harmonize *h, struct db_fault *fault)
{
    char found[64] = "has no pointer";
    int64_t seen = number_seen(h);
    if (h->published >= seen)
        return 0;
    if (h->published > 0)
        snprintf(found, sizeof(found), "has no pointer behind number %" PRId64, h->published);
    return job_refuse(fault,
        "the lake %s %s, and this machine has seen number %" PRId64
        ": is what belongs there mounted, or was an older copy put back? A run would give ids that are "
        "taken. "
        "Where it is meant to begin there, remove %s/" SEEN,
        store_label(h->lake_store), found, seen, h->job->folder);
}

void seen_keep(struct harmonize *h)
{
    _cleanup_free_ char *text = xasprintf("%" PRId64 " %s\n", h->published, store_label(h->lake_store));
    _cleanup_close_ int fd =
        openat(h->folder.fd, SEEN_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    ssize_t n = (ssize_t)strlen(text);
    if (fd >= 0 && write(fd, text, (size_t)n) == n && fsync(fd) == 0 &&
        renameat(h->folder.fd, SEEN_NEW, h->folder.fd, SEEN) == 0)
        return;
    harmonize_note(h, "%s/" SEEN " cannot be written (%s): a lake that is put back will not be noticed",
        h->job->folder, strerror(errno));
}
