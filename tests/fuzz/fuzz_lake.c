/*
 * A table's log, as whoever may write into the lake writes it: entries of a log, with a NUL between two, and the schema in
 * them. Held true: a file is below the table's folder; its path is the same when it is written and read again; the counts are
 * those of the files; a schema with a column more can be read, and has that column.
 */
#include "lake/inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

struct seen {
    struct log_state again;
    size_t n;
};

static bool look_at(void *arg, const struct log_file *f)
{
    struct seen *seen = arg;
    struct error err;
    must(f->file.path[0] != '/' && !strstr(f->file.path, "//") && strncmp(f->file.path, "../", 3) != 0 &&
         !strstr(f->file.path, "/../"));
    _cleanup_free_ char *entry = log_encode_path(f->file.path);
    _cleanup_free_ char *line = xasprintf("{\"remove\":{\"path\":\"%s\"}}", entry);
    must(log_take(&seen->again, SLICE(line), &err) == 0);
    must(log_find(&seen->again, f->file.path) != NULL);
    seen->n++;
    return true;
}

static void look_at_files(const struct log_state *s)
{
    struct seen seen = {0};
    log_each(s, true, look_at, &seen);
    must(seen.n == s->n_there);
    log_each(s, false, look_at, &seen);
    must(seen.n == s->n_files && seen.again.n_files == s->n_files);
    log_state_done(&seen.again);
}

static void look_at_schema(const char *schema)
{
    struct error err;
    _cleanup_(lake_columns_done) struct lake_columns columns = {0}, more = {0}, both = {0};
    if (!schema || lake_schema_read(schema, &columns, &err) < 0)
        return;
    lake_columns_add(&more, "a column that nobody has", "DECIMAL(18,2)", false);
    _cleanup_free_ char *wider = lake_schema_add(schema, &more);
    must(lake_schema_read(wider, &both, &err) == 0 && both.n == columns.n + 1);
    must(strcmp(both.list[columns.n].type, "DECIMAL(18,2)") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct log_state state = {0};
    struct error err;
    const char *p = (const char *)bytes, *end = p + n;
    int r = 0;
    while (p < end && r == 0) {
        const char *stop = memchr(p, '\0', (size_t)(end - p));
        stop = stop ? stop : end;
        r = log_take(&state, (struct slice){p, (size_t)(stop - p)}, &err);
        p = stop + 1;
    }
    look_at_files(&state);
    look_at_schema(state.schema);
    log_state_done(&state);
    return 0;
}
