#include "stream/probe.h"

#include "config/config.h"
#include "pg/session.h"
#include "stream/books.h"
#include "stream/catalog.h"
#include "stream/server_log.h"
#include "util/clock.h"
#include "util/resolve.h"

#include <event2/event.h>

#define PATIENCE_S 8

struct probe {
    struct event_base *base;
    const struct config *config;
    struct pg_session *session;
    void (*say)(void *arg, bool ok, const char *what, const char *words);
    void *arg;
    int n_failed;
    bool ready;
    char why[256];                      /* why there is no connection */
    const struct config_stream *stream; /* being checked */
    char what[80];
};

static void tell(struct probe *p, bool ok, const char *what, const char *words)
{
    p->n_failed += !ok;
    p->say(p->arg, ok, what, words);
}

static void on_patience(evutil_socket_t fd, short what, void *arg)
{
    struct probe *p = arg;
    event_base_loopbreak(p->base);
}

/* The daemon's own session and check on a loop of our own: one step at a time, each ends the loop. */
static void run(struct probe *p)
{
    struct timeval tv = {PATIENCE_S, 0};
    struct event *patience = evtimer_new(p->base, on_patience, p);
    event_add(patience, &tv);
    event_base_dispatch(p->base);
    event_free(patience);
}

static void on_ready(void *arg)
{
    struct probe *p = arg;
    p->ready = true;
    event_base_loopbreak(p->base);
}

static void on_lost(void *arg, const char *why)
{
    struct probe *p = arg;
    p->ready = false;
    snprintf(p->why, sizeof(p->why), "%s", why);
    event_base_loopbreak(p->base);
}

static void on_books(void *arg, bool ok, bool lost, const char *why)
{
    struct probe *p = arg;
    char words[128];
    snprintf(words, sizeof(words), "tables are in schema %s", p->config->postgres.schema);
    tell(p, ok, "our own tables", ok ? words : why);
    event_base_loopbreak(p->base);
}

static void on_catalog(void *arg, enum catalog_outcome outcome, struct table *table, const char *why)
{
    struct probe *p = arg;
    char words[200];
    if (table)
        snprintf(words, sizeof(words), "%s fits the column map: %zu columns, %zu foreign keys",
            table->sql_name, table->n_columns, table->n_foreign_keys);
    tell(p, outcome == CATALOG_FITS, p->what, table ? words : why);
    table_free(table);
    event_base_loopbreak(p->base);
}

static void on_server_log(void *arg, const char *risk, const char *remedy)
{
    struct probe *p = arg;
    char words[400];
    snprintf(words, sizeof(words), "%s; %s", risk ? risk : "", remedy ? remedy : "");
    tell(p, !risk, "the server's log",
        risk ? words : "statements go into it without their parameters, or not at all");
    event_base_loopbreak(p->base);
}

static void probe_tables(struct probe *p)
{
    server_log_check(p->session, on_server_log, p);
    run(p);

    books_open(p->session, p->config->postgres.schema, NULL, NULL, on_books, p);
    run(p);
    for (size_t i = 0; i < p->config->n_streams && p->ready; i++) {
        snprintf(p->what, sizeof(p->what), "stream %s: table", p->config->streams[i].name);
        catalog_check(p->session, &p->config->streams[i], on_catalog, p);
        run(p);
    }
}

static void probe_postgres(struct probe *p)
{
    static const struct pg_session_events events = {on_ready, on_lost};
    const struct pg_target target = {
        .url = p->config->postgres.url,
        .password_file = p->config->postgres.password_file,
        .application_name = "ingestctl doctor",
        .timeout_us = MIN(p->config->postgres.timeout_us, (PATIENCE_S - 2) * US_PER_SEC),
    };
    struct resolver *resolver = resolver_new(p->base);
    p->session = pg_session_new(p->base, resolver, &target, &events, p);
    pg_session_start(p->session);
    run(p);
    char words[400];
    int v = pg_session_server_version(p->session);
    if (p->ready)
        snprintf(words, sizeof(words), "%s answers, server %d.%d", pg_session_label(p->session), v / 10000,
            v % 10000);
    else
        snprintf(words, sizeof(words), "%s: %s", pg_session_label(p->session),
            p->why[0] ? p->why : "no answer within 8 s");
    tell(p, p->ready, "postgres", words);
    if (p->ready)
        probe_tables(p);
    pg_session_free(p->session);
    resolver_free(resolver);
}

int intake_probe(const struct config *config,
    void (*say)(void *arg, bool ok, const char *what, const char *words), void *arg)
{
    struct probe p = {.config = config, .say = say, .arg = arg, .base = event_base_new()};
    probe_postgres(&p);
    event_base_free(p.base);
    return p.n_failed;
}
