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

int spill_open(const struct spill_options *options, struct spill **ret_spill, struct error *err)
{
    _cleanup_(spill_freep) struct spill *s = xnew(struct spill);
    s->file.fd = -1;
    s->memory = MAX(options->memory, MEMORY_LEAST);
    s->share = options->share;
    s->part = options->part;
    if (run_file_make(&s->file, options->path, false, err) < 0)
        return -1;
    run_writer_init(&s->writer, &s->file, 0, s->memory);
    s->writer.share = s->share;
    s->run = run_begin(&s->writer);
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

int spill_put(struct spill *s, struct slice record, struct error *err)
{
    if (s->reading)
        return error_set(err, "cannot put records into %s: it is being read", s->file.path);
    if (s->share)
        s->writer.most_held = share_part(s->share, s->part);
    return run_put(&s->writer, &s->run, (struct slice){0}, record, err);
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
