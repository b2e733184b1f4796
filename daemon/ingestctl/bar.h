#pragma once
/*
 * How far something is, for the person who waits for it: on a terminal one line that is drawn over and over,
 * elsewhere a plain line every few seconds, or nothing.
 */
#include "util/buffer.h"

#include <stdint.h>

enum bar_form { BAR_NONE, BAR_LINES, BAR_DRAWN };

struct bar_reading {
    char what[64];      /* "compute" */
    char unit[24];      /* "windows", "bytes"; "" where nothing is counted */
    double done, total; /* total below 1: not known */
    double rows;        /* beside bytes: what came of them */
};

/* All zero but for the form is one that has not begun. */
struct bar {
    enum bar_form form;
    bool begun, on_screen;
    struct bar_reading first; /* of this `what`: the rate counts from here */
    int64_t first_us, line_us;
};

/* Shows it, and again at each call; the rate and the time left start anew where `what` changes. */
void bar_show(struct bar *b, const struct bar_reading *now);
/* Takes the drawn line away, so that other words can be said. */
void bar_clear(struct bar *b);

/* The words, `since` being elapsed_us ago: drawn within so many columns, or, for 0, as a plain line. */
void bar_words(struct buffer *to, const struct bar_reading *since, const struct bar_reading *now,
    int64_t elapsed_us, int columns);
