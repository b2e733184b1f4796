/*
 * The recipe of a load. Whoever holds the dataset's lock reads what is on record anew, decides whether this dump may
 * come, and which of its columns is which; then the dump is a first one or not. All that is refused is refused before
 * the transaction that writes; what fails in it is rolled back; both leave a row in ingest_dump where they can.
 */
#include "history/books.h"
#include "history/tables.h"
#include "history/work.h"
#include "util/clock.h"
#include "util/text.h"

/* ---- the lock ---- */

static char *lock_name(const struct history *h)
{
    return xasprintf("%s/%s", h->schema, h->place.table);
}

static int name_holder(struct history *h, const char *name, struct db_fault *fault)
{
    struct db_fault ignored;
    _cleanup_free_ char *holder = NULL;
    if (history_value(h, h->dialect->lock_holder, 1, &name, &holder, &ignored) < 0)
        holder = NULL;
    return history_fault(fault, true,
        "%s: another load of it is under way (%s), and was not over after %lld s", h->label,
        holder ? holder : "by whom is not known", (long long)(h->lock_timeout_us / US_PER_SEC));
}

static int lock(struct history *h, struct db_fault *fault)
{
    _cleanup_free_ char *name = lock_name(h), *got = NULL;
    const char *const parameters[] = {name};
    if (h->dialect->limit_waits && history_run(h, h->dialect->limit_waits, 0, NULL, NULL, fault) < 0)
        return -1;
    int result = history_value(h, h->dialect->lock, 1, parameters, &got, fault);
    if (result == 0 && got && strcmp(got, "1") == 0)
        return 0;
    if (result < 0 && strcmp(fault->sqlstate, "55P03") != 0)
        return -1;
    return name_holder(h, name, fault);
}

static void unlock(struct history *h)
{
    struct db_fault ignored;
    _cleanup_free_ char *name = lock_name(h);
    const char *const parameters[] = {name};
    history_run(h, h->dialect->unlock, 1, parameters, NULL, &ignored);
}

/* ---- may it come? ---- */

/* A dataset is of days or of moments, as its first dump was. */
static int check_kind(struct work *w, bool known, struct db_fault *fault)
{
    struct history *h = w->h;
    enum moment_kind kind = w->load->as_of ? moment_read(w->load->as_of, w->as_of) : MOMENT_NONE;
    if (kind == MOMENT_NONE)
        return work_refuse(w, fault,
            "the dump's date is none: give it as --as-of YYYY-MM-DD, or in UTC YYYY-MM-DD HH:MM:SS");
    if (!known)
        h->moments = kind == MOMENT_TIME;
    if (h->moments != (kind == MOMENT_TIME))
        return work_refuse(w, fault,
            "the dump is of %s, and the dataset keeps %s: give it one with --as-of, or load it into another "
            "table",
            w->as_of, h->moments ? "moments (YYYY-MM-DD HH:MM:SS), not days" : "days, not moments");
    return 0;
}

static int refuse_older(struct work *w, struct db_fault *fault)
{
    return work_refuse(w, fault,
        "the dump is of %s, and one of %s is loaded already: dumps come in the order of their dates; if the "
        "date is wrong, say --as-of",
        w->as_of, history_newest(w->h)->as_of);
}

/* An older one may be loaded already, by who held the lock before us; then that is found out by its bytes. */
static int check_date(struct work *w, struct db_fault *fault)
{
    const struct history_dump *newest = history_newest(w->h), *there = NULL;
    if (check_kind(w, newest != NULL, fault) < 0)
        return -1;
    if (!newest && w->load->partial)
        return work_refuse(w, fault,
            "a partial dump cannot be its first: load once all that there is, then what has changed since");
    int order = newest ? strcmp(w->as_of, newest->as_of) : 1;
    if (order > 0 || (order == 0 && !w->load->partial))
        return 0;
    if (!w->load->partial && books_find(w->h, w->as_of, NULL, &there, fault) < 0)
        return -1;
    return there ? 0 : refuse_older(w, fault);
}

static int refuse_another(struct work *w, struct db_fault *fault)
{
    const struct history_dump *newest = history_newest(w->h);
    if (strcmp(w->as_of, newest->as_of) < 0)
        return refuse_older(w, fault);
    return work_refuse(w, fault,
        "another dump of %s is loaded already (number %lld), with other bytes: if this one is of another "
        "date, say --as-of",
        newest->as_of, (long long)newest->id);
}

