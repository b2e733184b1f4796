#include "job/rollup_file.h"

#include "job/transaction.h"
#include "pg/quote.h"

#include <ctype.h>
#include <stdint.h>

#define NAME_MAX_LENGTH 48 /* what is put behind it must not go beyond Postgres' 63 */
#define WORD_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789_"

static const struct {
    const char *name;
    bool one_statement;
    int parameters; /* how many it is given */
} sections[N_ROLLUP_SECTIONS] = {
    [ROLLUP_READY] = {"ready", true, 0},
    [ROLLUP_PREPARE] = {"prepare", false, 0},
    [ROLLUP_SETTINGS] = {"settings", false, 0},
    [ROLLUP_TOUCHED] = {"touched", true, 1},
    [ROLLUP_COMPUTE] = {"compute", true, 3},
};

const char *rollup_section_to_string(enum rollup_section section)
{
    return sections[section].name;
}

enum word { WORD_TABLE, WORD_NAME, WORD_SCHEMA, WORD_JOB, WORD_VERSION, N_WORDS };
static const char *const words[N_WORDS] = {"table", "name", "schema", "job", "version"};

/* The file while it is read. */
struct reader {
    const char *path;
    struct slice body[N_ROLLUP_SECTIONS]; /* as it stands in the file */
    char *values[N_WORDS];
    struct rollup_file file;
};

static void reader_done(struct reader *r)
{
    for (size_t i = 0; i < N_WORDS; i++)
        free(r->values[i]);
    rollup_file_done(&r->file);
}

void rollup_file_done(struct rollup_file *f)
{
    for (size_t i = 0; i < N_ROLLUP_SECTIONS; i++)
        free(f->text[i]);
    *f = (struct rollup_file){0};
}

/* -- sections -------------------------------------------------------------------------------------------- */

/* The line is `-- name: WORD`: the word, as far as the line goes. */
static bool is_mark(struct slice line, struct slice *ret_word)
{
    static const char mark[] = "name:";
    const char *p = line.p, *end = line.p + line.n;
    if (line.n < 2 || memcmp(p, "--", 2) != 0)
        return false;
    for (p += 2; p < end && (*p == ' ' || *p == '\t');)
        p++;
    if ((size_t)(end - p) < strlen(mark) || memcmp(p, mark, strlen(mark)) != 0)
        return false;
    for (p += strlen(mark); p < end && isspace((unsigned char)*p);)
        p++;
    while (end > p && isspace((unsigned char)end[-1]))
        end--;
    *ret_word = (struct slice){p, (size_t)(end - p)};
    return true;
}

static int begin_section(
    struct reader *r, struct slice word, int line, enum rollup_section *ret, struct error *err)
{
    for (size_t i = 0; i < N_ROLLUP_SECTIONS; i++) {
        if (!slice_is(word, sections[i].name))
            continue;
        if (r->file.line[i])
            return error_set(err, "%s:%d: section %s is there a second time, the first is on line %d",
                r->path, line, sections[i].name, r->file.line[i]);
        r->file.line[i] = line;
        *ret = (enum rollup_section)i;
        return 0;
    }
    return error_set(err,
        "%s:%d: unknown section \"%.*s\": there are ready, prepare, settings, touched and compute", r->path,
        line, (int)MIN(word.n, 40), word.p);
}

/* What is before the first section can be blanks and `--` comments alone. */
static bool is_preface(struct slice line)
{
    size_t i = 0;
    while (i < line.n && isspace((unsigned char)line.p[i]))
        i++;
    return i == line.n || (line.n - i >= 2 && memcmp(line.p + i, "--", 2) == 0);
}

static int split(struct reader *r, const char *text, struct error *err)
{
    int current = -1, n = 1;
    for (const char *p = text; *p; n++) {
        struct slice word, line = {p, strcspn(p, "\n")};
        p += line.n + (p[line.n] == '\n');
        if (is_mark(line, &word)) {
            enum rollup_section section = ROLLUP_COMPUTE;
            if (begin_section(r, word, n, &section, err) < 0)
                return -1;
            current = (int)section;
            r->body[current] = (struct slice){p, 0};
        } else if (current >= 0) {
            r->body[current].n = (size_t)(p - r->body[current].p);
        } else if (!is_preface(line)) {
            return error_set(
                err, "%s:%d: SQL before the first section: begin one by `-- name: compute`", r->path, n);
        }
    }
    if (!r->file.line[ROLLUP_COMPUTE])
        return error_set(err, "%s: there is no section compute: begin it by `-- name: compute`", r->path);
    return 0;
}

