/* The command line's client, against a peer that keeps to a script. */
#include "../util/suite.h"
#include "control/client.h"

#include "util/clock.h"

#include <cjson/cJSON.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static char folder[FOLDER_MAX];
static char path[64];

static void set_up(void)
{
    new_folder(folder);
    snprintf(path, sizeof(path), "%s/control", folder);
}

static void tear_down(void)
{
    remove_folder(folder);
}

static int listen_here(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    return fd;
}

/* Reads one call, answers with the bytes, closes. */
static pid_t play(const char *bytes, size_t n)
{
    int fd = listen_here();
    pid_t child = fork();
    if (child > 0) {
        close(fd);
        return child;
    }
    char call[512];
    int peer = accept(fd, NULL, NULL);
    ssize_t heard = recv(peer, call, sizeof(call), 0);
    bool as_expected = heard > 0 && call[heard - 1] == '\0' && strstr(call, "io.ingestd.Ping");
    for (size_t i = 0; i < n; i++)
        if (send(peer, bytes + i, 1, MSG_NOSIGNAL) < 0)
            _exit(2);
    close(peer);
    _exit(as_expected ? 0 : 1);
}

static void expect_exit(pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

START_TEST(answers_are_read_one_by_one)
{
    static const char script[] =
        "{\"parameters\":{\"n\":1},\"continues\":true}\0{\"error\":\"a.B\",\"parameters\":{}}";
    pid_t child = play(script, sizeof(script));
    struct client *c = NULL;
    struct error err;
    struct varlink_reply reply;
    ck_assert_int_eq(client_open(path, "ingestd", &c, &err), 0);
    ck_assert_int_eq(client_call(c, "io.ingestd.Ping", NULL, &reply, &err), 0);
    ck_assert(reply.continues && !reply.error);
    ck_assert_double_eq(cJSON_GetObjectItem(reply.parameters, "n")->valuedouble, 1);
    varlink_reply_done(&reply);
    ck_assert_int_eq(client_receive(c, &reply, &err), 0);
    ck_assert_str_eq(reply.error, "a.B");
    varlink_reply_done(&reply);
    ck_assert_int_eq(client_receive(c, &reply, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "closed the connection"));
    client_free(c);
    expect_exit(child);
}
END_TEST

START_TEST(garbage_is_an_error)
{
    static const char script[] = "hello";
    pid_t child = play(script, sizeof(script));
    struct client *c = NULL;
    struct error err;
    struct varlink_reply reply;
    ck_assert_int_eq(client_open(path, "ingestd", &c, &err), 0);
    ck_assert_int_eq(client_call(c, "io.ingestd.Ping", NULL, &reply, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "the daemon's answer"));
    client_free(c);
    expect_exit(child);
}
END_TEST

START_TEST(silence_ends_in_time)
{
    int fd = listen_here();
    struct client *c = NULL;
    struct error err;
    struct varlink_reply reply;
    ck_assert_int_eq(client_open(path, "ingestd", &c, &err), 0);
    client_set_timeout(c, 50 * US_PER_MS);
    ck_assert_int_eq(client_call(c, "io.ingestd.Ping", NULL, &reply, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "does not answer"));
    client_free(c);
    close(fd);
}
END_TEST

START_TEST(an_unreachable_daemon_is_explained)
{
    struct client *c = NULL;
    struct error err;
    ck_assert_int_eq(client_open(path, "ingestd", &c, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_ptr_nonnull(strstr(err.text, "No such file"));
    ck_assert_ptr_nonnull(strstr(err.text, "systemctl start ingestd"));
    close(listen_here());
    ck_assert_int_eq(client_open(path, "ingestd", &c, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "Connection refused"));
    char longer[300] = "/";
    memset(longer + 1, 'x', sizeof(longer) - 2);
    ck_assert_int_eq(client_open(longer, "ingestd", &c, &err), -1);
}
END_TEST

START_TEST(a_stranger_is_told_of_the_group)
{
    int fd = listen_here();
    ck_assert_int_eq(chmod(path, 0), 0);
    struct client *c = NULL;
    struct error err = {""};
    /* root may open anything: become somebody else where we can. */
    if (geteuid() == 0)
        ck_assert_int_eq(chmod(folder, 0755) | seteuid(65534), 0);
    ck_assert_int_eq(client_open(path, "ingestd", &c, &err), -1);
    ck_assert_int_eq(seteuid(getuid()), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "Permission denied"));
    ck_assert_ptr_nonnull(strstr(err.text, "group ingestd "));
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    ck_assert_int_eq(client_open(path, "ingestd@north", &c, &err), -1);
    ck_assert_int_eq(seteuid(getuid()), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "group ingestd-north "));
    close(fd);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        answers_are_read_one_by_one,
        garbage_is_an_error,
        silence_ends_in_time,
        an_unreachable_daemon_is_explained,
        a_stranger_is_told_of_the_group,
    };
    return run_staged("client", set_up, tear_down, tests, N_ELEMENTS(tests));
}
