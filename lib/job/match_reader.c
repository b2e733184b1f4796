/* One side: its source is opened, read into the sorters, and looked at: is anything missing in it? */
#include "job/match_reader.h"

#include "history/dialect.h"
#include "job/job.h"
#include "job/match_watch.h"
#include "job/member.h"
#include "job/report.h"
#include "job/rest_options.h"
#include "source/query.h"
#include "util/clock.h"

#include <cjson/cJSON.h>

#define TELL_EVERY_US INT64_C(200000)
#define STARTS_MAX    3
#define PAGES_KNOWN   4 /* whose rows are recognised when they come again; the side knows all others */

static enum match_part part_of(const struct match_reader *r)
{
    return r->which == MATCH_LEFT ? MATCH_PART_LEFT : MATCH_PART_RIGHT;
}

/* ---- its source ---- */

/* Before there are threads: not every driver can be opened by two at once. */
static int open_database(struct match_reader *r, struct db_fault *fault)
{
    struct db_fault ignored;
    _cleanup_free_ char *name = xasprintf("ingestd job %s", r->all->spec->job);
    const struct db_options options = {
        .password_file = r->spec->database.password_file,
        .application_name = name,
        .memory_max = (int64_t)r->all->spec->memory_max / 4,
        .read_only = true,
        .temp_folder = r->all->spec->match.folder,
    };
    if (r->spec->source || r->position < 0)
        return 0;
    if (db_open(r->spec->database.url, &options, &r->db, fault) < 0)
        return error_prefix(&fault->error, "the %s side", r->spec->name);
    const struct dialect *dialect = dialect_for(db_driver(r->db));
    for (const char *const *sql = dialect->session; *sql; sql++)
        db_query(r->db, *sql, 0, NULL, NULL, &ignored);
    return 0;
}

static void add_field(const char **fields, size_t *n, const char *name)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(fields[i], name) == 0)
            return;
    fields[(*n)++] = name;
}

/* What is compared, carried and looked at, each once. A new array. */
static const char **list_fields(const struct match_reader *r, size_t *ret_n)
{
    const struct side_options *o = &r->options;
    const char **fields = xcalloc(2 + o->n_keys + o->n_tie_breaks + o->n_columns, sizeof(*fields));
    size_t n = 0;
    add_field(fields, &n, o->id);
    for (size_t i = 0; i < o->n_keys + o->n_tie_breaks; i++)
        add_field(fields, &n, r->rules[i].column);
    if (o->active)
        add_field(fields, &n, o->active);
    for (size_t i = 0; i < o->n_columns; i++)
        add_field(fields, &n, o->columns[i]);
    *ret_n = n;
    return fields;
}

static int open_rest(struct match_reader *r, struct source **ret_source)
{
    struct rest_options options = rest_options_take(&r->spec->rest);
    const char **fields = list_fields(r, &options.n_fields);
    options.url = r->spec->source;
    options.fields = fields;
    options.key = r->spec->id;
    options.updated = NULL;
    options.spool_folder = r->all->spec->match.folder;
    options.begin_at = r->position;
    options.remember = (int64_t)PAGES_KNOWN * MAX(options.page_size, 1000);
    int opened = rest_open(&options, ret_source, &r->fault);
    free(fields);
    return opened;
}

static int open_query(struct match_reader *r, struct source **ret_source)
{
    _cleanup_free_ char *sql = NULL;
    if (job_read_sql(r->spec->sql, &sql, &r->fault.error) < 0)
        return -1;
    return query_open(r->db, sql, ret_source, &r->fault);
}

static int open_source(struct match_reader *r)
{
    struct source *source = NULL;
    if ((r->spec->source ? open_rest(r, &source) : open_query(r, &source)) < 0)
        return -1;
    r->source = watch_source(source, r->seen);
    return 0;
}

/* ---- while it is read ---- */

static void count_requests(struct match_reader *r)
{
    struct rest_facts facts;
    if (!r->spec->source || !r->source)
        return;
    rest_facts(watched(r->source), &facts);
    r->now = (struct match_requests){
        r->before.pages + facts.pages, r->before.requests + facts.requests, r->before.again + facts.again};
}

static int64_t position(void *arg)
{
    const struct match_reader *r = arg;
    struct rest_facts facts;
    rest_facts(watched(r->source), &facts);
    return facts.position;
}

static int save(void *arg, cJSON *saved, struct error *err)
{
    struct match_reader *r = arg;
    cJSON *part = cJSON_CreateObject();
    count_requests(r);
    cJSON_AddItemToObject(part, "staged", saved);
    cJSON_AddItemToObject(part, "seen", watch_seen(r->source));
    member_add_int(part, "pages", r->now.pages);
    member_add_int(part, "requests", r->now.requests);
    member_add_int(part, "again", r->now.again);
    return match_state_save(r->all->state, part_of(r), part, err);
}

