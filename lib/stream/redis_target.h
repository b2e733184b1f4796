#pragma once
/* Which Redis, which stream, and as whom: the URL redis://[user[:password]@]host[:port]/DB/STREAM taken
 * apart. */
#include "util/error.h"

struct config_stream;

struct redis_target {
    char *host;
    int port;
    int db;
    char *key;           /* the stream's name in Redis; may hold slashes */
    char *user;          /* or NULL: the default user */
    char *password;      /* or NULL */
    char *password_file; /* or NULL; read at each connect, so that a rotated one is taken */
};

int redis_target_parse(const struct config_stream *stream, struct redis_target *ret, struct error *err);
void redis_target_done(struct redis_target *t);
#define _cleanup_target_ _cleanup_(redis_target_done)

/* The password to log in with, a new string, or NULL in *ret when there is none. */
int redis_target_password(const struct redis_target *t, char **ret, struct error *err);
/* Overwrites a password before its memory is given back. */
void redis_forget(char *password);
