#include "ctl.h"
#include "names.h"
#include "util/clock.h"
#include "view_runs.h"

#include <cjson/cJSON.h>

#define LONGEST_ANSWER (60 * US_PER_SEC)
#define LISTED         20

struct request {
    const char *job, *id, *status, *limit, *before;
};

/* Adds a number that was typed; false when it is none. */
static bool add_number(cJSON *to, const char *name, const char *typed)
{
    int64_t n;
    if (!typed)
        return true;
    if (ctl_parse_id(typed, &n) < 0)
        return false;
    cJSON_AddNumberToObject(to, name, (double)n);
    return true;
}

static void print(const struct buffer *text)
{
    fwrite(text->p, 1, text->n, stdout);
}

static int show_run(const struct ctl *ctl, const cJSON *runs, const char *id)
{
    _cleanup_buffer_ struct buffer text = {0};
    const cJSON *run = cJSON_GetArrayItem(runs, 0);
    if (!run) {
        ctl_say("no run %s is on record", id);
        return CTL_FAILED;
    }
    if (ctl->json) {
        ctl_print_json(run);
        return CTL_DONE;
    }
    view_run(&text, run, ctl->color);
    print(&text);
    return CTL_DONE;
}

static bool is_configured(struct client *client, const char *name)
{
    struct error err;
    bool found = false;
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    if (client_call(client, "io.ingestd.Jobs", NULL, &reply, &err) < 0 || reply.error)
        return true; /* who knows */
    const cJSON *job;
    cJSON_ArrayForEach(job, ctl_item(reply.parameters, "jobs"))
    {
        found = found || strcmp(ctl_text(job, "name"), name) == 0;
    }
    return found;
}

/* No runs of a job that nobody knows is a slip of the hand. */
static int show_runs(const struct ctl *ctl, struct client *client, const cJSON *runs, const struct request *r)
{
    int n = cJSON_GetArraySize(runs);
    if (n == 0 && r->job && !is_configured(client, r->job))
        return names_say_no_job(client, r->job);
    if (ctl->json) {
        ctl_print_json(runs);
        return CTL_DONE;
    }
    _cleanup_buffer_ struct buffer text = {0};
    if (n > 0)
        view_runs(&text, runs, ctl->color);
    else
        buffer_put_string(&text, "no runs\n");
    print(&text);
    if (n >= (r->limit ? atoi(r->limit) : LISTED))
        printf("there may be more: --before %.0f\n", ctl_number(cJSON_GetArrayItem(runs, n - 1), "id"));
    return CTL_DONE;
}

static int ask(const struct ctl *ctl, const struct request *r, cJSON *parameters)
{
    _cleanup_(client_freep) struct client *client = ctl_connect(ctl);
    if (!client) {
        cJSON_Delete(parameters);
        return CTL_UNREACHABLE;
    }
    client_set_timeout(client, LONGEST_ANSWER);
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    int code = ctl_call(client, "io.ingestd.Runs", parameters, &reply);
    if (code)
        return code;
    const cJSON *runs = ctl_item(reply.parameters, "runs");
    return r->id ? show_run(ctl, runs, r->id) : show_runs(ctl, client, runs, r);
}

static bool is_number(const char *text)
{
    return strspn(text, "0123456789") == strlen(text);
}

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    struct request r = {0};
    const struct ctl_option options[] = {
        {"id", NULL, &r.id},
        {"status", NULL, &r.status},
        {"limit", NULL, &r.limit},
        {"before", NULL, &r.before},
    };
    int code, first = ctl_options(ctl, self, options, N_ELEMENTS(options), argc, argv, &code);
    if (first < 0)
        return code;
    if (argc - first > 1)
        return ctl_misused(self, "one argument too many: %s", argv[first + 1]);
    if (first < argc && is_number(argv[first]) && !r.id)
        r.id = argv[first];
    else if (first < argc)
        r.job = argv[first];
    cJSON *parameters = cJSON_CreateObject();
    ctl_add_text(parameters, "job", r.job);
    ctl_add_text(parameters, "status", r.status);
    if (!add_number(parameters, "id", r.id) || !add_number(parameters, "limit", r.limit) ||
        !add_number(parameters, "before", r.before)) {
        cJSON_Delete(parameters);
        return ctl_misused(self, "not a positive number");
    }
    return ask(ctl, &r, parameters);
}

const struct command command_runs = {"runs", "[JOB | RUN] [OPTION…]", "the runs on record, newest first",
    "With a run's number, everything known about that one: its result and last words too.\n"
    "\n"
    "  --status S      waiting, running, done, failed, cancelled or skipped\n"
    "  --limit N       at most so many (20; 1000 at most)\n"
    "  --before RUN    only those with a lower number\n"
    "  --id RUN        this one (for a job whose name is a number, and for scripts)\n",
    run};
