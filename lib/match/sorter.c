#include "match/saved.h"
#include "match/sorter_inside.h"

#include <endian.h>

#define MEMORY_LEAST ((size_t)64 << 10)
#define MEMORY_MOST  ((size_t)1 << 30) /* places in the arena are 32 bits */
#define LAST_KEY_MAX 65536
#define FEW          12 /* are sorted by insertion */

uint64_t sorter_prefix(struct slice key)
{
    uint64_t prefix = 0;
    if (key.n > 0)
        memcpy(&prefix, key.p, MIN(key.n, sizeof(prefix)));
    return be64toh(prefix);
}

/* ---- opening ---- */

static struct sorter *new_sorter(const struct sorter_options *o)
{
    struct sorter *s = xnew(struct sorter);
    s->file.fd = -1;
    s->memory = MAX(MIN(o->memory, MEMORY_MOST), MEMORY_LEAST);
    s->share = o->share;
    s->part = o->part;
    return s;
}

/* A sixteenth is the writer's. */
static void begin_writing(struct sorter *s, int64_t end)
{
    size_t mine = s->memory / 16;
    s->arena_size = (s->memory - mine) / 16 * 16;
    run_writer_init(&s->writer, &s->file, end, mine);
}

int sorter_open(const struct sorter_options *options, struct sorter **ret_sorter, struct error *err)
{
    _cleanup_(sorter_freep) struct sorter *s = new_sorter(options);
    if (run_file_make(&s->file, options->path, options->keep, err) < 0)
        return -1;
    begin_writing(s, 0);
    *ret_sorter = TAKE(s);
    return 0;
}

static void drop_arena(struct sorter *s)
{
    if (s->share)
        share_hold(s->share, -(int64_t)s->n_entries);
    s->n_entries = s->arena_used = 0;
    free(TAKE(s->arena));
}

void sorter_free(struct sorter *s)
{
    if (!s)
        return;
    sorter_end_merge(s);
    drop_arena(s);
    run_writer_done(&s->writer);
    run_file_done(&s->file);
    buffer_done(&s->last_key);
    free(s->runs);
    free(s);
}

int64_t sorter_records(const struct sorter *s)
{
    return s->records;
}

/* ---- sorting ---- */

static bool is_after(const char *arena, const struct sorter_entry *a, const struct sorter_entry *b)
{
    if (a->prefix != b->prefix)
        return a->prefix > b->prefix;
    struct slice x = {arena + a->at + RUN_HEAD, a->n_key}, y = {arena + b->at + RUN_HEAD, b->n_key};
    return slice_order(x, y) > 0;
}

static void sort_few(const char *arena, struct sorter_entry *e, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct sorter_entry one = e[i];
        size_t at = i;
        for (; at > 0 && is_after(arena, &e[at - 1], &one); at--)
            e[at] = e[at - 1];
        e[at] = one;
    }
}

/* Merge sort, which leaves alone what is in order; spare: room for half of them. */
static void sort(const char *arena, struct sorter_entry *e, size_t n, struct sorter_entry *spare)
{
    if (n <= FEW) {
        sort_few(arena, e, n);
        return;
    }
    size_t half = n / 2, i = 0, j = half, to = 0;
    sort(arena, e, half, spare);
    sort(arena, e + half, n - half, spare);
    if (!is_after(arena, &e[half - 1], &e[half]))
        return;
    memcpy(spare, e, half * sizeof(*e));
    while (i < half && j < n)
        e[to++] = is_after(arena, &spare[i], &e[j]) ? e[j++] : spare[i++];
    while (i < half)
        e[to++] = spare[i++];
}

/* They lie in the arena from its end down, so the last one put in is the first. */
static struct sorter_entry *entries(struct sorter *s)
{
    return (struct sorter_entry *)(s->arena + s->arena_size) - s->n_entries;
}

static struct sorter_entry *sorted(struct sorter *s)
{
    struct sorter_entry *e = entries(s);
    size_t n = s->n_entries;
    for (size_t i = 0; i < n / 2; i++) {
        struct sorter_entry one = e[i];
        e[i] = e[n - 1 - i];
        e[n - 1 - i] = one;
    }
    sort(s->arena, e, n, e - n / 2);
    return e;
}

