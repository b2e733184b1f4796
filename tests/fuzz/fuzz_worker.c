/*
 * What the daemon and its worker say to each other: specs and reports, each line of the input as both. A spec that
 * is understood comes out the same when it is written and read again. And the statements of any text.
 */
#include "job/report.h"
#include "job/spec.h"
#include "job/sql.h"
#include "job/transaction.h"
#include "util/cleanup.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void read_spec(const char *p, size_t n)
{
    struct error err = {""};
    _cleanup_job_spec_ struct job_spec spec = {0}, again = {0};
    if (job_spec_parse(p, n, &spec, &err) < 0) {
        if (err.text[0] == '\0')
            abort();
        return;
    }
    _cleanup_free_ char *text = job_spec_to_json(&spec);
    if (job_spec_parse(text, strlen(text), &again, &err) < 0)
        abort();
    _cleanup_free_ char *text_again = job_spec_to_json(&again);
    if (strcmp(text, text_again) != 0 || strchr(text, '\n'))
        abort();
}

static void read_report(const char *p, size_t n)
{
    struct error err = {""};
    struct report r;
    if (report_parse(p, n, &r, &err) < 0) {
        if (err.text[0] == '\0')
            abort();
        return;
    }
    if ((r.error && !text_is_utf8(r.error, strlen(r.error))) ||
        !text_is_utf8(r.stage.error, strlen(r.stage.error)))
        abort();
    report_clear(&r);
}

static void read_statements(const char *p, size_t n)
{
    _cleanup_free_ char *text = xstrndup(p, n);
    for (enum sql_dialect d = SQL_POSTGRES; d <= SQL_MYSQL; d++) {
        struct sql_reader reader = sql_reader(d, text);
        const char *before = text;
        for (struct sql_statement s; sql_next(&reader, &s); before = s.start + s.n) {
            transaction_is_ended_by(d, &s);
            if (s.start < before || s.n == 0)
                abort();
        }
        if (*reader.p != '\0')
            abort();
    }
}

/* Of its own, exactly n bytes, so that a sanitizer sees one read too many. */
static void read_line(const char *p, size_t n)
{
    _cleanup_free_ char *line = n > 0 ? xcalloc(n, 1) : NULL;
    if (n > 0)
        memcpy(line, p, n);
    read_spec(line, n);
    read_report(line, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *p = (const char *)bytes;
    read_statements(p, n);
    while (n > 0) {
        const char *end = memchr(p, '\n', n);
        size_t length = end ? (size_t)(end - p) : n;
        read_line(p, length);
        size_t step = length + (end ? 1 : 0);
        p += step;
        n -= step;
    }
    return 0;
}
