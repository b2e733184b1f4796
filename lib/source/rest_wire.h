#pragma once
/*
 * Pages on their way: several requests at once on libcurl's multi interface, each tried again until its body is a page. The
 * connections stay open from page to page.
 */
#include "fetch/target.h"
#include "source/rest_document.h"
#include "source/source.h"

#include <curl/curl.h>

enum rest_state { REST_FREE, REST_WAITING, REST_UNDER_WAY, REST_COMPLETE, REST_FAILED };

struct rest_wire;

struct rest_page {
    struct rest_wire *wire;
    enum rest_state state;
    int64_t number; /* for messages, from 1 */
    int64_t offset; /* of its first row, or 0 */
    int64_t limit;
    char *url;

    struct rest_body body;
    struct rest_document document; /* when complete; of the body */
    char *link;                    /* the Link header's next, or NULL */

    CURL *easy;
    bool added, connected;
    int failures;
    int64_t start_at, last_sign; /* monotone, in microseconds */
    char error[CURL_ERROR_SIZE];
    struct source_fault why; /* of the last failure */
};

struct rest_wire {
    CURLM *multi;
    struct rest_page *pages;
    size_t n_pages;
    struct target target; /* of the resource: whom we talk to */
    struct curl_slist *headers;
    bool credentials;
    char *ca_file;
    struct rest_places places;
    char *rows_path, *next_path;
    int retries;
    int64_t retry_after_us, stall_us;
    int64_t interval_us; /* between two requests; 0: none */
    int64_t next_start, not_before;
    int64_t requests, received;
};

/* spool_folder: as in rest.h. */
int rest_wire_init(struct rest_wire *w, size_t n_pages, const char *spool_folder, struct source_fault *fault);
void rest_wire_done(struct rest_wire *w);

/* The request of this page is made when its turn comes. url: a string that becomes the page's. */
void rest_wire_ask(struct rest_page *p, char *url);
/* Whatever it does, it is free then. */
void rest_wire_drop(struct rest_page *p);
/* Until this page is complete; the others go on meanwhile. */
int rest_wire_wait(struct rest_page *p, struct source_fault *fault);
/* What can be done at once, for all of them. */
void rest_wire_turn(struct rest_wire *w);