/* The same date again: nothing to do when it is the same dump; else which of the two is right is not for us to say. */
static int check_again(struct work *w, struct db_fault *fault)
{
    const struct history_dump *same = NULL;
    struct merge_row row;
    int got;
    while ((got = screen_next(&w->screen, &row, fault)) > 0)
        work_tell(w, "comparing", w->screen.rows);
    if (got < 0 || work_complete(w, fault) < 0)
        return -1;
    if (w->dump.sha256 && books_find(w->h, w->as_of, w->dump.sha256, &same, fault) < 0)
        return -1;
    if (!same)
        return refuse_another(w, fault);
    w->nothing_new = true;
    w->counts.unchanged = w->counts.rows - w->counts.rejected;
    w->counts.current = w->h->newest.present;
    buffer_reset(&w->notes, 0);
    buffer_printf(
        &w->notes, "this dump is loaded already, as number %lld: nothing was written\n", (long long)same->id);
    return 0;
}

/* ---- which column is which ---- */

static int mark_key(struct work *w, const char *word, struct db_fault *fault)
{
    struct columns *c = &w->h->columns;
    struct column *column = columns_find(c, word);
    if (column && column->dumped) {
        column->is_key = true;
        return 0;
    }
    const char *near = text_suggest(word, w->load->source->columns, w->load->source->n_columns);
    return work_refuse(w, fault, "the key's column %.100s is not in the dump%s%.100s%s: name one with --key",
        word, near ? " (is it " : "", near ? near : "", near ? "?)" : "");
}

static bool is_one_of(const struct column *column, const struct history_load *load)
{
    for (size_t i = 0; i < load->n_key; i++)
        if (strcmp(load->key[i], column->header) == 0 || strcmp(load->key[i], column->name) == 0)
            return true;
    return false;
}

/* A dataset keeps its key. */
static int check_known_key(struct work *w, struct db_fault *fault)
{
    const struct columns *c = &w->h->columns;
    size_t n_key = 0, n_named = 0;
    for (size_t i = 0; i < c->n; i++) {
        const struct column *column = &c->list[i];
        n_key += column->is_key;
        n_named += column->is_key && is_one_of(column, w->load);
        if (column->is_key && !column->dumped)
            return work_refuse(w, fault,
                "the key's column %.100s is not in the dump: is it a dump of this dataset?", column->header);
    }
    if (w->load->n_key > 0 && (n_named != n_key || w->load->n_key != n_key)) {
        _cleanup_free_ char *names = history_name_list(w->h, "", true);
        return work_refuse(w, fault,
            "its key is %.300s and cannot become another: leave out --key, or load into another "
            "table",
            names);
    }
    return 0;
}

static int choose_key(struct work *w, bool known, struct db_fault *fault)
{
    if (known)
        return check_known_key(w, fault);
    if (w->load->n_key > KEY_COLUMNS_MAX)
        return work_refuse(
            w, fault, "a key of %zu columns: at most %d are possible", w->load->n_key, KEY_COLUMNS_MAX);
    if (w->load->n_key == 0)
        w->h->columns.list[w->map[0]].is_key = true;
    for (size_t i = 0; i < w->load->n_key; i++)
        if (mark_key(w, w->load->key[i], fault) < 0)
            return -1;
    return 0;
}

static void note_columns(struct work *w, bool known)
{
    for (size_t i = 0; known && i < w->h->columns.n; i++) {
        const struct column *c = &w->h->columns.list[i];
        if (!c->in_dumps && c->dumped)
            buffer_printf(&w->notes, "column %s is new\n", c->name);
        else if (!c->dumped && c->in_dumps)
            buffer_printf(&w->notes, "column %s is not in this dump: its values stay\n", c->name);
    }
}

static void sort_columns(struct work *w)
{
    size_t n = w->h->columns.n;
    w->key = xcalloc(n, sizeof(*w->key));
    w->compared = xcalloc(n, sizeof(*w->compared));
    w->kept = xcalloc(n, sizeof(*w->kept));
    for (size_t i = 0; i < n; i++) {
        const struct column *c = &w->h->columns.list[i];
        if (c->is_key)
            w->key[w->n_key++] = i;
        else if (c->dumped)
            w->compared[w->n_compared++] = i;
        else
            w->kept[w->n_kept++] = i;
    }
}

