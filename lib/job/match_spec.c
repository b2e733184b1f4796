#include "job/match_spec.h"

#include "config/config.h"
#include "job/rest_spec.h"
#include "job/take.h"
#include "util/cleanup.h"
#include "util/text.h"

static void take_side(struct job_side *to, const struct config *config, const struct config_side *from)
{
    to->name = xstrdup(from->name);
    to->sql = xstrdup(from->sql);
    to->source = xstrdup(from->source);
    to->id = xstrdup(from->id);
    to->active = xstrdup(from->active);
    job_words_split(&to->columns, from->columns, text_next_item);
    if (from->source)
        job_rest_take(&to->rest, &from->rest);
    else
        job_database_take(&to->database, config, from->database);
}

static struct job_rule *take_rules(const struct config_rules *from)
{
    struct job_rule *to = xcalloc(from->n, sizeof(*to));
    for (size_t i = 0; i < from->n; i++) {
        const struct config_rule *rule = &from->list[i];
        to[i] = (struct job_rule){
            xstrdup(rule->name), xstrdup(rule->left), xstrdup(rule->right), xstrdup(rule->normalise)};
    }
    return to;
}

void job_match_take(struct job_match *to, const struct config *config, const struct config_job *from)
{
    take_side(&to->left, config, &from->left);
    take_side(&to->right, config, &from->right);
    to->keys = take_rules(&from->keys);
    to->n_keys = from->keys.n;
    to->tie_breaks = take_rules(&from->tie_breaks);
    to->n_tie_breaks = from->tie_breaks.n;
    to->report_date = xstrdup(from->report_date);
    to->active_days = from->active_days;
    to->batch_fraction = from->batch_fraction;
    job_words_split(&to->outcomes, from->outcomes, text_next_item);
    to->folder = xasprintf("%s/match/%s", config->state_dir, from->name);
}
