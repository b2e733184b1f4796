/* What a match has staged: gone on with, or begun anew; one process at a time. */
#include "job/match_state.h"
#include "job/member.h"
#include "util/clock.h"

#include "../util/suite.h"

#include <cjson/cJSON.h>
#include <sys/wait.h>

static char home[FOLDER_MAX];
static char folder[FOLDER_MAX + 32];

static void set_up(void)
{
    new_folder(home);
    snprintf(folder, sizeof(folder), "%s/match/users", home);
}

static char *in_folder(const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

static void write_file(const char *name, const char *text)
{
    _cleanup_free_ char *path = in_folder(name);
    _cleanup_fclose_ FILE *f = fopen(path, "w");
    ck_assert(f && fputs(text, f) >= 0);
}

static bool is_there(const char *name)
{
    _cleanup_free_ char *path = in_folder(name);
    return access(path, F_OK) == 0;
}

/* Opens it; the notes' text is the caller's. */
static struct match_state *open_it(const char *fingerprint, char **ret_notes)
{
    struct match_state *state = NULL;
    struct error err = {""};
    bool busy;
    cJSON *notes = cJSON_CreateArray();
    ck_assert_msg(match_state_open(folder, fingerprint, notes, &state, &busy, &err) == 0, "%s", err.text);
    char *text = member_print(notes);
    if (ret_notes)
        *ret_notes = text;
    else
        free(text);
    return state;
}

static void save(struct match_state *state, enum match_part part, int64_t value)
{
    struct error err;
    cJSON *saved = cJSON_CreateObject();
    member_add_int(saved, "value", value);
    ck_assert_int_eq(match_state_save(state, part, saved, &err), 0);
}

static int64_t value_of(const struct match_state *state, enum match_part part)
{
    int64_t value = -1;
    member_int(cJSON_GetObjectItemCaseSensitive(match_state_part(state, part), "value"), &value);
    return value;
}

/* Saves one part, and leaves it as a run that dies does. */
static void stage(const char *fingerprint)
{
    struct match_state *state = open_it(fingerprint, NULL);
    save(state, MATCH_PART_RIGHT, 7);
    write_file("right-rows", "rows");
    match_state_free(state);
}

static void begins_anew(const char *fingerprint, const char *because)
{
    _cleanup_free_ char *notes = NULL;
    struct match_state *state = open_it(fingerprint, &notes);
    ck_assert_ptr_nonnull(strstr(notes, because));
    ck_assert_int_eq(value_of(state, MATCH_PART_RIGHT), -1);
    ck_assert(!is_there("right-rows") && !is_there("state.json") && is_there("lock"));
    save(state, MATCH_PART_LEFT, 1); /* and it works */
    match_state_free(state);
    state = open_it(fingerprint, NULL);
    ck_assert_int_eq(value_of(state, MATCH_PART_LEFT), 1);
    match_state_free(state);
}

START_TEST(the_folder_is_ours_alone)
{
    struct stat st;
    match_state_free(open_it("a", NULL));
    ck_assert(stat(folder, &st) == 0 && (st.st_mode & 0777) == 0700);
    chmod(folder, 0755);
    match_state_free(open_it("a", NULL));
    ck_assert(stat(folder, &st) == 0 && (st.st_mode & 0777) == 0700);
}
END_TEST

START_TEST(what_is_saved_is_there_for_the_next)
{
    _cleanup_free_ char *notes = NULL;
    stage("a");
    struct match_state *state = open_it("a", &notes);
    ck_assert_str_eq(notes, "[]");
    ck_assert_int_eq(value_of(state, MATCH_PART_RIGHT), 7);
    ck_assert_ptr_null(match_state_part(state, MATCH_PART_LEFT));
    ck_assert(is_there("right-rows"));
    save(state, MATCH_PART_RIGHT, 8);
    match_state_free(state);
    state = open_it("a", NULL);
    ck_assert_int_eq(value_of(state, MATCH_PART_RIGHT), 8);
    match_state_clear(state);
    ck_assert(!is_there("right-rows") && !is_there("state.json") && is_there("lock"));
    ck_assert_ptr_null(match_state_part(state, MATCH_PART_RIGHT));
    match_state_free(state);
}
END_TEST

START_TEST(another_configuration_begins_anew)
{
    stage("a");
    begins_anew("b", "of another configuration");
}
END_TEST

START_TEST(a_damaged_manifest_begins_anew)
{
    static const char *const texts[] = {"", "{", "[]", "{\"format\": 1}", "\x01\xff"};
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        stage("a");
        write_file("state.json", texts[i]);
        begins_anew("a", "cannot be read");
    }
}
END_TEST

static void set_began(int64_t us)
{
    _cleanup_free_ char *text = xasprintf(
        "{\"fingerprint\": \"a\", \"format\": 1, \"began\": %lld, \"right\": {\"value\": 7}}", (long long)us);
    stage("a");
    write_file("state.json", text);
}

START_TEST(what_is_older_than_a_day_begins_anew)
{
    int64_t now = clock_wall_us();
    set_began(now - 23 * 3600 * US_PER_SEC);
    struct match_state *state = open_it("a", NULL);
    ck_assert_int_eq(value_of(state, MATCH_PART_RIGHT), 7);
    match_state_free(state);
    set_began(now - 25 * 3600 * US_PER_SEC);
    begins_anew("a", "is older than a day");
    set_began(now + 3600 * US_PER_SEC);
    begins_anew("a", "the clock was set back");
}
END_TEST

/* flock(2) holds between two openings of one process too. */
START_TEST(a_second_run_is_told_who_has_it)
{
    struct match_state *state = open_it("a", NULL), *other = NULL;
    struct error err = {""};
    bool busy = false;
    _cleanup_free_ char *pid = xasprintf("process %d ", (int)getpid());
    ck_assert_int_eq(match_state_open(folder, "a", NULL, &other, &busy, &err), -1);
    ck_assert(busy && strstr(err.text, pid));
    match_state_free(state);
    match_state_free(open_it("a", NULL));
}
END_TEST

START_TEST(a_folder_that_cannot_be_made_is_told)
{
    struct match_state *state = NULL;
    struct error err = {""};
    bool busy = true;
    _cleanup_free_ char *file = xasprintf("%s/match", home);
    _cleanup_fclose_ FILE *f = fopen(file, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(match_state_open(folder, "a", NULL, &state, &busy, &err), -1);
    ck_assert(!busy && strstr(err.text, folder));
}
END_TEST

START_TEST(a_link_is_no_folder_of_ours)
{
    struct match_state *state = NULL;
    struct error err = {""};
    bool busy;
    _cleanup_free_ char *parent = xasprintf("%s/match", home);
    ck_assert(mkdir(parent, 0755) == 0 && symlink(home, folder) == 0);
    ck_assert_int_eq(match_state_open(folder, "a", NULL, &state, &busy, &err), -1);
}
END_TEST

START_TEST(a_fingerprint)
{
    char sum[MATCH_FINGERPRINT_SIZE];
    match_fingerprint("abc", sum);
    ck_assert_str_eq(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_folder_is_ours_alone, what_is_saved_is_there_for_the_next,
        another_configuration_begins_anew, a_damaged_manifest_begins_anew,
        what_is_older_than_a_day_begins_anew, a_second_run_is_told_who_has_it,
        a_folder_that_cannot_be_made_is_told, a_link_is_no_folder_of_ours, a_fingerprint};
    return run_staged("job-match-state", set_up, NULL, tests, N_ELEMENTS(tests));
}
