#pragma once
/*
 * An intake of canned values in place of lib/stream and the Postgres session, so that the control room is
 * tested alone: two streams, and letters whose answers come when the test says so.
 */
#include "stream/intake.h"

/* The streams stand still: every report is the same, and so is what is made of it. */
struct intake *fake_intake(void);
void fake_intake_reset(void);
struct stream_report *fake_report(size_t i);

/* While true, questions wait for fake_answer_all(); else they are answered before the call returns. */
extern bool fake_answers_later;
/* When set, questions are answered with this reason instead. */
extern const char *fake_why;
/* Answers a question, now or later, as the two above say; result is taken. */
void fake_ask(intake_answer_fn *answer, void *arg, struct cJSON *result);
/* Answers every question that waits; how many there were. */
size_t fake_answer_all(void);

/* What was asked last, in words: "replay id=7 stream=- reason=-". */
extern char fake_asked[256];
extern bool fake_postgres_up;
/* DeadList's answer has this many letters, DeadShow's payload this many bytes (0: a short JSON text). */
extern int fake_n_letters;
extern size_t fake_payload_size;
