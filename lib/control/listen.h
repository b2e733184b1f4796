#pragma once
/* The socket file: made so that nobody ever finds it open to others, and removed only while it is ours. */
#include "util/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct socket_file {
    char *path;
    dev_t device;
    ino_t inode;
};

/* A bound, non-blocking socket of mode 0660 in *ret_fd. A stale file is replaced, a live one is an error. */
int socket_file_bind(const char *path, struct socket_file *ret_file, int *ret_fd, struct error *err);
/* Removes the file unless somebody has put another in its place. */
void socket_file_remove(struct socket_file *f);
