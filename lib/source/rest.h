#pragma once
/*
 * A REST resource as a source: pages of JSON objects, fetched several at once over kept connections and handed out
 * in the order of the pages. What is in memory is the pages under way, none larger than REST_PAGE_MAX; or, with spool_folder, a
 * window of each and no row larger than that.
 *
 * Rows are created and updated while we read, so that pages shift. How it is made sure that none is missed nor
 * handed out twice, and what the API must offer for it, is in docs/rest.md.
 */
#include "source/source.h"

#define REST_PAGE_MAX (64 * 1024 * 1024) /* bytes */

enum rest_paging {
    REST_OFFSET, /* ?offset=200&limit=100 */
    REST_PAGE,   /* ?page=3 */
    REST_NEXT, /* each page names the URL of the next (a member of it, or a Link header): one after the other */
    REST_CURSOR, /* each page holds a word that the next request repeats */
};

struct rest_options {
    const char
        *url; /* with the parameters that stay the same, such as the order: ?sort_field=id&sort_dir=asc */
    enum rest_paging paging;
    /* Names of the parameters; NULL: offset, limit, page. But for REST_OFFSET no limit is sent when none is named. */
    const char *offset, *limit, *page;
    const char *next;           /* where the next URL or cursor is: "meta.next"; NULL: "next" */
    const char *cursor;         /* name of the parameter; NULL: cursor */
    const char *rows;           /* where the rows are; NULL: "data"; "": the document itself is the list */
    int page_size;              /* 0: 1000 */
    int first_page;             /* of REST_PAGE; usually 1 */
    int parallel;               /* pages under way and in memory at once; 0: 4; a chain has two */
    double per_second;          /* requests at most; 0: no limit */
    const char *const *headers; /* "Name: value"; never shown */
    size_t n_headers;
    /* Each its first line, of a file that others cannot read; or NULL. Of the last two one at most. */
    const char *header_file;      /* one more header */
    const char *token_file;       /* goes into Authorization: Bearer */
    const char *credentials_file; /* "user:password", basic */
    /* The members to keep, in this order; n_fields 0: all that the first page has. */
    const char *const *fields;
    size_t n_fields;
    const char *key; /* the member that tells rows apart */
    /* A pass by cursor: the list is in descending order of this member (the URL says so), and rows are handed out until
     * one is less than `since`. NULL: a full pass. */
    const char *updated, *since;
    /* With n_fields 0: columns that are known from earlier passes and come first. A pass that finds a member which is
     * neither among them nor on its first page hands out no more, reads on to learn of all such, and fails with
     * `restart`: the source's columns then have them all, to be given as `known` when it is opened again. */
    const char *const *known;
    size_t n_known;
    /* Of a full pass with `updated`: the list in descending order of it. It is asked once, first, for `newest`. NULL:
     * the greatest of the first page is taken, which is never too late but may be much too early. */
    const char *newest_url;
    int retries;                      /* of one page; -1: 5 */
    int64_t retry_after_us, stall_us; /* as in fetch.h */
    const char *ca_file;              /* or NULL: the system's */
    /* A folder for the bodies of pages: they go to files there, removed at once, and are read in small pieces, so that
     * no page is in memory, however large. NULL: they are in memory. */
    const char *spool_folder;
    /* A position of an earlier pass that was broken off (facts); 0: the beginning. Pages behind it are asked for, and the one
     * before it once more, of which the rows come again. Not with REST_NEXT and REST_CURSOR. */
    int64_t begin_at;
};

/* Fetches the first page. Cells are text: strings as they are, numbers as they are written, true, false, objects and
 * arrays as JSON on one line; null and a missing member are NULL. line is the row's number, from 1. */
int rest_open(const struct rest_options *options, struct source **ret_source, struct source_fault *fault);

/* Complete after the end. */
struct rest_facts {
    int64_t requests, pages;
    int64_t again; /* rows that were seen a second time because pages shifted */
    const char
        *newest;  /* the greatest `updated` when the pass began: the next pass by cursor begins with it */
    bool restart; /* it failed with that */
    /* When all rows of a page are handed out, and before the first of the next: where another pass could go on, to be given as
     * begin_at. Else, and where pages are no numbers, -1. */
    int64_t position;
};
void rest_facts(const struct source *s, struct rest_facts *ret_facts);
