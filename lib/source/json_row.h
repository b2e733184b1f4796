#pragma once
/*
 * A JSON object that is a row, of a page of a REST resource or of a delivered object: its members and the cells they become. Names
 * are in one list: those that are handed out, and behind them those that are only looked at (of a resource the key, or `updated`,
 * where fields were chosen without them).
 */
#include "source/reason.h"
#include "source/source.h"
#include "util/json.h"

#define JSON_COLUMNS_MAX 1600

struct json_columns {
    char **names; /* room for all there may ever be: what the caller holds stays where it is */
    struct slice *slices;
    size_t n, n_shown;
    bool open;           /* members that are not in the list join it */
    bool grew;           /* since this was last set to false */
    bool fold;           /* a name that is none of them is the one that differs in capitals alone */
    size_t key, updated; /* their places; SIZE_MAX: none */
};

struct json_row {
    const struct source_cell *cells;
    enum source_reason reason;
    struct slice key, updated; /* p NULL: none */
};

struct json_row_reader {
    struct json_reader json;
    struct source_cell *cells;
    bool *is_set;
    struct buffer text; /* what does not stand in the row as it is to be handed out */
    /* Told a member that is not in the list, where set: why the row cannot be taken for it. */
    enum source_reason (*other)(void *arg, struct slice name, const struct json_token *value);
    void *other_arg;
};

void json_columns_init(struct json_columns *c);
void json_columns_done(struct json_columns *c);
/* Its place, where it is new or not; SIZE_MAX when there is no more room. */
size_t json_columns_add(struct json_columns *c, struct slice name);

void json_row_reader_init(struct json_row_reader *r);
void json_row_reader_done(struct json_row_reader *r);
/* Valid until the next one, and as long as raw. False: more columns than there may be, or no memory; or, of a row that nobody
 * has read as JSON before, r->json.fault. */
bool json_row_read(
    struct json_row_reader *r, struct json_columns *c, const struct json_token *row, struct json_row *ret);
