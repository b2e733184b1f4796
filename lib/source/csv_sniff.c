#include "source/csv_sniff.h"

#include "util/buffer.h"

#include <ctype.h>

static const char delimiters[4] = {',', ';', '\t', '|'};

static bool is_delimiter(char c)
{
    return memchr(delimiters, c, sizeof(delimiters)) != NULL;
}

/* A quote opens only where a cell begins; the second of two opens again what the first has closed. */
static bool opens(const struct csv_sniff *s, const char *p)
{
    return s->at == 0 || is_delimiter(p[s->at - 1]) || strchr("\"\r\n", p[s->at - 1]);
}

static void look_at(struct csv_sniff *s, const char *p)
{
    char c = p[s->at];
    bool is_line_end = c == '\r' || c == '\n';
    if (c == '"' && (s->in_quotes || opens(s, p)))
        s->in_quotes = !s->in_quotes;
    else if (!s->in_quotes && is_line_end && s->has_text)
        s->is_done = true;
    else if (!s->in_quotes)
        for (size_t i = 0; i < N_ELEMENTS(delimiters); i++)
            s->counts[i] += c == delimiters[i];
    s->has_text = s->has_text || !is_line_end;
}

bool csv_sniff_more(struct csv_sniff *s, const char *p, size_t n)
{
    for (; !s->is_done && s->at < n; s->at++)
        look_at(s, p);
    return s->is_done && n >= CSV_SNIFF_MIN;
}

char csv_sniff_delimiter(const struct csv_sniff *s)
{
    size_t most = 0;
    for (size_t i = 1; i < N_ELEMENTS(delimiters); i++)
        if (s->counts[i] > s->counts[most])
            most = i;
    return delimiters[most];
}

#define UNPACK "unpack it, or give it a name and a type by which it is known as packed"
#define EXPORT "have it exported as CSV"
#define ENCODE "have it written as UTF-8"

static const struct magic {
    const char *bytes;
    size_t n;
    const char *what, *remedy;
} magics[] = {
    {"\xff\xfe", 2, "text in UTF-16", ENCODE},
    {"\xfe\xff", 2, "text in UTF-16", ENCODE},
    {"\0\0\xfe\xff", 4, "text in UTF-32", ENCODE},
    {"%PDF-", 5, "a PDF", EXPORT},
    {"PK\3\4", 4, "a zip, or a workbook of an office program", UNPACK "; a workbook: " EXPORT},
    {"\xd0\xcf\x11\xe0", 4, "an old document or workbook of an office program", EXPORT},
    {"{\\rtf", 5, "a document in RTF", EXPORT},
    {"\x1f\x8b", 2, "packed by gzip", UNPACK},
    {"BZh", 3, "packed by bzip2", UNPACK},
    {"\xfd"
     "7zXZ",
        5, "packed by xz", UNPACK},
    {"\x28\xb5\x2f\xfd", 4, "packed by zstd", UNPACK},
    {"7z\xbc\xaf\x27\x1c", 6, "packed by 7-Zip", UNPACK},
    {"Rar!\x1a\x07", 6, "packed by RAR", UNPACK},
    {"PAR1", 4, "a Parquet file", EXPORT},
    {"SQLite format 3", 15, "an SQLite database", EXPORT},
};

static size_t skip_blanks(const char *p, size_t n, size_t at)
{
    while (at < n && isspace((unsigned char)p[at]))
        at++;
    return at;
}

/* A tag; but <DATE>,<CLOSE> is how some programs write a header. */
static bool is_markup(const char *p, size_t n)
{
    if (n < 2 || p[0] != '<' || !(isalpha((unsigned char)p[1]) || p[1] == '!' || p[1] == '?'))
        return false;
    const char *end = memchr(p, '>', n);
    return p[1] == '!' || p[1] == '?' || !end || end + 1 == p + n || !is_delimiter(end[1]);
}

/* A header may be [id],[name]. */
bool csv_sniff_json(const char *p, size_t n)
{
    size_t at = skip_blanks(p, n, 0), next = skip_blanks(p, n, at + 1);
    if (next >= n || p[next] == '\0')
        return false;
    return (p[at] == '{' && strchr("\"}", p[next])) || (p[at] == '[' && strchr("{[\"]-0123456789", p[next]));
}

bool csv_sniff_foreign(
    const struct csv_sniff *s, const char *p, size_t n, const char **ret_what, const char **ret_remedy)
{
    for (size_t i = 0; i < N_ELEMENTS(magics); i++)
        if (n >= magics[i].n && memcmp(p, magics[i].bytes, magics[i].n) == 0) {
            *ret_what = magics[i].what;
            *ret_remedy = magics[i].remedy;
            return true;
        }
    n = MIN(n, MAX(s->at, (size_t)CSV_SNIFF_MIN));
    size_t at = skip_blanks(p, n, 0);
    bool markup = is_markup(p + at, n - at);
    if (!markup && !csv_sniff_json(p, n))
        return false;
    *ret_what = markup ? "HTML or XML" : "JSON";
    *ret_remedy = "look at what that address answers: a page of words, or one that asks for a login?";
    return true;
}
