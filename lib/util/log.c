#define SD_JOURNAL_SUPPRESS_LOCATION
#include "util/log.h"

#include "util/clock.h"

#include <stdarg.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>

static enum log_level max_level = LOG_LEVEL_INFO;

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_NOTICE] = "notice",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

void log_set_level(enum log_level level)
{
    max_level = level;
}

int log_level_from_string(const char *word)
{
    for (size_t i = LOG_LEVEL_ERROR; i < N_ELEMENTS(level_names); i++)
        if (strcmp(level_names[i], word) == 0)
            return (int)i;
    return -1;
}

/* systemd names the device and inode it gave us as stderr, so a redirected stderr is told apart
 * (sd-daemon(3)). */
static bool stderr_is_journal(void)
{
    static int known = -1;
    if (known >= 0)
        return known;
    unsigned long long dev, ino;
    struct stat st;
    const char *e = getenv("JOURNAL_STREAM");
    known = e && sscanf(e, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
            st.st_dev == dev && st.st_ino == ino;
    return known;
}

static void to_journal(
    enum log_level level, const char *room, const struct log_about *about, const char *words)
{
    char store[7][640];
    struct iovec iov[7];
    int n = 0;
    const struct {
        const char *name, *value;
    } fields[] = {
        {"INGESTD_ROOM", room},
        {"INGESTD_STREAM", about->stream},
        {"INGESTD_ENTRY", about->entry},
        {"INGESTD_SQLSTATE", about->sqlstate},
        {"INGESTD_CONSTRAINT", about->constraint},
    };
    for (size_t i = 0; i < N_ELEMENTS(fields); i++)
        if (fields[i].value) {
            snprintf(store[n], sizeof(store[n]), "%s=%s", fields[i].name, fields[i].value);
            n++;
        }
    snprintf(store[n++], sizeof(store[0]), "PRIORITY=%d", (int)level);
    snprintf(store[n++], sizeof(store[0]), "MESSAGE=%s%s%s", about->stream ? about->stream : "",
        about->stream ? ": " : "", words);
    for (int i = 0; i < n; i++)
        iov[i] = (struct iovec){store[i], strlen(store[i])};
    sd_journal_sendv(iov, n);
}

/* What peers put into our words must not break the line or steer a terminal. */
static void make_printable(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = ' ';
}

void log_line(enum log_level level, const char *room, const struct log_about *about, const char *fmt, ...)
{
    static const struct log_about nothing;
    if (level > max_level)
        return;
    if (!about)
        about = &nothing;
    char words[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    make_printable(words);
    if (stderr_is_journal()) {
        to_journal(level, room, about, words);
        return;
    }
    char when[40];
    clock_format_utc(clock_wall_us(), when, sizeof(when));
    fprintf(stderr, "%s %s %s%s%s: %s%s%s%s%s\n", when, level_names[level], room, about->stream ? " " : "",
        about->stream ? about->stream : "", words, about->entry ? " entry=" : "",
        about->entry ? about->entry : "", about->sqlstate ? " sqlstate=" : "",
        about->sqlstate ? about->sqlstate : "");
}
