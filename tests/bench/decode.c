/* How long a claim of 60 bytes takes to become a row: nanoseconds per entry, the best and the middle of many
 * rounds. */
#include "stream/decode.h"
#include "util/clock.h"

#define ROUNDS 101
#define ROWS   20000

static struct column columns[] = {
    {.name = (char[]){"id"}, .field = (char[]){"id"}, .not_null = true, .kind = VALUE_INT8},
    {.name = (char[]){"code"},
        .field = (char[]){"code"},
        .not_null = true,
        .kind = VALUE_TEXT,
        .max_chars = 10},
    {.name = (char[]){"price"}, .field = (char[]){"price"}, .not_null = true, .kind = VALUE_NUMERIC},
    {.name = (char[]){"patient_id"}, .field = (char[]){"patient_id"}, .not_null = true, .kind = VALUE_INT4},
    {.name = (char[]){"tsp"}, .received = true, .not_null = true, .kind = VALUE_TIMESTAMP},
};

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double round_of(struct decoder *d, const struct entry *e, struct buffer *row)
{
    char detail[DETAIL_MAX];
    for (size_t i = 0; i < N_ELEMENTS(columns); i++)
        row[i].n = 0;
    int64_t begin = clock_mono_us();
    for (int i = 0; i < ROWS; i++)
        if (decoder_row(d, e, row, detail) != REASON_NONE)
            abort();
    return (double)(clock_mono_us() - begin) * 1000 / ROWS;
}

int main(void)
{
    static const char claim[] = "{\"id\": 123456, \"patient_id\": 67, \"code\": \"03230\", \"price\": 3}";
    static const struct table table = {.columns = columns, .n_columns = N_ELEMENTS(columns)};
    struct entry e = {.shape = ENTRY_JSON, .payload = SLICE(claim), .received_us = INT64_C(1714550400000000)};
    _cleanup_(decoder_freep) struct decoder *d = decoder_new(&table);
    struct buffer row[N_ELEMENTS(columns)] = {0};
    double ns[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++)
        ns[i] = round_of(d, &e, row);
    qsort(ns, ROUNDS, sizeof(*ns), by_size);
    printf("%zu bytes of claim to a row of %zu columns: %.0f ns, at best %.0f ns\n", strlen(claim),
        N_ELEMENTS(columns), ns[ROUNDS / 2], ns[0]);
    for (size_t i = 0; i < N_ELEMENTS(columns); i++)
        buffer_done(&row[i]);
    return 0;
}
