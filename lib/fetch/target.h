#pragma once
/* A URL that HTTP is spoken with, taken apart by libcurl's own parser, so that what is checked is what is asked. */
#include "fetch/inside.h"

struct target {
    char *url; /* without user, password and fragment */
    char *user, *password;
    char *scheme, *host, *port;
    char *path;  /* decoded */
    char *label; /* for messages */
};

/* http and https alone. base: what a relative one stands on; or NULL. */
int target_parse(
    const char *text, const struct target *base, struct target *ret_target, struct fetch_fault *fault);
void target_done(struct target *t);
#define _cleanup_target_ _cleanup_(target_done)

bool target_is_https(const struct target *t);
/* The same scheme, host and port: what may see the credentials of the other. */
bool target_same_origin(const struct target *a, const struct target *b);
/* A reference of a page or a server as a URL can hold it: control characters, and spaces around it, are no part of it, and what
 * else is not allowed in one is written as %XX. A new string. */
char *target_tidy(struct slice text);
/* The URL with its user and password. */
char *target_full_url(const struct target *t);
