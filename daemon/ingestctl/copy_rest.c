#include "copy_rest.h"

#include "config/value.h"
#include "util/date.h"

#include <strings.h>

static const char *const headers = "headers";

size_t copy_rest_options(struct copy_rest *r, struct ctl_option *options, size_t n)
{
    for (size_t i = 0; i < section_rest.n_keys; i++) {
        bool many = strcmp(section_rest.keys[i].name, headers) == 0;
        snprintf(r->names[i], sizeof(r->names[i]), "%s", section_rest.keys[i].name);
        for (char *p = r->names[i]; *p; p++)
            *p = *p == '_' ? '-' : *p;
        options[n++] = (struct ctl_option){r->names[i], NULL, &r->values[i], many ? &r->headers : NULL};
    }
    options[n++] = (struct ctl_option){"full", &r->full, NULL};
    return n;
}

const char *copy_rest_given(const struct copy_rest *r)
{
    for (size_t i = 0; i < section_rest.n_keys; i++)
        if (r->values[i])
            return r->names[i];
    return r->headers.n > 0 ? headers : r->full ? "full" : NULL;
}

static int take_values(const struct command *self, struct copy_rest *r, struct config_job *job)
{
    for (size_t i = 0; i < section_rest.n_keys; i++) {
        struct error err;
        const struct key *key = &section_rest.keys[i];
        const char *text = r->values[i] ? r->values[i] : key->fallback;
        if (strcmp(key->name, headers) == 0 && r->headers.n > 0)
            text = buffer_string(&r->headers);
        if (text && value_take(key, text, &job->rest, &err) < 0)
            return ctl_misused(self, "--%s: %s", r->names[i], err.text);
    }
    return CTL_DONE;
}

int copy_rest_take(const struct command *self, struct copy_rest *r, struct config_job *job)
{
    int code = take_values(self, r, job);
    const char *wrong = code == CTL_DONE ? config_rest_wrong(&job->rest) : NULL;
    if (wrong)
        return ctl_misused(self, "%s", wrong);
    if (strncasecmp(job->source, "http", 4) != 0 || date_pattern(job->source) != DATE_PATTERN_NONE)
        return ctl_misused(self, "a REST resource is https://… or http://…, without a date in it");
    if (job->key && !config_is_one_key(job->key))
        return ctl_misused(
            self, "a REST resource has one key, the member that tells its rows apart: --key id");
    return code;
}

void copy_rest_done(struct copy_rest *r)
{
    buffer_done(&r->headers);
}
