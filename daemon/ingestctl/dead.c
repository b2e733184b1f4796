#include "ctl.h"
#include "grid.h"
#include "view.h"

#include "stream/reason.h"
#include "util/clock.h"
#include "util/text.h"

#include <cjson/cJSON.h>

/* Postgres may be slow, and replaying a long list takes the time it takes. */
#define LONGEST_ANSWER (10 * 60 * US_PER_SEC)
#define MOST_LISTED    1000

struct request {
    struct ctl *ctl;
    const struct command *command;
    const char *stream, *reason, *state, *limit, *after;
    bool yes;
    char **ids; /* the arguments, checked to be ids */
    int n_ids;
};

static int add_number(cJSON *to, const char *name, const char *value)
{
    int64_t n;
    if (!value)
        return 0;
    if (ctl_parse_id(value, &n) < 0)
        return -1;
    cJSON_AddNumberToObject(to, name, (double)n);
    return 0;
}

static cJSON *about_stream(const struct request *r)
{
    cJSON *parameters = cJSON_CreateObject();
    ctl_add_text(parameters, "stream", r->stream);
    ctl_add_text(parameters, "reason", r->reason);
    return parameters;
}

static cJSON *about_id(const char *id)
{
    cJSON *parameters = cJSON_CreateObject();
    add_number(parameters, "id", id);
    return parameters;
}

static int ask(const struct request *r, const char *method, cJSON *parameters, struct varlink_reply *ret)
{
    _cleanup_(client_freep) struct client *client = ctl_connect(r->ctl);
    if (!client) {
        cJSON_Delete(parameters);
        return CTL_UNREACHABLE;
    }
    client_set_timeout(client, LONGEST_ANSWER);
    return ctl_call(client, method, parameters, ret);
}

static void show_list(const struct request *r, const cJSON *letters, int limit)
{
    static const char *const heads[] = {
        "id", "stream", "state", "reason", "bytes", "recorded", "entry", "detail"};
    _cleanup_(grid_freep) struct grid *g = grid_new("rlllrlll", r->ctl->color);
    const cJSON *l, *last = NULL;
    char words[32];
    for (size_t i = 0; i < N_ELEMENTS(heads); i++)
        grid_cell(g, BOLD, "%s", heads[i]);
    cJSON_ArrayForEach(l, letters)
    {
        grid_row(g);
        grid_cell(g, PLAIN, "%.0f", ctl_number(l, "id"));
        grid_cell(g, PLAIN, "%s", ctl_text(l, "stream"));
        grid_cell(g, PLAIN, "%s", ctl_text(l, "state"));
        grid_cell(g, PLAIN, "%s", ctl_text(l, "reason"));
        grid_cell(g, PLAIN, "%s", view_count(ctl_number(l, "bytes"), words));
        grid_cell(g, PLAIN, "%s", view_time(ctl_text(l, "recorded"), words));
        grid_cell(g, PLAIN, "%s", ctl_text(l, "entry"));
        grid_rest(g, PLAIN, "%s", ctl_text(l, "detail"));
        last = l;
    }
    _cleanup_buffer_ struct buffer text = {0};
    if (last)
        grid_write(g, &text);
    else
        buffer_put_string(&text, "no letters\n");
    fwrite(text.p, 1, text.n, stdout);
    if (last && cJSON_GetArraySize(letters) >= limit)
        printf("there may be more: --after %.0f\n", ctl_number(last, "id"));
}

static int run_list(struct request *r)
{
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    cJSON *parameters = about_stream(r);
    ctl_add_text(parameters, "state", r->state);
    if (r->n_ids > 0 || add_number(parameters, "limit", r->limit) < 0 ||
        add_number(parameters, "after", r->after) < 0) {
        cJSON_Delete(parameters);
        return ctl_misused(
            r->command, r->n_ids > 0 ? "list takes no ids; see show" : "not a positive number");
    }
    int code = ask(r, "io.ingestd.DeadList", parameters, &reply);
    if (code)
        return code;
    const cJSON *letters = ctl_item(reply.parameters, "letters");
    if (r->ctl->json)
        ctl_print_json(letters);
    else
        show_list(r, letters, r->limit ? atoi(r->limit) : 100);
    return CTL_DONE;
}

