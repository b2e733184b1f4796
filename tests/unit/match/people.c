#include "people.h"

const char *const tie_names[TIES_MAX] = {"location", "specialty", "class"};

void lines_add(struct lines *lines, const char *line)
{
    if ((lines->n & (lines->n + 1)) == 0) /* there is room up to the next power of two */
        lines->list = xrealloc(lines->list, 2 * (lines->n + 1), sizeof(*lines->list));
    lines->list[lines->n++] = xstrdup(line);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void lines_sort(struct lines *lines)
{
    if (lines->n)
        qsort(lines->list, lines->n, sizeof(*lines->list), compare_lines);
}

void lines_done(struct lines *lines)
{
    for (size_t i = 0; i < lines->n; i++)
        free(lines->list[i]);
    free(lines->list);
    *lines = (struct lines){0};
}

void lines_compare(const struct lines *got, const struct lines *wanted)
{
    for (size_t i = 0; i < MIN(got->n, wanted->n); i++)
        if (strcmp(got->list[i], wanted->list[i]) != 0)
            ck_abort_msg("got    '%s'\nwanted '%s'", got->list[i], wanted->list[i]);
    if (got->n > wanted->n)
        ck_abort_msg("got '%s' beside", got->list[wanted->n]);
    if (wanted->n > got->n)
        ck_abort_msg("wanted '%s' beside", wanted->list[got->n]);
}

static void put_id(struct buffer *line, const struct match_row *row)
{
    if (row)
        buffer_printf(line, " %.*s", (int)row->cells[0].n, row->cells[0].p);
    else
        buffer_put_string(line, " -");
}

static int keep_line(void *arg, const struct match_result *result, struct error *err)
{
    struct lines *lines = arg;
    _cleanup_buffer_ struct buffer line = {0};
    if (lines->fail_at && lines->n == lines->fail_at)
        return error_set(err, "no more can be taken");
    buffer_printf(&line, "%s %s", match_outcomes[result->outcome], result->reason);
    put_id(&line, result->left);
    put_id(&line, result->right);
    if (result->outcome == MATCH_AMBIGUOUS)
        buffer_printf(&line, " of %lld:", (long long)result->n_candidates);
    for (size_t i = 0; i < result->n_named; i++)
        buffer_printf(&line, " %.*s", (int)result->named[i].n, result->named[i].p);
    lines_add(lines, buffer_string(&line));
    return 0;
}

static bool is_dropped(const void *arg, int64_t number)
{
    const struct people *people = arg;
    return people->list[number].dropped;
}

/* Its cells are the id, the tie-breaks, and one to carry. */
static void put_person(struct sorter *to, const struct people *people, size_t i, size_t n_ties)
{
    const struct person *p = &people->list[i];
    struct source_cell cells[2 + TIES_MAX] = {{p->id, strlen(p->id)}};
    _cleanup_buffer_ struct buffer key = {0}, bytes = {0};
    struct error err;
    for (size_t t = 0; t < n_ties; t++)
        if (p->ties[t])
            cells[1 + t] = (struct source_cell){p->ties[t], strlen(p->ties[t])};
    cells[1 + n_ties] = (struct source_cell){"carried", 7};
    buffer_put(&key, (char[]){p->key ? MATCH_KEYED : MATCH_KEYLESS}, 1);
    buffer_put_string(&key, p->key ? p->key : "");
    struct match_row row = {(int64_t)i, ACTIVITY_WITHIN, 2 + n_ties, cells};
    ck_assert(match_row_put(&bytes, &row));
    if (sorter_put(to, (struct slice){key.p, key.n}, (struct slice){bytes.p, bytes.n}, &err) < 0)
        ck_abort_msg("%s", err.text);
}

static struct sorter *stage(const char *path, struct people *people, struct match_share *share, size_t n_ties)
{
    struct sorter_options options = {.path = path, .memory = 65536, .share = share, .part = 0.3};
    struct sorter *sorter;
    struct error err;
    *share = (struct match_share){.fraction = people->fraction};
    if (sorter_open(&options, &sorter, &err) < 0)
        ck_abort_msg("%s", err.text);
    for (size_t i = 0; i < people->n; i++) {
        share->rows++;
        put_person(sorter, people, i, n_ties);
    }
    return sorter;
}

int people_join(struct people sides[2], size_t n_ties, struct lines *ret_lines,
    struct join_counts *ret_counts, struct error *err)
{
    char folder[FOLDER_MAX], path[2][FOLDER_MAX + 8];
    struct match_share shares[2];
    struct sorter *rows[2];
    struct join_side of[2];
    new_folder(folder);
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof(path[i]), "%s/rows-%d", folder, i);
        rows[i] = stage(path[i], &sides[i], &shares[i], n_ties);
        of[i] = (struct join_side){rows[i], &shares[i], 2 + n_ties, is_dropped, &sides[i]};
    }
    struct join_options options = {.left = of[0],
        .right = of[1],
        .folder = folder,
        .memory = 1 << 20,
        .n_tie_breaks = n_ties,
        .tie_breaks = tie_names,
        .emit = keep_line,
        .arg = ret_lines};
    int done = match_join(&options, ret_counts, err);
    for (int i = 0; i < 2; i++) {
        sorter_free(rows[i]);
        sides[i].peak = shares[i].peak;
        ck_assert_int_eq(shares[i].held, 0);
    }
    ck_assert_int_eq(rmdir(folder), 0); /* no file is left in it */
    lines_sort(ret_lines);
    return done;
}
