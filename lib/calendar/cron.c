/*
 * Reads a five-field line as crontab(5) has it, and says what is wrong with one: which field, what was typed,
 * what it may hold. More is taken than cron takes in one place alone: "fri-sun", where cron knows Sunday as 0
 * and would call that backwards.
 */
#include "calendar/cron.h"
#include "calendar/inside.h"
#include "util/text.h"

#include <ctype.h>
#include <strings.h>

#define LINE_MAX_BYTES 500 /* every minute by its number is 170 */
#define FIVE_FIELDS    "minute, hour, day of month, month, day of week, as \"30 6 * * mon-fri\""

enum { FIELD_MINUTE, FIELD_HOUR, FIELD_DAY, FIELD_MONTH, FIELD_WEEKDAY, N_FIELDS };

static const char *const months[] = {
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
static const char *const no_names[] = {NULL};

static const struct field {
    const char *name;
    int least, most;
    const char *const *names; /* the first stands for least */
    int last;                 /* the largest that is no second name of another: 6, Saturday */
    const char *holds;
} fields[N_FIELDS] = {
    [FIELD_MINUTE] = {"minute", 0, 59, no_names, 59, "0-59"},
    [FIELD_HOUR] = {"hour", 0, 23, no_names, 23, "0-23"},
    [FIELD_DAY] = {"day of month", 1, 31, no_names, 31, "1-31"},
    [FIELD_MONTH] = {"month", 1, 12, months, 12, "1-12 or jan-dec"},
    [FIELD_WEEKDAY] = {"day of week", 0, 7, weekdays, 6, "0-7 or sun-sat (0 and 7 are Sunday)"},
};

/* Digits alone; too many to be right are as large as can be. */
static bool read_number(const char *s, int *ret)
{
    size_t n = strspn(s, "0123456789");
    if (n == 0 || s[n] != '\0')
        return false;
    *ret = n > 6 ? 999999 : atoi(s);
    return true;
}

static bool read_name(const struct field *f, const char *s, int *ret)
{
    for (int i = 0; f->names[i]; i++)
        if (strcasecmp(s, f->names[i]) == 0) {
            *ret = f->least + i;
            return true;
        }
    return false;
}

static int read_value(const struct field *f, const char *s, int *ret, struct error *err)
{
    char quoted[TYPED_MAX];
    int value;
    if (read_name(f, s, ret))
        return 0;
    if (!read_number(s, &value))
        return error_set(err, "%s is not a number%s", typed(s, quoted), f->names[0] ? " or a name" : "");
    if (value < f->least || value > f->most)
        return error_set(err, "%s is not within %d-%d", typed(s, quoted), f->least, f->most);
    *ret = value;
    return 0;
}

static int read_range(
    const struct field *f, const char *low, const char *high, int *ret_low, int *ret_high, struct error *err)
{
    int from, to;
    if (read_value(f, low, &from, err) < 0 || read_value(f, high, &to, err) < 0)
        return -1;
    if (f == &fields[FIELD_WEEKDAY] && from > 0 && strcasecmp(high, "sun") == 0)
        to = 7;
    if (from > to)
        return error_set(
            err, "the range %d-%d runs backwards: write %d-%d,%d-%d", from, to, from, f->last, f->least, to);
    *ret_low = from;
    *ret_high = to;
    return 0;
}

static int read_step(const struct field *f, const char *s, int *ret, struct error *err)
{
    char quoted[TYPED_MAX];
    if (!read_number(s, ret))
        return error_set(err, "the step %s is not a number", typed(s, quoted));
    if (*ret == 0)
        return error_set(err, "a step of 0 goes nowhere");
    if (*ret > f->most)
        return error_set(err, "a step of %s leaves the field at once: at most %d", typed(s, quoted), f->most);
    return 0;
}

/* One of a list: "*", a value or a range, the first and the last perhaps with a step. The text is cut up. */
static int read_item(const struct field *f, char *item, uint64_t *bits, struct error *err)
{
    char *slash = strchr(item, '/'), *dash = strchr(item, '-');
    int step = 1, low = f->least, high = f->most;
    if (*item == '\0')
        return error_set(err, "there is a comma too many");
    if (slash) {
        *slash = '\0';
        if (read_step(f, slash + 1, &step, err) < 0)
            return -1;
        dash = strchr(item, '-');
    }
    if (dash) {
        *dash = '\0';
        if (read_range(f, item, dash + 1, &low, &high, err) < 0)
            return -1;
    } else if (strcmp(item, "*") != 0) {
        if (read_value(f, item, &low, err) < 0)
            return -1;
        if (slash)
            return error_set(err, "a step needs a range: write %d-%d/%d", low, f->last, step);
        high = low;
    }
    for (int v = low; v <= high && v < 64; v += step)
        *bits |= UINT64_C(1) << v;
    return 0;
}

static int read_field(const struct field *f, const char *text, uint64_t *ret_bits, struct error *err)
{
    char quoted[TYPED_MAX];
    struct error why = {0};
    _cleanup_free_ char *copy = xstrdup(text);
    char *rest = copy;
    uint64_t bits = 0;
    while (rest)
        if (read_item(f, strsep(&rest, ","), &bits, &why) < 0)
            return error_set(err,
                "%s %s: %s. It may hold %s, alone, as a list (1,2), a range (1-5), or with a step (*/2)",
                f->name, typed(text, quoted), why.text, f->holds);
    *ret_bits = bits;
    return 0;
}

static int refuse_nickname(const char *word, struct error *err)
{
    static const char *const list[][2] = {{"@hourly", "0 * * * *"}, {"@daily", "0 0 * * *"},
        {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"}, {"@monthly", "0 0 1 * *"},
        {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}};
    char quoted[TYPED_MAX];
    for (size_t i = 0; i < N_ELEMENTS(list); i++)
        if (strcasecmp(word, list[i][0]) == 0)
            return error_set(err, "%s is not taken: write \"%s\"", typed(word, quoted), list[i][1]);
    return error_set(err, "%s is not known: five fields are needed: " FIVE_FIELDS, typed(word, quoted));
}

static int refuse_count(const char *text, size_t n, struct error *err)
{
    char quoted[TYPED_MAX];
    int64_t us;
    if (n == 0)
        return error_set(err, "the schedule is empty: write \"every 10m\", or five fields: " FIVE_FIELDS);
    if (n == 6)
        return error_set(err, "%s has six fields: seconds and years are not taken, only " FIVE_FIELDS,
            typed(text, quoted));
    if (n == 1 && isdigit((unsigned char)*text) && text_parse_duration(text, &us) == 0)
        return error_set(err, "%s says how long, not when: write \"every %s\"", typed(text, quoted), text);
    return error_set(err, "%s has %zu field%s, not five: " FIVE_FIELDS "; or \"every 10m\"",
        typed(text, quoted), n, n == 1 ? "" : "s");
}

/* Cuts the line into fields, and counts those beyond five too. */
static size_t split(char *line, char *ret_fields[N_FIELDS])
{
    size_t n = 0;
    for (char *rest = line, *word; (word = strsep(&rest, " \t\r\n")) != NULL;) {
        if (*word == '\0')
            continue;
        if (n < N_FIELDS)
            ret_fields[n] = word;
        n++;
    }
    return n;
}

/* A line with a weekday of its own fires in any month. Else a month must be as long as the first of its days;
 * and any date falls on any weekday in some year. */
static int check_fires(const struct cron *c, const char *text, struct error *err)
{
    static const uint64_t with_31 = 0x15aa, with_30 = 0x1ffa; /* months, as bits; 29 have all of them */
    char quoted[TYPED_MAX];
    int first = __builtin_ctzll(c->days);
    uint64_t long_enough = first == 31 ? with_31 : first == 30 ? with_30 : UINT64_MAX;
    if (c->either_day || (c->months & long_enough))
        return 0;
    return error_set(err, "%s never fires: there is no day %d in %s", typed(text, quoted), first,
        c->months & (c->months - 1) ? "these months" : "that month");
}

int cron_parse(const char *text, struct cron *ret_cron, struct error *err)
{
    struct cron c = {0};
    uint64_t *const bits[N_FIELDS] = {&c.minutes, &c.hours, &c.days, &c.months, &c.weekdays};
    char *words[N_FIELDS], quoted[TYPED_MAX];
    if (strlen(text) > LINE_MAX_BYTES)
        return error_set(
            err, "the schedule %s is too long: at most %d bytes", typed(text, quoted), LINE_MAX_BYTES);
    _cleanup_free_ char *copy = xstrdup(text);
    size_t n = split(copy, words);
    if (n > 0 && words[0][0] == '@')
        return refuse_nickname(words[0], err);
    if (n != N_FIELDS)
        return refuse_count(n == 1 ? words[0] : text, n, err);
    for (size_t i = 0; i < N_FIELDS; i++)
        if (read_field(&fields[i], words[i], bits[i], err) < 0)
            return -1;
    c.weekdays = (c.weekdays | c.weekdays >> 7) & 0x7f;
    c.by_instant = *words[FIELD_MINUTE] == '*' || *words[FIELD_HOUR] == '*';
    c.either_day = *words[FIELD_DAY] != '*' && *words[FIELD_WEEKDAY] != '*';
    if (check_fires(&c, text, err) < 0)
        return -1;
    *ret_cron = c;
    return 0;
}
