/*
 * A DuckDB database is a file, and one process at a time may write it. It is opened with nothing that reaches beyond it:
 * no other file, no network, no extension (DuckDB manual, "Securing DuckDB").
 */
#include "db/duckdb_inside.h"

#include "util/buffer.h"
#include "util/clock.h"
#include "util/url.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define MEMORY_USUAL  (INT64_C(256) << 20)
#define MEMORY_LEAST  (INT64_C(24) << 20)
#define MEMORY_THREAD (INT64_C(64) << 20) /* what one more thread is worth having for */
/* Of a file that is made here. A table that is written holds two blocks of each column in memory: with the usual 262144
 * one of 330 columns needs 170 MB, with this 42. With smaller ones the file grows: text is compressed within a block. DuckDB can
 * read it from version 1.1 on. */
#define BLOCK_SIZE   "65536"
#define THREADS_MOST 4
/* How long the log beside the file becomes before it is put into it: DuckDB's usual; and what nobody reaches. */
#define LOG          "16MB"
#define SCRATCH_LOG  "1TB"
#define LOCK_POLL_US (50 * US_PER_MS)

/* ---- where ---- */

int duck_path(const char *url, char **ret_path, struct db_fault *fault)
{
    struct error err;
    _cleanup_url_ struct url u = {0};
    if (url_parse(url, &u, &err) < 0)
        return db_fault_set(fault, "", false, "the database's URL cannot be read: %s", err.text);
    if (u.host || u.user || u.port)
        return db_fault_set(fault, "", false,
            "a DuckDB database is duckdb:///path/to/file, with three slashes: it is a file of this machine");
    if (u.query || strchr(u.path, '?'))
        return db_fault_set(fault, "", false,
            "there is a '?' in the database's URL: DuckDB cannot open a file with one in its path: choose "
            "another name");
    if (u.path[0] != '/' || u.path[strlen(u.path) - 1] == '/')
        return db_fault_set(
            fault, "", false, "the file is missing in the database's URL: duckdb:///path/to/file");
    *ret_path = xstrdup(u.path);
    return 0;
}

/* The file's path without links, so that it is one file under one name; the file itself need not be there. */
static int resolve(struct duck *duck, bool *ret_there, struct db_fault *fault)
{
    char *full = realpath(duck->path, NULL);
    *ret_there = full != NULL;
    if (!full && errno != ENOENT)
        return db_fault_set(
            fault, "", false, "the database %s cannot be opened: %s", duck->path, strerror(errno));
    if (!full) {
        _cleanup_free_ char *a = xstrdup(duck->path), *b = xstrdup(duck->path);
        const char *folder = dirname(a);
        _cleanup_free_ char *found = realpath(folder, NULL);
        if (!found)
            return db_fault_set(fault, "", false,
                "the database %s cannot be made: its folder %s is not there (%s): make it, and let this user "
                "write "
                "into it",
                duck->path, folder, strerror(errno));
        full = xasprintf("%s/%s", strcmp(found, "/") == 0 ? "" : found, basename(b));
    }
    free(duck->path);
    duck->path = full;
    return 0;
}

