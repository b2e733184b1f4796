#include "control/listen.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SOCKET_MODE 0660

static int new_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Somebody listens when a connection is made, or would be if the queue were not full (EAGAIN). */
static bool is_live(const struct sockaddr_un *address)
{
    _cleanup_close_ int fd = new_socket();
    return fd >= 0 &&
           (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN);
}

static int clear_the_way(const struct sockaddr_un *address, struct error *err)
{
    struct stat st;
    if (lstat(address->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : error_set(err, "control socket %s: %m", address->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return error_set(err,
            "control socket %s: a file that is no socket is in the way; move it, or set "
            "another path at `control:`",
            address->sun_path);
    if (is_live(address))
        return error_set(err,
            "control socket %s: another ingestd answers there; stop it, or set another path "
            "at `control:`",
            address->sun_path);
    if (unlink(address->sun_path) < 0 && errno != ENOENT)
        return error_set(err, "control socket %s: cannot remove the stale file: %m", address->sun_path);
    return 0;
}

/*
 * The mode given to the descriptor before bind() is the mode of the new file, less the umask (unix_bind() in
 * Linux' net/unix/af_unix.c): the file is never open wider than 0660, and the umask, which belongs to the
 * whole process, is left alone. The chmod afterwards gives back what the umask took.
 */
static int bind_file(
    int fd, const struct sockaddr_un *address, struct socket_file *ret_file, struct error *err)
{
    struct stat st;
    if (fchmod(fd, SOCKET_MODE) < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return error_set(err,
            "control socket %s: cannot create it: %m; does its folder exist, and may we write "
            "there?",
            address->sun_path);
    if (chmod(address->sun_path, SOCKET_MODE) < 0 || lstat(address->sun_path, &st) < 0)
        return error_set(err, "control socket %s: cannot set its mode: %m", address->sun_path);
    *ret_file = (struct socket_file){xstrdup(address->sun_path), st.st_dev, st.st_ino};
    return 0;
}

int socket_file_bind(const char *path, struct socket_file *ret_file, int *ret_fd, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(err, "control socket %s: the path is longer than the %zu bytes a socket's may have",
            path, sizeof(address.sun_path) - 1);
    strcpy(address.sun_path, path);
    _cleanup_close_ int fd = new_socket();
    if (fd < 0)
        return error_set(err, "control socket %s: %m", path);
    if (clear_the_way(&address, err) < 0 || bind_file(fd, &address, ret_file, err) < 0)
        return -1;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

void socket_file_remove(struct socket_file *f)
{
    struct stat st;
    if (f->path && lstat(f->path, &st) == 0 && st.st_dev == f->device && st.st_ino == f->inode)
        unlink(f->path);
    free(f->path);
    *f = (struct socket_file){0};
}
