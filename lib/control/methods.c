#include "control/methods.h"

#include "config/config.h"
#include "control/call.h"
#include "control/interface.h"
#include "control/job_methods.h"
#include "control/status.h"
#include "stream/intake.h"
#include "stream/reason.h"
#include "util/buffer.h"
#include "util/clock.h"
#include "util/log.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

/* Whole numbers that a double holds exactly. */
#define LARGEST_NUMBER 9007199254740992.0
#define LONGEST_TEXT   255
#define MAX_PARAMETERS 5

struct parameter {
    const char *name;
    enum { TEXT, NUMBER, BOOL, TIME } kind; /* a time: RFC 3339 text with its zone, after 1970 began */
    bool required;
    bool (*allows)(const char *text); /* or NULL: any text */
    double max;                       /* of a number; 0: none of its own */
    const char *logged;               /* what the log calls it; NULL: its name */
};

struct method {
    const char *name;
    void (*run)(struct call *c);
    void (*again)(struct call *c); /* NULL: `more` is answered once */
    bool mutating;
    struct parameter parameters[MAX_PARAMETERS];
};

static void answer_letters(void *arg, cJSON *result, const char *why)
{
    call_settle(arg, "letters", result, why);
}

static void answer_letter(void *arg, cJSON *result, const char *why)
{
    call_settle(arg, "letter", result, why);
}

static void answer_plain(void *arg, cJSON *result, const char *why)
{
    call_settle(arg, NULL, result, why);
}

static void run_ping(struct call *c)
{
    call_reply(c, NULL);
}

static void run_status(struct call *c)
{
    cJSON *status = status_build(call_daemon(c));
    if (call_message(c)->more)
        call_continue(c, status);
    else
        call_reply(c, status);
}

static void run_streams(struct call *c)
{
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddItemToObject(parameters, "streams", status_streams(call_daemon(c)));
    call_reply(c, parameters);
}

static struct letter_filter read_filter(const struct call *c)
{
    return (struct letter_filter){
        .id = call_number(c, "id"),
        .stream = call_text(c, "stream"),
        .state = call_text(c, "state"),
        .reason = call_text(c, "reason"),
        .after = call_number(c, "after"),
        .limit = (int)call_number(c, "limit"),
    };
}

static void run_dead_list(struct call *c)
{
    struct letter_filter filter = read_filter(c);
    call_hold(c);
    letters_list(call_daemon(c)->intake, &filter, answer_letters, c);
}

static void run_dead_show(struct call *c)
{
    call_hold(c);
    letters_show(call_daemon(c)->intake, call_number(c, "id"), answer_letter, c);
}

/* "All letters there are" is never meant: one, or those of a stream. */
static bool names_letters(struct call *c)
{
    if (call_number(c, "id") > 0 || call_text(c, "stream"))
        return true;
    call_error_about(c, VARLINK_INVALID_PARAMETER, "parameter", "id");
    return false;
}

static void run_dead_replay(struct call *c)
{
    if (!names_letters(c))
        return;
    struct letter_filter filter = read_filter(c);
    call_hold(c);
    letters_replay(call_daemon(c)->intake, &filter, answer_plain, c);
}

static void run_dead_drop(struct call *c)
{
    if (!names_letters(c))
        return;
    struct letter_filter filter = read_filter(c);
    /* The number alone: looking up the name may ask a directory server and wait for it. */
    char who[32];
    snprintf(who, sizeof(who), "uid %u", call_peer(c)->uid);
    call_hold(c);
    letters_drop(call_daemon(c)->intake, &filter, who, answer_plain, c);
}

static void run_reconcile(struct call *c)
{
    call_hold(c);
    intake_reconcile(call_daemon(c)->intake, answer_plain, c);
}

static void with_stream(struct call *c, void (*change)(struct stream *s))
{
    const char *name = call_text(c, "stream");
    struct stream *s = intake_find(call_daemon(c)->intake, name);
    if (!s) {
        call_error_about(c, "io.ingestd.NoSuchStream", "stream", name);
        return;
    }
    change(s);
    call_reply(c, NULL);
}

static void run_pause(struct call *c)
{
    with_stream(c, stream_pause);
}

static void run_resume(struct call *c)
{
    with_stream(c, stream_resume);
}