static int match_columns(struct work *w, bool known, struct db_fault *fault)
{
    struct history *h = w->h;
    struct source *source = w->load->source;
    if (source->n_columns == 0)
        return work_refuse(w, fault, "the dump has no columns");
    w->map = xcalloc(source->n_columns, sizeof(*w->map));
    columns_match(&h->columns, source->columns, source->n_columns, w->map);
    if (h->columns.n > h->dialect->columns_max)
        return work_refuse(w, fault,
            "%zu columns, with those of earlier dumps: the database has room for %zu in a table",
            h->columns.n, h->dialect->columns_max);
    if (choose_key(w, known, fault) < 0)
        return -1;
    note_columns(w, known);
    sort_columns(w);
    history_mark_columns(h);
    history_try(h, h->dialect->matched);
    screen_init(&w->screen, h->columns.n);
    w->screen.source = source;
    w->screen.map = w->map;
    w->screen.key = w->key;
    w->screen.n_key = w->n_key;
    w->screen.unread_key = xcalloc(w->n_key, sizeof(*w->screen.unread_key));
    w->screen.key_max = history_key_max(w->n_key);
    w->screen.cell_most = h->dialect->cell_most;
    w->screen.row_most = h->dialect->row_most;
    w->screen.rejects = &w->rejects;
    return work_give_types(w, known, fault);
}

/* ---- all of it ---- */

static int load_dump(struct work *w, struct db_fault *fault)
{
    struct history *h = w->h;
    if (books_read(h, fault) < 0 || check_date(w, fault) < 0 || tables_check(h, fault) < 0 ||
        tables_look(h, fault) < 0)
        return -1;
    bool known = history_newest(h) != NULL;
    if (!known && w->load->dry_run)
        columns_done(&h->columns); /* a first load that did not come to its end may have left some */
    if (!known && h->columns.n > 0 && tables_clear(h, fault) < 0)
        return -1;
    if (match_columns(w, known, fault) < 0)
        return -1;
    if (known && strcmp(w->as_of, history_newest(h)->as_of) <= 0)
        return check_again(w, fault);
    if (!w->load->dry_run && books_make(h, fault) < 0)
        return -1;
    return known ? work_next_load(w, fault) : work_first_load(w, fault);
}

/* An attempt that came to nothing is on record too, where that can be. */
static void record_attempt(struct work *w, const struct db_fault *why)
{
    struct history *h = w->h;
    struct db_fault ignored;
    struct history_counts none = {.rows = w->screen.rows, .rejected = w->rejects.n};
    struct attempt a = {.load = w->load,
        .dump = &w->dump,
        .counts = &none,
        .error = why->error.text,
        .started_us = w->started_us};
    if (!h->books || w->load->dry_run || !w->as_of[0] || history_run(h, "BEGIN", 0, NULL, NULL, &ignored) < 0)
        return;
    const char *status = w->refused ? "refused" : "failed";
    bool ok = books_begin_dump(h, w->as_of, w->load->partial, status, &a.id, &ignored) == 0 &&
              books_end_dump(h, &a, &ignored) == 0;
    history_run(h, ok ? "COMMIT" : "ROLLBACK", 0, NULL, NULL, &ignored);
}

/* What is left behind: nothing. */
static void clean_up(struct work *w, int result, const struct db_fault *why, bool unordered)
{
    struct db_fault ignored;
    struct history *h = w->h;
    if (result < 0)
        history_run(h, "ROLLBACK", 0, NULL, NULL, &ignored);
    history_run(h, "{drop temporary} IF EXISTS {delta}", 0, NULL, NULL, &ignored);
    if (result < 0 && !unordered)
        record_attempt(w, why);
    books_read(h, &ignored);
    unlock(h);
}

enum history_outcome history_load(struct history *h, const struct history_load *load,
    struct history_counts *ret_counts, char **ret_notes, struct db_fault *fault)
{
    struct work w = {.h = h, .load = load, .dump = load->dump, .started_us = clock_wall_us()};
    *fault = (struct db_fault){0};
    if (lock(h, fault) < 0)
        return HISTORY_FAILED;
    int result = load_dump(&w, fault);
    bool unordered = result < 0 && w.merge && merge_is_unordered(w.merge);
    struct db_fault why = *fault;
    clean_up(&w, result, &why, unordered);
    if (result == 0) {
        *ret_counts = w.counts;
        *ret_notes = xstrdup(buffer_string(&w.notes));
    }
    work_done(&w);
    if (result < 0)
        return unordered ? HISTORY_UNORDERED : HISTORY_FAILED;
    return w.nothing_new ? HISTORY_NOTHING_NEW : HISTORY_LOADED;
}
