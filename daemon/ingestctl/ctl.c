#include "ctl.h"

#include "config/config.h"
#include "util/buffer.h"
#include "util/url.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>

#define MAX_OPTIONS    48
#define DEFAULT_SOCKET "/run/ingestd/control"

/* getopt's value for the options every command takes; a command's own begin at 0x200. */
enum {
    OPTION_JSON = 0x100,
    OPTION_SOCKET,
    OPTION_CONFIG,
    OPTION_TENANT,
    OPTION_TENANTS,
    OPTION_HELP,
    OPTION_OWN = 0x200,
};

static const struct option shared[] = {
    {"json", no_argument, NULL, OPTION_JSON},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"tenant", required_argument, NULL, OPTION_TENANT},
    {"tenants", required_argument, NULL, OPTION_TENANTS},
    {"help", no_argument, NULL, OPTION_HELP},
};

static void show_help(const struct command *c)
{
    printf("usage: ingestctl %s%s%s\n\n%s\n%s%s", c->name, c->usage[0] ? " " : "", c->usage, c->summary,
        c->help[0] ? "\n" : "", c->help);
    printf("\n  --json          the answer as JSON\n"
           "  --socket PATH   the daemon's control socket\n"
           "  --config FILE   the configuration file\n"
           "  --tenant NAME   that of a tenant, and its daemon\n"
           "  --tenants DIR   where the tenants' files are\n");
}

static void take_shared(struct ctl *ctl, const struct command *command, int option)
{
    switch (option) {
    case OPTION_JSON:
        ctl->json = true;
        break;
    case OPTION_SOCKET:
        ctl->socket = optarg;
        break;
    case OPTION_CONFIG:
        ctl->config = optarg;
        ctl->config_named = true;
        break;
    case OPTION_TENANT:
        ctl->tenant = optarg;
        break;
    case OPTION_TENANTS:
        ctl->tenants = optarg;
        break;
    case OPTION_HELP:
        show_help(command);
        ctl->usage_said = true;
    }
}

void ctl_add_word(struct buffer *list, const char *word)
{
    buffer_printf(list, "%s%s", list->n ? "," : "", word);
}

static void take_own(const struct ctl_option *o)
{
    if (o->flag)
        *o->flag = true;
    if (o->list)
        ctl_add_word(o->list, optarg);
    if (o->value)
        *o->value = optarg;
}

static void list_options(struct option *to, const struct ctl_option *options, size_t n_options)
{
    memcpy(to, shared, sizeof(shared));
    for (size_t i = 0; i < n_options; i++)
        to[N_ELEMENTS(shared) + i] = (struct option){
            options[i].name, options[i].flag ? no_argument : required_argument, NULL, OPTION_OWN + (int)i};
}

/* Once all options are read: a tenant is its file. */
static int take_tenant(struct ctl *ctl, const struct command *command)
{
    struct error err;
    if (!ctl->tenant || ctl->usage_said)
        return CTL_DONE;
    free(ctl->tenant_config);
    ctl->tenant_config = config_tenant_path(ctl->tenants, ctl->tenant, &err);
    if (!ctl->tenant_config)
        return ctl_misused(command, "%s", err.text);
    if (access(ctl->tenant_config, F_OK) < 0 && errno == ENOENT)
        return ctl_say_no_tenant(ctl);
    ctl->config = ctl->tenant_config;
    ctl->config_named = true;
    return CTL_DONE;
}

int ctl_options(struct ctl *ctl, const struct command *command, const struct ctl_option *options,
    size_t n_options, int argc, char **argv, int *ret_code)
{
    struct option known[N_ELEMENTS(shared) + MAX_OPTIONS + 1] = {0};
    list_options(known, options, n_options);
    optind = 0;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":h", known, NULL)) != -1;) {
        if (option == '?' || option == ':') {
            *ret_code = ctl_misused(
                command, option == '?' ? "unknown option %s" : "%s needs a value", argv[optind - 1]);
            return -1;
        }
        if (options && option >= OPTION_OWN)
            take_own(&options[option - OPTION_OWN]);
        else
            take_shared(ctl, command, option == 'h' ? OPTION_HELP : option);
    }
    *ret_code = take_tenant(ctl, command);
    return ctl->usage_said || *ret_code ? -1 : optind;
}

int ctl_arguments(
    struct ctl *ctl, const struct command *command, int argc, char **argv, int min, int max, int *ret_code)
{
    int first = ctl_options(ctl, command, NULL, 0, argc, argv, ret_code);
    if (first < 0)
        return -1;
    if (argc - first >= min && argc - first <= max)
        return first;
    *ret_code = argc - first < min ? ctl_misused(command, "an argument is missing")
                                   : ctl_misused(command, "one argument too many: %s", argv[first + max]);
    return -1;
}

