/* The control socket, from the outside: what clients send, good and bad, and what they get. */
#include "../util/suite.h"
#include "control/connection.h"
#include "fake_daemon.h"
#include "fake_intake.h"
#include "util/buffer.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static struct fake_daemon the_daemon;
static struct control_server *server;
static char folder[FOLDER_MAX];
static char path[64];

/* One end of a connection, as a client has it. */
struct end {
    int fd;
    struct buffer in;
    bool closed;
    size_t wanted; /* bytes */
};

static void set_up(void)
{
    new_folder(folder);
    snprintf(path, sizeof(path), "%s/control", folder);
    fake_daemon_init(&the_daemon);
    struct error err = {""};
    ck_assert_msg(control_server_new(&the_daemon.control, path, &server, &err) == 0, "%s", err.text);
}

static void tear_down(void)
{
    control_server_free(server);
    fake_answer_all();
    fake_daemon_done(&the_daemon);
    remove_folder(folder);
}

static int connect_raw(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static struct end dial(void)
{
    return (struct end){.fd = connect_raw()};
}

static void hang_up(struct end *e)
{
    close(e->fd);
    buffer_done(&e->in);
}

static void say(struct end *e, const void *p, size_t n)
{
    ck_assert_int_eq(send(e->fd, p, n, MSG_NOSIGNAL), n);
}

#define SAY(e, text) say(e, text, sizeof(text)) /* with its NUL */

static void hear(struct end *e)
{
    static char bytes[65536];
    ssize_t n;
    while ((n = recv(e->fd, bytes, sizeof(bytes), 0)) > 0)
        buffer_put(&e->in, bytes, (size_t)n);
    if (n == 0 || errno == ECONNRESET)
        e->closed = true;
}

static bool has_message(void *arg)
{
    struct end *e = arg;
    hear(e);
    return e->in.n > 0 && memchr(e->in.p, '\0', e->in.n);
}

static bool is_closed(void *arg)
{
    struct end *e = arg;
    hear(e);
    return e->closed;
}

/* The next message, as a new object. */
static cJSON *next_message(struct end *e)
{
    ck_assert_msg(fake_daemon_until(&the_daemon, has_message, e), "no answer within five seconds");
    cJSON *message = cJSON_Parse(e->in.p);
    ck_assert_ptr_nonnull(message);
    buffer_drop(&e->in, strlen(e->in.p) + 1);
    return message;
}

static void expect(struct end *e, const char *wanted)
{
    cJSON *message = next_message(e);
    _cleanup_free_ char *text = cJSON_PrintUnformatted(message);
    cJSON_Delete(message);
    ck_assert_str_eq(text, wanted);
}

#define PING  "{\"method\":\"io.ingestd.Ping\"}"
#define EMPTY "{\"parameters\":{}}"
#define LIST  "{\"method\":\"io.ingestd.DeadList\"}"
#define SHOW  "{\"method\":\"io.ingestd.DeadShow\",\"parameters\":{\"id\":1}}"

START_TEST(the_file_is_for_the_group_alone_whatever_the_umask)
{
    struct stat st;
    struct error err;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert(S_ISSOCK(st.st_mode));
    ck_assert_uint_eq(st.st_mode & 07777, 0660);
    control_server_free(server);
    ck_assert_int_eq(stat(path, &st), -1);
    umask(0777);
    ck_assert_int_eq(control_server_new(&the_daemon.control, path, &server, &err), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0660);
    control_server_free(server);
    umask(0);
    ck_assert_int_eq(control_server_new(&the_daemon.control, path, &server, &err), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0660);
}
END_TEST

START_TEST(a_live_socket_is_refused_and_a_stale_one_replaced)
{
    struct control_server *second = NULL;
    struct error err;
    ck_assert_int_eq(control_server_new(&the_daemon.control, path, &second, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "another ingestd answers there"));
    struct end e = dial();
    SAY(&e, PING);
    expect(&e, EMPTY);
    hang_up(&e);

    _cleanup_free_ char *stale = xasprintf("%s/stale", folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, stale);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    ck_assert_int_eq(control_server_new(&the_daemon.control, stale, &second, &err), 0);
    control_server_free(second);
    ck_assert_int_eq(access(stale, F_OK), -1);
}
END_TEST

START_TEST(what_is_no_socket_stays)
{
    struct control_server *second = NULL;
    struct error err;
    _cleanup_free_ char *file = xasprintf("%s/file", folder);
    fclose(fopen(file, "w"));
    ck_assert_int_eq(control_server_new(&the_daemon.control, file, &second, &err), -1);
    ck_assert_int_eq(access(file, F_OK), 0);
    unlink(file);
    ck_assert_int_eq(control_server_new(&the_daemon.control, "/nowhere/at/all", &second, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/at/all"));
    char longer[200] = "/";
    memset(longer + 1, 'x', sizeof(longer) - 2);
    ck_assert_int_eq(control_server_new(&the_daemon.control, longer, &second, &err), -1);
}
END_TEST

START_TEST(another_file_in_our_place_is_left_alone)
{
    unlink(path);
    fclose(fopen(path, "w"));
    control_server_free(TAKE(server));
    ck_assert_int_eq(access(path, F_OK), 0);
    unlink(path);
}
END_TEST

START_TEST(calls_are_answered_in_order)
{
    struct end e = dial();
    SAY(&e, PING "\0" LIST "\0{\"method\":\"io.ingestd.Nope\"}\0{\"method\":\"no.such.Thing\"}\0" PING);
    fake_n_letters = 0;
    expect(&e, EMPTY);
    expect(&e, "{\"parameters\":{\"letters\":[]}}");
    expect(&e,
        "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"io.ingestd.Nope\"}}");
    expect(&e,
        "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"no.such\"}}");
    expect(&e, EMPTY);
    hang_up(&e);
}
END_TEST

START_TEST(a_message_may_come_byte_by_byte)
{
    struct end e = dial();
    for (size_t i = 0; i < sizeof(PING); i++) {
        ck_assert(!has_message(&e));
        say(&e, &PING[i], 1);
        event_base_loop(the_daemon.control.base, EVLOOP_NONBLOCK);
    }
    expect(&e, EMPTY);
    hang_up(&e);
}
END_TEST

static const struct {
    const char *bytes;
    size_t n;
} garbage[] = {
    {"\0", 1},
    {"hello\0", 6},
    {"GET / HTTP/1.1\r\n\r\n\0", 19},
    {"\xff\xff\xff\xff\0", 5},
    {"[]\0", 3},
    {"{}\0", 3},
    {"{\"method\":\0", 11},
    {"{\"method\":\"io.ingestd.Ping\",\"parameters\":7}\0", 44},
};

START_TEST(garbage_closes_its_own_connection_alone)
{
    struct end good = dial(), bad = dial();
    say(&bad, garbage[_i].bytes, garbage[_i].n);
    ck_assert(fake_daemon_until(&the_daemon, is_closed, &bad));
    ck_assert_uint_eq(bad.in.n, 0);
    SAY(&good, PING);
    expect(&good, EMPTY);
    hang_up(&good);
    hang_up(&bad);
}
END_TEST

START_TEST(a_message_without_end_closes)
{
    static char much[VARLINK_MAX_MESSAGE + 1];
    struct end e = dial();
    memset(much, ' ', sizeof(much));
    for (size_t sent = 0; sent < sizeof(much);) {
        ssize_t n = send(e.fd, much + sent, sizeof(much) - sent, MSG_NOSIGNAL);
        ck_assert(n > 0 || errno == EAGAIN);
        sent += n > 0 ? (size_t)n : 0;
        event_base_loop(the_daemon.control.base, EVLOOP_NONBLOCK);
    }
    ck_assert(fake_daemon_until(&the_daemon, is_closed, &e));
    hang_up(&e);
}
END_TEST

START_TEST(half_a_message_and_away)
{
    struct end e = dial();
    say(&e, PING, 10);
    event_base_loop(the_daemon.control.base, EVLOOP_NONBLOCK);
    shutdown(e.fd, SHUT_WR);
    ck_assert(fake_daemon_until(&the_daemon, is_closed, &e));
    ck_assert_uint_eq(e.in.n, 0);
    hang_up(&e);
}
END_TEST

START_TEST(a_client_that_says_no_more_still_gets_its_answers)
{
    struct end e = dial();
    fake_answers_later = true;
    SAY(&e, PING "\0" LIST);
    shutdown(e.fd, SHUT_WR);
    expect(&e, EMPTY);
    ck_assert(!e.closed);
    fake_n_letters = 0;
    ck_assert_uint_eq(fake_answer_all(), 1);
    cJSON_Delete(next_message(&e));
    ck_assert(fake_daemon_until(&the_daemon, is_closed, &e));
    hang_up(&e);
}
END_TEST

static bool has_bytes(void *arg)
{
    struct end *e = arg;
    hear(e);
    return e->in.n >= e->wanted;
}

/* More calls than may wait: the sender is stopped, not buffered, and then served to the last. */
START_TEST(a_flood_is_held_back_and_then_answered)
{
    struct end e = dial();
    size_t sent = 0, answers = 0, blocked = 0;
    static char flood[sizeof(PING) * 1000];
    for (size_t i = 0; i < 1000; i++)
        memcpy(flood + i * sizeof(PING), PING, sizeof(PING));
    for (int turn = 0; turn < 3000 && blocked < 50; turn++) {
        size_t at = sent % sizeof(flood);
        ssize_t n = send(e.fd, flood + at, sizeof(flood) - at, MSG_NOSIGNAL);
        ck_assert(n > 0 || errno == EAGAIN);
        sent += n > 0 ? (size_t)n : 0;
        blocked = n > 0 ? 0 : blocked + 1;
        event_base_loop(the_daemon.control.base, EVLOOP_NONBLOCK);
    }
    ck_assert_msg(blocked >= 50, "the server read all of %zu bytes while nobody read its answers", sent);
    struct end other = dial();
    SAY(&other, PING);
    expect(&other, EMPTY);
    answers = sent / sizeof(PING);
    e.wanted = answers * sizeof(EMPTY);
    ck_assert(fake_daemon_until(&the_daemon, has_bytes, &e));
    ck_assert_uint_eq(e.in.n, e.wanted);
    hang_up(&e);
    hang_up(&other);
}
END_TEST

START_TEST(the_thirty_third_is_turned_away)
{
    struct end ends[33];
    for (size_t i = 0; i < 33; i++)
        ends[i] = dial();
    ck_assert(fake_daemon_until(&the_daemon, is_closed, &ends[32]));
    for (size_t i = 0; i < 32; i++) {
        SAY(&ends[i], PING);
        expect(&ends[i], EMPTY);
    }
    hang_up(&ends[7]);
    hang_up(&ends[32]);
    event_base_loop(the_daemon.control.base, EVLOOP_ONCE);
    event_base_loop(the_daemon.control.base, EVLOOP_NONBLOCK);
    ends[7] = dial();
    SAY(&ends[7], PING);
    expect(&ends[7], EMPTY);
    for (size_t i = 0; i < 32; i++)
        hang_up(&ends[i]);
}
END_TEST

START_TEST(a_reader_that_does_not_read_is_dropped)
{
    struct end e = dial();
    fake_payload_size = 300 * 1024;
    SAY(&e, SHOW);
    ck_assert(fake_daemon_until(&the_daemon, has_message, &e));
    buffer_reset(&e.in, 0);
    SAY(&e, SHOW);
    for (int i = 0; i < 20; i++)
        event_base_loop(the_daemon.control.base, EVLOOP_NONBLOCK);
    fake_payload_size = CONNECTION_MAX_OUTPUT - 4096;
    SAY(&e, SHOW);
    ck_assert(fake_daemon_until(&the_daemon, is_closed, &e) || e.closed);
    ck_assert_uint_lt(e.in.n, 1024 * 1024);
    hang_up(&e);
}
END_TEST

START_TEST(an_answer_too_long_is_an_error)
{
    struct end e = dial();
    fake_payload_size = CONNECTION_MAX_OUTPUT + 1;
    SAY(&e, SHOW);
    cJSON *message = next_message(&e);
    ck_assert_str_eq(cJSON_GetObjectItem(message, "error")->valuestring, "io.ingestd.Failed");
    cJSON_Delete(message);
    SAY(&e, PING);
    expect(&e, EMPTY);
    hang_up(&e);
}
END_TEST

static bool list_was_asked(void *arg)
{
    return strncmp(fake_asked, "list", 4) == 0;
}

START_TEST(the_answer_may_come_after_the_client_has_gone)
{
    struct end e = dial();
    fake_answers_later = true;
    SAY(&e, LIST);
    ck_assert(fake_daemon_until(&the_daemon, list_was_asked, NULL));
    hang_up(&e);
    for (int i = 0; i < 20; i++)
        event_base_loop(the_daemon.control.base, EVLOOP_NONBLOCK);
    ck_assert_uint_eq(fake_answer_all(), 1);
    for (int i = 0; i < 20; i++)
        event_base_loop(the_daemon.control.base, EVLOOP_NONBLOCK);
    struct end other = dial();
    SAY(&other, PING);
    expect(&other, EMPTY);
    hang_up(&other);
}
END_TEST

START_TEST(the_answer_may_come_after_the_server_has_gone)
{
    struct end e = dial();
    fake_answers_later = true;
    SAY(&e, LIST);
    ck_assert(fake_daemon_until(&the_daemon, list_was_asked, NULL));
    control_server_free(TAKE(server));
    ck_assert_uint_eq(fake_answer_all(), 1);
    ck_assert(fake_daemon_until(&the_daemon, is_closed, &e));
    hang_up(&e);
}
END_TEST

START_TEST(a_call_waits_for_the_one_before)
{
    struct end e = dial();
    fake_answers_later = true;
    SAY(&e, LIST "\0" PING);
    ck_assert(fake_daemon_until(&the_daemon, list_was_asked, NULL));
    event_base_loop(the_daemon.control.base, EVLOOP_NONBLOCK);
    ck_assert(!has_message(&e));
    ck_assert_uint_eq(fake_answer_all(), 1);
    cJSON *first = next_message(&e);
    ck_assert_ptr_nonnull(cJSON_GetObjectItem(cJSON_GetObjectItem(first, "parameters"), "letters"));
    cJSON_Delete(first);
    expect(&e, EMPTY);
    hang_up(&e);
}
END_TEST

START_TEST(a_failed_question_says_why)
{
    struct end e = dial();
    fake_why = "Postgres is away";
    SAY(&e, LIST);
    expect(&e, "{\"error\":\"io.ingestd.Failed\",\"parameters\":{\"why\":\"Postgres is away\"}}");
    hang_up(&e);
}
END_TEST

START_TEST(a_oneway_call_is_not_answered)
{
    struct end e = dial();
    SAY(&e, "{\"method\":\"io.ingestd.Pause\",\"parameters\":{\"stream\":\"claim\"},\"oneway\":true}\0" PING);
    expect(&e, EMPTY);
    ck_assert_int_eq(fake_report(0)->state, STREAM_PAUSED);
    SAY(&e, "{\"method\":\"io.ingestd.Status\",\"more\":true,\"oneway\":true}\0" PING);
    expect(&e, EMPTY);
    hang_up(&e);
}
END_TEST

START_TEST(status_with_more_goes_on_until_the_client_goes)
{
    struct end e = dial();
    SAY(&e, "{\"method\":\"io.ingestd.Status\",\"more\":true}");
    for (int i = 0; i < 2; i++) {
        cJSON *message = next_message(&e);
        ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(message, "continues")));
        ck_assert_ptr_null(cJSON_GetObjectItem(message, "error"));
        cJSON_Delete(message);
    }
    shutdown(e.fd, SHUT_WR);
    ck_assert(fake_daemon_until(&the_daemon, is_closed, &e));
    hang_up(&e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server");
    TCase *tc = add_case(suite, "server", set_up, tear_down);
    tcase_add_test(tc, the_file_is_for_the_group_alone_whatever_the_umask);
    tcase_add_test(tc, a_live_socket_is_refused_and_a_stale_one_replaced);
    tcase_add_test(tc, what_is_no_socket_stays);
    tcase_add_test(tc, another_file_in_our_place_is_left_alone);
    tcase_add_test(tc, calls_are_answered_in_order);
    tcase_add_test(tc, a_message_may_come_byte_by_byte);
    tcase_add_loop_test(tc, garbage_closes_its_own_connection_alone, 0, N_ELEMENTS(garbage));
    tcase_add_test(tc, a_message_without_end_closes);
    tcase_add_test(tc, half_a_message_and_away);
    tcase_add_test(tc, a_client_that_says_no_more_still_gets_its_answers);
    tcase_add_test(tc, a_flood_is_held_back_and_then_answered);
    tcase_add_test(tc, the_thirty_third_is_turned_away);
    tcase_add_test(tc, a_reader_that_does_not_read_is_dropped);
    tcase_add_test(tc, an_answer_too_long_is_an_error);
    tcase_add_test(tc, the_answer_may_come_after_the_client_has_gone);
    tcase_add_test(tc, the_answer_may_come_after_the_server_has_gone);
    tcase_add_test(tc, a_call_waits_for_the_one_before);
    tcase_add_test(tc, a_failed_question_says_why);
    tcase_add_test(tc, a_oneway_call_is_not_answered);
    tcase_add_test(tc, status_with_more_goes_on_until_the_client_goes);
    return run_suite(suite);
}
