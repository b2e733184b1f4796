#pragma once
/*
 * All tenants of this machine at once. Each has a daemon of its own, which is asked over its own control socket; none
 * knows of another. One that does not answer is told among the others.
 */
#include "ctl.h"

#include "util/buffer.h"

/* Asks each the same and shows what they answered: as JSON {"tenants": [{"tenant", "control", and the answer's members, or
 * "error"}]}, or as the view has it. healthy: of an answer; NULL: any is. The exit code is that of the worst. */
int tenants_show(const struct ctl *ctl, const char *method,
    void view(struct buffer *to, const struct cJSON *answer, bool color),
    bool healthy(const struct cJSON *answer));

/* check --all-tenants: one(path, config) tells what else is wrong with a tenant's configuration, and how many that are. */
int tenants_check(const struct ctl *ctl, int one(const struct config *config, const char *path));
