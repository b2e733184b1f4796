#include "job/sql.h"

#include "util/cleanup.h"

#include <ctype.h>
#include <strings.h>

struct sql_reader sql_reader(enum sql_dialect dialect, const char *text)
{
    return (struct sql_reader){.dialect = dialect, .p = text, .line = 1};
}

/* -- tokens ---------------------------------------------------------------------------------------------- */

static bool is_word_start(char c)
{
    return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_word(char c)
{
    return is_word_start(c) || isdigit((unsigned char)c) || c == '$';
}

/* "-- …"; in MySQL the dashes need a blank behind them, and "#" begins a comment too. */
static bool is_line_comment(enum sql_dialect dialect, const char *p)
{
    if (p[0] == '#')
        return dialect == SQL_MYSQL;
    return p[0] == '-' && p[1] == '-' &&
           (dialect == SQL_POSTGRES || p[2] == '\0' || isspace((unsigned char)p[2]));
}

/* A comment that MySQL or MariaDB executes. */
static bool is_executed(enum sql_dialect dialect, const char *p)
{
    return dialect == SQL_MYSQL && (strncmp(p, "/*!", 3) == 0 || strncmp(p, "/*M!", 4) == 0);
}

/* Behind the comment; Postgres' may stand inside each other. */
static const char *skip_block_comment(enum sql_dialect dialect, const char *p)
{
    int depth = 0;
    do {
        if (p[0] == '/' && p[1] == '*' && (depth == 0 || dialect == SQL_POSTGRES)) {
            depth++;
            p += 2;
        } else if (p[0] == '*' && p[1] == '/') {
            depth--;
            p += 2;
        } else if (*p) {
            p++;
        }
    } while (depth > 0 && *p);
    return p;
}

/* Behind the quoted string or name. A doubled quote is part of it. */
static const char *skip_quoted(const char *p, bool backslash)
{
    char quote = *p++;
    for (; *p; p++) {
        if (backslash && *p == '\\' && p[1])
            p++;
        else if (*p == quote && p[1] != quote)
            return p + 1;
        else if (*p == quote)
            p++;
    }
    return p;
}

/* Behind $tag$ … $tag$, or NULL where none begins. */
static const char *skip_dollars(const char *p)
{
    size_t tag = 1;
    if (is_word_start(p[1]))
        while (is_word(p[tag]) && p[tag] != '$')
            tag++;
    if (p[tag] != '$')
        return NULL;
    tag++;
    for (const char *end = p + tag; (end = strchr(end, '$')); end++)
        if (strncmp(end, p, tag) == 0)
            return end + tag;
    return p + strlen(p);
}

/* In Postgres only E'…' has escapes by a backslash, in MySQL all strings have. */
static bool has_escapes(enum sql_dialect dialect, const char *begin, const char *p)
{
    if (dialect == SQL_MYSQL)
        return *p != '`';
    bool e = p > begin && (p[-1] == 'e' || p[-1] == 'E') && (p - 1 == begin || !is_word(p[-2]));
    return *p == '\'' && e;
}

/* Behind whatever begins at p: a comment, a string, a word, or one character. begin: of the whole text. */
static const char *skip_token(enum sql_dialect dialect, const char *begin, const char *p)
{
    if (is_line_comment(dialect, p))
        return p + strcspn(p, "\n");
    if (p[0] == '/' && p[1] == '*')
        return skip_block_comment(dialect, p);
    if (*p == '\'' || *p == '"' || (*p == '`' && dialect == SQL_MYSQL))
        return skip_quoted(p, has_escapes(dialect, begin, p));
    const char *behind = *p == '$' && dialect == SQL_POSTGRES ? skip_dollars(p) : NULL;
    if (behind)
        return behind;
    if (!is_word_start(*p))
        return p + 1;
    while (is_word(*p))
        p++;
    return p;
}

static bool is_blank(enum sql_dialect dialect, const char *p)
{
    return isspace((unsigned char)*p) || is_line_comment(dialect, p) ||
           (p[0] == '/' && p[1] == '*' && !is_executed(dialect, p));
}

/* -- statements ------------------------------------------------------------------------------------------ */

/* What is inside of a statement and hides a semicolon: brackets (a rule's actions), and the body of a routine
 * written as BEGIN … END, which CASE … END may be part of, and what ends by END IF and its like. */
struct nest {
    int brackets, blocks;
    bool routine;
    bool after_end; /* the last word was END */
};

static bool is_named(const char *word, size_t n, const char *name)
{
    return strlen(name) == n && strncasecmp(word, name, n) == 0;
}

static bool ends_no_block(const char *word, size_t n)
{
    static const char *const names[] = {"IF", "LOOP", "WHILE", "REPEAT", "FOR"};
    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (is_named(word, n, names[i]))
            return true;
    return false;
}

static void nest_word(struct nest *nest, const char *word, size_t n)
{
    bool opens = is_named(word, n, "BEGIN") ||
                 (nest->blocks > 0 && is_named(word, n, "CASE") && !nest->after_end) ||
                 (nest->after_end && ends_no_block(word, n));
    bool ends = is_named(word, n, "END");
    nest->blocks += nest->routine && opens;
    nest->after_end = nest->routine && ends && nest->blocks > 0;
    nest->blocks -= nest->after_end;
}

static void nest_token(struct nest *nest, const char *p, size_t n)
{
    if (*p == '(')
        nest->brackets++;
    else if (*p == ')' && nest->brackets > 0)
        nest->brackets--;
    else if (*p == ';')
        nest->after_end = false;
    else if (is_word_start(*p))
        nest_word(nest, p, n);
}

static void add_head(struct sql_statement *s, const char *word, size_t n)
{
    size_t used = strlen(s->head), words = 0;
    for (size_t i = 0; i < used; i++)
        words += s->head[i] == ' ';
    if ((used && words == 3) || used + n + 2 > sizeof(s->head))
        return;
    if (used)
        s->head[used++] = ' ';
    for (size_t i = 0; i < n; i++)
        s->head[used + i] = (char)toupper((unsigned char)word[i]);
    s->head[used + n] = '\0';
}

bool sql_begins(const struct sql_statement *s, const char *words)
{
    size_t n = strlen(words);
    return strncmp(s->head, words, n) == 0 && (s->head[n] == '\0' || s->head[n] == ' ');
}

/* CREATE [OR REPLACE] [DEFINER = …] FUNCTION and its like have a body. */
static bool is_routine(const struct sql_statement *s, const char *word, size_t n)
{
    static const char *const kinds[] = {"FUNCTION", "PROCEDURE", "TRIGGER", "EVENT", "PACKAGE"};
    for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
        if (is_named(word, n, kinds[i]))
            return sql_begins(s, "CREATE");
    return false;
}

static void count_lines(struct sql_reader *r, const char *to)
{
    for (; r->p < to; r->p++)
        r->line += *r->p == '\n';
}

static void skip_blanks(struct sql_reader *r, const char *begin)
{
    while (*r->p == ';' || (*r->p && is_blank(r->dialect, r->p)))
        count_lines(r, skip_token(r->dialect, begin, r->p));
}

bool sql_next(struct sql_reader *r, struct sql_statement *ret)
{
    const char *begin = r->p;
    skip_blanks(r, begin);
    if (*r->p == '\0')
        return false;
    *ret = (struct sql_statement){.start = r->p, .line = r->line};
    struct nest nest = {0};
    bool words_only = true; /* so far: the head ends at the first thing that is no word */
    while (*r->p && (*r->p != ';' || nest.brackets > 0 || nest.blocks > 0)) {
        const char *p = r->p, *behind = skip_token(r->dialect, begin, p);
        size_t n = (size_t)(behind - p);
        ret->hidden |= is_executed(r->dialect, p);
        nest_token(&nest, p, n);
        nest.routine |= is_word_start(*p) && is_routine(ret, p, n);
        words_only &= is_blank(r->dialect, p) || is_word_start(*p);
        if (words_only && is_word_start(*p))
            add_head(ret, p, n);
        if (!is_blank(r->dialect, p))
            ret->n = (size_t)(behind - ret->start);
        count_lines(r, behind);
    }
    return true;
}
