#include "ctl.h"

#include "util/text.h"
#include "util/url.h"

#include <getopt.h>
#include <unistd.h>

#define DEFAULT_CONFIG  "/etc/ingestd/ingestd.yaml"
#define DEFAULT_TENANTS "/etc/ingestd/tenants"

static const struct command *const commands[] = {
    &command_status,
    &command_streams,
    &command_jobs,
    &command_runs,
    &command_run,
    &command_cancel,
    &command_backfill,
    &command_dead,
    &command_reconcile,
    &command_pause,
    &command_resume,
    &command_reload,
    &command_check,
    &command_doctor,
    &command_config,
    &command_top,
    &command_copy,
    &command_history,
    &command_sql,
};

static void show_help(FILE *to)
{
    fputs("usage: ingestctl [OPTION…] COMMAND [ARGUMENT…]\n\n", to);
    for (size_t i = 0; i < N_ELEMENTS(commands); i++)
        fprintf(to, "  %-10s  %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n"
          "  --socket PATH   the daemon's control socket (INGESTD_SOCKET, the configuration's)\n"
          "  --config FILE   the configuration file (INGESTD_CONFIG, " DEFAULT_CONFIG ")\n"
          "  --tenant NAME   the configuration of a tenant, and its daemon\n"
          "  --tenants DIR   where the tenants' files are (" DEFAULT_TENANTS ")\n"
          "  --json          answers as JSON\n"
          "  --help          this; `ingestctl COMMAND --help` for each\n"
          "  --version       which version this is\n"
          "\n"
          "exit code: 0 healthy or done, 1 degraded or failed, 2 used wrongly, 3 the daemon cannot be "
          "reached\n",
        to);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < N_ELEMENTS(commands); i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int unknown_command(const char *typed)
{
    const char *names[N_ELEMENTS(commands)];
    for (size_t i = 0; i < N_ELEMENTS(commands); i++)
        names[i] = commands[i]->name;
    const char *meant = text_suggest(typed, names, N_ELEMENTS(names));
    if (meant)
        ctl_say("unknown command \"%s\"; did you mean \"%s\"?", typed, meant);
    else
        ctl_say("unknown command \"%s\"; `ingestctl --help` lists them", typed);
    return CTL_USAGE;
}

static const char *from_environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && value[0] ? value : otherwise;
}

/* The options before the command. Returns the command's index, or -1 with the code to end with. */
static int read_options(struct ctl *ctl, int argc, char **argv, int *ret_code)
{
    static const struct option known[] = {
        {"socket", required_argument, NULL, 's'},
        {"config", required_argument, NULL, 'c'},
        {"tenant", required_argument, NULL, 't'},
        {"tenants", required_argument, NULL, 'T'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    *ret_code = CTL_DONE;
    for (int option; (option = getopt_long(argc, argv, "+:h", known, NULL)) != -1;) {
        switch (option) {
        case 's':
            ctl->socket = optarg;
            break;
        case 'c':
            ctl->config = optarg;
            ctl->config_named = true;
            break;
        case 't':
            ctl->tenant = optarg;
            break;
        case 'T':
            ctl->tenants = optarg;
            break;
        case 'j':
            ctl->json = true;
            break;
        case 'h':
            show_help(stdout);
            return -1;
        case 'V':
            puts("ingestctl " INGESTD_VERSION);
            return -1;
        default:
            ctl_say(option == ':' ? "%s needs a value" : "unknown option %s; see `ingestctl --help`",
                argv[optind - 1]);
            *ret_code = CTL_USAGE;
            return -1;
        }
    }
    return optind;
}

/* Who lists the processes sees our arguments: what is secret in a URL there is taken out at once, and used from a copy. */
static void hide_passwords(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strstr(argv[i], "://"))
            continue;
        char *copy = xstrdup(argv[i]);
        url_scrub(argv[i]);
        argv[i] = copy;
    }
}

int main(int argc, char **argv)
{
    hide_passwords(argc, argv);
    bool terminal = isatty(STDOUT_FILENO);
    struct ctl ctl = {
        .config = from_environment("INGESTD_CONFIG", DEFAULT_CONFIG),
        .config_named = from_environment("INGESTD_CONFIG", NULL) != NULL,
        .tenants = DEFAULT_TENANTS,
        .terminal = terminal,
        .color = terminal && !from_environment("NO_COLOR", NULL),
    };
    opterr = 0;
    int code, at = read_options(&ctl, argc, argv, &code);
    if (at < 0)
        return code;
    if (at == argc) {
        show_help(stderr);
        return CTL_USAGE;
    }
    const struct command *command = find_command(argv[at]);
    if (!command)
        return unknown_command(argv[at]);
    code = command->run(&ctl, command, argc - at, argv + at);
    free(ctl.tenant_config);
    /* A full disk behind `ingestctl config >file` must not look like success. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        ctl_say("cannot write the output: %m");
        return code ? code : CTL_FAILED;
    }
    return code;
}