static int check_file(const struct duck *duck, bool reading, struct db_fault *fault)
{
    struct stat st;
    if (stat(duck->path, &st) < 0)
        return db_fault_set(
            fault, "", false, "the database %s cannot be opened: %s", duck->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return db_fault_set(fault, "", false, "the database %s is no file, but a %s: name the file",
            duck->path, S_ISDIR(st.st_mode) ? "folder" : "device or pipe");
    if (st.st_size == 0)
        return db_fault_set(
            fault, "", false, "the database %s is an empty file: remove it, and it is made anew", duck->path);
    if (access(duck->path, reading ? R_OK : R_OK | W_OK) < 0)
        return db_fault_set(fault, "", false, "the database %s cannot be opened: %s: let user %d %s it",
            duck->path, strerror(errno), (int)geteuid(), reading ? "read" : "read and write");
    return 0;
}

/* DuckDB writes a log beside the file, and makes the file itself. */
static int check_folder(const struct duck *duck, struct db_fault *fault)
{
    _cleanup_free_ char *copy = xstrdup(duck->path);
    const char *folder = dirname(copy);
    if (access(folder, W_OK | X_OK) < 0)
        return db_fault_set(fault, "", false,
            "the database %s cannot be written: %s: let user %d write into its folder", duck->path,
            strerror(errno), (int)geteuid());
    return 0;
}

/* ---- how ---- */

/* Half of what the process may have: code, stacks and rows under way need the rest. */
static int64_t memory_for(const struct db_options *options)
{
    struct rlimit limit;
    int64_t memory = options->memory_max;
    if (memory <= 0 && getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        memory = (int64_t)(limit.rlim_cur / 2);
    if (memory <= 0)
        memory = MEMORY_USUAL;
    return MAX(memory, MEMORY_LEAST);
}

static long threads_for(const struct db_options *options, int64_t memory)
{
    long worth = (long)(memory / MEMORY_THREAD), there = sysconf(_SC_NPROCESSORS_ONLN);
    if (options->threads > 0)
        return options->threads;
    worth = MIN(worth, MIN(there, THREADS_MOST));
    return MAX(worth, 1);
}

struct setting {
    const char *name, *value;
};

static int configure(
    struct duck *duck, const struct db_options *options, duckdb_config config, struct db_fault *fault)
{
    int64_t memory = memory_for(options);
    _cleanup_free_ char *limit = xasprintf("%" PRId64 "B", memory);
    _cleanup_free_ char *threads = xasprintf("%ld", threads_for(options, memory));
    _cleanup_free_ char *temp =
        options->temp_folder ? xstrdup(options->temp_folder) : xasprintf("%s.tmp", duck->path);
    const struct setting settings[] = {
        {"memory_limit", limit},
        {"threads", threads},
        {"temp_directory", temp},
        {"access_mode", options->read_only ? "READ_ONLY" : "READ_WRITE"},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"allow_community_extensions", "false"},
        {"allow_persistent_secrets", "false"},
        {"enable_external_access", options->n_files_folders ? "true" : "false"},
        {"default_block_size", BLOCK_SIZE},
        {"preserve_insertion_order", options->scratch ? "false" : "true"},
        {"force_compression", options->scratch ? "uncompressed" : "auto"}, /* written once, read twice */
        {"allocator_flush_threshold", options->scratch ? "8MB" : "128MB"}, /* what is freed goes back */
        {"allocator_bulk_deallocation_flush_threshold", options->scratch ? "16MB" : "512MB"},
        {"checkpoint_threshold", options->scratch ? SCRATCH_LOG : LOG},
        {"duckdb_api", "ingestd"},
    };
    for (size_t i = 0; i < N_ELEMENTS(settings); i++)
        if (duck->library->set_config(config, settings[i].name, settings[i].value) != DuckDBSuccess)
            return db_fault_set(fault, "", false, "the database %s cannot be opened: DuckDB refuses %s = %s",
                duck->path, settings[i].name, settings[i].value);
    return 0;
}

/* Polls: a lock of DuckDB's is one of fcntl(2), and a wait for that has no time limit. */
static int open_or_wait(struct duck *duck, duckdb_config config, int64_t deadline_us, struct db_fault *fault)
{
    for (;;) {
        char *text = NULL;
        if (duck->library->get_or_create_from_cache(
                duck->library->instances, duck->path, &duck->database, config, &text) == DuckDBSuccess)
            return 0;
        bool wait = text && duck_is_locked(text) && clock_mono_us() < deadline_us;
        if (!wait)
            duck_fault_open(fault, duck->path, text ? text : "no reason is given");
        duck->library->free(text);
        if (!wait)
            return -1;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_POLL_US * 1000}, NULL);
    }
}

