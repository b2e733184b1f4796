/* The configuration file: any bytes are either read, shown and read again as the same, or refused with
 * reasons. */
#include "config/config.h"

#include <cjson/cJSON.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_problems(const struct config_problems *problems)
{
    must(problems->n > 0);
    for (size_t i = 0; i < problems->n; i++)
        must(problems->list[i].text[0] && !strpbrk(problems->list[i].text, "\n\r\033"));
    free(config_problems_to_string("f", problems));
}

static void check_same_jobs(const struct config *c, const struct config *again)
{
    must(c->n_jobs == again->n_jobs && c->n_databases == again->n_databases);
    for (size_t i = 0; i < c->n_jobs; i++) {
        must((!c->jobs[i].sql || c->jobs[i].sql[0] == '/') && c->jobs[i].catch_up);
        must(config_job_equal(&c->jobs[i], &again->jobs[i]));
    }
    for (size_t i = 0; i < c->n_databases; i++)
        must(strcmp(c->databases[i].url, again->databases[i].url) == 0);
    must(c->n_stores == again->n_stores);
    for (size_t i = 0; i < c->n_stores; i++)
        must(strcmp(c->stores[i].url, again->stores[i].url) == 0);
}

/* Only a masked password may keep it from being read again. */
static void check_shown(const struct config *c)
{
    struct config *again = NULL;
    struct config_problems problems = {0};
    cJSON_Delete(config_to_json(c));
    _cleanup_free_ char *text = config_to_yaml(c);
    if (config_parse("f", text, strlen(text), &again, &problems) < 0)
        must(strstr(text, "…") != NULL);
    else if (!strstr(text, "…")) {
        must(!config_needs_restart(c, again) && c->n_streams == again->n_streams);
        for (size_t i = 0; i < c->n_streams; i++)
            must(config_stream_equal(&c->streams[i], &again->streams[i]));
        check_same_jobs(c, again);
    }
    config_free(again);
    config_problems_done(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct config *c = NULL;
    struct config_problems problems = {0};
    if (config_parse("f", (const char *)bytes, n, &c, &problems) == 0)
        check_shown(c);
    else
        check_problems(&problems);
    config_problems_done(&problems);
    config_free(c);
    return 0;
}