/* The lines of a text as an array. */
static cJSON *split_lines(char *text)
{
    cJSON *list = cJSON_CreateArray();
    for (char *rest, *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        cJSON_AddItemToArray(list, cJSON_CreateString(line));
    return list;
}

static void run_reload(struct call *c)
{
    _cleanup_free_ char *words = NULL;
    cJSON *parameters = cJSON_CreateObject();
    if (call_daemon(c)->reload(call_daemon(c)->daemon, &words) < 0) {
        cJSON_AddItemToObject(parameters, "problems", split_lines(words ? words : (char[]){""}));
        call_error(c, "io.ingestd.BrokenConfig", parameters);
        return;
    }
    if (words)
        cJSON_AddStringToObject(parameters, "note", words);
    call_reply(c, parameters);
}

static void run_config(struct call *c)
{
    const struct control_daemon *daemon = call_daemon(c);
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddItemToObject(parameters, "config", config_to_json(daemon->config(daemon->daemon)));
    call_reply(c, parameters);
}

static bool is_letter_state(const char *text)
{
    return strcmp(text, "dead") == 0 || strcmp(text, "parked") == 0 || strcmp(text, "dropped") == 0;
}

static bool is_reason(const char *text)
{
    for (int r = REASON_NONE + 1; r < N_REASONS; r++)
        if (strcmp(reason_code(r), text) == 0)
            return true;
    return false;
}

static bool is_run_status(const char *text)
{
    static const char *const all[] = {"waiting", "running", "done", "failed", "cancelled", "skipped"};
    for (size_t i = 0; i < N_ELEMENTS(all); i++)
        if (strcmp(all[i], text) == 0)
            return true;
    return false;
}

/* clang-format off */
#define P_ID         {"id", NUMBER, false, NULL, 0, "letter"}
#define P_THE_ID     {"id", NUMBER, true, NULL, 0, "letter"}
#define P_STREAM     {"stream", TEXT, false, NULL, 0, NULL}
#define P_THE_STREAM {"stream", TEXT, true, NULL, 0, NULL}
#define P_REASON     {"reason", TEXT, false, is_reason, 0, NULL}
#define P_STATE      {"state", TEXT, false, is_letter_state, 0, NULL}
#define P_AFTER      {"after", NUMBER, false, NULL, 0, NULL}
#define P_BEFORE     {"before", NUMBER, false, NULL, 0, NULL}
#define P_LIMIT      {"limit", NUMBER, false, NULL, 1000, NULL}
#define P_RUN        {"id", NUMBER, false, NULL, 0, "run"}
#define P_THE_RUN    {"id", NUMBER, true, NULL, 0, "run"}
#define P_STATUS     {"status", TEXT, false, is_run_status, 0, NULL}
#define P_JOB        {"job", TEXT, false, NULL, 0, NULL}
#define P_THE_JOB    {"job", TEXT, true, NULL, 0, NULL}
#define P_AT         {"at", TIME, false, NULL, 0, NULL}
#define P_FROM       {"from", TIME, true, NULL, 0, NULL}
#define P_TO         {"to", TIME, true, NULL, 0, NULL}
#define P_DRY_RUN    {"dry_run", BOOL, false, NULL, 0, NULL}
#define P_INTERFACE  {"interface", TEXT, true, NULL, 0, NULL}
/* clang-format on */

static const struct method methods[] = {
    {"Ping", run_ping, NULL, false, {{0}}},
    {"Status", run_status, run_status, false, {{0}}},
    {"Streams", run_streams, NULL, false, {{0}}},
    {"DeadList", run_dead_list, NULL, false, {P_STREAM, P_STATE, P_REASON, P_AFTER, P_LIMIT}},
    {"DeadShow", run_dead_show, NULL, false, {P_THE_ID}},
    {"DeadReplay", run_dead_replay, NULL, true, {P_ID, P_STREAM, P_REASON}},
    {"DeadDrop", run_dead_drop, NULL, true, {P_ID, P_STREAM, P_REASON}},
    {"Reconcile", run_reconcile, NULL, false, {{0}}},
    {"Pause", run_pause, NULL, true, {P_THE_STREAM}},
    {"Resume", run_resume, NULL, true, {P_THE_STREAM}},
    {"Jobs", run_jobs, NULL, false, {{0}}},
    {"Runs", run_runs, NULL, false, {P_JOB, P_RUN, P_STATUS, P_BEFORE, P_LIMIT}},
    {"RunJob", run_run_job, NULL, true, {P_THE_JOB, P_AT, P_DRY_RUN}},
    {"RunCancel", run_run_cancel, NULL, true, {P_THE_RUN}},
    {"PauseJob", run_pause_job, NULL, true, {P_THE_JOB}},
    {"ResumeJob", run_resume_job, NULL, true, {P_THE_JOB}},
    {"Backfill", run_backfill, NULL, true, {P_THE_JOB, P_FROM, P_TO}},
    {"BackfillProgress", run_backfill_progress, NULL, false, {P_THE_JOB, P_FROM, P_TO}},
    {"Reload", run_reload, NULL, true, {{0}}},
    {"Config", run_config, NULL, false, {{0}}},
};

static void run_get_info(struct call *c)
{
    cJSON *p = cJSON_CreateObject();
    cJSON_AddStringToObject(p, "vendor", "ingestd");
    cJSON_AddStringToObject(p, "product", "ingestd");
    cJSON_AddStringToObject(p, "version", INGESTD_VERSION);
    cJSON_AddStringToObject(p, "url", "");
    cJSON *list = cJSON_AddArrayToObject(p, "interfaces");
    size_t n;
    const struct interface *interfaces = interface_list(&n);
    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(interfaces[i].name));
    call_reply(c, p);
}

static void run_get_description(struct call *c)
{
    const char *name = call_text(c, "interface");
    const struct interface *found = interface_find(name);
    if (!found) {
        call_error_about(c, VARLINK_INTERFACE_NOT_FOUND, "interface", name);
        return;
    }
    cJSON *p = cJSON_CreateObject();
    cJSON_AddStringToObject(p, "description", found->text);
    call_reply(c, p);
}

