#include "history/rejects.h"

#include <errno.h>

/* What stands before the bytes of each: reason, detail, raw; UINT32_MAX is NULL. */
struct head {
    int64_t line;
    uint32_t n[3];
};

void rejects_done(struct rejects *r)
{
    if (r->file)
        fclose(r->file);
    free(r->text);
    *r = (struct rejects){0};
}

static int fail(struct db_fault *fault, const char *what)
{
    *fault = (struct db_fault){.transient = true};
    return error_set(
        &fault->error, "the temporary file of rejected rows cannot be %s: %s", what, strerror(errno));
}

static uint32_t length_of(const char *p, size_t n)
{
    return p ? (uint32_t)n : UINT32_MAX;
}

int rejects_put(struct rejects *r, const struct reject *reject, struct db_fault *fault)
{
    if (!r->file && !(r->file = tmpfile()))
        return fail(fault, "made");
    const char *raw = r->raw_bytes < REJECTS_RAW_MAX ? reject->raw : NULL;
    const char *texts[3] = {reject->reason, reject->detail, raw};
    struct head head = {.line = reject->line,
        .n = {length_of(reject->reason, strlen(reject->reason)),
            length_of(reject->detail, reject->detail ? strlen(reject->detail) : 0),
            length_of(raw, reject->n_raw)}};
    bool ok = fwrite(&head, sizeof(head), 1, r->file) == 1;
    for (size_t i = 0; ok && i < 3; i++)
        ok = !texts[i] || fwrite(texts[i], 1, head.n[i], r->file) == head.n[i];
    if (!ok)
        return fail(fault, "written");
    r->n++;
    r->raw_bytes += raw ? (int64_t)reject->n_raw : 0;
    return 0;
}

int rejects_rewind(struct rejects *r, int64_t dump, struct db_fault *fault)
{
    int n = snprintf(r->dump, sizeof(r->dump), "%lld", (long long)dump);
    r->read[0] = (struct db_value){r->dump, (size_t)n};
    if (r->file && (fflush(r->file) != 0 || fseek(r->file, 0, SEEK_SET) != 0))
        return fail(fault, "read");
    return 0;
}

int rejects_next(void *arg, const struct db_value **ret_values, struct db_fault *fault)
{
    struct rejects *r = arg;
    struct head head;
    if (!r->file || fread(&head, sizeof(head), 1, r->file) != 1)
        return r->file && ferror(r->file) ? fail(fault, "read") : 0;
    size_t total = 0;
    for (size_t i = 0; i < 3; i++)
        total += head.n[i] == UINT32_MAX ? 0 : head.n[i];
    if (total > r->n_text)
        r->text = xrealloc(r->text, r->n_text = total, 1);
    if (total > 0 && fread(r->text, 1, total, r->file) != total)
        return fail(fault, "read");
    char *p = r->text;
    for (size_t i = 0; i < 3; i++) {
        bool null = head.n[i] == UINT32_MAX;
        r->read[2 + i] = (struct db_value){null ? NULL : p ? p : "", null ? 0 : head.n[i]};
        p += null ? 0 : head.n[i];
    }
    int n = snprintf(r->line, sizeof(r->line), "%lld", (long long)head.line);
    r->read[1] = (struct db_value){r->line, (size_t)n};
    *ret_values = r->read;
    return 1;
}
