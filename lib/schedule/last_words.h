#pragma once
/* The end of what somebody wrote, however much it was, made fit to be shown. All zero is silence. */
#include <stddef.h>

#define LAST_WORDS_MAX 4096

struct last_words {
    size_t n; /* bytes ever heard; the ring holds the last of them, each at its number modulo the size */
    char ring[LAST_WORDS_MAX];
};

void last_words_hear(struct last_words *w, const char *p, size_t n);
/*
 * The last of them as UTF-8: without control characters (but the lines stay apart), a '?' for each byte that is
 * no text, no blank lines, no blank at either end.
 */
void last_words_show(const struct last_words *w, char out[LAST_WORDS_MAX + 1]);
