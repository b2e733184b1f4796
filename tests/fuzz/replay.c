/* Runs a fuzz target over every file of a folder: the corpus as a plain test, under any compiler and
 * sanitizer. */
#include "util/buffer.h"

#include <dirent.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void run_file(const char *path)
{
    _cleanup_fclose_ FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    _cleanup_buffer_ struct buffer b = {0};
    size_t got;
    do {
        if (!buffer_reserve(&b, 65536))
            abort();
        got = fread(b.p + b.n, 1, 65536, f);
        b.n += got;
    } while (got > 0);
    LLVMFuzzerTestOneInput((const uint8_t *)b.p, b.n);
}

int main(int argc, char **argv)
{
    DIR *dir = argc > 1 ? opendir(argv[1]) : NULL;
    if (!dir) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 2;
    }
    int n = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        _cleanup_free_ char *path = xasprintf("%s/%s", argv[1], e->d_name);
        run_file(path);
        n++;
    }
    closedir(dir);
    printf("%d inputs replayed\n", n);
    return n > 0 ? 0 : 1;
}