/* ---- runs ---- */

/* What is put next goes to the end of the last run where it goes on with its order, else it begins another. */
static struct run *begin_run(struct sorter *s, struct slice smallest)
{
    struct slice last = {s->last_key.p, s->last_key.n};
    if (s->has_last_key && slice_order(smallest, last) >= 0)
        return &s->runs[s->n_runs - 1];
    if (s->n_runs % 64 == 0)
        s->runs = xrealloc(s->runs, s->n_runs + 64, sizeof(*s->runs));
    s->runs[s->n_runs] = run_begin(&s->writer);
    return &s->runs[s->n_runs++];
}

static int end_run(struct sorter *s, struct slice greatest, struct error *err)
{
    s->has_last_key = greatest.n <= LAST_KEY_MAX;
    s->last_key.n = 0;
    if (s->has_last_key)
        buffer_put(&s->last_key, greatest.p, greatest.n);
    if (run_flush(&s->writer, err) < 0)
        return -1;
    if (s->n_runs <= RUNS_MAX)
        return 0;
    drop_arena(s);
    return sorter_thin(s, RUNS_MAX / 2, err);
}

static struct slice key_of(const struct sorter *s, const struct sorter_entry *e)
{
    return (struct slice){s->arena + e->at + RUN_HEAD, e->n_key};
}

static struct slice value_of(const struct sorter *s, const struct sorter_entry *e)
{
    uint32_t n;
    memcpy(&n, s->arena + e->at + sizeof(n), sizeof(n));
    return (struct slice){s->arena + e->at + RUN_HEAD + e->n_key, n};
}

static int write_run(struct sorter *s, struct error *err)
{
    size_t n = s->n_entries;
    if (n == 0)
        return 0;
    struct sorter_entry *e = sorted(s);
    struct run *run = begin_run(s, key_of(s, e));
    for (size_t i = 0; i < n; i++) {
        __builtin_prefetch(s->arena + e[MIN(i + 8, n - 1)].at);
        if (run_put(&s->writer, run, key_of(s, &e[i]), value_of(s, &e[i]), err) < 0)
            return -1;
    }
    if (s->share)
        share_hold(s->share, -(int64_t)n);
    s->n_entries = s->arena_used = 0;
    return end_run(s, key_of(s, &e[n - 1]), err);
}

static int put_large(struct sorter *s, struct slice key, struct slice value, struct error *err)
{
    struct run *run = begin_run(s, key);
    return run_put(&s->writer, run, key, value, err) < 0 ? -1 : end_run(s, key, err);
}

/* ---- putting in ---- */

static bool has_room(const struct sorter *s, size_t size)
{
    size_t n = s->n_entries + 1;
    size_t taken = s->arena_used + (n + n / 2) * sizeof(struct sorter_entry);
    return taken <= s->arena_size && size <= s->arena_size - taken;
}

static void gather(struct sorter *s, struct slice key, struct slice value)
{
    const uint32_t head[2] = {(uint32_t)key.n, (uint32_t)value.n};
    char *p = s->arena + s->arena_used;
    memcpy(p, head, RUN_HEAD);
    if (key.n > 0)
        memcpy(p + RUN_HEAD, key.p, key.n);
    if (value.n > 0)
        memcpy(p + RUN_HEAD + key.n, value.p, value.n);
    s->n_entries++;
    *entries(s) = (struct sorter_entry){sorter_prefix(key), (uint32_t)s->arena_used, head[0]};
    s->arena_used += RUN_HEAD + key.n + value.n;
    if (s->share)
        share_hold(s->share, 1);
}

int sorter_put(struct sorter *s, struct slice key, struct slice value, struct error *err)
{
    if (s->reading)
        return error_set(err, "cannot put records into %s: it is being read", s->file.path);
    size_t size = RUN_HEAD + MIN(key.n, (size_t)RECORD_MAX + 1) + MIN(value.n, (size_t)RECORD_MAX + 1);
    if (!has_room(s, size) && write_run(s, err) < 0)
        return -1;
    s->records++;
    if (!has_room(s, size))
        return put_large(s, key, value, err);
    if (!s->arena)
        s->arena = xrealloc(NULL, s->arena_size, 1);
    gather(s, key, value);
    if (s->share && (int64_t)s->n_entries >= share_part(s->share, s->part))
        return write_run(s, err);
    return 0;
}