/* Payloads are bytes from outside: on a terminal they must not steer it, in a file they stay as they are. */
static void print_payload(const struct ctl *ctl, const char *payload)
{
    _cleanup_free_ char *clean = ctl->terminal ? printable(payload) : xstrdup(payload);
    puts(clean);
}

static const char *sentence_of(const char *code)
{
    for (int i = REASON_NONE + 1; i < N_REASONS; i++)
        if (strcmp(reason_code(i), code) == 0)
            return reason_sentence(i);
    return "";
}

static void show_letter(const struct ctl *ctl, const cJSON *letter)
{
    static const char *const lines[] = {
        "stream", "entry", "state", "reason", "detail", "sqlstate", "received", "recorded"};
    _cleanup_(grid_freep) struct grid *g = grid_new("ll", ctl->color);
    grid_cell(g, BOLD, "letter %.0f", ctl_number(letter, "id"));
    for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
        const char *words = ctl_text(letter, lines[i]);
        const char *more = strcmp(lines[i], "reason") == 0 ? sentence_of(words) : "";
        if (!words[0])
            continue;
        grid_row(g);
        grid_cell(g, PLAIN, "  %s", lines[i]);
        grid_rest(g, PLAIN, "%s%s%s", words, more[0] ? ": " : "", more);
    }
    _cleanup_buffer_ struct buffer text = {0};
    grid_write(g, &text);
    fwrite(text.p, 1, text.n, stdout);
    const cJSON *field;
    cJSON_ArrayForEach(field, ctl_item(letter, "fields"))
    {
        _cleanup_free_ char *line = xasprintf("%s = %s", field->string, cJSON_GetStringValue(field));
        print_payload(ctl, line);
    }
    if (ctl_item(letter, "payload_base64") && ctl_text(letter, "payload_base64")[0])
        printf("base64: %s\n", ctl_text(letter, "payload_base64"));
    else if (ctl_text(letter, "payload")[0])
        print_payload(ctl, ctl_text(letter, "payload"));
}

static int run_show(struct request *r)
{
    if (r->n_ids != 1)
        return ctl_misused(r->command, "show takes one id");
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    int code = ask(r, "io.ingestd.DeadShow", about_id(r->ids[0]), &reply);
    if (code)
        return code;
    const cJSON *letter = ctl_item(reply.parameters, "letter");
    if (r->ctl->json)
        ctl_print_json(letter);
    else
        show_letter(r->ctl, letter);
    return CTL_DONE;
}

/* One call an id, or one for the stream; the counts of the answers are added up. */
static int change(struct request *r, const char *method, const char *counted)
{
    _cleanup_(client_freep) struct client *client = ctl_connect(r->ctl);
    if (!client)
        return CTL_UNREACHABLE;
    client_set_timeout(client, LONGEST_ANSWER);
    double sum = 0, stored = 0;
    int worst = CTL_DONE;
    for (int i = 0; i < MAX(r->n_ids, 1) && worst != CTL_UNREACHABLE; i++) {
        _cleanup_varlink_reply_ struct varlink_reply reply = {0};
        cJSON *parameters = r->n_ids > 0 ? about_id(r->ids[i]) : about_stream(r);
        int code = ctl_call(client, method, parameters, &reply);
        worst = MAX(worst, code);
        sum += ctl_number(reply.parameters, counted);
        stored += MAX(ctl_number(reply.parameters, "stored"), 0);
    }
    char count[28], others[28];
    bool replayed = strcmp(counted, "replayed") == 0;
    if (r->ctl->json && replayed)
        printf("{\"replayed\": %.0f, \"stored\": %.0f}\n", sum, stored);
    else if (r->ctl->json)
        printf("{\"%s\": %.0f}\n", counted, sum);
    else if (replayed)
        printf("%s replayed, %s of them stored\n", view_count(sum, count), view_count(stored, others));
    else
        printf("%s %s\n", view_count(sum, count), counted);
    return worst;
}

static int run_replay(struct request *r)
{
    if ((r->n_ids > 0) == (r->stream != NULL))
        return ctl_misused(r->command, "replay takes ids, or --stream");
    return change(r, "io.ingestd.DeadReplay", "replayed");
}

