/*
 * The order is what matters. Done counts only with exit code 0, but then it counts even where we asked it to
 * stop: its transaction is committed. What we did to it explains how it ended better than what it said while it
 * fell; and what it said, better than the code it left with.
 */
#include "schedule/verdict.h"

#include <sys/wait.h>

/* Why we ended it: what that makes of it, and whether to try again is worth the while. */
static const struct {
    enum process_outcome outcome;
    bool transient;
} reasons[] = {
    [STOP_ASKED] = {PROCESS_KILLED, false},
    [STOP_TIME] = {PROCESS_KILLED, true},
    [STOP_MEMORY] = {PROCESS_KILLED, false},
    [STOP_NO_REPORT] = {PROCESS_FAILED, false},
};

static void by_signal(const struct ending *e, int signal, char words[256])
{
    const char *before = e->has_said ? "said that it was done, but then " : "";
    const char *name = sigabbrev_np(signal), *description = sigdescr_np(signal);
    if (signal == SIGKILL)
        snprintf(words, 256, "%swas killed by signal 9 (Killed): not by us; was the machine out of memory?",
            before);
    else
        snprintf(words, 256, "%swas ended by signal %d (SIG%s, %s): not by us", before, signal,
            name ? name : "?", description ? description : "a signal without a name");
}

static void by_exit(const struct ending *e, int code, char words[256])
{
    if (e->has_said)
        snprintf(words, 256, "said that it was done, but ended with exit code %d", code);
    else if (code == 0)
        snprintf(words, 256, "ended with exit code 0, but without saying that it was done");
    else
        snprintf(words, 256, "ended with exit code %d, without saying why; see its last words", code);
}

static void by_itself(const struct ending *e, char words[256], struct process_end *ret)
{
    ret->outcome = PROCESS_FAILED;
    ret->error = words;
    ret->transient = !e->observed || ret->signal != 0;
    if (!e->observed)
        snprintf(words, 256, "ended, but how is not known: somebody else waited for our child");
    else if (ret->signal)
        by_signal(e, ret->signal, words);
    else
        by_exit(e, ret->exit_code, words);
}

void verdict(const struct ending *e, char words[256], struct process_end *ret)
{
    bool exited = e->observed && WIFEXITED(e->status);
    ret->exit_code = exited ? WEXITSTATUS(e->status) : -1;
    ret->signal = e->observed && WIFSIGNALED(e->status) ? WTERMSIG(e->status) : 0;
    ret->transient = false;
    ret->error = ret->sqlstate = "";
    if (e->has_said && e->said->kind == REPORT_DONE && ret->exit_code == 0) {
        ret->outcome = PROCESS_DONE;
    } else if (e->reason != STOP_NOT) {
        ret->outcome = reasons[e->reason].outcome;
        ret->transient = reasons[e->reason].transient;
        ret->error = e->why;
    } else if (e->has_said && e->said->kind == REPORT_FAILED) {
        ret->outcome = PROCESS_FAILED;
        ret->transient = e->said->transient;
        ret->error = e->said->error;
        ret->sqlstate = e->said->sqlstate;
    } else {
        by_itself(e, words, ret);
    }
}
