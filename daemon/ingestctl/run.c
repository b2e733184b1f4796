#include "bar.h"
#include "ctl.h"
#include "moment.h"
#include "names.h"
#include "run_local.h"
#include "util/text.h"
#include "view.h"
#include "view_runs.h"
#include "watch.h"
#include "work.h"

#include <cjson/cJSON.h>

struct request {
    const char *job, *at;
    bool wait, dry_run, local;
};

/* The parameters of RunJob; NULL when the time is none. */
static cJSON *order_of(const struct request *r)
{
    char at[40];
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, "job", r->job);
    if (r->at && !moment_parse(r->at, at)) {
        cJSON_Delete(parameters);
        return NULL;
    }
    if (r->at)
        cJSON_AddStringToObject(parameters, "at", at);
    if (r->dry_run)
        cJSON_AddTrueToObject(parameters, "dry_run");
    return parameters;
}

/* What it does now, in the words of the bar. */
static void read_progress(const cJSON *run, struct bar_reading *ret)
{
    char when[32];
    int n = 0;
    const cJSON *progress = ctl_item(run, "progress");
    const char *not_before = ctl_text(run, "not_before");
    *ret = (struct bar_reading){.total = -1};
    if (cJSON_IsObject(progress)) {
        _cleanup_free_ char *stage = printable(ctl_text(progress, "stage"));
        _cleanup_free_ char *unit = printable(ctl_text(progress, "unit"));
        snprintf(ret->what, sizeof(ret->what), "%s", stage);
        snprintf(ret->unit, sizeof(ret->unit), "%s", unit);
        ret->done = ctl_number(progress, "done");
        ret->total = ctl_number(progress, "total");
        ret->rows = ctl_number(progress, "rows");
    } else if (strcmp(ctl_text(run, "status"), "waiting") == 0 && not_before[0] && view_age(not_before) < 0) {
        if (ctl_number(run, "attempt") >= 1)
            n = snprintf(ret->what, sizeof(ret->what), "attempt %.0f failed, ", ctl_number(run, "attempt"));
        snprintf(
            ret->what + n, sizeof(ret->what) - (size_t)n, "waiting until %s", view_time(not_before, when));
    } else {
        _cleanup_free_ char *status = printable(ctl_text(run, "status"));
        snprintf(ret->what, sizeof(ret->what), "%s", status);
    }
}

/* The stages that ended since the last look, of the attempt under way. */
struct heard {
    double attempt;
    int n_stages;
};

static void show_stages(struct heard *h, const cJSON *run, struct bar *bar)
{
    const char *member;
    const cJSON *stages = ctl_item(run, "stages");
    double attempt = ctl_number(run, "attempt");
    if (attempt > h->attempt)
        *h = (struct heard){.attempt = attempt};
    for (; h->n_stages < cJSON_GetArraySize(stages); h->n_stages++) {
        struct stage_told stage;
        if (stage_told_read(cJSON_GetArrayItem(stages, h->n_stages), &stage, &member))
            work_show_stage(bar, &stage);
    }
}

static cJSON *about_run(double id)
{
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddNumberToObject(parameters, "id", id);
    return parameters;
}

/* Looks until the run is over. CTL_DONE: it is, and stands in *ret, which the caller deletes. */
static int follow(struct watch *w, double id, struct bar *bar, bool quiet, cJSON **ret)
{
    struct heard heard = {0};
    for (;;) {
        _cleanup_varlink_reply_ struct varlink_reply reply = {0};
        int code = watch_call(w, "io.ingestd.Runs", about_run(id), &reply);
        if (code)
            return code;
        cJSON *run = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(reply.parameters, "runs"), 0);
        if (!run) {
            ctl_say("run %.0f is not on record any more", id);
            return CTL_FAILED;
        }
        if (view_run_is_over(run)) {
            *ret =
                cJSON_DetachItemViaPointer(cJSON_GetObjectItemCaseSensitive(reply.parameters, "runs"), run);
            return CTL_DONE;
        }
        if (!quiet)
            show_stages(&heard, run, bar);
        struct bar_reading now;
        read_progress(run, &now);
        bar_show(bar, &now);
        code = watch_pause(w);
        if (code)
            return code;
    }
}

static void show_done(struct buffer *to, const struct ctl *ctl, const cJSON *run)
{
    char took[32];
    bool dry = ctl_true(run, "dry_run");
    buffer_printf(to, "done in %s%s\n", text_duration((int64_t)ctl_number(run, "duration_us"), took),
        dry ? "; a dry run: nothing was changed, and this is what it would do:" : "");
    view_run_stats(to, run, ctl->color);
    view_run_result(to, run, ctl->color);
}

