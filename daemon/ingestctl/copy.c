#include "bar.h"
#include "copy_rest.h"
#include "ctl.h"
#include "every.h"
#include "view_dumps.h"
#include "work.h"

#include "config/value.h"
#include "job/sync_spec.h"
#include "job/worker_path.h"
#include "util/clock.h"
#include "util/date.h"
#include "util/text.h"
#include "util/url.h"

#include <cjson/cJSON.h>
#include <strings.h>

#define EVERY_LEAST_US US_PER_SEC

struct request {
    const char *source, *sink, *as_of, *key, *pattern, *since, *member, *delimiter, *max_removed,
        *max_rejected, *types, *every, *null;
    struct buffer keys, null_tokens;
    struct copy_rest rest;
    bool dry_run;
    int64_t every_us;      /* 0: once */
    struct config_job job; /* the options as a configuration would have them: checked, with its defaults */
};

static void request_done(struct request *r)
{
    values_done(&section_job, &r->job);
    copy_rest_done(&r->rest);
    buffer_done(&r->keys);
    buffer_done(&r->null_tokens);
}

/* -- what was typed -------------------------------------------------------------------------------------- */

static int take_option(const struct command *self, struct request *r, const char *name, const char *text)
{
    struct error err;
    const struct key *key = section_find(&section_job, name);
    text = text ? text : key->fallback;
    if (!text || value_take(key, text, &r->job, &err) == 0)
        return CTL_DONE;
    return ctl_misused(self, "%s: %s", name, err.text);
}

static int take_options(const struct command *self, struct request *r)
{
    const struct {
        const char *name, *text;
    } options[] = {
        {"source", r->source},
        {"pattern", r->pattern},
        {"since", r->since},
        {"member", r->member},
        {"key", r->key ? buffer_string(&r->keys) : NULL},
        {"null", r->null ? buffer_string(&r->null_tokens) : NULL},
        {"delimiter", r->delimiter},
        {"max_removed", r->max_removed},
        {"max_rejected", r->max_rejected},
        {"types", r->types},
    };
    int code = CTL_DONE;
    for (size_t i = 0; i < N_ELEMENTS(options) && code == CTL_DONE; i++)
        code = take_option(self, r, options[i].name, options[i].text);
    return code;
}

/* What is wrong with the sink as far as its URL tells; NULL: nothing. */
static const char *wrong_sink(const char *text)
{
    static const char *const schemes[] = {"mysql://", "postgresql://", "postgres://", "duckdb://"};
    bool known = false;
    for (size_t i = 0; i < N_ELEMENTS(schemes); i++)
        known |= strncasecmp(text, schemes[i], strlen(schemes[i])) == 0;
    if (!known)
        return "the sink is mysql://…, postgresql://… or duckdb:///…";
    _cleanup_url_ struct url u = {0};
    if (url_parse(text, &u, NULL) < 0)
        return "the sink is not a URL";
    if (strncasecmp(text, "duckdb://", 9) == 0) {
        const char *last = strrchr(u.path, '/');
        return last && last > u.path && last[1]
                   ? NULL
                   : "the sink names a file and a table: duckdb:///path/to/clinic.duckdb/patients";
    }
    const char *slash = u.path[0] == '/' && u.path[1] ? strchr(u.path + 1, '/') : NULL;
    return slash && slash[1] && !strchr(slash + 1, '/')
               ? NULL
               : "the sink names a database and a table: mysql://user@host/database/table";
}

/* What only a dump has; NULL: nothing of it was said. */
static const char *said_of_dumps(const struct request *r)
{
    const struct {
        const char *name, *text;
    } options[] = {{"as-of", r->as_of}, {"pattern", r->pattern}, {"since", r->since}, {"member", r->member},
        {"delimiter", r->delimiter}, {"null", r->null_tokens.n ? "" : NULL}};
    for (size_t i = 0; i < N_ELEMENTS(options); i++)
        if (options[i].text)
            return options[i].name;
    return NULL;
}

/* It is a REST resource when an option says so; where none does and it may be one, its answer will tell. */
static int take_rest(const struct command *self, struct request *r)
{
    const char *given = copy_rest_given(&r->rest), *dumps = said_of_dumps(r);
    if (given && dumps)
        return ctl_misused(
            self, "--%s is for dumps, and with --%s the source is a REST resource", dumps, given);
    bool maybe = !dumps && strncasecmp(r->source, "http", 4) == 0 &&
                 date_pattern(r->source) == DATE_PATTERN_NONE &&
                 (!r->job.key || config_is_one_key(r->job.key));
    return given || maybe ? copy_rest_take(self, &r->rest, &r->job) : CTL_DONE;
}

