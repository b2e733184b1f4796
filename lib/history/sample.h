#pragma once
/*
 * The first rows of a source are looked at before they are taken: SAMPLE_ROWS of them, or SAMPLE_BYTES. What is handed
 * back is a source that gives them once more, and the rest behind them.
 */
#include "source/source.h"

#define SAMPLE_ROWS  1000
#define SAMPLE_BYTES (1 << 20)

/* look: each row that can be taken. The source stays the caller's, and must not be used beside the new one. */
int sample_open(struct source *source, void (*look)(void *arg, const struct source_row *row), void *arg,
    struct source **ret_source, struct source_fault *fault);
