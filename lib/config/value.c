#include "config/value.h"

#include "config/problems.h"
#include "util/buffer.h"
#include "util/date.h"
#include "util/text.h"

#include <inttypes.h>

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#define IDENTIFIER_MAX  63 /* bytes of a Postgres name (NAMEDATALEN - 1) */
#define PLAIN_TABLE_MAX 40 /* leaves room for what is put behind it */

int check_length(const struct key *key, const char *text, struct error *err)
{
    if (key->most && strlen(text) > key->most)
        return error_set(err, "this is too long: at most %" PRIu64 " characters", key->most);
    return 0;
}

static int check_name(const struct key *key, const char *text, struct error *err)
{
    char quoted[QUOTE_MAX];
    if (text[strspn(text, LOWER UPPER DIGITS "._-")])
        return error_set(err, "%s may hold only letters, digits, '.', '_' and '-'", quote_text(text, quoted));
    return check_length(key, text, err);
}

/* "error, warning, notice, info or debug" */
static void put_words(struct buffer *out, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        buffer_printf(out, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
}

int check_choice(const struct key *key, const char *text, struct error *err)
{
    size_t n = 0;
    for (; key->words[n]; n++)
        if (strcmp(key->words[n], text) == 0)
            return 0;
    char quoted[QUOTE_MAX];
    _cleanup_buffer_ struct buffer list = {0};
    put_words(&list, key->words);
    const char *near = text_suggest(text, key->words, n);
    return error_set(err, "%s is not possible here: %s%s%s%s", quote_text(text, quoted), buffer_string(&list),
        near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

/* Kept plain because it stands in every statement the daemon writes. */
static int check_schema(const struct key *key, const char *text, struct error *err)
{
    char quoted[QUOTE_MAX];
    if (text[strspn(text, LOWER DIGITS "_")] || strchr(DIGITS, text[0]) || strlen(text) > IDENTIFIER_MAX)
        return error_set(err,
            "%s may hold only a-z, 0-9 and '_', must not begin with a digit, and has at "
            "most %d characters",
            quote_text(text, quoted), IDENTIFIER_MAX);
    if (strncmp(text, "pg_", 3) == 0)
        return error_set(err, "%s: names that begin with pg_ belong to Postgres", quote_text(text, quoted));
    return 0;
}

static int check_table(const struct key *key, const char *text, struct error *err)
{
    char quoted[QUOTE_MAX];
    const char *dot = strchr(text, '.');
    const char *table = dot ? dot + 1 : text;
    if (strchr(table, '.') || !*table || dot == text || strchr(text, '"'))
        return error_set(err, "%s is not a table: [schema.]table, without quotes", quote_text(text, quoted));
    if (strlen(table) > IDENTIFIER_MAX || (dot && dot - text > IDENTIFIER_MAX))
        return error_set(err, "%s is too long: Postgres' names have at most %d bytes",
            quote_text(text, quoted), IDENTIFIER_MAX);
    return 0;
}

/* It stands in statements without quotes, and other names are made from it. */
static int check_plain_table(const struct key *key, const char *text, struct error *err)
{
    char quoted[QUOTE_MAX];
    const char *dot = strchr(text, '.');
    const char *table = dot ? dot + 1 : text;
    if (text[strspn(text, LOWER DIGITS "_.")] || strspn(text, DIGITS) || strspn(table, DIGITS))
        return error_set(err,
            "%s is not possible here: the name of this table may hold only a-z, 0-9 and '_', and must not "
            "begin with a digit",
            quote_text(text, quoted));
    if (strlen(table) > PLAIN_TABLE_MAX)
        return error_set(err, "%s is too long: other names are made from it, so it has at most %d characters",
            quote_text(text, quoted), PLAIN_TABLE_MAX);
    return check_table(key, text, err);
}

static int check_report_date(const struct key *key, const char *text, struct error *err)
{
    char quoted[QUOTE_MAX];
    return strcmp(text, "today") == 0 || date_is_good(text)
               ? 0
               : error_set(err, "%s is neither a date, as 2017-02-02, nor the word today",
                     quote_text(text, quoted));
}

static int check_date(const struct key *key, const char *text, struct error *err)
{
    char quoted[QUOTE_MAX];
    return date_is_good(text)
               ? 0
               : error_set(err, "%s is not a date: one is 2016-02-07", quote_text(text, quoted));
}

/* A letter, a digit or a quote would take the cells apart. */
static int check_delimiter(const struct key *key, const char *text, struct error *err)
{
    char quoted[QUOTE_MAX];
    bool one =
        strlen(text) == 1 && text[0] > ' ' && text[0] < 0x7f && !strchr(LOWER UPPER DIGITS "\"", text[0]);
    return one || strcmp(text, "tab") == 0 || strcmp(text, "\t") == 0
               ? 0
               : error_set(err,
                     "%s is not possible here: one character that is no letter, digit or quote, or the word "
                     "tab",
                     quote_text(text, quoted));
}

/* What stands in a URL behind its '?': nothing that would end it, or that a URL has to escape. */
static int check_query(const struct key *key, const char *text, struct error *err)
{
    char quoted[QUOTE_MAX];
    if (text[0] == '?' || text[0] == '&' || strpbrk(text, " #") || !strchr(text, '='))
        return error_set(err,
            "%s is not possible here: parameters as name=value&name=value, without ? before them",
            quote_text(text, quoted));
    return check_length(key, text, err);
}

/* "Name: " */
static size_t header_name(const char *text)
{
    size_t n = strspn(text, LOWER UPPER DIGITS "!#$%&'*+-.^_`|~");
    return n > 0 && text[n] == ':' ? n : 0;
}

size_t value_header_end(const char *text)
{
    size_t n = strcspn(text, ",");
    for (; text[n]; n += 1 + strcspn(text + n + 1, ",")) {
        const char *more = text + n + 1 + strspn(text + n + 1, " ");
        size_t name = header_name(more);
        if (name > 0 && more[name + 1] == ' ')
            break;
    }
    return n;
}

/* No value is repeated: it may be a password. */
static int check_headers(const struct key *key, const char *text, struct error *err)
{
    for (const char *at = text; *at;) {
        size_t name = header_name(at), end = value_header_end(at);
        if (name == 0 || name + 1 + strspn(at + name + 1, " ") >= end)
            return error_set(err, "this is no header: `Name: value`, and with several a comma between them");
        at += end;
        at += strspn(at, ", ");
    }
    return check_length(key, text, err);
}

static int check_types(const struct key *key, const char *text, struct error *err)
{
    if (check_words(key, text, err) < 0)
        return -1;
    for (const char *at = text; at; at = strchr(at, ',')) {
        at += *at == ',';
        size_t n = strcspn(at, ","), name = strcspn(at, "=");
        if (name == 0 || name + 1 >= n)
            return error_set(err, "between its commas stand a column and its type: id=bigint,price=double");
    }
    return 0;
}

static const struct value_type types[] = {
    [KEY_NAME] = {"name", "letters, digits, `.`, `_` and `-`", "^[A-Za-z0-9._-]+$", SLOT_TEXT, check_name},
    [KEY_TEXT] = {"text", "any text", NULL, SLOT_TEXT, check_length},
    [KEY_CHOICE] = {"choice", "one of the words that are named", NULL, SLOT_TEXT, check_choice},
    [KEY_PATH] = {"path", "a path that begins with `/`", "^/", SLOT_TEXT, check_path},
    [KEY_FILE] = {"file", "a path; a relative one begins at the folder of the configuration file", "[^/]$",
        SLOT_TEXT, check_file},
    [KEY_SIZE] = {"size", "a number with its unit: `512`, `64KB`, `24MB` or `2GB`, of 1024 bytes to the KB",
        "^[0-9]+([kK][bB]|[mM][bB]|[gG][bB]|[bB])?$", SLOT_SIZE},
    [KEY_COUNT] = {"count", "a whole number", "^[0-9]+$", SLOT_COUNT},
    [KEY_DURATION] = {"duration", "a number with its unit: `250ms`, `30s`, `10m`, `6h` or `7d`",
        "^[0-9]+([mM][sS]|[sSmMhHdD])$", SLOT_DURATION},
    [KEY_LISTEN] = {"address",
        "a loopback address with its port: `127.0.0.1:9187`, `[::1]:9187` or "
        "`localhost:9187`",
        "^(127[.]0[.]0[.]1|\\[::1\\]|localhost):[0-9]{1,5}$", SLOT_TEXT, check_listen},
    [KEY_SCHEMA] = {"schema", "`a-z`, `0-9` and `_`", "^[a-z_][a-z0-9_]{0,62}$", SLOT_TEXT, check_schema},
    [KEY_TABLE] = {"table", "`[schema.]table`, without quotes", "^([^.\"]+[.])?[^.\"]+$", SLOT_TEXT,
        check_table},
    [KEY_PLAIN_TABLE] = {"plain table",
        "`[schema.]table`, of `a-z`, `0-9` and `_`; the table of at most 40 characters",
        "^([a-z_][a-z0-9_]*[.])?[a-z_][a-z0-9_]{0,39}$", SLOT_TEXT, check_plain_table},
    [KEY_TIME_ZONE] = {"time zone", "a name of the tz database: `UTC`, `Europe/Berlin`",
        "^[A-Za-z][A-Za-z0-9_+/-]*$", SLOT_TEXT, check_time_zone},
    [KEY_SCHEDULE] = {"schedule", "`every 10m` (by the clock), or cron's five fields: `0 6 * * mon-fri`",
        NULL, SLOT_TEXT, check_length},
    [KEY_DATABASE] = {"database", "a `postgresql://` URL or `key=value` words",
        "^postgres(ql)?://|=", SLOT_TEXT, check_database},
    [KEY_ANY_DATABASE] = {"any database",
        "a `postgresql://`, `mysql://` or `duckdb:///` URL, or `key=value` words",
        "^postgres(ql)?://|^mysql://[^/]+/[^/]|^duckdb:///.|=", SLOT_TEXT, check_any_database},
    [KEY_SOURCE] = {"source", "a `redis://` or `fifo://` URL", "^(redis://[^/]+/[0-9]+/.|fifo:///.)",
        SLOT_TEXT, check_source},
    [KEY_DUMPS] = {"dumps", "an `https://`, `http://` or `file://` URL", "^(https?://[^/]|file:///.)",
        SLOT_TEXT, check_dumps},
    [KEY_WORDS] = {"words",
        "words with commas between them: `NPI`, or `site,number`; one that holds a comma itself in quotes: "
        "`\"city, state\"`",
        NULL, SLOT_TEXT, check_words},
    [KEY_LIST] = {"list", "words with commas between them, and blanks as one likes: `trim, blanks, case`",
        NULL, SLOT_TEXT, check_list},
    [KEY_REPORT_DATE] = {"report date", "`2017-02-02`, or `today`", "^([0-9]{4}-[0-9]{2}-[0-9]{2}|today)$",
        SLOT_TEXT, check_report_date},
    [KEY_FRACTION] = {"fraction", "`0.1`, `0.05`: at most six digits behind the point",
        "^[0-9]+([.][0-9]{1,6})?$", SLOT_FRACTION},
    [KEY_RESOURCE] = {"resource", "an `https://` or `http://` URL", "^https?://[^/]", SLOT_TEXT,
        check_resource},
    [KEY_DATE] = {"date", "`2016-02-07`", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", SLOT_TEXT, check_date},
    [KEY_DELIMITER] = {"delimiter",
        "one character that is no letter, digit or quote, as `;` or `|`; or `tab`", "^([^A-Za-z0-9\"]|tab)$",
        SLOT_TEXT, check_delimiter},
    [KEY_STORE] = {"store", "`s3://bucket[/prefix]`, or `file:///folder`", "^(s3://[^/]|file:///.)",
        SLOT_TEXT, check_store},
    [KEY_ENDPOINT] = {"endpoint", "`https://host[:port]`, or `http://`", "^https?://[^/]+/?$", SLOT_TEXT,
        check_endpoint},
    [KEY_PREFIX] = {"prefix", "how a key begins, without `/` before it and `..` in it", "^([^/]|$)",
        SLOT_TEXT, check_prefix},
    [KEY_FILES] = {"files",
        "paths with commas between them; a relative one begins at the folder of the configuration file",
        "[^/]$", SLOT_TEXT, check_files},
    [KEY_VARIABLES] = {"variables", "`name=value` with commas between them; one with a comma in it in quotes",
        "^[^=]+=", SLOT_TEXT, check_variables},
    [KEY_FIELDS] = {"fields", "columns with commas between them; one with a `?` behind it may be missing",
        NULL, SLOT_TEXT, check_fields},
    [KEY_REFERENCES] = {"references", "`column=table` with commas between them", "^[^=]+=[^,=]", SLOT_TEXT,
        check_references},
    [KEY_QUERY] = {"query", "parameters of a URL: `sort_field=id&sort_dir=asc`", "^[^?& #][^ #]*$", SLOT_TEXT,
        check_query},
    [KEY_HEADERS] = {"headers", "`Name: value`, with commas between several", "^[^ :,]+: *[^ ]", SLOT_TEXT,
        check_headers},
    [KEY_TYPES] = {"types",
        "`column=type` with commas between them; a type is `bigint`, `double`, `date`, `timestamp`, "
        "`timestamptz`, `boolean` or `text`",
        "^[^=]+=[^,=]", SLOT_TEXT, check_types},
    [KEY_SECTION] = {"section", "a mapping of keys"},
    [KEY_NAMED] = {"names", "a mapping of names to sections"},
    [KEY_COLUMNS] = {"columns", "a mapping of columns to fields"},
    [KEY_ORDERED] = {"ordered names", "a mapping of names to sections, whose order is kept", NULL,
        SLOT_ORDERED},
};

const struct value_type *value_type(enum key_type type)
{
    return &types[type];
}

struct unit {
    const char *name;
    uint64_t factor;
};

static char *in_units(uint64_t v, const struct unit *units)
{
    while (units->factor > 1 && (v == 0 || v % units->factor))
        units++;
    return xasprintf("%" PRIu64 "%s", v / units->factor, units->name);
}

char *value_size_text(uint64_t bytes)
{
    static const struct unit units[] = {
        {"GB", UINT64_C(1) << 30}, {"MB", UINT64_C(1) << 20}, {"KB", UINT64_C(1) << 10}, {"", 1}};
    return in_units(bytes, units);
}

char *value_count_text(uint64_t n)
{
    return xasprintf("%" PRIu64, n);
}

/* A duration is whole milliseconds, because nothing smaller can be typed. */
char *value_duration_text(uint64_t us)
{
    static const struct unit units[] = {
        {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    return in_units(us / 1000, units);
}

/* "0.05", "0.1", "1" */
char *value_fraction_text(uint64_t millionths)
{
    char *text = xasprintf("%" PRIu64 ".%06" PRIu64, millionths / 1000000, millionths % 1000000);
    size_t n = strlen(text);
    while (text[n - 1] == '0')
        n--;
    text[text[n - 1] == '.' ? n - 1 : n] = '\0';
    return text;
}

static int in_range(const struct key *key, uint64_t v, char *show(uint64_t), struct error *err)
{
    bool less = v < key->least;
    if ((!less && (!key->most || v <= key->most)) || (v == 0 && key->or_zero))
        return 0;
    _cleanup_free_ char *got = show(v), *limit = show(less ? key->least : key->most);
    return error_set(err, "%s is too %s: at %s %s%s", got, less ? "little" : "much", less ? "least" : "most",
        limit, less && key->or_zero ? ", or 0s" : "");
}

static int take_size(const struct key *key, const char *text, uint64_t *slot, struct error *err)
{
    uint64_t v;
    char quoted[QUOTE_MAX];
    if (text_parse_bytes(text, &v) < 0)
        return error_set(err, "%s is not a size: a number with its unit, as 512, 64KB, 24MB or 2GB",
            quote_text(text, quoted));
    if (in_range(key, v, value_size_text, err) < 0)
        return -1;
    *slot = v;
    return 0;
}

static int take_count(const struct key *key, const char *text, uint64_t *slot, struct error *err)
{
    uint64_t v;
    char quoted[QUOTE_MAX];
    if (text[strspn(text, DIGITS)] || text_parse_bytes(text, &v) < 0)
        return error_set(err, "%s is not a whole number", quote_text(text, quoted));
    if (in_range(key, v, value_count_text, err) < 0)
        return -1;
    *slot = v;
    return 0;
}

static int take_duration(const struct key *key, const char *text, int64_t *slot, struct error *err)
{
    int64_t v;
    char quoted[QUOTE_MAX];
    if (text_parse_duration(text, &v) < 0)
        return error_set(err, "%s is not a duration: a number with its unit, as 250ms, 30s, 10m, 6h or 7d",
            quote_text(text, quoted));
    if (in_range(key, (uint64_t)v, value_duration_text, err) < 0)
        return -1;
    *slot = v;
    return 0;
}

/* "0.05" as millionths; false when it is no such number. */
static bool parse_fraction(const char *text, uint64_t *ret)
{
    size_t whole = strspn(text, DIGITS), point = text[whole] == '.';
    size_t digits = point ? strspn(text + whole + 1, DIGITS) : 0;
    if (whole == 0 || whole > 9 || text[whole + point + digits] || (point && (digits < 1 || digits > 6)))
        return false;
    uint64_t v = strtoull(text, NULL, 10);
    for (size_t i = 0; i < 6; i++)
        v = v * 10 + (i < digits ? (uint64_t)(text[whole + 1 + i] - '0') : 0);
    *ret = v;
    return true;
}

static int take_fraction(const struct key *key, const char *text, uint64_t *slot, struct error *err)
{
    uint64_t v;
    char quoted[QUOTE_MAX];
    if (!parse_fraction(text, &v))
        return error_set(err, "%s is not a fraction: one is 0.1, with at most six digits behind the point",
            quote_text(text, quoted));
    if (in_range(key, v, value_fraction_text, err) < 0)
        return -1;
    *slot = v;
    return 0;
}

static void *slot_of(const struct key *key, void *base)
{
    return (char *)base + key->offset;
}

static const void *slot_in(const struct key *key, const void *base)
{
    return (const char *)base + key->offset;
}

int value_take(const struct key *key, const char *text, void *base, struct error *err)
{
    void *slot = slot_of(key, base);
    switch (types[key->type].slot) {
    case SLOT_TEXT:
        if (types[key->type].check(key, text, err) < 0)
            return -1;
        free(*(char **)slot);
        *(char **)slot = xstrdup(text);
        return 0;
    case SLOT_SIZE:
        return take_size(key, text, slot, err);
    case SLOT_COUNT:
        return take_count(key, text, slot, err);
    case SLOT_DURATION:
        return take_duration(key, text, slot, err);
    case SLOT_FRACTION:
        return take_fraction(key, text, slot, err);
    case SLOT_ORDERED:
    case SLOT_NONE:
        break;
    }
    return error_set(err, "this is a mapping, not a single value");
}

char *value_show(const struct key *key, const void *base)
{
    const void *slot = slot_in(key, base);
    switch (types[key->type].slot) {
    case SLOT_TEXT:
        return xstrdup(*(char *const *)slot);
    case SLOT_SIZE:
        return value_size_text(*(const uint64_t *)slot);
    case SLOT_COUNT:
        return value_count_text(*(const uint64_t *)slot);
    case SLOT_DURATION:
        return value_duration_text((uint64_t) * (const int64_t *)slot);
    case SLOT_FRACTION:
        return value_fraction_text(*(const uint64_t *)slot);
    case SLOT_ORDERED:
    case SLOT_NONE:
        break;
    }
    return NULL;
}

bool value_equal(const struct key *key, const void *a, const void *b)
{
    if (types[key->type].slot == SLOT_ORDERED)
        return ordered_equal(key->section, slot_in(key, a), slot_in(key, b));
    _cleanup_free_ char *x = value_show(key, a), *y = value_show(key, b);
    return x && y ? strcmp(x, y) == 0 : x == y;
}

void value_copy(const struct key *key, void *to, const void *from)
{
    enum slot slot = types[key->type].slot;
    if (slot == SLOT_TEXT)
        *(char **)slot_of(key, to) = xstrdup(*(char *const *)slot_of(key, (void *)from));
    else if (slot == SLOT_ORDERED)
        ordered_copy(key->section, slot_of(key, to), slot_in(key, from));
    else if (slot != SLOT_NONE)
        memcpy(slot_of(key, to), slot_of(key, (void *)from), sizeof(uint64_t));
}

void value_done(const struct key *key, void *base)
{
    if (types[key->type].slot == SLOT_TEXT)
        free(*(char **)slot_of(key, base));
    else if (types[key->type].slot == SLOT_ORDERED)
        ordered_done(key->section, slot_of(key, base));
}
