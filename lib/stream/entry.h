#pragma once
/* One delivered event, as a source hands it over. All memory is the source's, valid during the delivery. */
#include "util/buffer.h"

/* Unique within a source for as long as its stream lives. Redis: the two parts of the entry's id. FIFO: the
 * time the spool was made, in microseconds, and the position behind the frame. */
struct entry_id {
    uint64_t hi, lo;
};
#define ENTRY_ID_MAX 44
/* "hi-lo" into out (ENTRY_ID_MAX bytes), returned. */
const char *entry_id_to_string(struct entry_id id, char out[ENTRY_ID_MAX]);

enum entry_shape {
    ENTRY_JSON,   /* the payload is a JSON text */
    ENTRY_FIELDS, /* one name and value a column, all text */
    ENTRY_BROKEN, /* the source could not even deliver it whole: `broken` says why */
};

struct entry_field {
    struct slice name, value;
};

struct entry {
    struct entry_id id;
    int64_t received_us; /* the entry's own time, Unix microseconds */
    enum entry_shape shape;
    struct slice payload;             /* JSON: the text. BROKEN: the bytes there are */
    const struct entry_field *fields; /* FIELDS */
    size_t n_fields;
    int broken;    /* BROKEN: an enum reason */
    uint64_t size; /* BROKEN: how long the whole entry was, where known */
};