void ctl_say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("ingestctl: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

int ctl_misused(const struct command *command, const char *fmt, ...)
{
    va_list ap;
    char words[512];
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    url_scrub(words); /* it may quote an argument */
    fprintf(stderr, "ingestctl %s: %s\nusage: ingestctl %s%s%s\n", command->name, words, command->name,
        command->usage[0] ? " " : "", command->usage);
    return CTL_USAGE;
}

char *ctl_socket(const struct ctl *ctl)
{
    const char *outer = ctl->tenant ? NULL : getenv("INGESTD_SOCKET");
    if (ctl->socket || (outer && *outer))
        return xstrdup(ctl->socket ? ctl->socket : outer);
    if (!ctl->config_named)
        return xstrdup(DEFAULT_SOCKET);
    _cleanup_(config_freep) struct config *config = ctl_read_config(ctl->config);
    return config ? xstrdup(config->control) : NULL;
}

char *ctl_unit(const char *tenant)
{
    return tenant ? xasprintf("ingestd@%s", tenant) : xstrdup("ingestd");
}

struct client *ctl_connect(const struct ctl *ctl)
{
    struct error err;
    struct client *client = NULL;
    _cleanup_free_ char *socket = ctl_socket(ctl), *unit = ctl_unit(ctl->tenant);
    if (socket && client_open(socket, unit, &client, &err) < 0)
        ctl_say("%s", err.text);
    return client;
}

static void say_problems(const cJSON *problems)
{
    const cJSON *line;
    cJSON_ArrayForEach(line, problems)
    {
        if (cJSON_IsString(line))
            fprintf(stderr, "%s\n", line->valuestring);
    }
    ctl_say("the configuration has mistakes; the old configuration stays in force");
}

/* The errors we know how to put in words; of any other the name says enough. */
int ctl_say_error(const struct varlink_reply *reply)
{
    const cJSON *p = reply->parameters;
    if (strcmp(reply->error, "io.ingestd.Failed") == 0)
        ctl_say("%s", ctl_text(p, "why"));
    else if (strcmp(reply->error, "io.ingestd.NoSuchStream") == 0)
        ctl_say("there is no stream \"%s\"; `ingestctl status` lists them", ctl_text(p, "stream"));
    else if (strcmp(reply->error, "io.ingestd.NoSuchJob") == 0)
        ctl_say("there is no job \"%s\"; `ingestctl jobs` lists them", ctl_text(p, "job"));
    else if (strcmp(reply->error, "io.ingestd.BrokenConfig") == 0)
        say_problems(ctl_item(p, "problems"));
    else if (strcmp(reply->error, VARLINK_INVALID_PARAMETER) == 0)
        ctl_say("the daemon does not take this value of \"%s\"", ctl_text(p, "parameter"));
    else if (strcmp(reply->error, VARLINK_METHOD_NOT_FOUND) == 0)
        ctl_say("the daemon does not know %s; it is of another version", ctl_text(p, "method"));
    else
        ctl_say("the daemon answers %s", reply->error);
    return CTL_FAILED;
}

int ctl_take(struct varlink_reply *reply, struct varlink_reply *ret)
{
    if (reply->error) {
        int code = ctl_say_error(reply);
        varlink_reply_done(reply);
        return code;
    }
    *ret = *reply;
    return 0;
}

int ctl_call(struct client *client, const char *method, cJSON *parameters, struct varlink_reply *ret)
{
    struct error err;
    struct varlink_reply reply;
    if (client_call(client, method, parameters, &reply, &err) < 0) {
        ctl_say("%s", err.text);
        return CTL_UNREACHABLE;
    }
    return ctl_take(&reply, ret);
}

int ctl_ask(const struct ctl *ctl, const char *method, cJSON *parameters, struct varlink_reply *ret)
{
    _cleanup_(client_freep) struct client *client = ctl_connect(ctl);
    if (!client) {
        cJSON_Delete(parameters);
        return CTL_UNREACHABLE;
    }
    return ctl_call(client, method, parameters, ret);
}

int ctl_parse_id(const char *text, int64_t *ret)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno || *end || end == text || v < 1)
        return -1;
    *ret = v;
    return 0;
}

void ctl_add_text(cJSON *to, const char *name, const char *value)
{
    if (value)
        cJSON_AddStringToObject(to, name, value);
}

void ctl_print_json(const cJSON *json)
{
    _cleanup_free_ char *text = cJSON_Print(json);
    if (!text)
        abort();
    puts(text);
}

const cJSON *ctl_item(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

const char *ctl_text(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(ctl_item(object, name));
    return text ? text : "";
}

double ctl_number(const cJSON *object, const char *name)
{
    const cJSON *n = ctl_item(object, name);
    return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

bool ctl_true(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(ctl_item(object, name));
}
