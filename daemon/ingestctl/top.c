#include "ctl.h"
#include "grid.h"
#include "view.h"
#include "watch.h"

#include "util/clock.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#define ENTER "\033[?1049h\033[?25l\033[?7l" /* other screen, no cursor, no line wrap */
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

/* The terminal as it was, to give it back. */
struct screen {
    struct termios before;
    bool changed;
};

static void write_all(const char *p, size_t n)
{
    for (ssize_t done; n > 0; p += done, n -= (size_t)done) {
        done = write(STDOUT_FILENO, p, n);
        if (done < 0 && errno != EINTR && errno != EAGAIN)
            return;
        done = MAX(done, 0);
    }
}

static void screen_enter(struct screen *s)
{
    if (tcgetattr(STDIN_FILENO, &s->before) == 0) {
        struct termios raw = s->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        s->changed = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
    write_all(ENTER, strlen(ENTER));
}

static void screen_leave(struct screen *s)
{
    write_all(LEAVE, strlen(LEAVE));
    if (s->changed)
        tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
}

/* How many bytes of a line there is room for in so many columns: a colour takes none, a character one. */
static size_t fitting(const char *line, size_t n, int columns)
{
    size_t at = 0;
    while (at < n) {
        if (line[at] == '\033') {
            at += strcspn(line + at, "m") + 1;
            continue;
        }
        if (((unsigned char)line[at] & 0xc0) != 0x80 && columns-- == 0)
            return at;
        at++;
    }
    return n;
}

/* As many lines as the screen has, each over the old one, so that nothing flickers. What is too long goes on in
 * the next: the end of a message is where the reason stands. */
static void paint(const char *text)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col < 2)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    _cleanup_buffer_ struct buffer out = {0};
    buffer_put_string(&out, "\033[H");
    for (int row = 1; *text && row < size.ws_row; row++) {
        size_t n = fitting(text, strcspn(text, "\n"), size.ws_col - 1);
        buffer_put(&out, text, n);
        buffer_put_string(&out, "\033[K\n");
        text += n + (text[n] == '\n');
    }
    buffer_put_string(&out, "\033[J");
    write_all(out.p, out.n);
}

static void paint_status(const struct ctl *ctl, const cJSON *status)
{
    _cleanup_buffer_ struct buffer text = {0};
    view_status(&text, status, ctl->color);
    buffer_put_string(&text, "\nq ends\n");
    paint(buffer_string(&text));
}

static void paint_lost(const struct error *err)
{
    _cleanup_free_ char *clean = printable(err->text);
    _cleanup_free_ char *text = xasprintf("%s\n\ntrying again each second; q ends\n", clean);
    paint(text);
}

/* Connects and asks for a status each second; NULL after showing why not. */
static struct client *subscribe(const struct ctl *ctl)
{
    struct error err;
    _cleanup_(client_freep) struct client *client = NULL;
    _cleanup_free_ char *unit = ctl_unit(ctl->tenant);
    if (client_open(ctl->socket, unit, &client, &err) < 0 ||
        client_send(client, "io.ingestd.Status", NULL, true, &err) < 0) {
        paint_lost(&err);
        return NULL;
    }
    return TAKE(client);
}

/* Takes one answer; false when the connection is of no more use. */
static bool take_status(const struct ctl *ctl, struct client *client)
{
    struct error err;
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    if (client_receive(client, &reply, &err) < 0) {
        paint_lost(&err);
        return false;
    }
    if (reply.error)
        return false;
    paint_status(ctl, reply.parameters);
    return reply.continues;
}

/* True when the person wants to go: q, or the terminal is gone. */
static bool wants_to_go(void)
{
    char keys[32];
    ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));
    return n <= 0 || memchr(keys, 'q', (size_t)n) || memchr(keys, 'Q', (size_t)n);
}

static void watch(const struct ctl *ctl, int signals)
{
    struct client *client = subscribe(ctl);
    for (;;) {
        struct pollfd p[] = {
            {signals, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}, {client ? client_fd(client) : -1, POLLIN, 0}};
        int n = poll(p, N_ELEMENTS(p), client ? -1 : 1000);
        if (n < 0 && errno != EINTR)
            break;
        if (p[0].revents || (p[1].revents && wants_to_go()))
            break;
        if (!client && n == 0)
            client = subscribe(ctl);
        else if (client && p[2].revents && !take_status(ctl, client)) {
            client_free(client);
            client = NULL;
        }
    }
    client_free(client);
}

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    int code;
    if (ctl_arguments(ctl, self, argc, argv, 0, 0, &code) < 0)
        return code;
    if (ctl->json || !ctl->terminal || !isatty(STDIN_FILENO))
        return command_status.run(ctl, &command_status, 1, argv);
    _cleanup_free_ char *socket = ctl_socket(ctl);
    _cleanup_close_ int signals = socket ? watch_signals() : -1;
    if (signals < 0)
        return CTL_FAILED;
    ctl->socket = socket;
    struct screen screen = {0};
    screen_enter(&screen);
    watch(ctl, signals);
    screen_leave(&screen);
    return CTL_DONE;
}

const struct command command_top = {"top", "", "the status, live",
    "Refreshed each second; q or Ctrl-C ends. Where there is no terminal: one status.\n", run};
