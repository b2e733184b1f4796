/*
 * Who leads. A daemon holds an advisory lock under its own name as long as its session lives, so that others
 * know it is there; and whoever gets the leader's lock leads. Both are the session's: they go with it, so
 * nothing that is sent over a session that holds the lock can come from a leader of yesterday.
 */
#include "config/config.h"
#include "pg/tables.h"
#include "schedule/inside.h"
#include "schedule/record.h"
#include "util/buffer.h"
#include "util/clock.h"
#include "util/health.h"
#include "util/log.h"

#include <inttypes.h>

#define ABSENT_EVERY_US (2 * US_PER_SEC)
#define NAMESAKE_US     (10 * US_PER_SEC)

struct absent {
    char *daemon;
    int64_t since_us;
    bool seen;
};

/* -- the lead -------------------------------------------------------------------------------------------- */

void lead_name_jobs(struct scheduler *s)
{
    char now[24];
    _cleanup_buffer_ struct buffer names = {0};
    for (size_t i = 0; i < s->n_jobs; i++)
        buffer_printf(
            &names, "%s\"%s\"", names.n ? "," : "{", s->jobs[i]->config->name); /* "null" is a name */
    buffer_put(&names, "}", 1);
    if (s->n_jobs > 0)
        scheduler_ask(s, record_jobs_sql, 2,
            (const char *const[]){buffer_string(&names), number_text(clock_wall_us(), now)}, NULL, NULL);
}

/* Runs of a daemon that is no more wait again; those that its rollups had finished get their end. */
static void requeue(struct scheduler *s, const char *daemon, const char *why)
{
    char now[24];
    _cleanup_free_ int64_t *alive = xcalloc(s->n_passes + 1, sizeof(*alive));
    size_t n = 0;
    for (size_t i = 0; i < s->n_passes; i++)
        alive[n++] = s->passes[i]->spec.pass;
    _cleanup_free_ char *passes = number_array(alive, n);
    const char *const values[] = {daemon, passes, number_text(clock_wall_us(), now), why};
    scheduler_ask(s, record_settle_sql, 4, values, NULL, NULL);
    scheduler_ask(s, record_requeue_sql, 4, values, NULL, NULL);
}

static void begin_to_lead(struct scheduler *s)
{
    s->leads = true;
    s->looked = false;
    free(s->leader);
    s->leader = xstrdup(s->name);
    log_notice("schedule", NULL, "%s leads: it fires the jobs from now on", s->name);
    lead_name_jobs(s);
    look_now(s);
}

static void on_lead(void *arg, const PGresult *res)
{
    struct scheduler *s = arg;
    s->joining = false;
    if (scheduler_heard(s, "schedule", "lead", res, "this daemon cannot take the lead") &&
        PQgetvalue(res, 0, 0)[0] == 't')
        begin_to_lead(s);
}

static void on_be(void *arg, const PGresult *res)
{
    struct scheduler *s = arg;
    s->joining = false;
    if (!scheduler_heard(s, "schedule", "join", res, "this daemon cannot join the others"))
        return;
    s->is = PQgetvalue(res, 0, 0)[0] == 't';
    if (s->is) {
        s->joined_fail_us = s->lost_us = 0;
        health_clear(s->health, "schedule", "namesake");
        /* Whoever leads now takes us for alive: what we had under way before we died is ours to give back. */
        requeue(s, s->name, "the daemon that ran it was ended before it could finish");
        look_now(s);
        lead_tick(s);
        return;
    }
    /* For a moment it may be ourselves: the server has not noticed yet that our last session is gone. */
    int64_t now = clock_mono_us();
    if (!s->joined_fail_us)
        s->joined_fail_us = now;
    else if (now - s->joined_fail_us > NAMESAKE_US)
        health_raise(s->health, "schedule", "namesake", SEVERITY_FAILED,
            "give each daemon a name of its own (`name:` in its configuration)",
            "another daemon on this database is called %s too, so this one runs no jobs", s->name);
}

static void on_tables(void *arg, bool ok, bool lost, const char *why)
{
    struct scheduler *s = arg;
    s->opening = false;
    s->open = ok;
    if (ok)
        health_clear(s->health, "schedule", "tables");
    else if (!lost)
        health_raise(s->health, "schedule", "tables", SEVERITY_FAILED, NULL, "%s", why);
    if (ok && s->leads)
        lead_name_jobs(s);
    if (ok)
        lead_tick(s);
}

void lead_tick(struct scheduler *s)
{
    if (!pg_session_ready(s->session) || s->opening || s->joining || s->stopping)
        return;
    if (!s->open) {
        s->opening = true;
        pg_tables_open(s->session, s->config->postgres.schema, record_tables, record_make_sql, on_tables, s);
        return;
    }
    if (s->leads)
        return;
    s->joining = scheduler_ask(s, s->is ? record_lead_sql : record_be_sql, 1, (const char *const[]){s->name},
        s->is ? on_lead : on_be, s);
}

/* -- daemons that are gone ------------------------------------------------------------------------------- */

static struct absent *note_absent(struct scheduler *s, const char *daemon)
{
    for (size_t i = 0; i < s->n_absent; i++)
        if (strcmp(s->absent[i].daemon, daemon) == 0)
            return &s->absent[i];
    s->absent = xrealloc(s->absent, s->n_absent + 1, sizeof(*s->absent));
    s->absent[s->n_absent] = (struct absent){xstrdup(daemon), clock_mono_us(), true};
    return &s->absent[s->n_absent++];
}

static void drop_returned(struct scheduler *s)
{
    for (size_t i = s->n_absent; i-- > 0;)
        if (!s->absent[i].seen) {
            free(s->absent[i].daemon);
            s->absent[i] = s->absent[--s->n_absent];
        }
}

/* Its workers have ended by now, whether it died or was only cut off: see LEASE_HELD_US. */
static void on_absent(void *arg, const PGresult *res)
{
    struct scheduler *s = arg;
    if (!scheduler_heard(s, "schedule", "absent", res, "daemons that are gone cannot be told") || !s->leads)
        return;
    for (size_t i = 0; i < s->n_absent; i++)
        s->absent[i].seen = false;
    for (int i = 0; i < PQntuples(res); i++) {
        struct absent *a = note_absent(s, PQgetvalue(res, i, 0));
        a->seen = true;
        if (clock_mono_us() - a->since_us < LEASE_OUT_US)
            continue;
        log_notice(
            "schedule", NULL, "the daemon %s is gone; the runs it had under way wait again", a->daemon);
        requeue(s, a->daemon, "the daemon that ran it is gone");
        a->seen = false;
    }
    drop_returned(s);
}

void lead_find_absent(struct scheduler *s)
{
    int64_t now = clock_mono_us();
    if (!s->leads || now < s->absent_due_us)
        return;
    s->absent_due_us = now + ABSENT_EVERY_US;
    scheduler_ask(s, record_absent_sql, 0, NULL, on_absent, s);
}

void lead_forget(struct scheduler *s)
{
    for (size_t i = 0; i < s->n_absent; i++)
        s->absent[i].seen = false;
    drop_returned(s);
    free(s->absent);
    s->absent = NULL;
}

void lead_lost(struct scheduler *s)
{
    if (s->leads)
        log_notice("schedule", NULL, "%s leads no more: its session with the database is gone", s->name);
    s->is = s->leads = s->looked = s->open = false;
    s->joined_fail_us = 0;
    free(s->leader);
    s->leader = xstrdup(""); /* nobody knows */
    lead_forget(s);          /* whoever was away may have come back, unseen by us */
}
