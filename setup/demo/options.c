#include "options.h"

#include <errno.h>
#include <getopt.h>

const char *const stream_names[N_STREAMS] = {"claim", "diagnose"};

static const char help[] =
    "Usage: ingest-demo-publisher [OPTION]...\n"
    "Publishes made-up claims and diagnoses, as a doctor's office would.\n\n"
    "  --transport WORD         redis (default), fifo, both (each event to both), or one a stream:\n"
    "                           claim=redis,diagnose=fifo\n"
    "  --streams LIST           claim,diagnose (default) or one of them\n"
    "  --redis URL              redis://[user:password@]host[:port][/DB]; default redis://127.0.0.1:6379/0\n"
    "  --claim-pipe PATH        default ./claim-pipe; must not exist yet\n"
    "  --diagnose-pipe PATH     default ./diagnose-pipe\n"
    "  --rate N                 events per stream and second; default 0.5; 0: as fast as can be\n"
    "  --count N                end after N events per stream\n"
    "  --seconds N              end after N seconds\n"
    "  --duplicates SHARE       re-use an earlier id with other values; default 0.10\n"
    "  --unknown-patient SHARE  name a patient that does not exist; default 0.001\n"
    "  --poison SHARE           bad events of every kind; default 0\n"
    "  --poison-kinds LIST      only these kinds\n"
    "  --seed N                 the same seed makes the same events; default 1\n"
    "  --start-id N             first id; default 0\n"
    "  --shape data|fields      Redis: one field `data` with the JSON (default), or one field a column\n"
    "  --pipeline N             Redis: events sent before their replies are awaited; default 1000\n"
    "  --wait-on-full           pipes: wait while the pipe is full; the practice's own publisher ends\n"
    "  --record FILE            one JSON line per event published\n"
    "  --help\n\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 the pipe was full, 4 the pipe's reader went away.\n\n"
    "Kinds of poison:\n";

static void say_kind(const char *name, const char *meaning)
{
    printf("  %-24s %s\n", name, meaning);
}

/* "redis" and so on for all streams, or "claim=redis,diagnose=fifo". */
static int parse_transport_word(const char *word, size_t n)
{
    struct slice s = {word, n};
    return slice_is(s, "redis")  ? TRANSPORT_REDIS
           : slice_is(s, "fifo") ? TRANSPORT_PIPE
           : slice_is(s, "both") ? TRANSPORT_REDIS | TRANSPORT_PIPE
                                 : 0;
}

static int parse_transport(const char *text, int transports[N_STREAMS])
{
    int all = parse_transport_word(text, strlen(text));
    for (size_t i = 0; i < N_STREAMS; i++)
        transports[i] = all;
    while (!all && *text) {
        size_t n = strcspn(text, ","), name = strcspn(text, "="), i = 0;
        while (i < N_STREAMS && !slice_is((struct slice){text, name}, stream_names[i]))
            i++;
        if (name >= n || i == N_STREAMS)
            return -1;
        transports[i] = parse_transport_word(text + name + 1, n - name - 1);
        if (!transports[i])
            return -1;
        text += n + (text[n] == ',');
    }
    return transports[0] || transports[1] ? 0 : -1;
}

static int parse_streams(const char *text, bool wanted[N_STREAMS])
{
    wanted[0] = wanted[1] = false;
    while (*text) {
        size_t n = strcspn(text, ","), i = 0;
        while (i < N_STREAMS && !slice_is((struct slice){text, n}, stream_names[i]))
            i++;
        if (i == N_STREAMS)
            return -1;
        wanted[i] = true;
        text += n + (text[n] == ',');
    }
    return wanted[0] || wanted[1] ? 0 : -1;
}

/* A number of at least 0. */
static bool parse_number(const char *text, double max, double *ret)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || !(v >= 0 && v <= max))
        return false;
    *ret = v;
    return true;
}