static void tell(struct match_shared *s)
{
    int64_t now = clock_mono_us();
    if (pthread_mutex_trylock(&s->telling) != 0)
        return;
    if (now - s->told_us >= TELL_EVERY_US) {
        s->told_us = now;
        report_progress("read", "rows", s->rows[MATCH_LEFT] + s->rows[MATCH_RIGHT], -1);
    }
    pthread_mutex_unlock(&s->telling);
}

static int progress(void *arg, int64_t rows, struct error *err)
{
    struct match_reader *r = arg;
    r->shared->rows[r->which] = rows;
    if (r->shared->failed)
        return error_set(err, "it was stopped, because the other side failed");
    tell(r->shared);
    return 0;
}

static int read_once(struct match_reader *r)
{
    int result = open_source(r) < 0 ? -1 : side_read(r->side, r->source, &r->fault);
    if (r->source) {
        count_requests(r);
        cJSON_Delete(r->seen);
        r->seen = watch_seen(r->source);
    }
    source_free(TAKE(r->source));
    return result;
}

/* What is staged of it is forgotten. */
static int begin_again(struct match_reader *r)
{
    struct error *err = &r->fault.error;
    match_state_forget(r->all->state, part_of(r));
    side_discard(TAKE(r->side));
    r->position = 0;
    r->before = r->now;
    return side_open(&r->options, &r->side, err);
}

/* In the side's own thread where it is read: the other may still be at it. */
static int find_duplicates(struct match_reader *r, struct error *err)
{
    if (r->has_looked)
        return 0;
    r->has_looked = true;
    return side_find_duplicates(r->side, err);
}

/* A list whose rows moved so that it cannot be gone on with is read from its start. */
void *match_reader_run(void *arg)
{
    struct match_reader *r = arg;
    for (r->starts = 1;; r->starts++) {
        r->result = read_once(r);
        if (r->result == 0 || !r->fault.restart || r->shared->failed)
            break;
        struct source_fault why = r->fault;
        if (begin_again(r) < 0)
            break;
        r->fault = why;
        if (r->starts == STARTS_MAX)
            break;
    }
    if (r->result == 0 && find_duplicates(r, &r->fault.error) < 0) {
        match_state_forget(r->all->state, part_of(r)); /* it would be so again */
        r->result = -1;
    }
    if (r->result < 0 && !atomic_exchange(&r->shared->failed, true))
        r->shared->first = r->which;
    return NULL;
}

void match_reader_note(const struct match_reader *r)
{
    if (r->starts < 2)
        return;
    _cleanup_free_ char *note =
        xasprintf("the list of the %s side was read %d times from its start, because its rows moved",
            r->spec->name, r->starts);
    cJSON_AddItemToArray(r->all->notes, cJSON_CreateString(note));
}

/* ---- opening ---- */

static int take_rules(struct match_reader *r, struct error *err)
{
    const struct job_match *match = &r->all->spec->match;
    size_t n = match->n_keys + match->n_tie_breaks;
    r->rules = xcalloc(n, sizeof(*r->rules));
    for (size_t i = 0; i < n; i++) {
        const struct job_rule *rule =
            i < match->n_keys ? &match->keys[i] : &match->tie_breaks[i - match->n_keys];
        const char *column = r->which == MATCH_LEFT ? rule->left : rule->right;
        r->rules[i].column = column ? column : rule->name;
        if (normal_parse(rule->normalise ? rule->normalise : "", &r->rules[i].normal, err) < 0)
            return error_prefix(err, "%s", rule->name);
    }
    return 0;
}

static int take_options(struct match_reader *r, struct error *err)
{
    const struct job_match *match = &r->all->spec->match;
    if (take_rules(r, err) < 0)
        return -1;
    r->options = (struct side_options){
        .folder = match->folder,
        .name = r->spec->name,
        .fraction = (double)match->batch_fraction / 1e6,
        .memory = (size_t)(r->all->spec->memory_max / 32),
        .id = r->spec->id,
        .active = r->spec->active,
        .report_day = r->all->report_day,
        .active_days = (int64_t)match->active_days,
        .keys = r->rules,
        .n_keys = match->n_keys,
        .tie_breaks = r->rules + match->n_keys,
        .n_tie_breaks = match->n_tie_breaks,
        .columns = (const char *const *)r->spec->columns.list,
        .n_columns = r->spec->columns.n,
        .position = r->spec->source ? position : NULL,
        .save = save,
        .progress = progress,
        .arg = r,
    };
    return 0;
}

