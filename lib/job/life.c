/*
 * The kind "history": the versions of one key of a dataset, oldest first, told as rows. `ingestctl history` asks for it.
 * The first two rows are the columns: by their headers, and by their names in the table.
 */
#include "history/history.h"
#include "job/job.h"
#include "job/report.h"
#include "util/buffer.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

#define VERSIONS_MAX 100000

/* What stands before a version's own cells; the dumps' sources are filled in once the connection is free for it. */
static const char *const fixed[] = {"valid_from", "valid_to", "opened_by", "closed_by", "opened_dump",
    "opened_source", "closed_dump", "closed_source", "line"};
enum { OPENED_DUMP = 4, CLOSED_DUMP = 6, LINE = 8, N_FIXED = 9 };

struct version {
    struct buffer *cells;
    bool *there;
    int64_t opened_dump, closed_dump;
};

struct life {
    struct history *history;
    const struct history_column *columns;
    size_t n; /* cells of a version, with the fixed ones */
    struct version *versions;
    size_t n_versions, n_left_out;
};

static void life_done(struct life *l)
{
    for (size_t i = 0; i < l->n_versions; i++) {
        for (size_t j = 0; j < l->n; j++)
            buffer_done(&l->versions[i].cells[j]);
        free(l->versions[i].cells);
        free(l->versions[i].there);
    }
    free(l->versions);
    history_free(l->history);
}

static void set_cell(struct version *v, size_t i, const char *p, size_t n)
{
    v->there[i] = p != NULL;
    if (p)
        buffer_put(&v->cells[i], p, n);
}

static void set_text(struct version *v, size_t i, const char *text)
{
    set_cell(v, i, text, text ? strlen(text) : 0);
}

static void set_number(struct version *v, size_t i, int64_t number)
{
    if (number <= 0)
        return;
    v->there[i] = true;
    buffer_printf(&v->cells[i], "%" PRId64, number);
}

static void take_version(void *arg, const struct history_version *from)
{
    struct life *l = arg;
    if (l->n_versions == VERSIONS_MAX) {
        l->n_left_out++;
        return;
    }
    struct version v = {xcalloc(l->n, sizeof(*v.cells)), xcalloc(l->n, sizeof(*v.there)), from->opened_dump,
        from->closed_dump};
    const char *const words[] = {from->valid_from, from->valid_to, from->opened_by, from->closed_by};
    for (size_t i = 0; i < N_ELEMENTS(words); i++)
        set_text(&v, i, words[i]);
    set_number(&v, OPENED_DUMP, from->opened_dump);
    set_number(&v, CLOSED_DUMP, from->closed_dump);
    set_number(&v, LINE, from->line);
    for (size_t i = N_FIXED; i < l->n; i++)
        set_cell(&v, i, from->values[i - N_FIXED].p, from->values[i - N_FIXED].n);
    l->versions = xrealloc(l->versions, l->n_versions + 1, sizeof(*l->versions));
    l->versions[l->n_versions++] = v;
}

static const char *source_of(struct life *l, int64_t dump)
{
    const struct history_dump *d = dump > 0 ? history_dump_by_id(l->history, dump) : NULL;
    return !d ? NULL : d->url ? d->url : d->name;
}

static bool has_own_header(const struct life *l, size_t at)
{
    const char *header = l->columns[at].header;
    bool own = *header != '\0';
    for (size_t i = 0; own && i < l->n - N_FIXED; i++)
        own = i == at || strcmp(l->columns[i].header, header) != 0;
    return own;
}

/* The header; the name where it says nothing, others have it too, or it is what another is called for such a reason. */
static const char *header_of(const struct life *l, size_t at)
{
    const struct history_column *c = &l->columns[at];
    bool own = has_own_header(l, at);
    for (size_t i = 0; own && i < l->n - N_FIXED; i++)
        own = strcmp(l->columns[i].name, c->header) != 0 || has_own_header(l, i);
    return own ? c->header : c->name;
}

static void tell_columns(const struct life *l, struct slice *cells)
{
    for (int names = 0; names < 2; names++) {
        for (size_t i = 0; i < l->n; i++) {
            const char *word = i < N_FIXED ? fixed[i]
                               : names     ? l->columns[i - N_FIXED].name
                                           : header_of(l, i - N_FIXED);
            cells[i] = SLICE(word);
        }
        report_row(true, l->n, cells);
    }
}

static void tell(struct life *l)
{
    struct slice *cells = xcalloc(l->n, sizeof(*cells));
    tell_columns(l, cells);
    for (size_t i = 0; i < l->n_versions; i++) {
        struct version *v = &l->versions[i];
        set_text(v, OPENED_DUMP + 1, source_of(l, v->opened_dump));
        set_text(v, CLOSED_DUMP + 1, source_of(l, v->closed_dump));
        for (size_t j = 0; j < l->n; j++)
            cells[j] = (struct slice){v->there[j] ? buffer_string(&v->cells[j]) : NULL, v->cells[j].n};
        report_row(false, l->n, cells);
    }
    free(cells);
}

/* {"dataset", "key": {header: cell}, "versions"} */
static cJSON *make_stats(const struct life *l, const struct job_words *key)
{
    cJSON *stats = cJSON_CreateObject(), *cells = cJSON_AddObjectToObject(stats, "key");
    cJSON_AddStringToObject(stats, "dataset", history_label(l->history));
    cJSON_AddNumberToObject(stats, "versions", (double)l->n_versions);
    size_t at = 0;
    for (size_t i = N_FIXED; i < l->n && at < key->n; i++)
        if (l->columns[i - N_FIXED].is_key)
            cJSON_AddStringToObject(cells, header_of(l, i - N_FIXED), key->list[at++]);
    return stats;
}

static int life_run(const struct job_spec *spec, cJSON **ret_stats, struct db_fault *fault)
{
    _cleanup_(life_done) struct life l = {0};
    const struct history_target target = {
        .url = spec->database.url,
        .password_file = spec->database.password_file,
        .application_name = "ingestctl history",
        .read_only = true,
    };
    *fault = (struct db_fault){0};
    if (history_open(&target, &l.history, fault) < 0)
        return -1;
    l.columns = history_columns(l.history, &l.n);
    if (l.n == 0)
        return error_set(&fault->error,
            "%s: no dump was loaded yet, there is no such dataset; `ingestctl copy` makes it",
            history_label(l.history));
    l.n += N_FIXED;
    if (history_life(
            l.history, (const char *const *)spec->words.list, spec->words.n, take_version, &l, fault) < 0)
        return -1;
    tell(&l);
    *ret_stats = make_stats(&l, &spec->words);
    return 0;
}

const struct job_kind job_history = {"history", life_run};
