/* What of a table is read: all of it, or what is new; decided without a server. */
#include "job/harmonize/feed_table.h"

#include "util/clock.h"

#include <cjson/cJSON.h>

#include "../util/suite.h"

#define TEXT(s) ((char *)(s))

#define DAY (INT64_C(86400) * US_PER_SEC)
#define NOW (INT64_C(20000) * DAY) /* 2024-10-04 */

static struct table_column columns[] = {
    {TEXT("id"), TEXT("integer"), NULL}, {TEXT("name"), TEXT("text"), NULL}};
static struct table_facts facts;
static struct snapshot snapshot;
static cJSON *remembered;

static void set_up(void)
{
    facts = (struct table_facts){.oid = TEXT("77"),
        .kind = 'r',
        .plain = true,
        .columns = columns,
        .n_columns = 2,
        .parts = TEXT("77")};
    snapshot = (struct snapshot){
        .text = TEXT("1000:1010:1003"), .xmin = 1000, .xmax = 1010, .cluster = TEXT("55:1:16384")};
    struct table_plan plan = {.full = true};
    remembered = table_plan_remember(&snapshot, &facts, &plan, NULL, NOW - DAY);
}

static void tear_down(void)
{
    cJSON_Delete(remembered);
    columns[1].type = TEXT("text");
    columns[1].expression = NULL;
}

static struct table_plan decide(void)
{
    struct table_plan plan;
    table_plan_make(&snapshot, &facts, remembered, 7 * DAY, NOW, &plan);
    return plan;
}

static void is_full(const char *words)
{
    struct table_plan plan = decide();
    ck_assert(plan.full);
    if (words)
        ck_assert_msg(plan.why && strstr(plan.why, words), "%s", plan.why ? plan.why : "no reason");
    else
        ck_assert_ptr_null(plan.why);
}

static void remember(const char *name, const char *value)
{
    cJSON_ReplaceItemInObject(remembered, name, cJSON_CreateString(value));
}

START_TEST(what_is_remembered)
{
    ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(remembered, "snapshot")), "1000:1010:1003");
    ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(remembered, "xmin")), "1000");
    ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(remembered, "parts")), "77");
    const char *print = cJSON_GetStringValue(cJSON_GetObjectItem(remembered, "fingerprint"));
    ck_assert_int_eq(strncmp(print, "55:1:16384:77:", 14), 0);
    struct table_plan plan = decide();
    ck_assert(!plan.full && !plan.why);
    ck_assert_str_eq(plan.xmin, "1000");
    cJSON *next = table_plan_remember(&snapshot, &facts, &plan, remembered, NOW);
    ck_assert(cJSON_Compare(next, remembered, true)); /* full_at stays */
    cJSON_Delete(next);
}
END_TEST

START_TEST(nothing_is_remembered)
{
    cJSON_Delete(remembered);
    remembered = NULL;
    is_full(NULL);
    remembered = cJSON_CreateObject();
    is_full(NULL);
    cJSON_AddStringToObject(remembered, "snapshot", "1:1:"); /* of a SELECT of that name */
    is_full(NULL);
}
END_TEST

START_TEST(another_thing)
{
    snapshot.cluster = TEXT("56:1:16384");
    is_full("server is another one");
    snapshot.cluster = TEXT("55:2:16384");
    is_full("restored or promoted");
    snapshot.cluster = TEXT("55:11:16384");
    is_full("restored or promoted");
    snapshot.cluster = TEXT("55:1:16385");
    is_full("another database");
    snapshot.cluster = TEXT("55:1:16384");
    facts.oid = TEXT("78");
    is_full("another table");
    facts.oid = TEXT("77");
    columns[1].type = TEXT("character varying(10)");
    is_full("columns changed");
    columns[1].type = TEXT("text");
    columns[1].expression = TEXT("id::text");
    is_full("columns changed");
    columns[1].expression = NULL;
    facts.n_columns = 1;
    is_full("columns changed");
}
END_TEST

START_TEST(rows_without_transactions)
{
    facts.kind = 'v';
    facts.plain = false;
    is_full("a view");
    facts.kind = 'm';
    is_full("no table");
    facts.kind = 'r';
    facts.plain = facts.guarded = true;
    is_full("row security");
}
END_TEST

/* Half of the circle that ids of transactions go round in is what an age can tell. */
START_TEST(distance)
{
    static const struct {
        uint64_t xmax;
        const char *words; /* NULL: it is near enough */
    } list[] = {
        {1000, NULL},
        {999, "do not go on"},
        {1, "do not go on"},
        {1000 + (UINT64_C(1) << 31) - 2000000, NULL},
        {1000 + (UINT64_C(1) << 31) - 1, "too many transactions"},
        {1000 + (UINT64_C(1) << 31), "too many transactions"},
        {1000 + (UINT64_C(1) << 32), "too many transactions"},
        {1000 + (UINT64_C(1) << 32) + 5, "too many transactions"},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        snapshot.xmax = list[i].xmax;
        if (list[i].words)
            is_full(list[i].words);
        else
            ck_assert(!decide().full);
    }
}
END_TEST

START_TEST(what_cannot_be_read)
{
    static const char *const list[] = {"0", "-5", " 7", "7'", "99999999999999999999999", "7311 OR true"};
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        remember("xmin", list[i]);
        is_full("cannot be read");
    }
    remember("xmin", "1000");
    remember("parts", "77}'; DROP TABLE x; --");
    is_full(NULL);
}
END_TEST

START_TEST(when_it_is_due)
{
    remember("full_at", "2024-09-27T00:00:01Z"); /* 7 days less a second */
    ck_assert(!decide().full);
    remember("full_at", "2024-09-27T00:00:00Z");
    is_full(NULL);
    remember("full_at", "2024-10-06T00:00:00Z"); /* a clock was wrong */
    is_full(NULL);
    remember("full_at", "yesterday");
    is_full(NULL);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_is_remembered, nothing_is_remembered, another_thing,
        rows_without_transactions, distance, what_cannot_be_read, when_it_is_due};
    return run_staged("job-table_plan", set_up, tear_down, tests, N_ELEMENTS(tests));
}
