#pragma once
/*
 * Records on their way from one thread, which joins, to another, which loads: a few blocks of them, so that both go on at the
 * same time, and neither far ahead of the other.
 */
#include "match/share.h"
#include "util/buffer.h"
#include "util/error.h"

#include <stdbool.h>

struct match_queue;

/* share: gets how many records are in memory, of which the queue may have this part; the caller's. */
struct match_queue *queue_new(struct match_share *share, double part);
void queue_free(struct match_queue *q);
DEFINE_CLEANUP(struct match_queue *, queue_freep, queue_free)

/* The one thread: waits while the other is behind. False: the other takes no more. */
bool queue_put(struct match_queue *q, struct slice record);
/* All are put. */
void queue_end(struct match_queue *q);

/* The other: false at the end. The record is valid until the next call. */
bool queue_next(struct match_queue *q, struct slice *ret_record);
/* It takes no more. */
void queue_abandon(struct match_queue *q);