static const struct method service_methods[] = {
    {"GetInfo", run_get_info, NULL, false, {{0}}},
    {"GetInterfaceDescription", run_get_description, NULL, false, {P_INTERFACE}},
};

const char *methods_name(size_t i)
{
    return i < N_ELEMENTS(methods) ? methods[i].name : NULL;
}

/* "io.ingestd" of "io.ingestd.Status"; "" when there is no dot. A new string. */
static char *interface_of(const char *qualified)
{
    const char *dot = strrchr(qualified, '.');
    return xstrndup(qualified, dot ? (size_t)(dot - qualified) : 0);
}

static const struct method *find_method(const char *interface, const char *qualified)
{
    bool ours = strcmp(interface, "io.ingestd") == 0;
    const struct method *table = ours ? methods : service_methods;
    size_t n = ours ? N_ELEMENTS(methods) : N_ELEMENTS(service_methods);
    for (size_t i = 0; i < n && interface_find(interface); i++)
        if (strcmp(table[i].name, qualified + strlen(interface) + 1) == 0)
            return &table[i];
    return NULL;
}

static bool number_fits(double n, double max)
{
    return n >= 1 && n <= (max > 0 ? max : LARGEST_NUMBER) && n == (double)(int64_t)n;
}

static bool value_fits(const struct parameter *p, const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);
    int64_t us;
    switch (p->kind) {
    case TEXT:
        return text && strlen(text) <= LONGEST_TEXT && (!p->allows || p->allows(text));
    case NUMBER:
        return cJSON_IsNumber(value) && number_fits(value->valuedouble, p->max);
    case BOOL:
        return cJSON_IsBool(value);
    case TIME:
        return text && strlen(text) <= LONGEST_TEXT && clock_parse_utc(text, &us) == 0 && us > 0;
    }
    return false;
}

static const struct parameter *find_parameter(const struct method *m, const char *name)
{
    for (size_t i = 0; i < MAX_PARAMETERS && m->parameters[i].name; i++)
        if (strcmp(m->parameters[i].name, name) == 0)
            return &m->parameters[i];
    return NULL;
}

/* The name of the first parameter that is unknown, missing or has a value it cannot have; NULL if all is
 * well.
 */
static const char *wrong_parameter(const struct method *m, const cJSON *parameters)
{
    const cJSON *value;
    cJSON_ArrayForEach(value, parameters)
    {
        const struct parameter *p = find_parameter(m, value->string);
        if (!p || (!cJSON_IsNull(value) && !value_fits(p, value)))
            return value->string;
    }
    for (size_t i = 0; i < MAX_PARAMETERS && m->parameters[i].name; i++) {
        value = cJSON_GetObjectItemCaseSensitive(parameters, m->parameters[i].name);
        if (m->parameters[i].required && (!value || cJSON_IsNull(value)))
            return m->parameters[i].name;
    }
    return NULL;
}

/* Who changes what, with every parameter that was given: none of them holds row data. */
static void log_change(const struct call *c, const struct method *m)
{
    _cleanup_buffer_ struct buffer words = {0};
    buffer_put_string(&words, m->name);
    for (size_t i = 0; i < MAX_PARAMETERS && m->parameters[i].name; i++) {
        const struct parameter *p = &m->parameters[i];
        const char *text = call_text(c, p->name), *named = p->logged ? p->logged : p->name;
        if (text)
            buffer_printf(&words, " %s %s", named, text);
        else if (call_number(c, p->name) > 0)
            buffer_printf(&words, " %s %" PRId64, named, call_number(c, p->name));
        else if (call_flag(c, p->name))
            buffer_printf(&words, " %s", named);
    }
    log_notice("control", NULL, "%s called by uid %u, pid %d", buffer_string(&words), call_peer(c)->uid,
        (int)call_peer(c)->pid);
}

void methods_run(struct call *c)
{
    const struct varlink_call *message = call_message(c);
    _cleanup_free_ char *interface = interface_of(message->method);
    const struct method *m = find_method(interface, message->method);
    if (!m && !interface_find(interface)) {
        call_error_about(c, VARLINK_INTERFACE_NOT_FOUND, "interface", interface);
        return;
    }
    if (!m) {
        call_error_about(c, VARLINK_METHOD_NOT_FOUND, "method", message->method);
        return;
    }
    if (message->upgrade) {
        call_error_about(c, VARLINK_METHOD_NOT_IMPLEMENTED, "method", message->method);
        return;
    }
    const char *wrong = wrong_parameter(m, message->parameters);
    if (wrong) {
        call_error_about(c, VARLINK_INVALID_PARAMETER, "parameter", wrong);
        return;
    }
    if (m->mutating)
        log_change(c, m);
    m->run(c);
}

void methods_again(struct call *c)
{
    _cleanup_free_ char *interface = interface_of(call_message(c)->method);
    const struct method *m = find_method(interface, call_message(c)->method);
    if (m && m->again)
        m->again(c);
}
