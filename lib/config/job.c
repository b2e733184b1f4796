/* Jobs, and the databases they name. */
#include "config/config.h"
#include "config/entry.h"
#include "util/cleanup.h"
#include "util/text.h"

const struct config_job *config_find_job(const struct config *c, const char *name)
{
    return entry_find(&section_job, c, name);
}

const struct config_database *config_find_database(const struct config *c, const char *name)
{
    return entry_find(&section_database, c, name);
}

const struct config_store *config_find_store(const struct config *c, const char *name)
{
    return entry_find(&section_store, c, name);
}

bool config_is_one_key(const char *key)
{
    _cleanup_free_ char *first = text_next_word(&key);
    return first && *first && !key;
}

bool config_is_one_item(const char *list)
{
    _cleanup_free_ char *first = text_next_item(&list);
    return first && *first && !list;
}

const char *config_rest_wrong(const struct config_rest *rest)
{
    if (rest->updated_order && !rest->updated)
        return "updated_order needs updated, the member that tells when a row was changed, as updated_at";
    if (rest->token_file && rest->credentials_file)
        return "there is a token_file and a credentials_file, and a request has one of them; leave out the "
               "other";
    return NULL;
}

bool config_job_equal(const struct config_job *a, const struct config_job *b)
{
    return entry_equal(&section_job, a, b);
}
