/* The codes of the shipped mapping, as its SQL reads them from setup/omop/reasons.csv. */
#include "../util/reasons.h"
#include "util/text.h"

#define REASONS_MAX 64

static char *codes[REASONS_MAX], *sentences[REASONS_MAX];
static int n_reasons = 1; /* the first is none */

static const char *code(int reason)
{
    if (reason == 0)
        return "none";
    return reason > 0 && reason < n_reasons ? codes[reason] : "unknown";
}

static const char *sentence(int reason)
{
    return reason > 0 && reason < n_reasons ? sentences[reason] : "Nothing is wrong with it.";
}

static void read_line(const char *line)
{
    const char *at = line;
    codes[n_reasons] = text_next_word(&at);
    free(text_next_word(&at)); /* the kind */
    sentences[n_reasons] = text_next_word(&at);
    n_reasons += codes[n_reasons] && sentences[n_reasons];
}

static bool read_reasons(void)
{
    char line[4096];
    _cleanup_fclose_ FILE *f = fopen(OMOP_REASONS, "re");
    if (!f || !fgets(line, sizeof(line), f))
        return false;
    while (n_reasons < REASONS_MAX && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        read_line(line);
    }
    return n_reasons > 1;
}

int main(void)
{
    if (!read_reasons())
        return 1;
    int r = test_reasons("harmonize-reasons",
        &(const struct reasons){"\n## Rows of a harmonize\n", code, sentence, n_reasons});
    for (int i = 1; i < n_reasons; i++) {
        free(codes[i]);
        free(sentences[i]);
    }
    return r;
}
