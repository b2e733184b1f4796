/* How fast CSV becomes rows: bytes a second from memory, beside libcsv alone with callbacks that do nothing. A file may be
 * named; else a dump of providers is made up. */
#include "source/csv.h"
#include "util/buffer.h"
#include "util/clock.h"

#include <csv.h>
#include <sys/resource.h>

#define ROUNDS 7
#define SIZE   (64 << 20)
#define PIECE  65536

struct given {
    const char *p;
    size_t n, at;
};

static ssize_t give(void *arg, char *p, size_t n, struct source_fault *fault)
{
    struct given *g = arg;
    n = MIN(n, g->n - g->at);
    memcpy(p, g->p + g->at, n);
    g->at += n;
    return (ssize_t)n;
}

static void no_cell(void *p, size_t n, void *arg)
{
}

static void no_record(int c, void *arg)
{
}

static int never_a_blank(unsigned char c)
{
    return 0;
}

static double megabytes_a_second(size_t n, int64_t since)
{
    return (double)n / (double)(clock_mono_us() - since);
}

static double bare(struct slice file, bool strips)
{
    struct csv_parser parser;
    csv_init(&parser, 0);
    if (!strips)
        csv_set_space_func(&parser, never_a_blank);
    int64_t begin = clock_mono_us();
    for (size_t at = 0; at < file.n; at += PIECE)
        csv_parse(&parser, file.p + at, MIN(file.n - at, (size_t)PIECE), no_cell, no_record, NULL);
    csv_fini(&parser, no_cell, no_record, NULL);
    double speed = megabytes_a_second(file.n, begin);
    csv_free(&parser);
    return speed;
}

static double ours(struct slice file, int64_t *ret_rows)
{
    static const char *const tokens[] = {"NULL"};
    struct given g = {.p = file.p, .n = file.n};
    struct csv_bytes bytes = {.read = give, .arg = &g};
    struct csv_options options = {.label = "bench", .null_tokens = tokens, .n_null_tokens = 1};
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_fault fault;
    struct source_row row;
    int64_t begin = clock_mono_us();
    if (csv_open(&bytes, &options, &s, &fault) < 0)
        abort();
    for (*ret_rows = 0; source_next(s, &row, &fault) > 0;)
        *ret_rows += row.reason == NULL;
    return megabytes_a_second(file.n, begin);
}

static void make_up(struct buffer *file)
{
    buffer_put_string(
        file, "npi,last_name,first_name,address,city,state,postal_code,phone,taxonomy,licence\n");
    for (unsigned i = 0; file->n < SIZE; i++)
        buffer_printf(file,
            "%010u,Name%u,First%u,\"%u Main Street, Suite %u\",Springfield,NULL,%05u,,207R00000X,\"A "
            "\"\"%u\"\"\"\n",
            1000000000U + i, i % 9973, i % 499, i % 1000, i % 77, i % 99999, i);
}

static void read_file(const char *path, struct buffer *file)
{
    _cleanup_fclose_ FILE *f = fopen(path, "rb");
    if (!f)
        abort();
    for (size_t got = 1; got > 0; file->n += got) {
        if (!buffer_reserve(file, PIECE))
            abort();
        got = fread(file->p + file->n, 1, PIECE, f);
    }
}

static long peak_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

int main(int argc, char **argv)
{
    _cleanup_buffer_ struct buffer file = {0};
    if (argc > 1)
        read_file(argv[1], &file);
    else
        make_up(&file);
    struct slice all = {file.p, file.n};
    double best[3] = {0};
    int64_t rows = 0;
    long before = peak_kb();
    for (int i = 0; i < ROUNDS; i++) {
        double speeds[] = {bare(all, true), bare(all, false), ours(all, &rows)};
        for (size_t k = 0; k < N_ELEMENTS(best); k++)
            best[k] = MAX(best[k], speeds[k]);
    }
    printf("%zu MB to %lld rows: %.0f MB/s; libcsv alone %.0f MB/s, told to strip no blanks %.0f MB/s; %ld "
           "KB of memory\n",
        file.n >> 20, (long long)rows, best[2], best[0], best[1], peak_kb() - before);
    return 0;
}
