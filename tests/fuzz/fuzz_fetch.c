/*
 * What strangers write around a dump: the first byte chooses an index page, a name with a date, a name and a pattern (split at
 * a line break), or headers. The rest is the text.
 */
#include "fetch/answer.h"
#include "fetch/inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void try_page(struct slice page)
{
    size_t at = 0, before = 0;
    bool is_base = false;
    for (char *link; (link = page_next_link(page, &at, &is_base)); before = at) {
        require(at > before && at <= page.n);
        for (const char *p = link; *p; p++)
            require(*p > ' ' && *p <= '~');
        free(link);
    }
    require(at == page.n);
}

static void require_date(const char date[11])
{
    char again[11];
    require(strlen(date) == 10 && fetch_date_in_name(date, again) && strcmp(date, again) == 0);
}

static void try_name(const char *name)
{
    char date[11];
    if (fetch_date_in_name(name, date))
        require_date(date);
}

static void try_pattern(char *text)
{
    char date[11], *name = strchr(text, '\n');
    struct error err;
    if (name)
        *name++ = '\0';
    if (!name || !glob_is_sound(text, &err) || !glob_matches(text, name, date))
        return;
    if (date[0])
        require_date(date);
}

static void try_headers(const char *text)
{
    int64_t at, total, us = answer_retry_after(text, 0);
    require(us >= -1 && us <= RETRY_AFTER_MAX_US);
    if (answer_content_range(text, &at, &total))
        require(total < 0 || at < total);
    _cleanup_free_ char *name = answer_disposition_name(text);
    require(!name || (*name && strlen(name) <= 255 && !strchr(name, '/') && !strchr(name, '\n')));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n < 1)
        return 0;
    _cleanup_free_ char *text = xcalloc(n, 1);
    memcpy(text, bytes + 1, n - 1);
    switch (bytes[0] % 4) {
    case 0:
        try_page((struct slice){text, n - 1});
        break;
    case 1:
        try_name(text);
        break;
    case 2:
        try_pattern(text);
        break;
    default:
        try_headers(text);
    }
    return 0;
}
