#include "redis_server.h"

#include "util/cleanup.h"
#include "util/clock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define START_WITHIN_US (20 * US_PER_SEC)

int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    return ntohs(a.sin_port);
}

static void run(struct redis_server *s, const char *option, const char *value)
{
    char port[16];
    snprintf(port, sizeof(port), "%d", s->port);
    pid_t parent = getpid();
    s->pid = fork();
    ck_assert_int_ge(s->pid, 0);
    if (s->pid > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", s->dir, "--save",
        "", "--appendonly", "yes", option, value, NULL);
    _exit(127);
}

/* There is no event to wait on before it listens: poll(2) only paces the attempts. */
static void wait_until_it_listens(struct redis_server *s)
{
    int64_t until = clock_mono_us() + START_WITHIN_US;
    while (!s->admin) {
        ck_assert_msg(clock_mono_us() < until, "redis-server does not start");
        s->admin = redisConnect("127.0.0.1", s->port);
        if (!s->admin->err)
            break;
        redisFree(TAKE(s->admin));
        poll(NULL, 0, 5);
    }
}

void redis_server_start(struct redis_server *s, const char *option, const char *value)
{
    *s = (struct redis_server){.port = free_port()};
    new_folder(s->dir);
    run(s, option, value);
    wait_until_it_listens(s);
}

void redis_server_stop(struct redis_server *s)
{
    if (s->admin)
        redisFree(TAKE(s->admin));
    kill(s->pid, SIGCONT);
    kill(s->pid, SIGTERM);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

void redis_server_again(struct redis_server *s)
{
    run(s, NULL, NULL);
    wait_until_it_listens(s);
}

void redis_server_remove(struct redis_server *s)
{
    if (s->pid)
        redis_server_stop(s);
    remove_folder(s->dir);
}

long long ask(struct redis_server *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    redisReply *reply = redisvCommand(s->admin, fmt, ap);
    va_end(ap);
    ck_assert_msg(reply, "%s: %s", fmt, s->admin->errstr);
    ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s: %s", fmt, reply->str);
    long long n = reply->type == REDIS_REPLY_INTEGER ? reply->integer
                  : reply->type == REDIS_REPLY_ARRAY ? (long long)reply->elements
                                                     : (long long)reply->len;
    freeReplyObject(reply);
    return n;
}
