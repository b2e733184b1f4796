/*
 * A daemon without streams behind it: the real control socket and HTTP listener over the fake intake, to try
 * ingestctl on. serve_fake SOCKET [healthy|broken [HTTP-ADDRESS]]
 */
#include "fake_daemon.h"
#include "fake_intake.h"

#include <event2/event.h>
#include <signal.h>

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    event_base_loopbreak(arg);
}

static void break_things(struct fake_daemon *d)
{
    fake_postgres_up = false;
    fake_report(0)->state = STREAM_REFUSED;
    health_raise(d->control.health, "stream claim", "refused", SEVERITY_FAILED,
        "correct `table:` or create the table; it is tried again by itself",
        "table public.claims does not exist");
    health_raise(d->control.health, "postgres", "away", SEVERITY_DEGRADED, NULL,
        "doctor_office@db: connection refused");
    d->reload_fails = true;
    d->reload_says = xstrdup("ingestd.yaml:3:1: unknown key \"tabel\"\ningestd.yaml:9:5: not a duration");
}

int main(int argc, char **argv)
{
    struct fake_daemon d;
    struct error err;
    struct control_server *server = NULL;
    struct http_server *http = NULL;
    if (argc < 2)
        return 2;
    fake_daemon_init(&d);
    if (argc > 2 && strcmp(argv[2], "broken") == 0)
        break_things(&d);
    if (control_server_new(&d.control, argv[1], &server, &err) < 0 ||
        (argc > 3 && http_server_new(&d.control, argv[3], &http, &err) < 0)) {
        fprintf(stderr, "%s\n", err.text);
        control_server_free(server);
        fake_daemon_done(&d);
        return 1;
    }
    struct event *end = evsignal_new(d.control.base, SIGTERM, on_signal, d.control.base);
    event_add(end, NULL);
    event_base_dispatch(d.control.base);
    event_free(end);
    http_server_free(http);
    control_server_free(server);
    fake_daemon_done(&d);
    return 0;
}
