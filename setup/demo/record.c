#include "record.h"

#include "util/text.h"

#include <errno.h>

struct record {
    FILE *file;
    char *path;
};

int record_open(const char *path, struct record **ret, struct error *err)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return error_set(err, "cannot write %s: %s", path, strerror(errno));
    *ret = xnew(struct record);
    (*ret)->file = file;
    (*ret)->path = xstrdup(path);
    return 0;
}

static void put_text(FILE *f, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c < 0x20)
            fprintf(f, "\\u%04x", c);
        else
            putc_unlocked(c, f);
    }
}

static void put_base64(FILE *f, struct slice s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < s.n; i += 3) {
        size_t left = MIN(s.n - i, (size_t)3);
        unsigned char in[3] = {0};
        memcpy(in, s.p + i, left);
        unsigned bits = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];
        for (size_t k = 0; k < 4; k++)
            putc_unlocked(k <= left ? digits[bits >> (18 - 6 * k) & 63] : '=', f);
    }
}

void record_event(struct record *r, const struct event *e)
{
    struct slice payload = {e->payload.n ? e->payload.p : "", e->payload.n};
    bool text = text_is_utf8(payload.p, payload.n);
    fprintf(r->file, "{\"stream\": \"%s\", \"kind\": \"%s\", \"good\": %s, \"%s\": \"", e->stream, e->kind,
        e->good ? "true" : "false", text ? "payload" : "payload_base64");
    if (text)
        put_text(r->file, payload);
    else
        put_base64(r->file, payload);
    fputs("\"}\n", r->file);
}

bool record_close(struct record *r, struct error *err)
{
    if (!r)
        return true;
    bool well = !ferror(r->file);
    well = fclose(r->file) == 0 && well;
    if (!well)
        error_set(err, "cannot write all of %s: is the disk full?", r->path);
    free(r->path);
    free(r);
    return well;
}