/* How many the drop would take, in words. NULL after saying why nobody knows, with the exit code. */
static char *count_letters(struct request *r, int *ret_code)
{
    char count[28];
    if (r->n_ids > 0)
        return xasprintf("%s letters", view_count(r->n_ids, count));
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    cJSON *parameters = about_stream(r);
    cJSON_AddNumberToObject(parameters, "limit", MOST_LISTED);
    *ret_code = ask(r, "io.ingestd.DeadList", parameters, &reply);
    if (*ret_code)
        return NULL;
    int n = cJSON_GetArraySize(ctl_item(reply.parameters, "letters"));
    return xasprintf("%s%s letters of %s with the reason %s", view_count(n, count),
        n >= MOST_LISTED ? " or more" : "", r->stream, r->reason);
}

/* CTL_DONE: go on. */
static int confirm(struct request *r)
{
    bool many = r->n_ids != 1;
    if (!many || r->yes)
        return CTL_DONE;
    if (!isatty(STDIN_FILENO))
        return ctl_misused(r->command, "dropping many at once needs --yes where nobody can be asked");
    int code = CTL_FAILED;
    _cleanup_free_ char *what = count_letters(r, &code);
    if (!what)
        return code;
    fprintf(stderr, "drop the payloads of %s for good? [y/N] ", what);
    char answer[16] = "";
    if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
        return CTL_DONE;
    ctl_say("nothing was dropped");
    return CTL_FAILED;
}

static int run_drop(struct request *r)
{
    if ((r->n_ids > 0) == (r->stream && r->reason))
        return ctl_misused(r->command, "drop takes ids, or --stream and --reason");
    int code = confirm(r);
    return code ? code : change(r, "io.ingestd.DeadDrop", "dropped");
}

static const struct {
    const char *name;
    int (*run)(struct request *r);
} actions[] = {
    {"list", run_list},
    {"show", run_show},
    {"replay", run_replay},
    {"drop", run_drop},
};

static int unknown_action(const struct command *self, const char *typed)
{
    const char *names[N_ELEMENTS(actions)];
    for (size_t i = 0; i < N_ELEMENTS(actions); i++)
        names[i] = actions[i].name;
    const char *meant = text_suggest(typed, names, N_ELEMENTS(names));
    return ctl_misused(self, "unknown action \"%s\"%s%s%s", typed, meant ? "; did you mean \"" : "",
        meant ? meant : "", meant ? "\"?" : "");
}

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    struct request r = {.ctl = ctl, .command = self};
    const struct ctl_option options[] = {
        {"stream", NULL, &r.stream},
        {"reason", NULL, &r.reason},
        {"state", NULL, &r.state},
        {"limit", NULL, &r.limit},
        {"after", NULL, &r.after},
        {"yes", &r.yes, NULL},
    };
    int64_t id;
    int code, first = ctl_options(ctl, self, options, N_ELEMENTS(options), argc, argv, &code);
    if (first < 0)
        return code;
    if (first == argc)
        return ctl_misused(self, "which action?");
    r.ids = argv + first + 1;
    r.n_ids = argc - first - 1;
    for (int i = 0; i < r.n_ids; i++)
        if (ctl_parse_id(r.ids[i], &id) < 0)
            return ctl_misused(self, "%s is not a letter's id", r.ids[i]);
    for (size_t i = 0; i < N_ELEMENTS(actions); i++)
        if (strcmp(actions[i].name, argv[first]) == 0)
            return actions[i].run(&r);
    return unknown_action(self, argv[first]);
}

const struct command command_dead = {"dead", "list|show|replay|drop [ID…] [OPTION…]",
    "the entries that could not be stored",
    "  list            those that are dead or parked, without their payloads\n"
    "  show ID         one, with its payload\n"
    "  replay ID…      decode and write them again; or all of --stream\n"
    "  drop ID…        forget their payloads for good; or all of --stream and --reason\n"
    "\n"
    "  --stream S      of this stream\n"
    "  --reason R      with this reason\n"
    "  --state S       list: dead, parked or dropped\n"
    "  --limit N       list: at most so many (100; 1000 at most)\n"
    "  --after ID      list: only ids above\n"
    "  --yes           drop: do not ask\n",
    run};