static void show_end(const struct ctl *ctl, const cJSON *run)
{
    _cleanup_buffer_ struct buffer text = {0};
    const char *status = ctl_text(run, "status");
    if (ctl->json) {
        ctl_print_json(run);
        return;
    }
    if (strcmp(status, "done") == 0) {
        show_done(&text, ctl, run);
    } else {
        style_write(&text, ctl->color, view_style(status), status);
        buffer_printf(&text, ", attempt %.0f\n", ctl_number(run, "attempt"));
        view_run_failure(&text, run, ctl->color);
    }
    fwrite(text.p, 1, text.n, stdout);
}

static int wait_for_end(const struct ctl *ctl, struct client *client, double id)
{
    struct bar bar = {.form = ctl->terminal && !ctl->json ? BAR_DRAWN : BAR_NONE};
    _cleanup_watch_ struct watch watch = {.signals = -1};
    cJSON *run = NULL;
    int code = watch_open(&watch, client);
    if (code == CTL_DONE)
        code = follow(&watch, id, &bar, ctl->json, &run);
    bar_clear(&bar);
    if (code == CTL_INTERRUPTED || code == CTL_UNREACHABLE)
        ctl_say("run %.0f goes on; ingestctl cancel %.0f ends it, ingestctl runs %.0f shows it", id, id, id);
    if (code)
        return code;
    show_end(ctl, run);
    code = strcmp(ctl_text(run, "status"), "done") == 0 ? CTL_DONE : CTL_FAILED;
    cJSON_Delete(run);
    return code;
}

static void say_ordered(const struct request *r, const cJSON *run)
{
    char words[80], when[32];
    const char *at = ctl_text(run, "scheduled_for");
    printf("run %.0f of %s, for %s", ctl_number(run, "id"), r->job, view_run_for(run, words));
    if (at[0] && view_age(at) < 0)
        printf("; it waits until %s", view_time(at, when));
    puts("");
}

static int order(const struct ctl *ctl, const struct request *r, cJSON *parameters)
{
    _cleanup_(client_freep) struct client *client = ctl_connect(ctl);
    if (!client) {
        cJSON_Delete(parameters);
        return CTL_UNREACHABLE;
    }
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    int code = names_call(client, "io.ingestd.RunJob", parameters, &reply);
    if (code)
        return code;
    double id = ctl_number(reply.parameters, "id");
    bool wait = r->wait || r->dry_run;
    if (ctl->json && !wait)
        ctl_print_json(reply.parameters);
    else if (!ctl->json)
        say_ordered(r, reply.parameters);
    fflush(stdout);
    return wait ? wait_for_end(ctl, client, id) : CTL_DONE;
}

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    struct request r = {0};
    const struct ctl_option options[] = {
        {"wait", &r.wait, NULL},
        {"at", NULL, &r.at},
        {"dry-run", &r.dry_run, NULL},
        {"local", &r.local, NULL},
    };
    int code, first = ctl_options(ctl, self, options, N_ELEMENTS(options), argc, argv, &code);
    if (first < 0)
        return code;
    if (argc - first != 1)
        return first == argc ? ctl_misused(self, "which job?")
                             : ctl_misused(self, "one argument too many: %s", argv[first + 1]);
    r.job = argv[first];
    if (r.local && (r.wait || r.at))
        return ctl_misused(self, "--%s is for a run of the daemon's; one with --local is here, and now",
            r.wait ? "wait" : "at");
    if (r.local)
        return run_local(ctl, self, r.job, r.dry_run);
    cJSON *parameters = order_of(&r);
    if (!parameters)
        return ctl_misused(self, "--at %s: " MOMENT_FORMS, r.at);
    return order(ctl, &r, parameters);
}

const struct command command_run = {"run", "JOB [OPTION…]", "run a job now",
    "A rollup computes its last whole window. What was run for the same time before is run again.\n"
    "\n"
    "  --wait          until it is over: ends with 0 when it is done, with 1 when it failed.\n"
    "                  Ctrl-C leaves it running\n"
    "  --at TIME       for this time; one to come is waited for\n"
    "  --dry-run       do all the work, say what it would change, and roll it back; waits for the end\n"
    "  --local         here, without a daemon: the job is read from --config FILE, and the run is on no\n"
    "                  record. For all kinds but a rollup; with --json what it counted\n"
    "\n" MOMENT_FORMS "\n",
    run};
