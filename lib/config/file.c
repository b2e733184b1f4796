/* What is read from the disk: the configuration, and the files that hold a password. */
#include "config/config.h"
#include "config/document.h"
#include "config/problems.h"
#include "util/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define SECRET_MAX 4096

int config_file_read(const char *path, struct buffer *out, struct error *err)
{
    struct stat st;
    /* O_NONBLOCK: a pipe in the file's place must not hang us. */
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set(err, "the file cannot be read: %s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return error_set(
            err, "this is %s, not a file", S_ISDIR(st.st_mode) ? "a folder" : "a pipe or device");
    for (ssize_t got = 1; got > 0 && out->n <= DOCUMENT_BYTES_MAX;) {
        if (!buffer_reserve(out, 65536))
            return error_set(err, "there is no memory to read the file");
        got = read(fd, out->p + out->n, 65536);
        if (got < 0)
            return error_set(err, "the file cannot be read: %s", strerror(errno));
        out->n += (size_t)got;
    }
    return 0;
}

int config_read(const char *path, struct config **ret_config, struct config_problems *problems)
{
    struct error err;
    _cleanup_buffer_ struct buffer text = {0};
    if (config_file_read(path, &text, &err) < 0) {
        problem_add(problems, 0, 0, "%s", err.text);
        return -1;
    }
    return config_parse(path, buffer_string(&text), text.n, ret_config, problems);
}

static int open_secret(const char *path, int *ret_fd, struct error *err)
{
    struct stat st;
    /* O_NONBLOCK: a pipe in the file's place must not hang us. */
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set(err, "the password file %s cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return error_set(err, "the password file %s is not a file", path);
    if (st.st_mode & 0007)
        return error_set(
            err, "the password file %s is open to every user of this machine: chmod o-rwx %s", path, path);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int config_read_secret(const char *path, char **ret, struct error *err)
{
    _cleanup_close_ int fd = -1;
    char text[SECRET_MAX + 1];
    if (open_secret(path, &fd, err) < 0)
        return -1;
    ssize_t n = read(fd, text, SECRET_MAX);
    if (n < 0)
        return error_set(err, "the password file %s cannot be read: %s", path, strerror(errno));
    text[n] = '\0';
    size_t length = strcspn(text, "\r\n");
    int result = 0;
    if (length == 0)
        result = error_set(err, "the password file %s is empty: its first line must be the password", path);
    else if (length == SECRET_MAX || strlen(text) < (size_t)n)
        result = error_set(err,
            "the password file %s does not hold a password: its first line is too long, or "
            "not text",
            path);
    else
        *ret = xstrndup(text, length);
    explicit_bzero(text, sizeof(text));
    return result;
}
