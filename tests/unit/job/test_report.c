/* What a worker says comes out as it was said; what is no report is refused. */
#include "job/report.h"
#include "util/cleanup.h"

#include "../util/suite.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

/* -- what the worker writes, read back ------------------------------------------------------------------- */

static int saved, file;

/* From here to stop_taking() the standard output is a file of ours. */
static void take_output(void)
{
    fflush(stdout);
    saved = dup(STDOUT_FILENO);
    file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    ck_assert_int_ge(file, 0);
    dup2(file, STDOUT_FILENO);
}

static char *stop_taking(void)
{
    dup2(saved, STDOUT_FILENO);
    close(saved);
    off_t n = lseek(file, 0, SEEK_END);
    char *text = xcalloc((size_t)n + 1, 1);
    ck_assert_int_eq(pread(file, text, (size_t)n, 0), n);
    close(file);
    return text;
}

/* Exactly one line. */
static struct report read_back(void)
{
    _cleanup_free_ char *text = stop_taking();
    size_t n = strlen(text);
    ck_assert_uint_gt(n, 1);
    ck_assert_ptr_eq(strchr(text, '\n'), text + n - 1);
    struct report r;
    struct error err = {""};
    ck_assert_msg(report_parse(text, n - 1, &r, &err) == 0, "%s in %s", err.text, text);
    return r;
}

static void progress_is(
    const struct report *r, const char *stage, const char *unit, int64_t done, int64_t total)
{
    ck_assert_int_eq(r->kind, REPORT_PROGRESS);
    ck_assert_str_eq(r->progress.stage, stage);
    ck_assert_str_eq(r->progress.unit, unit);
    ck_assert_int_eq(r->progress.done, done);
    ck_assert_int_eq(r->progress.total, total);
}

START_TEST(progress)
{
    take_output();
    report_progress("compute", "windows", INT64_MAX, -1);
    _cleanup_report_ struct report r = read_back();
    progress_is(&r, "compute", "windows", INT64_MAX, -1);
}
END_TEST

START_TEST(progress_that_does_not_fit)
{
    take_output();
    report_progress("a stage whose name is longer than anybody want\xc3\xa4", "\x1b[2J\xff", -5, -7);
    _cleanup_report_ struct report r = read_back();
    progress_is(&r, "a stage whose name is longer than anybody want", " [2J?", 0, -1);
}
END_TEST

START_TEST(done)
{
    take_output();
    cJSON *stats = cJSON_CreateObject();
    cJSON_AddStringToObject(stats, "words", "\"\n\\");
    report_done(stats);
    _cleanup_report_ struct report r = read_back();
    ck_assert_int_eq(r.kind, REPORT_DONE);
    ck_assert_str_eq(cJSON_GetObjectItem(r.stats, "words")->valuestring, "\"\n\\");
}
END_TEST

START_TEST(done_with_too_much)
{
    take_output();
    cJSON *stats = cJSON_CreateObject();
    _cleanup_free_ char *much = xcalloc(REPORT_LINE_MAX + 1, 1);
    memset(much, 'x', REPORT_LINE_MAX);
    cJSON_AddStringToObject(stats, "words", much);
    report_done(stats);
    _cleanup_report_ struct report r = read_back();
    ck_assert_int_eq(r.kind, REPORT_DONE);
    ck_assert_ptr_nonnull(cJSON_GetObjectItem(r.stats, "warning"));
}
END_TEST

START_TEST(failed)
{
    take_output();
    report_failed("relation \"x\" is \xc3\xbc"
                  "ble,\nand \x1b[31mred",
        "42P01", true);
    _cleanup_report_ struct report r = read_back();
    ck_assert_int_eq(r.kind, REPORT_FAILED);
    ck_assert_str_eq(r.error, "relation \"x\" is \xc3\xbc"
                              "ble, and  [31mred");
    ck_assert_str_eq(r.sqlstate, "42P01");
    ck_assert(r.transient);
}
END_TEST

