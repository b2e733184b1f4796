#pragma once
/* How a run ended, told from what is known of its process, and said in words. */
#include "schedule/process.h"

enum stop_reason { STOP_NOT, STOP_ASKED, STOP_TIME, STOP_MEMORY, STOP_NO_REPORT };

struct ending {
    enum stop_reason reason; /* why we ended it … */
    const char *why;         /* … in words; "" */
    bool observed;           /* the status is known */
    int status;              /* as of wait4 */
    const struct report *said;
    bool has_said; /* done or failed */
};

/* Fills outcome, exit_code, signal, transient, error and sqlstate. words: where the error is written when it is
 * ours to say. */
void verdict(const struct ending *e, char words[256], struct process_end *ret);
