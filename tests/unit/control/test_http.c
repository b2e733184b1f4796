/* The HTTP listener over a real loopback port, and that the metrics are what Prometheus reads. */
#include "../util/suite.h"
#include "control/metrics.h"
#include "fake_daemon.h"
#include "fake_intake.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <regex.h>
#include <sys/socket.h>

static struct fake_daemon the_daemon;
static struct http_server *server;

static void set_up(void)
{
    struct error err = {""};
    fake_daemon_init(&the_daemon);
    ck_assert_msg(http_server_new(&the_daemon.control, "127.0.0.1:0", &server, &err) == 0, "%s", err.text);
}

static void tear_down(void)
{
    http_server_free(server);
    fake_daemon_done(&the_daemon);
}

struct exchange {
    int fd;
    struct buffer in;
};

static bool has_ended(void *arg)
{
    struct exchange *x = arg;
    char bytes[4096];
    ssize_t n;
    while ((n = recv(x->fd, bytes, sizeof(bytes), 0)) > 0)
        buffer_put(&x->in, bytes, (size_t)n);
    return n == 0;
}

/* The whole response to the bytes of a request, as a new string. */
static char *exchange(const char *request, size_t n)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_server_port(server))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct exchange x = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    ck_assert_int_eq(connect(x.fd, (struct sockaddr *)&to, sizeof(to)), 0);
    ck_assert_int_eq(send(x.fd, request, n, MSG_NOSIGNAL), n);
    fcntl(x.fd, F_SETFL, O_NONBLOCK);
    ck_assert_msg(fake_daemon_until(&the_daemon, has_ended, &x), "the response does not end");
    char *text = xstrdup(buffer_string(&x.in));
    close(x.fd);
    buffer_done(&x.in);
    return text;
}