int sorter_rewind(struct sorter *s, struct error *err)
{
    s->reading = false;
    sorter_end_merge(s);
    if (write_run(s, err) < 0)
        return -1;
    drop_arena(s);
    if (sorter_begin_merge(s, err) < 0)
        return -1;
    free(TAKE(s->writer.p));
    s->reading = true;
    return 0;
}

/* ---- saving ---- */

/* [where, bytes, records, smallest, largest] of each. */
static cJSON *runs_to_json(const struct sorter *s)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < s->n_runs; i++) {
        const struct run *r = &s->runs[i];
        const int64_t numbers[] = {r->at, r->n_bytes, r->records, r->least, r->most};
        cJSON *one = cJSON_CreateArray();
        for (size_t j = 0; j < N_ELEMENTS(numbers); j++)
            cJSON_AddItemToArray(one, cJSON_CreateNumber((double)numbers[j]));
        cJSON_AddItemToArray(list, one);
    }
    return list;
}

int sorter_save(struct sorter *s, struct cJSON **ret_saved, struct error *err)
{
    if (write_run(s, err) < 0 || run_flush(&s->writer, err) < 0 || run_file_sync(&s->file, err) < 0)
        return -1;
    cJSON *saved = cJSON_CreateObject();
    cJSON_AddNumberToObject(saved, "records", (double)s->records);
    cJSON_AddItemToObject(saved, "runs", runs_to_json(s));
    *ret_saved = saved;
    return 0;
}

static bool parse_run(const cJSON *json, int64_t file_size, struct run *ret)
{
    int64_t n[5];
    const cJSON *item = cJSON_IsArray(json) ? json->child : NULL;
    for (size_t i = 0; i < N_ELEMENTS(n); i++, item = item->next)
        if (!item || (n[i] = saved_number(item)) < 0)
            return false;
    *ret = (struct run){n[0], n[1], n[2], n[3], n[4]};
    return ret->at <= file_size && ret->n_bytes <= file_size - ret->at && ret->records > 0 &&
           ret->least >= RUN_HEAD && ret->most >= ret->least && ret->most <= RUN_HEAD + RECORD_MAX &&
           ret->records <= ret->n_bytes / ret->least;
}

static int take_runs(struct sorter *s, const cJSON *saved, int64_t size, int64_t *ret_end, struct error *err)
{
    int64_t records = 0, end = 0;
    const cJSON *item, *list = cJSON_GetObjectItemCaseSensitive(saved, "runs");
    cJSON_ArrayForEach(item, list)
    {
        struct run run;
        if (s->n_runs >= RUNS_MAX || !parse_run(item, size, &run))
            return run_file_damaged(
                &s->file, "it is shorter than what was saved of it, or that is damaged", err);
        *begin_run(s, (struct slice){0}) = run;
        records += run.records;
        end = MAX(end, run.at + run.n_bytes);
    }
    s->records = saved_number(cJSON_GetObjectItemCaseSensitive(saved, "records"));
    if (!cJSON_IsArray(list) || s->records != records)
        return run_file_damaged(&s->file, "what was saved of it is", err);
    *ret_end = end;
    return 0;
}

int sorter_resume(const struct sorter_options *options, const struct cJSON *saved, struct sorter **ret_sorter,
    struct error *err)
{
    _cleanup_(sorter_freep) struct sorter *s = new_sorter(options);
    int64_t size, end = 0;
    if (run_file_open(&s->file, options->path, true, &size, err) < 0 ||
        take_runs(s, saved, size, &end, err) < 0 || run_file_cut(&s->file, end, err) < 0)
        return -1;
    s->file.keep = options->keep;
    begin_writing(s, end);
    *ret_sorter = TAKE(s);
    return 0;
}
