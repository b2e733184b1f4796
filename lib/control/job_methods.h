#pragma once
/* What can be asked of the scheduler: the methods about jobs and their runs. */
struct call;

void run_jobs(struct call *c);
void run_runs(struct call *c);
void run_run_job(struct call *c);
void run_run_cancel(struct call *c);
void run_pause_job(struct call *c);
void run_resume_job(struct call *c);
void run_backfill(struct call *c);
void run_backfill_progress(struct call *c);