static void take_saved(struct match_reader *r, const cJSON *part)
{
    member_int(cJSON_GetObjectItemCaseSensitive(part, "pages"), &r->before.pages);
    member_int(cJSON_GetObjectItemCaseSensitive(part, "requests"), &r->before.requests);
    member_int(cJSON_GetObjectItemCaseSensitive(part, "again"), &r->before.again);
    r->now = r->before;
    r->seen = cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(part, "seen"), true);
    r->all->resumed = true;
}

static int open_side(struct match_reader *r, struct error *err)
{
    const cJSON *part = match_state_part(r->all->state, part_of(r));
    const cJSON *staged = cJSON_GetObjectItemCaseSensitive(part, "staged");
    if (staged && side_resume(&r->options, staged, &r->side, &r->position, err) == 0) {
        take_saved(r, part);
        return 0;
    }
    if (staged) {
        _cleanup_free_ char *note = xasprintf(
            "what an earlier run had staged of the %s side is read again: %s", r->spec->name, err->text);
        cJSON_AddItemToArray(r->all->notes, cJSON_CreateString(note));
        match_state_forget(r->all->state, part_of(r));
    }
    r->position = 0;
    return side_open(&r->options, &r->side, err);
}

int match_reader_open(
    struct match_reading *all, struct match_shared *shared, int which, struct db_fault *fault)
{
    struct match_reader *r = all->readers[which] = xnew(struct match_reader);
    r->all = all;
    r->shared = shared;
    r->which = which;
    r->spec = which == MATCH_LEFT ? &all->spec->match.left : &all->spec->match.right;
    if (take_options(r, &fault->error) < 0 || open_side(r, &fault->error) < 0)
        return error_prefix(&fault->error, "the %s side", r->spec->name);
    return open_database(r, fault);
}

void match_reader_free(struct match_reader *r)
{
    if (!r)
        return;
    source_free(r->source);
    db_close(r->db);
    if (r->result < 0 && !match_state_part(r->all->state, part_of(r)))
        side_discard(r->side); /* nobody goes on with it, and others need the room */
    else
        side_free(r->side);
    cJSON_Delete(r->seen);
    free(r->rules);
    free(r);
}

/* ---- what they had ---- */

static bool had(const struct match_reader *r, const char *column)
{
    for (const cJSON *c = r->seen ? r->seen->child : NULL; c; c = c->next)
        if (cJSON_IsString(c) && strcmp(c->valuestring, column) == 0)
            return true;
    return false;
}

int match_reader_check_seams(struct match_reader *r, struct db_fault *fault)
{
    if (find_duplicates(r, &fault->error) < 0)
        return -1;
    if (!side_has_gap(r->side))
        return 0;
    *fault = (struct db_fault){.transient = true};
    return error_set(&fault->error,
        "the %s side has moved by more than a page since the run that broke off, so that some may be "
        "missing: "
        "the next run reads it from the start",
        r->spec->name);
}

int match_reader_check_rows(const struct match_reader *r, struct db_fault *fault)
{
    struct side_counts counts;
    side_counts(r->side, &counts);
    if (counts.rows > 0)
        return 0;
    return job_refuse(fault,
        "the %s side has no rows at all, so that nothing was written: %s; a report about nobody would "
        "replace "
        "a good one",
        r->spec->name,
        r->spec->source ? "look whether `rows` names the list that a page has, and whether the API has users"
                        : "look what its SELECT returns");
}

static bool decides(const struct match_reader *r, const char *column)
{
    bool is_rule = false;
    for (size_t i = 0; i < r->options.n_keys + r->options.n_tie_breaks; i++)
        is_rule |= strcmp(r->rules[i].column, column) == 0;
    return is_rule || strcmp(r->options.id, column) == 0;
}

/* Members that no row has: those by which it is decided must be there. Of a query it is known what its columns are called. */
int match_reader_check_columns(const struct match_reader *r, struct db_fault *fault)
{
    size_t n;
    int result = 0;
    const char **fields = list_fields(r, &n);
    for (size_t i = 0; i < n && result == 0; i++) {
        if (had(r, fields[i]))
            continue;
        _cleanup_free_ char *note =
            xasprintf("no row of the %s side has a value of %s", r->spec->name, fields[i]);
        if (r->spec->source && decides(r, fields[i]))
            result =
                job_refuse(fault, "%s, by which users are told apart or matched: is it called so?", note);
        cJSON_AddItemToArray(r->all->notes, cJSON_CreateString(note));
    }
    free(fields);
    return result;
}

struct match_side *match_reader_side(const struct match_reader *r)
{
    return r->side;
}

bool match_reader_requests(const struct match_reader *r, struct match_requests *ret_requests)
{
    *ret_requests = r->now;
    return r->spec->source != NULL;
}