static int check_request(const struct command *self, struct request *r)
{
    if (!r->source || !r->sink)
        return ctl_misused(self, "%s is missing", r->source ? "--sink" : "--source");
    const char *wrong = wrong_sink(r->sink);
    if (wrong)
        return ctl_misused(self, "%s", wrong);
    bool many = r->pattern || date_pattern(r->source) != DATE_PATTERN_NONE;
    if (r->as_of && many)
        return ctl_misused(self, "--as-of is for one dump; of many each has its date in its name");
    if (r->as_of && !date_is_good(r->as_of))
        return ctl_misused(self, "--as-of is a date, as 2016-02-07");
    if (r->every && (text_parse_duration(r->every, &r->every_us) < 0 || r->every_us < EVERY_LEAST_US))
        return ctl_misused(self, "--every is a duration of at least a second, as 1h");
    int code = take_options(self, r);
    return code ? code : take_rest(self, r);
}

/* -- the work -------------------------------------------------------------------------------------------- */

static void fill_spec(struct job_spec *spec, const struct request *r)
{
    const struct job_database sink = {(char *)(uintptr_t)r->sink, NULL};
    work_spec("sync", "copy", &sink, spec);
    job_sync_take(&spec->sync, &r->job);
    spec->sync.as_of = xstrdup(r->as_of);
    spec->sync.rest.full = r->rest.full;
    spec->sync.rest.if_json = !copy_rest_given(&r->rest);
    spec->dry_run = r->dry_run;
}

static void show(const struct ctl *ctl, const struct request *r, const cJSON *stats)
{
    if (ctl->json) {
        ctl_print_json(stats);
        return;
    }
    _cleanup_buffer_ struct buffer text = {0};
    if (r->dry_run)
        buffer_put_string(&text, "a dry run: nothing was changed, and this is what it would do:\n");
    view_dumps(&text, stats, ctl->color);
    const cJSON *dumps = ctl_item(stats, "dumps");
    if (!r->key && dumps && dumps->child && !ctl_item(dumps->child, "pass"))
        buffer_put_string(
            &text, "the key is the first column of the first dump, unless its --key named another\n");
    fputs(buffer_string(&text), stdout);
}

struct copying {
    const struct ctl *ctl;
    const struct request *request;
};

static int copy(void *arg)
{
    const struct copying *c = arg;
    const struct ctl *ctl = c->ctl;
    const struct request *r = c->request;
    const struct process_limits limits = {0};
    struct bar bar = {.form = ctl->terminal && !ctl->json ? BAR_DRAWN : BAR_NONE};
    const struct work_events events = {.progress = work_show_progress, .arg = &bar};
    _cleanup_free_ char *worker = worker_path();
    _cleanup_job_spec_ struct job_spec spec = {0};
    _cleanup_work_end_ struct work_end end = {0};
    fill_spec(&spec, r);
    work_run(worker, &spec, &limits, &events, &end);
    bar_clear(&bar);
    if (end.outcome == PROCESS_DONE)
        show(ctl, r, end.stats);
    return work_say_end(&end);
}

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    _cleanup_(request_done) struct request r = {0};
    const struct ctl_option own[] = {
        {"source", NULL, &r.source},
        {"sink", NULL, &r.sink},
        {"as-of", NULL, &r.as_of},
        {"key", NULL, &r.key, &r.keys},
        {"null", NULL, &r.null, &r.null_tokens},
        {"pattern", NULL, &r.pattern},
        {"since", NULL, &r.since},
        {"member", NULL, &r.member},
        {"delimiter", NULL, &r.delimiter},
        {"max-removed", NULL, &r.max_removed},
        {"max-rejected", NULL, &r.max_rejected},
        {"dry-run", &r.dry_run, NULL},
        {"types", NULL, &r.types},
        {"every", NULL, &r.every},
    };
    struct ctl_option options[N_ELEMENTS(own) + SECTION_MAX + 1];
    memcpy(options, own, sizeof(own));
    size_t n = copy_rest_options(&r.rest, options, N_ELEMENTS(own));
    int code, first = ctl_options(ctl, self, options, n, argc, argv, &code);
    if (first < 0)
        return code;
    /* --null A B: what belongs to nothing else */
    for (; first < argc && r.null; first++)
        ctl_add_word(&r.null_tokens, argv[first]);
    if (first < argc)
        return ctl_misused(
            self, "what is %s? The source and the sink are --source URL --sink URL", argv[first]);
    code = check_request(self, &r);
    if (code)
        return code;
    struct copying c = {ctl, &r};
    return r.every_us ? every_run(r.every_us, copy, &c) : copy(&c);
}