START_TEST(failed_with_bytes_and_much)
{
    _cleanup_free_ char *much = xcalloc(100001, 1);
    memset(much, 0xff, 100000);
    take_output();
    report_failed(much, NULL, false);
    _cleanup_report_ struct report r = read_back();
    ck_assert_uint_eq(strlen(r.error), 4096);
    ck_assert_uint_eq(strspn(r.error, "?"), 4096);
    ck_assert_str_eq(r.sqlstate, "");
}
END_TEST

/* A worker that nobody listens to ends, whatever SIGPIPE is set to. */
START_TEST(nobody_listens)
{
    int ends[2], status;
    ck_assert_int_eq(pipe(ends), 0);
    close(ends[0]);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGPIPE, SIG_IGN);
        dup2(ends[1], STDOUT_FILENO);
        report_progress("compute", "", 0, -1);
        _exit(77);
    }
    close(ends[1]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
}
END_TEST

/* -- what the daemon refuses ----------------------------------------------------------------------------- */

#define STAGE(name, outcome, us)                                                                             \
    "{\"stage\": {\"name\": " name ", \"outcome\": " outcome ", \"us\": " us                                 \
    ", \"rows\": 1, \"bytes\": 1, \"attempts\": 1, \"error\": \"\"}}"

START_TEST(refused)
{
    static const char *const lines[] = {"", "{}", "[]", "null", "done", "{\"done\": 5}", "{\"done\": []}",
        "{\"done\": {}, \"failed\": {}}", "{\"done\": {}} {}", "{\"done\": {}", "{\"Done\": {}}",
        "{\"over\": {}}", "{\"progress\": {}}",
        "{\"progress\": {\"stage\": \"x\", \"unit\": \"\", \"done\": 1}}",
        "{\"progress\": {\"stage\": \"x\", \"unit\": \"\", \"done\": -1, \"total\": 1}}",
        "{\"progress\": {\"stage\": \"x\", \"unit\": \"\", \"done\": 1, \"total\": -2}}",
        "{\"progress\": {\"stage\": \"x\", \"unit\": \"\", \"done\": 1.5, \"total\": 2}}",
        "{\"progress\": {\"stage\": 1, \"unit\": \"\", \"done\": 1, \"total\": 2}}",
        "{\"progress\": {\"stage\": \"\\u001b[2J\", \"unit\": \"\", \"done\": 1, \"total\": 2}}",
        "{\"stage\": {}}", "{\"stage\": []}", STAGE("\"\"", "\"done\"", "1"), STAGE("1", "\"done\"", "1"),
        STAGE("\"x\"", "\"over\"", "1"), STAGE("\"x\"", "1", "1"), STAGE("\"x\"", "\"done\"", "-1"),
        STAGE("\"x\"", "\"done\"", "1.5"), STAGE("\"x\"", "\"done\"", "null"),
        STAGE("\"\\u001b[2J\"", "\"done\"", "1"), STAGE("\"xxxxxxxxxxxxxxxxxxxxxxxx\"", "\"done\"", "1"),
        ("{\"stage\": {\"name\": \"x\", \"outcome\": \"done\", \"rows\": 1, \"bytes\": 1, \"us\": 1, "
         "\"attempts\": 1}}"),
        "{\"failed\": {}}", "{\"failed\": {\"error\": 1, \"sqlstate\": \"\", \"transient\": false}}",
        "{\"failed\": {\"error\": \"x\", \"sqlstate\": \"123456\", \"transient\": false}}",
        "{\"failed\": {\"error\": \"x\", \"sqlstate\": \"\", \"transient\": 0}}",
        "{\"failed\": {\"error\": \"x\", \"sqlstate\": \"\"}}", "{\"failed\": \"\xff\"}"};
    for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
        struct report r;
        struct error err = {""};
        ck_assert_msg(report_parse(lines[i], strlen(lines[i]), &r, &err) < 0, "taken: %s", lines[i]);
        ck_assert_str_ne(err.text, "");
    }
}
END_TEST

