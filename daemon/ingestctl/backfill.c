#include "bar.h"
#include "ctl.h"
#include "moment.h"
#include "names.h"
#include "view.h"
#include "watch.h"

#include <cjson/cJSON.h>

/* Putting many runs on record takes its time. */
#define LONGEST_ANSWER (120 * INT64_C(1000000))

struct request {
    const char *job, *from, *to;
    char from_utc[40], to_utc[40];
    bool no_wait;
};

struct counts {
    double waiting, running, done, failed, cancelled, skipped;
};

static cJSON *span_of(const struct request *r)
{
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, "job", r->job);
    cJSON_AddStringToObject(parameters, "from", r->from_utc);
    cJSON_AddStringToObject(parameters, "to", r->to_utc);
    return parameters;
}

static struct counts read_counts(const cJSON *answer)
{
    return (struct counts){
        .waiting = ctl_number(answer, "waiting"),
        .running = ctl_number(answer, "running"),
        .done = ctl_number(answer, "done"),
        .failed = ctl_number(answer, "failed"),
        .cancelled = ctl_number(answer, "cancelled"),
        .skipped = ctl_number(answer, "skipped"),
    };
}

static double n_over(const struct counts *c)
{
    return c->done + c->failed + c->cancelled + c->skipped;
}

/* Several windows are computed in one pass and are done together: how far that pass is counts too. */
static int add_pass(struct watch *w, const struct request *r, struct bar_reading *now)
{
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    int code = watch_call(w, "io.ingestd.Jobs", NULL, &reply);
    const cJSON *job;
    cJSON_ArrayForEach(job, ctl_item(reply.parameters, "jobs"))
    {
        const cJSON *progress = ctl_item(job, "progress");
        if (strcmp(ctl_text(job, "name"), r->job) != 0)
            continue;
        if (strcmp(ctl_text(job, "kind"), "rollup") == 0)
            strcpy(now->unit, "windows");
        if (strcmp(ctl_text(progress, "unit"), "windows") == 0)
            now->done = MIN(now->done + ctl_number(progress, "done"), now->total);
    }
    return code;
}

/* Looks until nothing waits or runs any more. */
static int follow(struct watch *w, const struct request *r, struct bar *bar, struct counts *ret)
{
    for (;;) {
        _cleanup_varlink_reply_ struct varlink_reply reply = {0};
        int code = watch_call(w, "io.ingestd.BackfillProgress", span_of(r), &reply);
        if (code)
            return code;
        *ret = read_counts(reply.parameters);
        if (ret->waiting + ret->running < 1)
            return CTL_DONE;
        struct bar_reading now = {.unit = "runs", .done = n_over(ret)};
        now.total = now.done + ret->waiting + ret->running;
        snprintf(now.what, sizeof(now.what), "%s", r->job);
        code = add_pass(w, r, &now);
        if (code)
            return code;
        bar_show(bar, &now);
        code = watch_pause(w);
        if (code)
            return code;
    }
}

static void show_json(double runs, const struct counts *c)
{
    cJSON *answer = cJSON_CreateObject();
    const struct {
        const char *name;
        double n;
    } members[] = {
        {"runs", runs},
        {"waiting", c->waiting},
        {"running", c->running},
        {"done", c->done},
        {"failed", c->failed},
        {"cancelled", c->cancelled},
        {"skipped", c->skipped},
    };
    for (size_t i = 0; i < N_ELEMENTS(members); i++)
        cJSON_AddNumberToObject(answer, members[i].name, members[i].n);
    ctl_print_json(answer);
    cJSON_Delete(answer);
}

static void show_end(const struct request *r, const struct counts *c)
{
    const struct {
        double n;
        const char *words;
    } others[] = {{c->failed, "failed"}, {c->cancelled, "cancelled"}, {c->skipped, "skipped"}};
    char count[28];
    printf("%s done", view_count(c->done, count));
    for (size_t i = 0; i < N_ELEMENTS(others); i++)
        if (others[i].n > 0)
            printf(", %s %s", view_count(others[i].n, count), others[i].words);
    puts("");
    for (size_t i = 0; i < N_ELEMENTS(others); i++)
        if (others[i].n > 0)
            printf("  → see ingestctl runs %s --status %s\n", r->job, others[i].words);
}

