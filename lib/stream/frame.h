#pragma once
/*
 * The frames of a named pipe: a length as a 32-byte unsigned big-endian number, then that many bytes. Fed
 * with the pipe's bytes in pieces of any size, the reader says where each frame ends and what became of it.
 * Memory grows with the bytes that came, never with a length that was only claimed, and never above
 * max_entry.
 */
#include "stream/reason.h"
#include "util/buffer.h"

#define FRAME_LENGTH_SIZE 32
#define FRAME_LENGTH_MAX  (UINT64_C(1) << 30)
#define FRAME_KEPT        65536 /* of a frame that is too large or no frame at all */

struct frame {
    bool complete;        /* there is a frame; the rest holds only then */
    enum reason reason;   /* NONE: whole. Else TOO_LARGE, CUT_OFF, EMPTY, BAD_FRAME */
    struct slice payload; /* the bytes there are; valid until the reader or the fed bytes change */
    uint64_t size;        /* how long it claimed to be; BAD_FRAME: how many bytes were passed over */
};

/* All its fields are its own. */
struct frame_reader {
    uint64_t max_entry, max_length;
    enum { FRAME_IN_LENGTH, FRAME_IN_BODY, FRAME_SKIPPING, FRAME_LOST } state;
    unsigned char length[FRAME_LENGTH_SIZE];
    size_t n_length;
    uint64_t size, got;
    struct buffer kept;
    bool is_spent; /* kept was handed out: to be emptied at the next call */
};

/* A frame longer than max_entry is passed over; one longer than max_length (at most FRAME_LENGTH_MAX) is
 * taken for lost framing. */
void frame_reader_init(struct frame_reader *r, uint64_t max_entry, uint64_t max_length);
void frame_reader_done(struct frame_reader *r);

/* Takes bytes up to the end of a frame, or all; returns how many, and in ret what they completed. A frame
 * that lies wholly in p is not copied. */
size_t frame_reader_feed(struct frame_reader *r, const char *p, size_t n, struct frame *ret);
/* No more bytes belong to what came before: whatever is begun is over. */
void frame_reader_end(struct frame_reader *r, struct frame *ret);
/* An unknown number of bytes is missing here: nothing is a frame until the next frame_reader_end(). */
void frame_reader_lose(struct frame_reader *r);

/* Between two frames. */
bool frame_reader_is_idle(const struct frame_reader *r);
/* Framing is lost until the next frame_reader_end(). */
bool frame_reader_is_lost(const struct frame_reader *r);
