#pragma once
/* URLs, split by libevent's parser and percent-decoded. Passwords are never shown: print with url_redact().
 */
#include "util/error.h"

#include <stdbool.h>

struct url {
    char *scheme;   /* never NULL */
    char *user;     /* or NULL; never "" */
    char *password; /* or NULL */
    char *host;     /* or NULL; without the brackets of an IPv6 address */
    int port;       /* or 0 */
    char *path;     /* with its leading slash, decoded; "" when there is none */
    char *query;    /* as typed, or NULL */
};

/* Refuses what is not a URL with a scheme; the message shows no password. */
int url_parse(const char *text, struct url *ret, struct error *err);
void url_done(struct url *u);
#define _cleanup_url_ _cleanup_(url_done)

/* The URL as typed with its password replaced by "…", also what may be one in the query (?password=…, ?key=…); text that is
 * no URL is shown as "(not a URL)". Text is masked rather too much than too little. A new string. */
char *url_redact(const char *text);

/* Of what url_redact() made: is something of its query left out, so that other URLs may be shown the same? */
bool url_hides_query(const char *shown);

/* In the text itself, what url_redact() would hide becomes x: for what others can see, as the arguments of our
 * process. Where a URL is behind other words (--sink=mysql://…) it is found. */
void url_scrub(char *text);

/* As url_redact(), for what names a Postgres database: a URL, or libpq's key=value words. A new string. */
char *url_redact_connection(const char *text);
