#include "ctl.h"
#include "grid.h"
#include "view.h"

#include "util/clock.h"

#include <cjson/cJSON.h>

/* Counting the rows of a large table takes its time. */
#define LONGEST_COUNT (15 * 60 * US_PER_SEC)

static void put_check(struct grid *g, const char *stream, const cJSON *check)
{
    char expected[28], found[28];
    bool ok = ctl_true(check, "ok");
    grid_row(g);
    grid_cell(g, ok ? GREEN : RED, "%s", ok ? "ok" : "WRONG");
    grid_cell(g, PLAIN, "%s", stream);
    grid_cell(g, PLAIN, "%s", ctl_text(check, "what"));
    grid_cell(g, PLAIN, "%s", view_count(ctl_number(check, "expected"), expected));
    grid_cell(g, PLAIN, "%s", view_count(ctl_number(check, "found"), found));
    grid_rest(g, PLAIN, "%s", ctl_text(check, "note"));
}

/* No comparison at all is no agreement either. */
static bool all_agree(const cJSON *result)
{
    int n_checks = 0;
    const cJSON *stream;
    cJSON_ArrayForEach(stream, ctl_item(result, "streams"))
    {
        n_checks += cJSON_GetArraySize(ctl_item(stream, "checks"));
    }
    return n_checks > 0 && ctl_true(result, "ok");
}

static void show(const struct ctl *ctl, const cJSON *result)
{
    static const char *const heads[] = {"", "stream", "check", "expected", "found"};
    _cleanup_(grid_freep) struct grid *g = grid_new("lllrrl", ctl->color);
    for (size_t i = 0; i < N_ELEMENTS(heads); i++)
        grid_cell(g, BOLD, "%s", heads[i]);
    const cJSON *stream, *check;
    cJSON_ArrayForEach(stream, ctl_item(result, "streams"))
    {
        cJSON_ArrayForEach(check, ctl_item(stream, "checks"))
        {
            put_check(g, ctl_text(stream, "name"), check);
        }
    }
    _cleanup_buffer_ struct buffer text = {0};
    grid_write(g, &text);
    fwrite(text.p, 1, text.n, stdout);
    if (!ctl_true(result, "ok"))
        puts("the accounts do not agree");
    else if (all_agree(result))
        puts("all accounts agree");
    else
        puts("nothing could be compared; see `ingestctl status`");
}

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    int code;
    if (ctl_arguments(ctl, self, argc, argv, 0, 0, &code) < 0)
        return code;
    _cleanup_(client_freep) struct client *client = ctl_connect(ctl);
    if (!client)
        return CTL_UNREACHABLE;
    client_set_timeout(client, LONGEST_COUNT);
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    code = ctl_call(client, "io.ingestd.Reconcile", NULL, &reply);
    if (code)
        return code;
    if (ctl->json)
        ctl_print_json(reply.parameters);
    else
        show(ctl, reply.parameters);
    return all_agree(reply.parameters) ? CTL_DONE : CTL_FAILED;
}

const struct command command_reconcile = {"reconcile", "", "check the ledger against independent counts",
    "Compares the ledger with the tables' own counts and the sources' own books. Ends with 1 when they "
    "differ.\n",
    run};