const struct command command_copy = {"copy", "--source URL --sink URL [OPTION…]",
    "load a dump into a table with its history",
    "The source is a CSV file, also within gzip or zip: https://, http:// or file://. With %Y, %m and %d in "
    "it, or\n"
    "with --pattern, it is many, and all that are newer than what is loaded are loaded in order. Or it is a "
    "REST\n"
    "resource, a list in pages of JSON. The sink is mysql://user:password@host/database/table,\n"
    "postgresql://user:password@host/database/[schema.]table or duckdb:///path/to/file.duckdb/table; the "
    "tables\n"
    "are made. A dump is loaded whole or not at all, and the same dump again does nothing. Needs no daemon.\n"
    "\n"
    "  --key COL[,COL] the columns that tell one record from another; the first column unless given. One "
    "whose\n"
    "                  name holds a comma stands in quotes of its own: '\"City, State\"'\n"
    "  --as-of DATE    the date it speaks for; else the date in its name, else Last-Modified, else today\n"
    "  --null TOKEN…   cells that are exactly this hold nothing, as the empty cell does; NULL unless given,\n"
    "                  and \"\" for none\n"
    "  --pattern GLOB  the source is a page or a folder that lists the dumps: npi-%Y-%m-%d.csv\n"
    "  --since DATE    dumps of before are left alone; needed where the source has a date in it\n"
    "  --member GLOB   which file of a zip\n"
    "  --delimiter C   what stands between cells, or tab; else found out from the header\n"
    "  --max-removed PERCENT\n"
    "                  a dump in which more than that share of the keys is missing is refused; 20 unless "
    "given,\n"
    "                  100: none is\n"
    "  --max-rejected PERCENT\n"
    "                  the same for rows that cannot be taken; 10 unless given\n"
    "  --types COL=TYPE[,COL=TYPE]\n"
    "                  for DuckDB: bigint, double, date, timestamp, timestamptz, boolean, text; else found "
    "out\n"
    "  --every TIME    again and again, at the multiples of that time since 1970: for a container without a "
    "daemon.\n"
    "                  What failed is tried again sooner, after 10 s, 20 s and so on; SIGTERM ends it\n"
    "  --dry-run       says what it would do, and does nothing; of many dumps it looks at the first, and "
    "counts the rest\n"
    "\n"
    "Of a REST resource; any of these says that it is one, and so does its answer, when it is JSON:\n"
    "\n"
    "  --rows WHERE    where the rows are: data unless given; . where the page itself is the list\n"
    "  --paging HOW    offset (unless given), page, next or cursor; with --limit, --offset, --page, --cursor "
    "the\n"
    "                  names of the parameters, --next where the next page's URL or word is, --first-page N\n"
    "  --page-size N   1000 rows unless given; --parallel N pages at once, 4; --per-second N requests at "
    "most\n"
    "  --order QUERY   for an order that never changes: 'sort_field=id&sort_dir=asc'\n"
    "  --updated NAME  the member that tells when a row was changed: a pass reads what changed since the "
    "last\n"
    "  --updated-order QUERY\n"
    "                  for the newest first; 'sort_field=NAME&sort_dir=desc' unless given\n"
    "  --full-every TIME\n"
    "                  the longest between two full passes, which alone see what is gone; 7d unless given\n"
    "  --full          this pass is a full one\n"
    "  --fields NAME[,NAME]\n"
    "                  the members to keep; all unless given\n"
    "  --headers 'NAME: VALUE'\n"
    "                  sent too, as often as one likes; --header-file FILE one that is secret\n"
    "  --token-file FILE, --credentials-file FILE\n"
    "                  a bearer token; user:password\n"
    "\n"
    "Exit code: 0 loaded, or there was nothing to do; 1 failed, and nothing of the dump that failed was "
    "written;\n"
    "2 used wrongly; 130 interrupted.\n",
    run};
