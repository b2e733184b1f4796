#pragma once
/* What the files of the REST source share: the pass, and which page it asks for next. docs/rest.md has the reasoning. */
#include "source/json_row.h"
#include "source/rest.h"
#include "source/rest_window.h"
#include "source/rest_wire.h"

#define REST_PAGES_MAX    10000000 /* of one pass */
#define REST_BARREN_MAX   1000     /* pages in a row that bring nothing new */
#define REST_SHIFTS_MAX   64       /* in a row */
#define REST_PARALLEL_MAX 64

struct rest {
    struct source source;
    struct rest_wire wire;
    char *label;
    enum rest_paging paging;
    char *offset, *limit, *page, *cursor; /* names of parameters, escaped; limit NULL: none is sent */
    char *since;
    struct json_columns columns;
    struct json_row_reader reader;
    struct rest_window window;

    /* Pages in order: wire.pages[head …], n_used of them; the one that is handed out is the first. */
    size_t head, n_used;
    int64_t plan;    /* the offset or number of the next to be asked for */
    char *plan_next; /* of REST_NEXT and REST_CURSOR: its URL or its word; NULL: there is none */
    char *mark;      /* a plan_next of earlier, to find a circle */
    int64_t next_count, mark_at;
    bool is_resumed; /* it began in the middle */
    bool is_steady;  /* the last page was full: the next may be asked for before this one is done */
    int64_t page_size, overlap;
    int64_t begin;      /* what the first page was asked by */
    int64_t frontier;   /* the offset behind the last page */
    int64_t short_rows; /* of the last page, when it was not full */
    int64_t calm;       /* pages since the last shift */
    int shifts, barren;

    /* The page that is handed out. */
    struct rest_page *current; /* or NULL */
    int64_t n_rows, n_read, n_new;
    uint64_t sum, sum_before; /* of what tells its rows apart, and of the page before */
    struct buffer before;     /* `updated` of the row before */
    struct slice row;         /* as it stands there, of the one that was handed out last */

    bool is_past; /* a row older than `since` came */
    bool at_end, surveying, has_failed;
    struct source_fault failure;
    int64_t rows, pages, again;
    int64_t position; /* as in rest_facts */
    char *newest, *raw;
};

/* With its driver, and nothing in it. remember: as in the options. */
struct rest *rest_new(int64_t remember);

/* ---- rest_plan.c ---- */

/* The first page: it is complete then, and the head. */
int rest_plan_begin(struct rest *r, struct source_fault *fault);
/* Brings the next page to be handed out. 1; 0: there is none any more; -1. */
int rest_plan_next(struct rest *r, struct source_fault *fault);
/* That page is handed out. */
int rest_plan_leave(struct rest *r, struct source_fault *fault);

/* Behind the page that is handed out, as in rest_facts. */
int64_t rest_plan_position(const struct rest *r);
/* A row of a page that was checked cannot be read any more. */
int rest_plan_lost(const struct rest *r, const struct rest_page *p, struct source_fault *fault);

/* The row's identity: its key; of one without, its text, which may stand on a page more than once. */
struct rest_seen rest_identify(const struct rest *r, const struct json_row *row, const struct json_token *t);

/* ---- rest_compare.c ---- */

/* Times as text, and numbers: less than 0, 0, or greater. Of one form each, and of one zone. */
int rest_compare(struct slice a, struct slice b);
