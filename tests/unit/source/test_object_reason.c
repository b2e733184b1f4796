/* Why delivered objects are refused as a whole. */
#include "../util/reasons.h"
#include "source/object_reason.h"

static const char *code(int reason)
{
    return object_reason_code((enum object_reason)reason);
}

static const char *sentence(int reason)
{
    return object_reason_sentence((enum object_reason)reason);
}

int main(void)
{
    return test_reasons("source-object_reason",
        &(const struct reasons){"\n## Objects of a harmonize\n", code, sentence, N_OBJECT_REASONS});
}
