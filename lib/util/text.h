#pragma once
/* Words for people and back: numbers, durations, sizes, near misses, UTF-8. */
#include "util/buffer.h"

/* 5412 -> "5,412". out holds at least 28 bytes; returned for use in a printf. */
const char *text_count(uint64_t n, char out[28]);
/* Microseconds -> "3h 12m", "12.4s", "1.1 ms": the two largest units that matter. */
const char *text_duration(int64_t us, char out[32]);
/* Bytes -> "24.0 MB". */
const char *text_bytes(uint64_t n, char out[32]);

/* "250ms", "30s", "10m", "6h", "7d" -> microseconds; a number alone is refused. 0 or -1. */
int text_parse_duration(const char *s, int64_t *ret_us);
/* "512", "64KB", "24MB", "2GB" (1024-based) -> bytes. 0 or -1. */
int text_parse_bytes(const char *s, uint64_t *ret_bytes);

/* The word of `words` nearest to `typed` when it is near enough to be a slip, else NULL. */
const char *text_suggest(const char *typed, const char *const *words, size_t n_words);

/* The next of words with commas between them; one that holds a comma stands in quotes, and a quote in it twice:
 * NPI,"City, State". A new string, and *at is behind it, or NULL where it was the last. NULL when *at is, and where a quote
 * is not closed or has something behind it. */
char *text_next_word(const char **at);
/* The same, and the blanks before and behind it do not belong to it. */
char *text_next_item(const char **at);

/* True when the bytes are well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF). */
bool text_is_utf8(const char *p, size_t n);
/* Copies what is well-formed, with U+FFFD for every other byte and for NUL; at most max bytes, and no character in part.
 * How many bytes it made. */
size_t text_make_utf8(const char *p, size_t n, char *out, size_t max);
/* How many characters well-formed UTF-8 holds. */
size_t text_utf8_length(const char *p, size_t n);

/* What a stranger wrote, in place, as one line that can be logged and stored: line breaks and the like become spaces, and
 * each space one; a character that was cut at the end goes; where it is no UTF-8, what is not ASCII becomes '?'. */
void text_make_printable(char *text);
