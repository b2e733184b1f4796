#pragma once
/* Where a session connects to: the words of postgres.url as libpq takes them, with ours added. */
#include "util/error.h"

#define PG_KEYWORDS_MAX 64

/* For PQconnectStartParams: names and values end with NULL. */
struct pg_keywords {
    const char *names[PG_KEYWORDS_MAX + 1], *values[PG_KEYWORDS_MAX + 1];
    int n;
    void *options;  /* libpq's parse of the URL, which the values point into */
    char *password; /* from the password file, or NULL */
};
void pg_keywords_done(struct pg_keywords *k);

/* hostaddr: the address that the host's name was resolved to, or NULL. The strings are borrowed while k is used. */
int pg_keywords_make(const char *url, const char *password_file, const char *application_name,
    const char *hostaddr, struct pg_keywords *ret, struct error *err);

/* The host's name if libpq would have to look it up, which blocks; NULL for sockets, addresses, lists of hosts, and a
 * URL that libpq does not understand. A new string. */
char *pg_host_to_resolve(const char *url);

/* "doctor_office@db", for people. A new string. */
char *pg_label(const char *url);
