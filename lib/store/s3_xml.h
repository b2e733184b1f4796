#pragma once
/* The XML that an S3 server answers, by libexpat. It is of no DTD, not deep, and of short texts; what is otherwise is refused. */
#include "util/buffer.h"

/* Called at the end of each element, with the names on the way to it ("Error/Code") and the text in it, decoded. False: no
 * more of it. */
typedef bool s3_leaf(void *arg, const char *path, const char *text);

/* Whether it was well-formed to its end, and fn never said no. */
bool s3_xml_read(struct slice xml, s3_leaf *fn, void *arg);

/* The text of one element, a new string; NULL when there is none, or the XML is none. */
char *s3_xml_find(struct slice xml, const char *path);

/* ---- a page of a list ---- */

struct s3_entry {
    char *key, *etag;
    int64_t size, modified_us;
};
struct s3_page {
    struct s3_entry *list;
    size_t n, cap;
    bool truncated; /* there are more */
    bool encoded;   /* by encoding-type=url: keys are decoded at its end */
    size_t n_wrong; /* keys that cannot be decoded to text, and are not in the list */
    char *token;    /* for the next page; or NULL */
    struct s3_entry open;
    bool is_page;
};

/* 0, or -1 when it is none (*page is to be done in both cases, and all zero before). */
int s3_page_read(struct slice xml, struct s3_page *page);
void s3_page_done(struct s3_page *page);
#define _cleanup_s3_page_ _cleanup_(s3_page_done)