static int wait_for_end(const struct ctl *ctl, struct client *client, const struct request *r, double runs)
{
    struct bar bar = {.form = ctl->json ? BAR_NONE : ctl->terminal ? BAR_DRAWN : BAR_LINES};
    _cleanup_watch_ struct watch watch = {.signals = -1};
    struct counts counts = {0};
    int code = watch_open(&watch, client);
    if (code == CTL_DONE)
        code = follow(&watch, r, &bar, &counts);
    bar_clear(&bar);
    if (code == CTL_INTERRUPTED || code == CTL_UNREACHABLE)
        ctl_say("the backfill goes on; ingestctl jobs %s shows how far it is, ingestctl runs %s its runs",
            r->job, r->job);
    if (code)
        return code;
    if (ctl->json)
        show_json(runs, &counts);
    else
        show_end(r, &counts);
    return counts.failed + counts.cancelled + counts.skipped > 0 ? CTL_FAILED : CTL_DONE;
}

static int order(const struct ctl *ctl, const struct request *r)
{
    _cleanup_(client_freep) struct client *client = ctl_connect(ctl);
    if (!client)
        return CTL_UNREACHABLE;
    client_set_timeout(client, LONGEST_ANSWER);
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    int code = names_call(client, "io.ingestd.Backfill", span_of(r), &reply);
    if (code)
        return code;
    char count[28], words[80];
    double runs = ctl_number(reply.parameters, "runs");
    bool wait = !r->no_wait && runs > 0;
    if (ctl->json && !wait)
        ctl_print_json(reply.parameters);
    else if (!ctl->json && runs < 1)
        printf("%s: nothing is due in %s\n", r->job, view_span(r->from_utc, r->to_utc, words));
    else if (!ctl->json)
        printf("%s: %s run%s, %s\n", r->job, view_count(runs, count), runs > 1 ? "s" : "",
            view_span(r->from_utc, r->to_utc, words));
    fflush(stdout);
    return wait ? wait_for_end(ctl, client, r, runs) : CTL_DONE;
}

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    struct request r = {0};
    const struct ctl_option options[] = {
        {"from", NULL, &r.from},
        {"to", NULL, &r.to},
        {"no-wait", &r.no_wait, NULL},
    };
    int code, first = ctl_options(ctl, self, options, N_ELEMENTS(options), argc, argv, &code);
    if (first < 0)
        return code;
    if (argc - first != 1)
        return first == argc ? ctl_misused(self, "which job?")
                             : ctl_misused(self, "one argument too many: %s", argv[first + 1]);
    r.job = argv[first];
    if (!r.from || !r.to)
        return ctl_misused(self, "--from and --to are needed");
    if (!moment_parse(r.from, r.from_utc))
        return ctl_misused(self, "--from %s: " MOMENT_FORMS, r.from);
    if (!moment_parse(r.to, r.to_utc))
        return ctl_misused(self, "--to %s: " MOMENT_FORMS, r.to);
    if (strcmp(r.from_utc, r.to_utc) >= 0)
        return ctl_misused(self, "--from %s is not before --to %s", r.from, r.to);
    return order(ctl, &r);
}

const struct command command_backfill = {"backfill", "JOB --from TIME --to TIME [--no-wait]",
    "run a job for a span of time, again where it did",
    "A rollup computes each whole window of the span. Ends with 0 when all are done, with 1 when one "
    "failed.\n"
    "Ctrl-C stops looking; the backfill goes on.\n"
    "\n"
    "  --from TIME     from this time\n"
    "  --to TIME       up to, but without, this one\n"
    "  --no-wait       do not wait for the end\n"
    "\n" MOMENT_FORMS "\n",
    run};
