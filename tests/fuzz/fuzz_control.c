/*
 * The control socket's bytes: framing, parsing, and every call run to its answer against the fake intake and
 * scheduler. Half of the questions are answered later, some after their caller has gone.
 */
#include "control/call.h"
#include "control/methods.h"
#include "util/log.h"
#include "util/text.h"

#include "fake_daemon.h"
#include "fake_intake.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* An answer is a message of its own kind, always. */
static void check_answer(void *owner, char *message, bool last)
{
    struct varlink_reply reply;
    struct call **under_way = owner;
    if (!text_is_utf8(message, strlen(message)) ||
        varlink_reply_parse(message, strlen(message), &reply, NULL) < 0)
        abort();
    varlink_reply_done(&reply);
    free(message);
    if (last)
        *under_way = NULL;
}

/* One call as the connection runs it; the client leaves before the answer when abandon is set. */
static void run_call(struct fake_daemon *d, struct varlink_call *message, bool later, bool abandon)
{
    struct peer peer = {0};
    struct call *under_way = NULL;
    struct call *call = call_new(&d->control, &peer, message, check_answer, &under_way);
    under_way = call;
    fake_answers_later = later;
    methods_run(call);
    if (under_way)
        methods_again(under_way);
    if (under_way && abandon)
        call_abandon(TAKE(under_way));
    fake_answer_all();
    if (under_way)
        call_abandon(under_way);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct fake_daemon d;
    if (!d.control.base) {
        log_set_level(LOG_LEVEL_ERROR);
        fake_daemon_init(&d);
    }
    /* As in the socket's buffer: exactly n bytes, so that a sanitizer sees one read too many. */
    if (n == 0)
        return 0;
    _cleanup_free_ char *copy = xcalloc(n, 1);
    memcpy(copy, bytes, n);
    size_t at = 0, scanned = 0, length;
    while (varlink_next(copy + at, n - at, VARLINK_MAX_MESSAGE, &scanned, &length) == VARLINK_WHOLE) {
        struct varlink_call message;
        if (varlink_call_parse(copy + at, length, &message, NULL) < 0)
            break;
        run_call(&d, &message, length & 1, length & 2);
        at += length + 1;
        scanned = 0;
    }
    return 0;
}