static bool parse_whole(const char *text, uint64_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (end == text || *end || errno || text[0] == '-' || v > INT64_MAX)
        return false;
    *ret = v;
    return true;
}

enum { NUMBER, SHARE, WHOLE, TEXT, FLAG, OTHER };

struct option_key {
    const char *name;
    int type;
    void *into;
};

static bool take_option(const struct option_key *k, const char *text)
{
    switch (k->type) {
    case NUMBER:
        return parse_number(text, 1e9, k->into);
    case SHARE:
        return parse_number(text, 1, k->into);
    case WHOLE:
        return parse_whole(text, k->into);
    case TEXT:
        *(const char **)k->into = text;
        return true;
    case FLAG:
        *(bool *)k->into = true;
        return true;
    default:
        return false;
    }
}

static void show_help(void)
{
    fputs(help, stdout);
    poison_list(say_kind);
}

/* Words that need more than a type. */
static int settle_words(struct options *o, const char *transport, const char *streams, const char *shape)
{
    bool wanted[N_STREAMS];
    if (parse_transport(transport, o->transports) < 0)
        return fprintf(
                   stderr, "--transport %s: redis, fifo, both, or claim=…,diagnose=… is wanted\n", transport),
               -1;
    if (parse_streams(streams, wanted) < 0)
        return fprintf(stderr, "--streams %s: claim, diagnose or both with a comma is wanted\n", streams), -1;
    if (strcmp(shape, "data") != 0 && strcmp(shape, "fields") != 0)
        return fprintf(stderr, "--shape %s: data or fields is wanted\n", shape), -1;
    o->as_fields = strcmp(shape, "fields") == 0;
    for (size_t i = 0; i < N_STREAMS; i++)
        if (!wanted[i])
            o->transports[i] = 0;
    return 0;
}

int parse_options(int argc, char **argv, struct options *o)
{
    const char *transport = "redis", *streams = "claim,diagnose", *shape = "data";
    uint64_t start_id = 0, pipeline = 1000;
    const struct option_key keys[] = {
        {"transport", TEXT, &transport},
        {"streams", TEXT, &streams},
        {"redis", TEXT, &o->redis},
        {"claim-pipe", TEXT, &o->pipes[0]},
        {"diagnose-pipe", TEXT, &o->pipes[1]},
        {"rate", NUMBER, &o->rate},
        {"count", WHOLE, &o->count},
        {"seconds", NUMBER, &o->seconds},
        {"duplicates", SHARE, &o->shares.again},
        {"unknown-patient", SHARE, &o->shares.unknown_patient},
        {"poison", SHARE, &o->shares.poison},
        {"poison-kinds", TEXT, &o->shares.kinds},
        {"seed", WHOLE, &o->seed},
        {"start-id", WHOLE, &start_id},
        {"shape", TEXT, &shape},
        {"pipeline", WHOLE, &pipeline},
        {"wait-on-full", FLAG, &o->wait_on_full},
        {"record", TEXT, &o->record},
        {"help", OTHER, NULL},
    };
    struct option longs[N_ELEMENTS(keys) + 1] = {0};
    for (size_t i = 0; i < N_ELEMENTS(keys); i++)
        longs[i] = (struct option){keys[i].name, keys[i].type < FLAG, NULL, (int)i};
    for (int i; (i = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (i == '?')
            return ENDED_USAGE;
        if (keys[i].type == OTHER) {
            show_help();
            return ENDED_WELL;
        }
        if (!take_option(&keys[i], optarg)) {
            fprintf(stderr, "--%s %s: not a number it can take\n", keys[i].name, optarg);
            return ENDED_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: not an option; try --help\n", argv[optind]);
        return ENDED_USAGE;
    }
    o->start_id = (int64_t)start_id;
    o->pipeline = MAX(pipeline, 1);
    return settle_words(o, transport, streams, shape) < 0 ? ENDED_USAGE : -1;
}
