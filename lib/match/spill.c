/* A spill is a file with one run, whose records have no keys. */
#include "match/spill.h"

#include "match/run.h"

#define MEMORY_LEAST 4096

struct spill {
    struct run_file file;
    size_t memory;
    struct match_share *share;
    double part;
    struct run run;
    struct run_writer writer;
    struct run_reader reader;
    bool reading;
};

static struct spill *new_spill(const struct spill_options *o)
{
    struct spill *s = xnew(struct spill);
    s->file.fd = -1;
    s->memory = MAX(o->memory, MEMORY_LEAST);
    s->share = o->share;
    s->part = o->part;
    return s;
}

static void begin_writing(struct spill *s, int64_t end)
{
    run_writer_init(&s->writer, &s->file, end, s->memory);
    s->writer.share = s->share;
}

int spill_open(const struct spill_options *options, struct spill **ret_spill, struct error *err)
{
    _cleanup_(spill_freep) struct spill *s = new_spill(options);
    if (run_file_make(&s->file, options->path, options->keep, err) < 0)
        return -1;
    begin_writing(s, 0);
    s->run = run_begin(&s->writer);
    *ret_spill = TAKE(s);
    return 0;
}

int spill_reopen(
    const struct spill_options *options, int64_t records, struct spill **ret_spill, struct error *err)
{
    _cleanup_(spill_freep) struct spill *s = new_spill(options);
    int64_t size;
    if (run_file_open(&s->file, options->path, true, &size, err) < 0)
        return -1;
    if (records < 0 || records > size / RUN_HEAD)
        return run_file_damaged(&s->file, "it is shorter than what was written", err);
    s->file.keep = options->keep;
    begin_writing(s, size);
    s->run =
        (struct run){.n_bytes = size, .records = records, .least = RUN_HEAD, .most = RUN_HEAD + RECORD_MAX};
    *ret_spill = TAKE(s);
    return 0;
}

void spill_free(struct spill *s)
{
    if (!s)
        return;
    run_reader_done(&s->reader);
    run_writer_done(&s->writer);
    run_file_done(&s->file);
    free(s);
}

int64_t spill_records(const struct spill *s)
{
    return s->run.records;
}

int spill_put(struct spill *s, struct slice record, struct error *err)
{
    if (s->reading)
        return error_set(err, "cannot put records into %s: it is being read", s->file.path);
    if (s->share)
        s->writer.most_held = share_part(s->share, s->part);
    return run_put(&s->writer, &s->run, (struct slice){0}, record, err);
}

int spill_finish(struct spill *s, struct error *err)
{
    return run_flush(&s->writer, err) < 0 ? -1 : run_file_sync(&s->file, err);
}

int spill_rewind(struct spill *s, struct error *err)
{
    int64_t held = s->share ? share_part(s->share, s->part) : INT64_MAX;
    if (run_flush(&s->writer, err) < 0)
        return -1;
    free(TAKE(s->writer.p));
    run_reader_done(&s->reader);
    run_reader_init(&s->reader, &s->file, &s->run, s->share, held, s->memory);
    s->reading = true;
    return 0;
}

int spill_next(struct spill *s, struct slice *ret_record, struct error *err)
{
    if (!s->reading)
        return error_set(err, "cannot read %s: it was not begun", s->file.path);
    int got = run_next(&s->reader, err);
    if (got > 0)
        *ret_record = s->reader.value;
    return got;
}