static void word_lengths(int stage, int unit, int expected)
{
    struct report r = {0};
    _cleanup_free_ char *line =
        xasprintf("{\"progress\": {\"stage\": \"%0*d\", \"unit\": \"%0*d\", \"done\": 1, \"total\": 2}}",
            stage, 0, unit, 0);
    ck_assert_int_eq(report_parse(line, strlen(line), &r, NULL), expected);
    report_clear(&r);
}

START_TEST(bytes_and_rows)
{
    take_output();
    report_bytes("load", 5, 9, 3);
    _cleanup_report_ struct report r = read_back();
    progress_is(&r, "load", "bytes", 5, 9);
    ck_assert_int_eq(r.progress.rows, 3);
}
END_TEST

static void words_are(const struct stage_told *s, const char *words)
{
    _cleanup_buffer_ struct buffer text = {0};
    stage_told_words(s, &text);
    ck_assert_str_eq(buffer_string(&text), words);
}

START_TEST(stages)
{
    const struct stage_told told[] = {
        {"load", STAGE_DONE, 1500000, 43200000, 2100000, 1, ""},
        {"publish", STAGE_DONE, 0, 340, 1000, 2, ""},
        {"stage", STAGE_DONE, 1, 0, 0, 1, ""},
        {"load", STAGE_AGAIN, 5, 6, 3000000, 1, "503"},
        {"transform", STAGE_FAILED, INT64_MAX, INT64_MAX, 3000000, 1, "it is no SQL"},
    };
    static const char *const words[] = {"load: 1,500,000 rows, 41.2 MB in 2.1s",
        "publish: 340 B in 1.0 ms, attempt 2", "stage: 1 row in 0.0 ms",
        "load: failed and is tried again, after 3.0s: 503", "transform: failed, after 3.0s"};
    for (size_t i = 0; i < N_ELEMENTS(told); i++) {
        take_output();
        report_stage(&told[i]);
        _cleanup_report_ struct report r = read_back();
        const struct stage_told *s = &r.stage;
        ck_assert_int_eq(r.kind, REPORT_STAGE);
        ck_assert_str_eq(s->name, told[i].name);
        ck_assert_str_eq(s->error, told[i].error);
        ck_assert_int_eq(s->outcome, told[i].outcome);
        ck_assert(s->rows == told[i].rows && s->bytes == told[i].bytes && s->us == told[i].us &&
                  s->attempts == told[i].attempts);
        words_are(s, words[i]);
    }
}
END_TEST

START_TEST(a_stage_that_does_not_fit)
{
    struct stage_told told = {.name = "a stage with a long nam", .outcome = STAGE_FAILED};
    memset(told.error, 'x', sizeof(told.error) - 1);
    memcpy(told.error, "\x1b[2J\xff", 5);
    take_output();
    report_stage(&told);
    _cleanup_report_ struct report r = read_back();
    ck_assert_str_eq(r.stage.name, told.name);
    ck_assert_uint_eq(strlen(r.stage.error), sizeof(told.error) - 1);
    ck_assert_int_eq(strncmp(r.stage.error, " [2J?xx", 7), 0);
}
END_TEST

/* A row of these cells, put together from its lines again. */
static void row_there_and_back(bool head, size_t n, const struct slice *cells, size_t least_lines)
{
    take_output();
    report_row(head, n, cells);
    _cleanup_free_ char *text = stop_taking();
    _cleanup_buffer_ struct buffer cell = {0};
    size_t i = 0, n_lines = 0;
    bool open = true;
    for (char *line = text; *line; n_lines++) {
        size_t length = strcspn(line, "\n");
        _cleanup_report_ struct report r = {0};
        ck_assert(
            open && report_parse(line, length, &r, NULL) == 0 && r.kind == REPORT_ROW && r.head == head);
        for (const cJSON *c = r.cells->child; c; c = c->next) {
            buffer_put_string(&cell, cJSON_IsNull(c) ? "(null)" : c->valuestring);
            if (!c->next && r.more == REPORT_MORE_OF_CELL)
                break;
            ck_assert_uint_lt(i, n);
            const char *wanted = cells[i].p ? cells[i].p : "(null)";
            ck_assert_uint_eq(cell.n, cells[i].p ? cells[i].n : 6);
            ck_assert_int_eq(memcmp(cell.p ? cell.p : "", wanted, cell.n), 0);
            cell.n = 0;
            i++;
        }
        open = r.more != REPORT_WHOLE;
        line += length + 1;
    }
    ck_assert(!open && i == n && n_lines >= least_lines);
}

