/* Why the rows of dumps are rejected. */
#include "../util/reasons.h"
#include "source/reason.h"

static const char *code(int reason)
{
    return source_reason_code((enum source_reason)reason);
}

static const char *sentence(int reason)
{
    return source_reason_sentence((enum source_reason)reason);
}

int main(void)
{
    return test_reasons(
        "source-reason", &(const struct reasons){"\n## Rows of dumps\n", code, sentence, N_SOURCE_REASONS});
}
