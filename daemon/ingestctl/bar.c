#include "bar.h"

#include "util/clock.h"
#include "util/text.h"
#include "view.h"

#include <sys/ioctl.h>

#define LINE_EVERY    (5 * US_PER_SEC)
#define WIDEST_BAR    32
#define NARROWEST_BAR 8

static void put_rate(struct buffer *to, double rate)
{
    char count[28];
    if (rate < 10)
        buffer_printf(to, "%.1f/s", rate);
    else
        buffer_printf(to, "%s/s", text_count((uint64_t)rate, count));
}

static bool are_bytes(const struct bar_reading *r)
{
    return strcmp(r->unit, "bytes") == 0;
}

static const char *amount(const struct bar_reading *r, double n, char out[32])
{
    uint64_t v = (uint64_t)MAX(n, 0);
    return are_bytes(r) ? text_bytes(v, out) : text_count(v, out);
}

/* "312.0 MB/400.0 MB", "312/1,000 windows". */
static void put_amounts(struct buffer *to, const struct bar_reading *now, bool plain)
{
    char done[32], total[32];
    buffer_put_string(to, amount(now, now->done, done));
    if (now->total >= 1)
        buffer_printf(to, "%s%s", plain ? " of " : "/", amount(now, now->total, total));
    if (!are_bytes(now))
        buffer_printf(to, " %s", now->unit);
    if (now->rows > 0)
        buffer_printf(to, "%s%s rows", plain ? ", " : "  ", text_count((uint64_t)now->rows, done));
}

/* "312/1,000 windows  12/s  57s left", as far as it is known. */
static void put_counts(struct buffer *to, const struct bar_reading *since, const struct bar_reading *now,
    int64_t elapsed_us, bool plain)
{
    char left[32], speed[32];
    const char *gap = plain ? ", " : "  ";
    double gone = now->done - since->done, rate = elapsed_us > 0 ? gone * US_PER_SEC / (double)elapsed_us : 0;
    put_amounts(to, now, plain);
    if (rate <= 0)
        return;
    buffer_put_string(to, gap);
    if (are_bytes(now))
        buffer_printf(to, "%s/s", text_bytes((uint64_t)rate, speed));
    else
        put_rate(to, rate);
    double seconds = (now->total - now->done) / rate;
    if (now->total > now->done && seconds < 1e9)
        buffer_printf(to, "%s%s left", gap, view_seconds(seconds + 1, left));
}

static void put_bar(struct buffer *to, double part, size_t width)
{
    size_t full = (size_t)(part * (double)width);
    for (size_t i = 0; i < width; i++)
        buffer_put_string(to, i < full ? "█" : "░");
    buffer_put_string(to, "  ");
}

/* At most n characters: a line that wraps could not be drawn over. */
static void cut(struct buffer *line, size_t n)
{
    size_t at = 0;
    for (size_t seen = 0; at < line->n; at++)
        if (((unsigned char)line->p[at] & 0xc0) != 0x80 && seen++ == n)
            break;
    line->n = at;
}

static void put_elapsed(struct buffer *to, const struct bar_reading *now, int64_t elapsed_us)
{
    char words[32];
    buffer_printf(to, "%s  %s", now->what, view_seconds((double)elapsed_us / (double)US_PER_SEC, words));
}

void bar_words(struct buffer *to, const struct bar_reading *since, const struct bar_reading *now,
    int64_t elapsed_us, int columns)
{
    bool plain = columns <= 0;
    if (!now->unit[0]) {
        put_elapsed(to, now, elapsed_us);
    } else if (plain) {
        buffer_printf(to, "%s: ", now->what);
        put_counts(to, since, now, elapsed_us, true);
    } else {
        _cleanup_buffer_ struct buffer counts = {0};
        put_counts(&counts, since, now, elapsed_us, false);
        size_t words = text_utf8_length(now->what, strlen(now->what)) + counts.n + 4;
        size_t room = (size_t)columns > words ? (size_t)columns - words : 0;
        buffer_printf(to, "%s  ", now->what);
        if (now->total >= 1 && room >= NARROWEST_BAR)
            put_bar(to, MAX(MIN(now->done / now->total, 1), 0), MIN(room, WIDEST_BAR));
        buffer_put(to, counts.p, counts.n);
    }
    if (!plain)
        cut(to, (size_t)columns);
}

static int screen_columns(void)
{
    struct winsize size = {0};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2 ? 79 : size.ws_col - 1;
}

static void begin(struct bar *b, const struct bar_reading *now, int64_t now_us)
{
    b->begun = true;
    b->first = *now;
    b->first_us = now_us;
}

void bar_show(struct bar *b, const struct bar_reading *now)
{
    int64_t now_us = clock_mono_us();
    _cleanup_buffer_ struct buffer words = {0};
    if (!b->begun || strcmp(b->first.what, now->what) != 0 || strcmp(b->first.unit, now->unit) != 0 ||
        now->done < b->first.done)
        begin(b, now, now_us);
    if (b->form == BAR_NONE || (b->form == BAR_LINES && b->line_us && now_us - b->line_us < LINE_EVERY))
        return;
    b->line_us = now_us;
    bar_words(&words, &b->first, now, now_us - b->first_us, b->form == BAR_DRAWN ? screen_columns() : 0);
    if (b->form == BAR_DRAWN)
        printf("\r%s\033[K", buffer_string(&words));
    else
        puts(buffer_string(&words));
    b->on_screen = b->form == BAR_DRAWN;
    fflush(stdout);
}

void bar_clear(struct bar *b)
{
    if (b->on_screen)
        fputs("\r\033[K", stdout);
    b->on_screen = false;
    fflush(stdout);
}
