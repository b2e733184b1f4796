#pragma once
/* The bytes of an object, unpacked, with a look at the first of them before they are handed out. */
#include "fetch/fetch.h"
#include "source/object_reason.h"
#include "source/source.h"

struct object_bytes {
    const char *label; /* the caller's */
    struct fetch *fetch;
    char first[4096]; /* [at, n) is still to be handed out */
    size_t at, n;
    bool is_ended; /* `first` is all there is */
};

/* Reads as much of it as tells what it is. A fault's words name the label, not the path. */
int object_bytes_open(
    struct object_bytes *b, const char *path, const char *label, struct source_fault *fault);
void object_bytes_done(struct object_bytes *b);

/* As csv_bytes has them; arg is the struct. */
ssize_t object_bytes_read(void *arg, char *p, size_t n, struct source_fault *fault);
void object_bytes_facts(void *arg, int64_t *ret_received, int64_t *ret_total);

/* Sets the reason beside the words "label: …", and returns -1. */
int object_refuse(const char *label, struct source_fault *fault, enum object_reason reason, const char *fmt,
    ...) _printf_(4, 5);
