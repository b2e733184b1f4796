#pragma once
/* Names and texts as SQL writes them (PostgreSQL manual, 4.1). */
#include "util/buffer.h"

/* "name", with quotes inside doubled. */
void pg_put_identifier(struct buffer *out, const char *name);
/* 'text', likewise; standard_conforming_strings is on. */
void pg_put_literal(struct buffer *out, const char *text);
