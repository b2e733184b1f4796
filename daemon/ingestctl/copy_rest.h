#pragma once
/* The options of `copy` for a REST resource: one for each key of the configuration's section, named as that key. */
#include "ctl.h"

#include "config/keys.h"
#include "util/buffer.h"

struct copy_rest {
    char names[SECTION_MAX][24]; /* "page-size" */
    const char *values[SECTION_MAX];
    struct buffer headers;
    bool full;
};

/* Adds them behind the n options that are there, which have room for SECTION_MAX + 1 more; how many there are then. */
size_t copy_rest_options(struct copy_rest *r, struct ctl_option *options, size_t n);
/* The first that was given, or NULL. */
const char *copy_rest_given(const struct copy_rest *r);
/* What was given and else the defaults go into the job. CTL_DONE, or the exit code after saying what is wrong. */
int copy_rest_take(const struct command *self, struct copy_rest *r, struct config_job *job);
void copy_rest_done(struct copy_rest *r);
