#pragma once
/*
 * What every command shares: the options that stand before or after the command, the table of commands, and
 * the ways to ask the daemon and to end. A command is one file and a line in main.c's table.
 *
 * Exit codes: 0 healthy or done, 1 degraded or failed, 2 used wrongly, 3 the daemon cannot be reached,
 * 130 interrupted: what it waited for goes on, what it did itself is ended.
 */
#include "control/client.h"

#include <stdbool.h>
#include <stddef.h>

struct cJSON;
struct config;

enum { CTL_DONE = 0, CTL_FAILED = 1, CTL_USAGE = 2, CTL_UNREACHABLE = 3, CTL_INTERRUPTED = 130 };

struct ctl {
    const char *socket;  /* of --socket; or NULL: see ctl_socket() */
    const char *config;  /* the file; of a tenant its own */
    bool config_named;   /* by an option, or the environment */
    const char *tenant;  /* --tenant; or NULL */
    const char *tenants; /* the folder of the tenants' files */
    char *tenant_config; /* ours: the config, where there is a tenant */
    bool json;
    bool terminal;   /* stdout is one */
    bool color;      /* it is one, and NO_COLOR is not set */
    bool usage_said; /* --help was answered: nothing is left to do */
};

struct command {
    const char *name;
    const char *usage;   /* what follows the name */
    const char *summary; /* one line for the list of commands */
    const char *help;    /* the rest of its --help */
    int (*run)(struct ctl *ctl, const struct command *self, int argc, char **argv);
};

extern const struct command command_status, command_streams, command_dead, command_reconcile, command_pause,
    command_resume, command_reload, command_check, command_doctor, command_config, command_top, command_jobs,
    command_runs, command_run, command_cancel, command_backfill, command_copy, command_history, command_sql;

/* One option of a command: a flag, or with a value, or with a value and there as often as one likes. */
struct ctl_option {
    const char *name;
    bool *flag;
    const char **value;
    struct buffer *list; /* the values with commas between them; beside it value is the last */
};

/*
 * Reads a command's options and the shared ones, wherever they stand; argv[0] is the command's name. Returns
 * the index of the first argument that is no option (argv is put in order), or -1 when the command is to end
 * now with the code in *ret_code.
 */
int ctl_options(struct ctl *ctl, const struct command *command, const struct ctl_option *options,
    size_t n_options, int argc, char **argv, int *ret_code);
/* As an option's list takes one more value. */
void ctl_add_word(struct buffer *list, const char *word);
/* The same for a command without options that takes from min to max arguments. */
int ctl_arguments(
    struct ctl *ctl, const struct command *command, int argc, char **argv, int min, int max, int *ret_code);

/* "ingestctl: words" on stderr. */
void ctl_say(const char *fmt, ...) _printf_(1, 2);
/* The same, with the hint to the command's --help; returns CTL_USAGE. */
int ctl_misused(const struct command *command, const char *fmt, ...) _printf_(2, 3);

/* The daemon's control socket: as it was given, by option or INGESTD_SOCKET (not with a tenant); else of the
 * configuration, where that was named. A new string; NULL after saying what is wrong with that. */
char *ctl_socket(const struct ctl *ctl);
/* The service manager's name of a daemon: "ingestd", or of a tenant (NULL: none) "ingestd@north". A new string. */
char *ctl_unit(const char *tenant);
/* Connects; NULL after saying why not, and then the command ends with CTL_UNREACHABLE. */
struct client *ctl_connect(const struct ctl *ctl);
/* Says an error that the daemon answered; returns CTL_FAILED. */
int ctl_say_error(const struct varlink_reply *reply);
/* What is in the reply, taken: 0 and its answer in *ret, or an exit code after saying its error. */
int ctl_take(struct varlink_reply *reply, struct varlink_reply *ret);
/* One call, parameters taken. 0: *ret holds an answer without error. Else it was said, and this is the exit
 * code. */
int ctl_call(struct client *client, const char *method, struct cJSON *parameters, struct varlink_reply *ret);
/* The same on a connection of its own. */
int ctl_ask(const struct ctl *ctl, const char *method, struct cJSON *parameters, struct varlink_reply *ret);

/* The tenant has no file; returns CTL_USAGE. */
int ctl_say_no_tenant(const struct ctl *ctl);
/* For the commands that need no daemon: the configuration, NULL after its mistakes have been said. */
struct config *ctl_read_config(const char *path);

/* A number of a letter or a run: 1 or more. 0 or -1. */
int ctl_parse_id(const char *text, int64_t *ret);
/* Adds a member unless the value is NULL. */
void ctl_add_text(struct cJSON *to, const char *name, const char *value);

/* The JSON text and a line's end on stdout. */
void ctl_print_json(const struct cJSON *json);

/* Of an object's member; "", 0 and false where it is absent. */
const char *ctl_text(const struct cJSON *object, const char *name);
double ctl_number(const struct cJSON *object, const char *name);
bool ctl_true(const struct cJSON *object, const char *name);
const struct cJSON *ctl_item(const struct cJSON *object, const char *name);