static char *get(const char *method, const char *path)
{
    _cleanup_free_ char *request =
        xasprintf("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, path);
    return exchange(request, strlen(request));
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

START_TEST(pages_and_codes)
{
    _cleanup_free_ char *health = get("GET", "/healthz"), *metrics = get("GET", "/metrics?x=y");
    _cleanup_free_ char *head = get("HEAD", "/metrics"), *nowhere = get("GET", "/etc/passwd");
    _cleanup_free_ char *post = get("DELETE", "/metrics");
    ck_assert(starts(health, "HTTP/1.1 200 ") && strstr(health, "\r\n\r\nok\n"));
    ck_assert(starts(metrics, "HTTP/1.1 200 ") && strstr(metrics, "\ningestd_up 1\n"));
    ck_assert_ptr_nonnull(strstr(metrics, "Content-Type: text/plain; version=0.0.4"));
    ck_assert(starts(head, "HTTP/1.1 200 ") && !strstr(head, "ingestd_up"));
    ck_assert(starts(nowhere, "HTTP/1.1 404 "));
    ck_assert(!starts(post, "HTTP/1.1 200 ") && !strstr(post, "ingestd_up"));
}
END_TEST

START_TEST(health_says_what_is_wrong)
{
    health_raise(the_daemon.control.health, "postgres", "away", SEVERITY_DEGRADED, "wait", "it is away");
    _cleanup_free_ char *health = get("GET", "/healthz");
    ck_assert(starts(health, "HTTP/1.1 503 "));
    cJSON *body = cJSON_Parse(strstr(health, "\r\n\r\n") + 4);
    ck_assert_str_eq(cJSON_GetObjectItem(body, "state")->valuestring, "DEGRADED");
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(body, "conditions"), 0);
    ck_assert_str_eq(cJSON_GetObjectItem(first, "what")->valuestring, "it is away");
    cJSON_Delete(body);
}
END_TEST

START_TEST(large_requests_are_refused)
{
    _cleanup_buffer_ struct buffer request = {0};
    buffer_put_string(&request, "GET /metrics HTTP/1.1\r\nX: ");
    for (int i = 0; i < 10000; i++)
        buffer_put(&request, "x", 1);
    buffer_put_string(&request, "\r\n\r\n");
    _cleanup_free_ char *answer = exchange(request.p, request.n);
    ck_assert(!starts(answer, "HTTP/1.1 200 "));
}
END_TEST

static const char *const bad_addresses[] = {"0.0.0.0:9187", "192.0.2.1:9187", "[::]:9187", "[2001:db8::1]:80",
    "example.org:80", "9187", ":9187", "", "127.0.0.1:99999", "127.0.0.1", "[::ffff:127.0.0.1]:80"};

START_TEST(only_loopback_is_accepted)
{
    struct http_server *other = NULL;
    struct error err = {""};
    ck_assert_int_eq(http_server_new(&the_daemon.control, bad_addresses[_i], &other, &err), -1);
    ck_assert_str_ne(err.text, "");
}
END_TEST

START_TEST(a_taken_port_is_an_error)
{
    struct http_server *other = NULL;
    struct error err = {""};
    _cleanup_free_ char *address = xasprintf("localhost:%d", http_server_port(server));
    ck_assert_int_eq(http_server_new(&the_daemon.control, address, &other, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "is the port taken?"));
}
END_TEST

/* The text form's grammar, a line at a time; and that HELP and TYPE come once, before the samples. */
START_TEST(metrics_are_well_formed)
{
    fake_report(0)->name = "a\"b\\c\nd";
    cJSON *status = cJSON_Parse(
        "{\"version\":\"1\",\"name\":\"line\\nbreak \\\"x\\\"\",\"uptime_s\":3,"
        "\"streams\":[{\"name\":\"s\\\\t\",\"state\":\"running\",\"inserted\":12345678901,"
        "\"rate\":0.25,\"lag\":-1,\"commit_us_mean\":1900,\"connected\":true}],"
        "\"jobs\":[{\"name\":\"j\\\"\",\"state\":\"idle\",\"last_success\":\"2026-01-02T03:10:01.200Z\","
        "\"last_duration_us\":3,\"failed\":1,\"running\":null,\"waiting\":-1}],"
        "\"conditions\":[{\"severity\":\"failed\"}],\"memory\":{\"rss_bytes\":4096},"
        "\"postgres\":{\"up\":false,\"round_trip_us\":1100}}");
    _cleanup_buffer_ struct buffer text = {0};
    metrics_write(&text, status);
    cJSON_Delete(status);
    _cleanup_free_ char *whole = xstrdup(buffer_string(&text));
    regex_t line_form;
    ck_assert_int_eq(
        regcomp(&line_form,
            "^(# (HELP|TYPE) ingestd_[a-z_]+ .+|ingestd_[a-z_]+(\\{[a-z]+=\"([^\"\\]|\\\\[\\\"n])*\""
            "(,[a-z]+=\"([^\"\\]|\\\\[\\\"n])*\")*\\})? [0-9.e+-]+)$",
            REG_EXTENDED | REG_NOSUB),
        0);
    char type_of[64] = "";
    for (char *rest, *line = strtok_r(whole, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        ck_assert_msg(regexec(&line_form, line, 0, NULL, 0) == 0, "not well formed: %s", line);
        if (starts(line, "# TYPE "))
            snprintf(type_of, sizeof(type_of), "%.*s", (int)strcspn(line + 7, " "), line + 7);
        else if (line[0] != '#')
            ck_assert_msg(strncmp(line, type_of, strcspn(line, "{ ")) == 0, "%s without TYPE", line);
    }
    regfree(&line_form);
    const char *out = buffer_string(&text);
    ck_assert_ptr_nonnull(strstr(out, "name=\"line\\nbreak \\\"x\\\"\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(out, "{stream=\"s\\\\t\",outcome=\"inserted\"} 12345678901\n"));
    ck_assert_ptr_nonnull(strstr(out, "ingestd_rate{stream=\"s\\\\t\"} 0.25\n"));
    ck_assert_ptr_nonnull(strstr(out, "ingestd_postgres_up 0\n"));
    ck_assert_ptr_nonnull(strstr(out, "ingestd_conditions{severity=\"failed\"} 1\n"));
    ck_assert_msg(!strstr(out, "ingestd_lag{"), "an unknown value has no sample");
}
END_TEST

START_TEST(metrics_tell_of_jobs)
{
    static const char *const wanted[] = {
        "\ningestd_job_last_success_timestamp_seconds{job=\"revenue\"} 1767323401.2\n",
        "\ningestd_job_last_duration_seconds{job=\"revenue\"} 1.15\n",
        "\ningestd_job_last_lateness_seconds{job=\"revenue\"} 0.012\n",
        "\n# TYPE ingestd_job_runs_total counter\n",
        "\ningestd_job_runs_total{job=\"revenue\",outcome=\"succeeded\"} 4321\n",
        "\ningestd_job_runs_total{job=\"nightly\",outcome=\"failed\"} 4\n",
        "\ningestd_job_runs_total{job=\"revenue\",outcome=\"skipped\"} 1\n",
        "\ningestd_job_failed_in_a_row{job=\"nightly\"} 4\n",
        "\ningestd_job_waiting{job=\"adhoc\"} 2\n",
        "\ningestd_job_running{job=\"adhoc\"} 1\n",
        "\ningestd_job_running{job=\"revenue\"} 0\n",
        "\ningestd_job_state{job=\"nightly\",state=\"failing\"} 1\n",
        "\ningestd_job_state{job=\"nightly\",state=\"idle\"} 0\n",
        "\ningestd_job_state{job=\"nightly\",state=\"unknown\"} 0\n",
        "\ningestd_scheduler_leads 1\n",
        "\ningestd_workers 1\n",
    };
    _cleanup_free_ char *metrics = get("GET", "/metrics");
    for (size_t i = 0; i < N_ELEMENTS(wanted); i++)
        ck_assert_msg(strstr(metrics, wanted[i]), "no %s", wanted[i]);
    ck_assert(!strstr(metrics, "timestamp_seconds{job=\"nightly\"}")); /* it never succeeded */
}
END_TEST

START_TEST(metrics_without_jobs)
{
    http_server_free(server);
    the_daemon.control.scheduler = NULL;
    ck_assert_int_eq(http_server_new(&the_daemon.control, "127.0.0.1:0", &server, NULL), 0);
    _cleanup_free_ char *metrics = get("GET", "/metrics");
    ck_assert_ptr_nonnull(strstr(metrics, "\ningestd_scheduler_leads 0\n"));
    ck_assert_ptr_nonnull(strstr(metrics, "\ningestd_workers 0\n"));
    ck_assert_ptr_null(strstr(metrics, "ingestd_job_"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http");
    TCase *tc = add_case(suite, "http", set_up, tear_down);
    tcase_add_test(tc, pages_and_codes);
    tcase_add_test(tc, health_says_what_is_wrong);
    tcase_add_test(tc, large_requests_are_refused);
    tcase_add_loop_test(tc, only_loopback_is_accepted, 0, N_ELEMENTS(bad_addresses));
    tcase_add_test(tc, a_taken_port_is_an_error);
    tcase_add_test(tc, metrics_are_well_formed);
    tcase_add_test(tc, metrics_tell_of_jobs);
    tcase_add_test(tc, metrics_without_jobs);
    return run_suite(suite);
}
