#include "db/lines.h"

#include "db/driver.h"

/* Both servers take these back (PostgreSQL manual, COPY, text format; MariaDB, LOAD DATA, ESCAPED BY '\'). Postgres has
 * no NUL in a text: it refuses \0 as it refuses the byte. */
static const char escapes[256] = {['\0'] = '0', ['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r', ['\\'] = '\\'};

int db_load_next(const struct db_load *load, const struct db_value **ret_values, struct db_fault *fault)
{
    int got = load->next(load->arg, ret_values, fault);
    if (got < 0)
        db_fault_set(fault, "", false, "the rows for the table %s could not be read on", load->table);
    return got;
}

/* As much of a text as there is room for, less one byte for what comes behind it. */
static char *put_text(struct db_lines *l, const struct db_value *v, char *p, const char *end)
{
    const char *in = v->p + l->at, *in_end = v->p + v->n;
    while (in < in_end && end - p >= 3) {
        char escape = escapes[(unsigned char)*in];
        if (escape) {
            *p++ = '\\';
            *p++ = escape;
        } else
            *p++ = *in;
        in++;
    }
    l->at = (size_t)(in - v->p);
    return p;
}

static char *put_cell(struct db_lines *l, char *p, const char *end)
{
    const struct db_value *v = &l->values[l->column];
    if (!v->p) {
        *p++ = '\\';
        *p++ = 'N';
    } else {
        p = put_text(l, v, p, end);
        if (l->at < v->n)
            return p;
    }
    l->at = 0;
    if (++l->column < l->load->n_columns) {
        *p++ = '\t';
        return p;
    }
    *p++ = '\n';
    l->values = NULL;
    return p;
}

static int pull(struct db_lines *l)
{
    int got = db_load_next(l->load, &l->values, l->fault);
    if (got <= 0) {
        l->values = NULL;
        l->ended = true;
        l->failed = got < 0;
        return got;
    }
    l->column = l->at = 0;
    l->n_rows++;
    return 1;
}

ssize_t db_lines_read(struct db_lines *l, char *out, size_t size)
{
    char *p = out;
    const char *end = out + size;
    while (end - p >= 3) {
        if (!l->values && (l->ended || pull(l) <= 0))
            break;
        p = put_cell(l, p, end);
    }
    return l->failed ? -1 : p - out;
}