/* What a process that was killed had put beside the file, rows among it: nobody else has the file now. */
static void remove_leftovers(const char *path)
{
    static const char prefix[] = "duckdb_temp_";
    _cleanup_free_ char *folder = xasprintf("%s.tmp", path);
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (const struct dirent *e; (e = readdir(dir));)
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0)
            unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
    rmdir(folder);
}

static int set_up(struct duck *duck, const char *sql, struct db_fault *fault)
{
    duckdb_result result = {0};
    duckdb_state state = duck->library->query(duck->connection, sql, &result);
    if (state != DuckDBSuccess)
        duck_fault_text(fault, duck->base.label, duck->library->result_error(&result), 1);
    duck->library->destroy_result(&result);
    return state == DuckDBSuccess ? 0 : -1;
}

/* The folders are let in, then the door is closed; no SQL can open it again. */
static int limit_files(struct duck *duck, const struct db_options *options, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0};
    buffer_put_string(&sql, "SET allowed_directories = [");
    for (size_t i = 0; i < options->n_files_folders; i++) {
        _cleanup_free_ char *quoted = db_quote_text(&duck->base, options->files_folders[i]);
        buffer_printf(&sql, "%s%s", i > 0 ? ", " : "", quoted);
    }
    buffer_put_string(&sql, "]; SET enable_external_access = false; SET lock_configuration = true");
    return set_up(duck, buffer_string(&sql), fault);
}

/* Another connection of ours has locked what there is to be set, for all of them. */
static bool is_set_up(struct duck *duck)
{
    struct db_fault ignored;
    _cleanup_free_ char *locked = NULL;
    return db_value(&duck->base, "SELECT current_setting('lock_configuration')", 0, NULL, &locked,
               &ignored) == 0 &&
           locked && strcmp(locked, "true") == 0;
}

/* Times with a zone are shown in UTC, wherever this runs. */
static int connect(struct duck *duck, const struct db_options *options, struct db_fault *fault)
{
    if (duck->library->connect(duck->database, &duck->connection) != DuckDBSuccess)
        return db_fault_set(fault, "", true, "the database %s was opened, but not connected to", duck->path);
    duck_register_rows(duck);
    if (options->n_files_folders && is_set_up(duck))
        return 0;
    if (set_up(duck, "SET GLOBAL TimeZone = 'UTC'", fault) < 0)
        return -1;
    if (options->scratch && set_up(duck, "PRAGMA disable_checkpoint_on_shutdown", fault) < 0)
        return -1;
    return options->n_files_folders ? limit_files(duck, options, fault) : 0;
}

static int open_configured(
    struct duck *duck, const struct db_options *options, duckdb_config config, struct db_fault *fault)
{
    if (configure(duck, options, config, fault) < 0)
        return -1;
    return open_or_wait(duck, config, clock_mono_us() + options->connect_timeout_us, fault);
}

int duck_open_file(struct duck *duck, const struct db_options *options, struct db_fault *fault)
{
    bool there;
    duckdb_config config;
    struct db_options chosen = *options;
    if (resolve(duck, &there, fault) < 0)
        return -1;
    if (there && check_file(duck, options->read_only, fault) < 0)
        return -1;
    if ((!there || !options->read_only) && check_folder(duck, fault) < 0)
        return -1;
    if (!there && options->read_only) { /* what is not there yet is empty */
        free(duck->path);
        duck->path = xstrdup(":memory:");
        chosen.read_only = false;
    }
    if (duck->library->create_config(&config) != DuckDBSuccess)
        return db_fault_set(fault, "", true, "the database %s cannot be opened: no memory", duck->path);
    int r = open_configured(duck, &chosen, config, fault);
    duck->library->destroy_config(&config);
    if (r < 0)
        return -1;
    static int n_opened; /* another connection of ours may be using them */
    if (n_opened++ == 0 && !options->read_only)
        remove_leftovers(duck->path);
    return connect(duck, options, fault);
}
