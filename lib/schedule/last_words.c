#include "schedule/last_words.h"

#include "util/text.h"

void last_words_hear(struct last_words *w, const char *p, size_t n)
{
    size_t skip = n > LAST_WORDS_MAX ? n - LAST_WORDS_MAX : 0;
    w->n += skip;
    for (size_t i = skip; i < n; i++)
        w->ring[w->n++ % LAST_WORDS_MAX] = p[i];
}

/* In order; returns how many. Where the beginning was overwritten, the rest of a character that was cut in two
 * is left out. */
static size_t unroll(const struct last_words *w, char out[LAST_WORDS_MAX])
{
    size_t begin = w->n - MIN(w->n, (size_t)LAST_WORDS_MAX), first = begin;
    while (begin > 0 && first < begin + 3 && ((unsigned char)w->ring[first % LAST_WORDS_MAX] & 0xc0) == 0x80)
        first++;
    for (size_t i = first; i < w->n; i++)
        out[i - first] = w->ring[i % LAST_WORDS_MAX];
    return w->n - first;
}

/* The length of the character at p; 0: it is none. */
static size_t character(const char *p, size_t n)
{
    for (size_t len = 1; len <= MIN(n, (size_t)4); len++)
        if (text_is_utf8(p, len))
            return len;
    return 0;
}

/* Those of ASCII, and those from U+0080 to U+009F, which some terminals obey. */
static bool is_control(const char *p, size_t len)
{
    unsigned char c = (unsigned char)p[0];
    return (len == 1 && (c < 0x20 || c == 0x7f)) || (len == 2 && c == 0xc2 && (unsigned char)p[1] < 0xa0);
}

/* Ends of lines and blanks are written when something follows them: many ends of lines make one, and no line ends
 * in blanks. */
struct page {
    char *out;
    size_t n, blanks;
    bool line_ends;
};

static void put(struct page *page, const char *p, size_t len)
{
    if (page->line_ends && page->n > 0)
        page->out[page->n++] = '\n';
    size_t blanks = page->n > 0 ? page->blanks : 0;
    memset(page->out + page->n, ' ', blanks);
    memcpy(page->out + page->n + blanks, p, len);
    page->n += blanks + len;
    page->line_ends = false;
    page->blanks = 0;
}

static void end_line(struct page *page)
{
    page->line_ends = true;
    page->blanks = 0;
}

void last_words_show(const struct last_words *w, char out[LAST_WORDS_MAX + 1])
{
    char raw[LAST_WORDS_MAX] = {0};
    size_t n = unroll(w, raw);
    struct page page = {.out = out};
    for (size_t i = 0, len; i < n; i += MAX(len, (size_t)1)) {
        len = character(raw + i, n - i);
        if (raw[i] == '\n' || raw[i] == '\r')
            end_line(&page);
        else if (raw[i] == ' ' || raw[i] == '\t')
            page.blanks++;
        else if (len == 0)
            put(&page, "?", 1);
        else if (!is_control(raw + i, len))
            put(&page, raw + i, len);
    }
    out[page.n] = '\0';
}
