#include "tenants.h"

#include "config/config.h"
#include "util/clock.h"

#include <cjson/cJSON.h>

#define PATIENCE_US (5 * US_PER_SEC) /* a daemon that hangs must not hide the others for long */

/* What is in the folder but is no tenant's file is said, so that nobody waits for it to run. 0, or an exit code. */
static int list_tenants(const struct ctl *ctl, struct config_tenants *ret, size_t *ret_strangers)
{
    struct error err;
    struct config_problems problems = {0};
    if (config_list_tenants(ctl->tenants, ret, &problems, &err) < 0) {
        ctl_say("%s", err.text);
        return CTL_FAILED;
    }
    _cleanup_free_ char *words = config_problems_to_string(ctl->tenants, &problems);
    fputs(words, stderr);
    *ret_strangers = problems.n;
    config_problems_done(&problems);
    return CTL_DONE;
}

/* -- asking them ----------------------------------------------------------------------------------------- */

struct tenant {
    const char *name, *path;
    struct client *client;
    cJSON *said; /* what is shown of it */
    int code;
};

static void fail(struct tenant *t, int code, const char *why)
{
    cJSON_AddStringToObject(t->said, "error", why);
    t->code = code;
}

/* The first mistake is enough here: `ingestctl check` tells all. */
static struct config *read_quietly(struct tenant *t)
{
    struct config *config = NULL;
    struct config_problems problems = {0};
    if (config_read(t->path, &config, &problems) < 0) {
        struct config_problems first = {problems.list, 1, problems.template, false};
        _cleanup_free_ char *words = config_problems_to_string(t->path, &first);
        words[strcspn(words, "\n")] = '\0';
        fail(t, CTL_FAILED, words);
    }
    config_problems_done(&problems);
    return config;
}

static void ask(struct tenant *t, const char *method)
{
    struct error err;
    _cleanup_free_ char *unit = ctl_unit(t->name);
    t->said = cJSON_CreateObject();
    cJSON_AddStringToObject(t->said, "tenant", t->name);
    _cleanup_(config_freep) struct config *config = read_quietly(t);
    if (!config)
        return;
    cJSON_AddStringToObject(t->said, "control", config->control);
    if (client_open(config->control, unit, &t->client, &err) < 0 ||
        client_send(t->client, method, NULL, false, &err) < 0)
        fail(t, CTL_UNREACHABLE, err.text);
}

static void take_members(cJSON *to, cJSON *from)
{
    while (from->child) {
        cJSON *member = cJSON_DetachItemViaPointer(from, from->child);
        cJSON_AddItemToObject(to, member->string, member);
    }
}

static void hear(struct tenant *t, bool healthy(const cJSON *answer))
{
    struct error err;
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    if (!t->client || t->code)
        return;
    client_set_timeout(t->client, PATIENCE_US);
    if (client_receive(t->client, &reply, &err) < 0)
        return fail(t, CTL_UNREACHABLE, err.text);
    if (reply.error)
        return fail(t, CTL_FAILED, reply.error);
    t->code = healthy && !healthy(reply.parameters) ? CTL_FAILED : CTL_DONE;
    take_members(t->said, reply.parameters);
}

/* All are asked before the first is heard, so that slow ones are waited for at the same time. The worst code: one that
 * cannot be reached is worse than one that is ill. */
static int ask_all(
    const struct config_tenants *files, const char *method, bool healthy(const cJSON *answer), cJSON *tell)
{
    int worst = CTL_DONE;
    struct tenant *tenants = xcalloc(files->n + 1, sizeof(*tenants));
    for (size_t i = 0; i < files->n; i++) {
        tenants[i] = (struct tenant){.name = files->names[i], .path = files->paths[i]};
        ask(&tenants[i], method);
    }
    for (size_t i = 0; i < files->n; i++) {
        hear(&tenants[i], healthy);
        client_free(tenants[i].client);
        cJSON_AddItemToArray(tell, tenants[i].said);
        worst = MAX(worst, tenants[i].code);
    }
    free(tenants);
    return worst;
}

