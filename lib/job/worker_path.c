#include "job/worker_path.h"

#include "util/cleanup.h"

char *worker_path(void)
{
    static const char *const beside[] = {
        "../ingest-worker/ingest-worker", "../libexec/ingestd/ingest-worker"};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;
    for (size_t i = 0; slash && i < N_ELEMENTS(beside); i++) {
        _cleanup_free_ char *path = xasprintf("%.*s/%s", (int)(slash - self), self, beside[i]);
        if (access(path, X_OK) == 0)
            return TAKE(path);
    }
    return xstrdup(INGESTD_LIBEXECDIR "/ingest-worker");
}
