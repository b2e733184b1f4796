#pragma once
/*
 * A scheduler of canned values in place of lib/schedule: three jobs, and runs that go one step further each
 * time somebody looks. It answers as the fake intake does: see fake_answers_later and fake_why there.
 */
#include "schedule/scheduler.h"

struct scheduler *fake_scheduler(void);
/* "revenue", "nightly", "adhoc". */
struct job_report *fake_job(size_t i);
/* As it was at the beginning. */
void fake_scheduler_reset(void);
/* The jobs are gone, as after a reload. */
extern size_t fake_n_jobs;
extern const char *fake_leader;
/* What was asked last, in words: "run revenue at=0 dry_run=0 by uid 1000". */
extern char fake_ordered[256];
