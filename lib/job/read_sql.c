/* The SQL file of a job. Apart from the kinds, so that whoever only reads one needs no driver of a database. */
#include "job/job.h"
#include "job/sql.h"
#include "util/text.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define SQL_MAX (4 * 1024 * 1024)

static int refuse(struct error *err, const char *path, const char *why)
{
    return error_set(err, "the SQL file %.300s %s", path, why);
}

static int cannot_read(struct error *err, const char *path, int reason)
{
    const char *advice = reason == ENOENT || reason == ENOTDIR ? "; see `sql:` of the job"
                         : reason == EACCES ? "; the user that the daemon runs as must be able to read it"
                                            : "";
    return error_set(err, "the SQL file %.300s cannot be read: %s%s", path, strerror(reason), advice);
}

/* A pipe or a device would block us or never end. */
static int open_file(const char *path, int *ret_fd, struct error *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return cannot_read(err, path, errno);
    if (S_ISDIR(st.st_mode))
        return refuse(err, path, "is a folder");
    if (!S_ISREG(st.st_mode))
        return refuse(err, path, "is no plain file");
    *ret_fd = fd;
    fd = -1;
    return 0;
}

/* One byte more than allowed tells that it is too long, however it grows under our hands. */
static int read_file(int fd, const char *path, struct buffer *b, struct error *err)
{
    for (ssize_t got = 1; got > 0 && b->n <= SQL_MAX;) {
        if (!buffer_reserve(b, 65536))
            return refuse(err, path, "does not fit into the memory we may use");
        got = read(fd, b->p + b->n, 65536);
        if (got < 0 && errno != EINTR)
            return cannot_read(err, path, errno);
        b->n += got > 0 ? (size_t)got : 0;
        got = got < 0 ? 1 : got;
    }
    return b->n > SQL_MAX ? refuse(err, path, "is larger than 4 MB") : 0;
}

/* The first line whose bytes are no UTF-8. No byte of a longer character is a line's end. */
static int line_without_utf8(const struct buffer *b)
{
    int line = 1;
    for (size_t at = 0; at < b->n; line++) {
        const char *end = memchr(b->p + at, '\n', b->n - at);
        size_t n = end ? (size_t)(end - (b->p + at)) : b->n - at;
        if (!text_is_utf8(b->p + at, n))
            return line;
        at += n + 1;
    }
    return line;
}

static int check_text(const struct buffer *b, const char *path, struct error *err)
{
    if (b->n == 0)
        return refuse(err, path, "is empty");
    if (memchr(b->p, '\0', b->n))
        return refuse(err, path, "holds zero bytes, as UTF-16 does: it must be UTF-8");
    if (!text_is_utf8(b->p, b->n))
        return error_set(
            err, "the SQL file %.300s is not UTF-8: see its line %d", path, line_without_utf8(b));
    return 0;
}

/* In either dialect: which one is not known here. */
static bool has_statement(const char *text)
{
    struct sql_statement ignored;
    struct sql_reader postgres = sql_reader(SQL_POSTGRES, text), mysql = sql_reader(SQL_MYSQL, text);
    return sql_next(&postgres, &ignored) || sql_next(&mysql, &ignored);
}

int job_read_sql(const char *path, char **ret_text, struct error *err)
{
    static const char mark[] = "\xef\xbb\xbf"; /* which some editors put first, and no server understands */
    _cleanup_close_ int fd = -1;
    _cleanup_buffer_ struct buffer b = {0};
    if (open_file(path, &fd, err) < 0 || read_file(fd, path, &b, err) < 0 || check_text(&b, path, err) < 0)
        return -1;
    const char *text = buffer_string(&b);
    text += strncmp(text, mark, strlen(mark)) == 0 ? strlen(mark) : 0;
    if (!has_statement(text))
        return refuse(err, path, "holds no statement, only blanks and comments");
    *ret_text = xstrdup(text);
    return 0;
}
