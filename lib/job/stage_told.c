#include "job/stage_told.h"

#include "job/member.h"
#include "util/text.h"

#include <cjson/cJSON.h>

static const char *const outcomes[] = {"done", "failed", "again"};

const char *stage_outcome_to_string(enum stage_outcome o)
{
    return outcomes[o];
}

cJSON *stage_told_json(const struct stage_told *s)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "name", s->name);
    cJSON_AddStringToObject(o, "outcome", outcomes[s->outcome]);
    member_add_int(o, "rows", s->rows);
    member_add_int(o, "bytes", s->bytes);
    member_add_int(o, "us", s->us);
    member_add_int(o, "attempts", s->attempts);
    cJSON_AddStringToObject(o, "error", s->error);
    return o;
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static bool read_outcome(const cJSON *object, enum stage_outcome *ret)
{
    const char *word = cJSON_GetStringValue(member(object, "outcome"));
    for (size_t i = 0; word && i < N_ELEMENTS(outcomes); i++)
        if (strcmp(word, outcomes[i]) == 0) {
            *ret = (enum stage_outcome)i;
            return true;
        }
    return false;
}

bool stage_told_read(const cJSON *object, struct stage_told *ret, const char **ret_member)
{
    struct stage_told s = {0};
    const struct {
        const char *name;
        int64_t *value;
    } counts[] = {{"rows", &s.rows}, {"bytes", &s.bytes}, {"us", &s.us}, {"attempts", &s.attempts}};
    *ret_member = "name";
    if (!member_word(member(object, "name"), s.name, sizeof(s.name)) || s.name[0] == '\0')
        return false;
    *ret_member = "outcome";
    if (!read_outcome(object, &s.outcome))
        return false;
    for (size_t i = 0; i < N_ELEMENTS(counts); i++) {
        *ret_member = counts[i].name;
        if (!member_int(member(object, counts[i].name), counts[i].value) || *counts[i].value < 0)
            return false;
    }
    *ret_member = "error";
    if (!member_word(member(object, "error"), s.error, sizeof(s.error)))
        return false;
    *ret = s;
    return true;
}

static void put_counts(const struct stage_told *s, struct buffer *to)
{
    char rows[28], bytes[32];
    const char *gap = "";
    if (s->rows > 0 || s->bytes == 0) {
        buffer_printf(to, "%s %s", text_count((uint64_t)s->rows, rows), s->rows == 1 ? "row" : "rows");
        gap = ", ";
    }
    if (s->bytes > 0)
        buffer_printf(to, "%s%s", gap, text_bytes((uint64_t)s->bytes, bytes));
}

void stage_told_words(const struct stage_told *s, struct buffer *to)
{
    char took[32];
    buffer_printf(to, "%s: ", s->name);
    if (s->outcome == STAGE_DONE)
        put_counts(s, to);
    else
        buffer_put_string(to, s->outcome == STAGE_AGAIN ? "failed and is tried again" : "failed");
    buffer_printf(to, "%s%s", s->outcome == STAGE_DONE ? " in " : ", after ", text_duration(s->us, took));
    if (s->attempts > 1)
        buffer_printf(to, ", attempt %lld", (long long)s->attempts);
    if (s->outcome == STAGE_AGAIN && s->error[0])
        buffer_printf(to, ": %s", s->error);
}