static void show(const struct ctl *ctl, const cJSON *answer, void view(struct buffer *, const cJSON *, bool))
{
    _cleanup_buffer_ struct buffer text = {0};
    if (ctl->json) {
        ctl_print_json(answer);
        return;
    }
    view(&text, answer, ctl->color);
    fwrite(text.p, 1, text.n, stdout);
}

int tenants_show(const struct ctl *ctl, const char *method,
    void view(struct buffer *to, const cJSON *answer, bool color), bool healthy(const cJSON *answer))
{
    size_t strangers;
    struct config_tenants files = {0};
    int code = list_tenants(ctl, &files, &strangers);
    if (code)
        return code;
    cJSON *answer = cJSON_CreateObject();
    code = ask_all(&files, method, healthy, cJSON_AddArrayToObject(answer, "tenants"));
    show(ctl, answer, view);
    cJSON_Delete(answer);
    config_tenants_done(&files);
    return code ? code : strangers > 0 ? CTL_FAILED : CTL_DONE;
}

/* -- checking them --------------------------------------------------------------------------------------- */

/* What one tenant may read there another could too, as soon as there is another. */
static int check_lakes(const struct config *config, const char *path)
{
    int n_wrong = 0;
    for (size_t i = 0; i < config->n_jobs; i++) {
        const struct config_job *job = &config->jobs[i];
        const struct config_store *lake = job->lake ? config_find_store(config, job->lake) : NULL;
        if (!lake || lake->of_tenant)
            continue;
        fprintf(stderr,
            "%s: the lake of the job %s, the store %s in the template, has no ${tenant} in its url, nor a "
            "value of "
            "the tenant's own: another tenant would write there too; as s3://omop-${tenant}\n",
            path, job->name, lake->name);
        n_wrong++;
    }
    return n_wrong;
}

static int check_pairs(const struct config_tenants *files, struct config *const *configs)
{
    int n_wrong = 0;
    for (size_t i = 0; i < files->n; i++)
        for (size_t k = 0; configs[i] && k < i; k++) {
            _cleanup_free_ char *shared = configs[k] ? config_shared(configs[i], configs[k]) : NULL;
            if (!shared)
                continue;
            fprintf(stderr, "%s: the tenant %s has %s too; each must have its own, as with ${tenant} in it\n",
                files->paths[i], files->names[k], shared);
            n_wrong++;
        }
    return n_wrong;
}

static int check_all(
    const struct config_tenants *files, int one(const struct config *config, const char *path))
{
    int n_wrong = 0;
    struct config **configs = xcalloc(files->n + 1, sizeof(*configs));
    for (size_t i = 0; i < files->n; i++) {
        configs[i] = ctl_read_config(files->paths[i]);
        n_wrong +=
            configs[i] ? one(configs[i], files->paths[i]) + check_lakes(configs[i], files->paths[i]) : 1;
    }
    n_wrong += check_pairs(files, configs);
    for (size_t i = 0; i < files->n; i++)
        config_free(configs[i]);
    free(configs);
    return n_wrong;
}

int tenants_check(const struct ctl *ctl, int one(const struct config *config, const char *path))
{
    size_t strangers;
    struct config_tenants files = {0};
    int code = list_tenants(ctl, &files, &strangers);
    if (code)
        return code;
    bool ok = check_all(&files, one) == 0 && strangers == 0;
    if (ctl->json)
        printf("{\"ok\": %s, \"tenants\": %zu}\n", ok ? "true" : "false", files.n);
    else if (ok)
        printf("%s: ok, %zu tenant%s\n", ctl->tenants, files.n, files.n == 1 ? "" : "s");
    config_tenants_done(&files);
    return ok ? CTL_DONE : CTL_FAILED;
}
