#include "ctl.h"
#include "rows.h"
#include "view_life.h"
#include "work.h"

#include "job/worker_path.h"
#include "util/moment.h"

#include <cjson/cJSON.h>

struct request {
    const char *sink, *column, *as_of;
    char **key;
    size_t n_key;
};

static void on_piece(void *arg, const struct report *piece)
{
    rows_add(arg, piece);
}

/* The versions of the key, and what else the worker says. */
static int ask(const struct request *r, struct life *life, struct work_end *end)
{
    const struct process_limits limits = {0};
    struct rows rows = {.taken = life_row, .arg = life};
    const struct work_events events = {.row = on_piece, .arg = &rows};
    const struct job_database sink = {(char *)(uintptr_t)r->sink, NULL};
    _cleanup_free_ char *worker = worker_path();
    _cleanup_job_spec_ struct job_spec spec = {0};
    work_spec("history", "history", &sink, &spec);
    for (size_t i = 0; i < r->n_key; i++)
        job_words_add(&spec.words, r->key[i]);
    work_run(worker, &spec, &limits, &events, end);
    rows_done(&rows);
    return work_say_end(end);
}

static int no_such_column(const struct request *r, const char *near)
{
    if (near)
        ctl_say("there is no column \"%s\"; did you mean \"%s\"?", r->column, near);
    else
        ctl_say("there is no column \"%s\"", r->column);
    return CTL_FAILED;
}

static int show(const struct ctl *ctl, const struct request *r, const struct life *life, const cJSON *stats)
{
    const char *near = NULL, *column = r->column ? life_column(life, r->column, &near) : NULL;
    if (life_is_empty(life)) {
        ctl_say("no dump that is loaded into %s has this key", ctl_text(stats, "dataset"));
        return CTL_FAILED;
    }
    if (r->column && !column)
        return no_such_column(r, near);
    cJSON *answer = r->as_of ? life_as_of(life, stats, column, r->as_of) : life_to_json(life, stats, column);
    if (!answer) {
        ctl_say("as of %s there was nothing of this key", r->as_of);
        return CTL_FAILED;
    }
    _cleanup_buffer_ struct buffer text = {0};
    if (ctl->json)
        ctl_print_json(answer);
    else if (r->as_of)
        view_life_as_of(&text, answer, ctl->color);
    else
        view_life(&text, answer, ctl->color);
    fputs(buffer_string(&text), stdout);
    cJSON_Delete(answer);
    return CTL_DONE;
}

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    struct request r = {0};
    char as_of[MOMENT_SIZE];
    const struct ctl_option options[] = {
        {"column", NULL, &r.column},
        {"as-of", NULL, &r.as_of},
    };
    int code, first = ctl_options(ctl, self, options, N_ELEMENTS(options), argc, argv, &code);
    if (first < 0)
        return code;
    if (argc - first < 2)
        return ctl_misused(self, "the sink's URL and a key are expected");
    r.sink = argv[first];
    r.key = argv + first + 1;
    r.n_key = (size_t)(argc - first - 1);
    for (size_t i = 0; i < r.n_key; i++)
        if (!r.key[i][0])
            return ctl_misused(self, "a key has something in it");
    if (!strstr(r.sink, "://"))
        return ctl_misused(self, "first the sink's URL, then the key");
    if (r.as_of && moment_read(r.as_of, as_of) == MOMENT_NONE)
        return ctl_misused(
            self, "--as-of is a date, as 2016-02-07, or in UTC a moment, as 2016-02-07 13:45:10");
    r.as_of = r.as_of ? as_of : NULL;
    _cleanup_(life_freep) struct life *life = life_new();
    _cleanup_work_end_ struct work_end end = {0};
    code = ask(&r, life, &end);
    return code ? code : show(ctl, &r, life, end.stats);
}

const struct command command_history = {"history", "SINK-URL KEY… [OPTION…]",
    "what became of a record, dump by dump",
    "SINK-URL is what `ingestctl copy` had as --sink, KEY the record's key as it stands in the dumps (of a "
    "key of\n"
    "several columns a cell each, in their order). Says what changed, when, from what to what, and which "
    "dump says so;\n"
    "the dates are the dumps'. Needs no daemon.\n"
    "\n"
    "  --column C      of this column alone: its header, or its name in the table\n"
    "  --as-of DATE    the record as it stood on that day, at its end; or at a moment, in UTC:\n"
    "                  '2016-02-07 13:45:10'\n"
    "\n"
    "Exit code: 0, or 1 when no dump has the key (with --as-of: none of then), or it failed.\n",
    run};