START_TEST(rows)
{
    enum { LONG = 3 * REPORT_LINE_MAX, MANY = 20000 };
    struct slice few[] = {SLICE("a\nb"), {NULL, 0}, SLICE(""), SLICE("\xc3\xa4")};
    row_there_and_back(true, 4, few, 1);
    row_there_and_back(false, 0, NULL, 1);
    _cleanup_free_ char *text = xcalloc(LONG + 1, 1);
    for (size_t i = 0; i < LONG; i++)
        text[i] = "\xe2\x82\xac"[i % 3];
    struct slice much[] = {SLICE("x"), {text, LONG}, {NULL, 0}, {text, LONG}};
    row_there_and_back(false, 4, much, 7);
    struct slice *many = xcalloc(MANY, sizeof(*many));
    for (size_t i = 0; i < MANY; i++)
        many[i] = SLICE("\x01\x02\x03");
    row_there_and_back(false, MANY, many, 2);
    free(many);
}
END_TEST

START_TEST(bytes_in_a_row)
{
    take_output();
    report_row(false, 2, (const struct slice[]){{"\xff\x00\x1a", 3}, {"a\0b", 3}});
    _cleanup_report_ struct report r = read_back();
    ck_assert_str_eq(cJSON_GetArrayItem(r.cells, 0)->valuestring, "\\xff001a");
    ck_assert_str_eq(cJSON_GetArrayItem(r.cells, 1)->valuestring, "\\x610062");
}
END_TEST

START_TEST(words_that_do_not_fit)
{
    word_lengths(47, 23, 0);
    word_lengths(48, 23, -1);
    word_lengths(47, 24, -1);
}
END_TEST

START_TEST(the_longest_line)
{
    struct report r;
    _cleanup_free_ char *line = xcalloc(REPORT_LINE_MAX + 2, 1);
    snprintf(line, REPORT_LINE_MAX + 2, "%-*s", REPORT_LINE_MAX + 1, "{\"done\": {}}");
    ck_assert_int_eq(report_parse(line, REPORT_LINE_MAX, &r, NULL), 0);
    report_clear(&r);
    ck_assert_int_lt(report_parse(line, REPORT_LINE_MAX + 1, &r, NULL), 0);
}
END_TEST

START_TEST(rows_are_kept_apart)
{
    cJSON *stats = cJSON_Parse("{\"a\": 1, \"result\": [[1]], \"columns\": [\"c\"], \"truncated\": false}");
    cJSON *result = report_take_result(stats);
    char *left = cJSON_PrintUnformatted(stats), *taken = cJSON_PrintUnformatted(result);
    ck_assert_str_eq(left, "{\"a\":1}");
    ck_assert_str_eq(taken, "{\"columns\":[\"c\"],\"rows\":[[1]],\"truncated\":false}");
    ck_assert_ptr_null(report_take_result(stats));
    cJSON_free(left);
    cJSON_free(taken);
    cJSON_Delete(result);
    cJSON_Delete(stats);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {progress, progress_that_does_not_fit, done, done_with_too_much, failed,
        failed_with_bytes_and_much, nobody_listens, bytes_and_rows, stages, a_stage_that_does_not_fit, rows,
        bytes_in_a_row, refused, words_that_do_not_fit, the_longest_line, rows_are_kept_apart};
    return run_tests("report", tests, N_ELEMENTS(tests));
}
