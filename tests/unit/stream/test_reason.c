/* Why the entries of streams are not stored. */
#include "../util/reasons.h"
#include "stream/reason.h"

static const char *code(int reason)
{
    return reason_code((enum reason)reason);
}

static const char *sentence(int reason)
{
    return reason_sentence((enum reason)reason);
}

int main(void)
{
    return test_reasons(
        "stream-reason", &(const struct reasons){"\n## Entries of streams\n", code, sentence, N_REASONS});
}