/* -- words ----------------------------------------------------------------------------------------------- */

/* {version} changes whenever `prepare` would make something else. FNV-1a, 64 bits. */
static uint64_t mix(uint64_t hash, struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        hash = (hash ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static char *literal(const char *text)
{
    _cleanup_buffer_ struct buffer b = {0};
    pg_put_literal(&b, text);
    return xstrdup(buffer_string(&b));
}

static bool is_name(const char *s, size_t n)
{
    return n > 0 && n <= NAME_MAX_LENGTH && !isdigit((unsigned char)*s) && strspn(s, WORD_CHARACTERS) >= n;
}

static int name_words(struct reader *r, const struct rollup_names *names, struct error *err)
{
    const char *dot = strchr(names->table, '.');
    const char *name = dot ? dot + 1 : names->table;
    size_t n_schema = dot ? (size_t)(dot - names->table) : 0;
    if (!is_name(name, strlen(name)) || (dot && !is_name(names->table, n_schema)))
        return error_set(err,
            "a rollup cannot fill \"%.100s\": its table is [schema.]name of a-z, 0-9 and _, not beginning "
            "with a "
            "digit, each at most %d characters",
            names->table, NAME_MAX_LENGTH);
    _cleanup_free_ char *schema = dot ? xstrndup(names->table, n_schema) : xstrdup("public");
    _cleanup_free_ char *version = xasprintf("%s.%s %s %016llx", schema, name, names->time_zone,
        (unsigned long long)mix(UINT64_C(0xcbf29ce484222325), r->body[ROLLUP_PREPARE]));
    r->values[WORD_TABLE] = xasprintf("\"%s\".\"%s\"", schema, name);
    r->values[WORD_NAME] = xstrdup(name);
    r->values[WORD_SCHEMA] = xstrdup(names->schema);
    r->values[WORD_JOB] = literal(names->job);
    r->values[WORD_VERSION] = literal(version);
    return 0;
}

/* -- putting the words in -------------------------------------------------------------------------------- */

enum piece_kind { PIECE_CODE, PIECE_TEXT, PIECE_COMMENT };

/* How far the text goes on as one piece: a 'string', a comment, or what is between. A body in dollars is read as
 * the SQL that it is. */
static size_t piece(const char *p, size_t n, enum piece_kind *ret_kind)
{
    struct slice starts[] = {SLICE("--"), SLICE("/*"), SLICE("'")};
    static const char *const ends[] = {"\n", "*/", "'"};
    for (size_t at = 0; at < n; at++) {
        for (size_t i = 0; i < N_ELEMENTS(starts); i++) {
            if (n - at < starts[i].n || memcmp(p + at, starts[i].p, starts[i].n) != 0)
                continue;
            *ret_kind = at ? PIECE_CODE : i == 2 ? PIECE_TEXT : PIECE_COMMENT;
            if (at)
                return at;
            const char *end = memmem(p + starts[i].n, n - starts[i].n, ends[i], strlen(ends[i]));
            return end ? (size_t)(end - p) + strlen(ends[i]) : n;
        }
    }
    *ret_kind = PIECE_CODE;
    return n;
}

static int line_of(const struct reader *r, enum rollup_section section, const char *p)
{
    int line = r->file.line[section] + 1;
    for (const char *q = r->body[section].p; q < p; q++)
        line += *q == '\n';
    return line;
}

/* p is at a brace. How long {word} is, and which; 0: it is something else. */
static size_t find_word(const char *p, size_t n, enum word *ret)
{
    size_t k = 1;
    while (k < n && strchr(WORD_CHARACTERS, p[k]))
        k++;
    if (k == 1 || k == n || p[k] != '}' || isdigit((unsigned char)p[1]))
        return 0;
    *ret = N_WORDS;
    for (size_t i = 0; i < N_WORDS; i++)
        if (slice_is((struct slice){p + 1, k - 1}, words[i]))
            *ret = (enum word)i;
    return k + 1;
}

static int put_words(
    struct reader *r, enum rollup_section section, struct slice s, struct buffer *out, struct error *err)
{
    for (size_t at = 0; at < s.n;) {
        enum word word = N_WORDS;
        size_t n = s.p[at] == '{' ? find_word(s.p + at, s.n - at, &word) : 0;
        if (n > 0 && word == N_WORDS)
            return error_set(err,
                "%s:%d: unknown %.*s: there are {table}, {name}, {schema}, {job} and {version}; an array is "
                "written ARRAY['…'], or with a blank: '{ …}'",
                r->path, line_of(r, section, s.p + at), (int)MIN(n, 60), s.p + at);
        if (n > 0)
            buffer_put_string(out, r->values[word]);
        else
            buffer_put(out, s.p + at, 1);
        at += MAX(n, 1);
    }
    return 0;
}

static void note_parameters(struct slice s, int *highest)
{
    for (size_t i = 0; i + 1 < s.n; i++)
        if (s.p[i] == '$' && isdigit((unsigned char)s.p[i + 1]))
            *highest = MAX(*highest, s.p[i + 1] - '0');
}

static int fill_in(struct reader *r, enum rollup_section section, struct error *err)
{
    _cleanup_buffer_ struct buffer out = {0};
    struct slice rest = r->body[section];
    for (int i = 0; i < r->file.line[section]; i++)
        buffer_put(&out, "\n", 1);
    while (rest.n > 0) {
        enum piece_kind kind;
        struct slice s = {rest.p, piece(rest.p, rest.n, &kind)};
        if (kind == PIECE_COMMENT)
            buffer_put(&out, s.p, s.n);
        else if (put_words(r, section, s, &out, err) < 0)
            return -1;
        if (kind == PIECE_CODE)
            note_parameters(s, &r->file.n_parameters[section]);
        rest = (struct slice){rest.p + s.n, rest.n - s.n};
    }
    r->file.text[section] = xstrdup(buffer_string(&out));
    return 0;
}

/* -- what a section may hold ----------------------------------------------------------------------------- */

static int check_section(struct reader *r, enum rollup_section section, struct error *err)
{
    struct sql_reader reader = sql_reader(SQL_POSTGRES, r->file.text[section]);
    struct sql_statement s;
    int n = 0;
    for (; sql_next(&reader, &s); n++) {
        if (transaction_is_ended_by(SQL_POSTGRES, &s) || sql_begins(&s, "BEGIN"))
            return error_set(err, "%s:%d: %s in section %s: its transaction is the rollup's own", r->path,
                s.line, s.head, sections[section].name);
        if (n > 0 && sections[section].one_statement)
            return error_set(err, "%s:%d: a second statement in section %s, which is one", r->path, s.line,
                sections[section].name);
    }
    if (n == 0)
        return error_set(err, "%s:%d: section %s holds no statement", r->path, r->file.line[section],
            sections[section].name);
    if (sections[section].one_statement && r->file.n_parameters[section] > sections[section].parameters)
        return error_set(err, "%s:%d: section %s uses $%d, but is given %d parameters", r->path,
            r->file.line[section], sections[section].name, r->file.n_parameters[section],
            sections[section].parameters);
    return 0;
}

int rollup_file_parse(const char *path, const char *text, const struct rollup_names *names,
    struct rollup_file *ret_file, struct error *err)
{
    _cleanup_(reader_done) struct reader r = {.path = path};
    if (split(&r, text, err) < 0 || name_words(&r, names, err) < 0)
        return -1;
    for (size_t i = 0; i < N_ROLLUP_SECTIONS; i++) {
        enum rollup_section section = (enum rollup_section)i;
        if (r.file.line[i] && (fill_in(&r, section, err) < 0 || check_section(&r, section, err) < 0))
            return -1;
    }
    *ret_file = r.file;
    r.file = (struct rollup_file){0};
    return 0;
}
