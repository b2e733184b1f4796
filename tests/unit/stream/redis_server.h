#pragma once
/* A private Redis for a test: its own port and directory, gone with the test whatever becomes of that. */
#include "../util/folder.h"

#include <hiredis/hiredis.h>
#include <sys/types.h>

struct redis_server {
    char dir[FOLDER_MAX];
    int port;
    pid_t pid;
    redisContext *admin; /* blocking, for the test's own questions */
};

/* option and value are put on the command line; both may be NULL. */
void redis_server_start(struct redis_server *s, const char *option, const char *value);
/* As a service manager does: SIGTERM, and waits for the end. */
void redis_server_stop(struct redis_server *s);
/* The same port and directory again. */
void redis_server_again(struct redis_server *s);
void redis_server_remove(struct redis_server *s);

/* The answer as a number: an integer, a count of elements, or a string's length. Fails the test on an error.
 */
long long ask(struct redis_server *s, const char *fmt, ...);
/* A port that is free now. */
int free_port(void);
