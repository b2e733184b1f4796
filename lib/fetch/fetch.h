#pragma once
/*
 * Bytes from a URL, for a worker: http, https and file, as they are or out of a gzip or a zip, streamed and never
 * whole anywhere. What breaks in the middle goes on where it broke, so long as the server still has the same thing.
 * libcurl does HTTP, libarchive takes apart what is packed.
 */
#include "util/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fetch;

/* What is wrong with the thing itself, where it is that. */
enum fetch_wrong { FETCH_SOUND, FETCH_CUT_OFF, FETCH_DAMAGED, FETCH_PACKED_TWICE };

/* Why something failed, beside the words. */
struct fetch_fault {
    struct error error;
    int status;     /* of HTTP; else 0 */
    bool transient; /* it may go well when tried again later */
    bool
        changed; /* the thing became another one while it was read, or may have: what was handed out is to be forgotten */
    enum fetch_wrong wrong; /* of a gzip */
};

struct fetch_options {
    const char *etag, *last_modified; /* of what is there already, or NULL: then it may be FETCH_UNCHANGED */
    const char *member;               /* of a zip: a glob of the member wanted; NULL: the only one */
    const char *const *headers;       /* "Name: value", sent too; n_headers of them. Never shown. */
    size_t n_headers;
    int retries;                /* in a row without a byte between them; -1: 5 */
    int64_t retry_after_us;     /* the first pause, doubled each time up to a minute; 0: 500 ms */
    int64_t stall_us;           /* so long without a byte is a failure; 0: 30 s */
    int64_t connect_timeout_us; /* 0: 10 s */
    const char *ca_file;        /* or NULL: the system's */
};

enum fetch_answer { FETCH_BODY, FETCH_UNCHANGED };

/* Opens it, as far as the headers: redirects are followed (never from https to http), 429 and 5xx are tried again
 * after Retry-After or a pause. A user and password in the URL become basic credentials and are never shown. */
int fetch_open(const char *url, const struct fetch_options *options, struct fetch **ret_fetch,
    enum fetch_answer *ret_answer, struct fetch_fault *fault);
void fetch_free(struct fetch *f);
DEFINE_CLEANUP(struct fetch *, fetch_freep, fetch_free)

/* Up to n unpacked bytes; 0 at the end, when all of it was there: a body that is shorter than was promised, or a gzip
 * or zip that is cut off or damaged, is a failure. */
ssize_t fetch_read(struct fetch *f, char *p, size_t n, struct fetch_fault *fault);

/* What is known of it. Strings are the fetch's own, NULL where there is none. */
struct fetch_facts {
    const char *url;  /* after redirects, without a password */
    const char *name; /* the file's own name: the member's (known when something of it was read), else
                         Content-Disposition's, else the path's last part */
    const char *etag, *last_modified, *content_type;
    int64_t modified_us; /* Last-Modified or the file's time; -1: not known */
    int64_t total;       /* bytes to come over the wire; -1: not known */
    int64_t received;    /* so far */
    int64_t unpacked;    /* handed out so far */
    const char *sha256;  /* of what came over the wire, in hex: after the end; else NULL */
    int resumed;         /* how often it went on after it broke */
};
void fetch_facts(const struct fetch *f, struct fetch_facts *ret_facts);
/* May a member of that name (a fact of before) be the one that is wanted? Not where the pattern tells folders too. */
bool fetch_is_member(const char *pattern, const char *name);

/*
 * Which dumps an index page names: the links (href) of an HTML page, or the entries of a directory (file:, a path that
 * ends in a slash), that match a pattern: a glob in which %Y, %m and %d stand for a date's parts. In order of date, then
 * of name; each once. At most 100,000, of a page of at most 16 MB.
 */
struct fetch_link {
    char *url;
    char *name;    /* its last part, decoded and fit to be shown */
    char date[11]; /* "2016-02-07"; "" where the pattern has no date */
};
int fetch_list(const char *url, const char *pattern, const struct fetch_options *options,
    struct fetch_link **ret_links, size_t *ret_n, struct fetch_fault *fault);
void fetch_links_free(struct fetch_link *links, size_t n);

/* The one date in a name: 2016-02-07, 20160207, 2016_02_07, or a month (2016-02: its first day); false when there is none
 * or several that differ. */
bool fetch_date_in_name(const char *name, char ret_date[11]);
