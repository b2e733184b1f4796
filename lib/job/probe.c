/*
 * The probe: whether a database can be had at all, and which server it is, or whether a store can be listed. `ingestctl
 * doctor` asks for it, because the drivers are the worker's alone. Nothing is changed, and no file is read.
 */
#include "job/harmonize/store_of.h"
#include "job/job.h"
#include "util/cleanup.h"
#include "util/clock.h"

#include <cjson/cJSON.h>

#define WORDS_MAX 64

/* The drivers' answers to SELECT version(), as a person says it: "PostgreSQL 15.6 (Debian …) on …" is "PostgreSQL
 * 15.6", "10.11.6-MariaDB-0+deb12u1" is "MariaDB 10.11.6", "v1.4.4" of DuckDB is "DuckDB 1.4.4". It is a server's text: what is no plain letter is not
 * passed on. */
static void name_server(const char *driver, const char *version, char out[WORDS_MAX])
{
    if (strcmp(driver, "mysql") == 0) {
        const char *name = strstr(version, "MariaDB") ? "MariaDB" : "MySQL";
        snprintf(out, WORDS_MAX, "%s %.*s", name, (int)strcspn(version, "- "), version);
    } else if (strcmp(driver, "duckdb") == 0) {
        snprintf(out, WORDS_MAX, "DuckDB %s", version + strspn(version, "v"));
    } else {
        size_t name = strcspn(version, " ");
        size_t number = version[name] ? strcspn(version + name + 1, " ,") + 1 : 0;
        snprintf(out, WORDS_MAX, "%.*s", (int)(name + number), version);
    }
    for (char *p = out; *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
}

static int try_it(struct db *db, char server[WORDS_MAX], struct db_fault *fault)
{
    _cleanup_free_ char *one = NULL, *version = NULL;
    struct db_fault ignored;
    if (db_value(db, "SELECT 1", 0, NULL, &one, fault) < 0)
        return -1;
    if (!one || strcmp(one, "1") != 0)
        return error_set(&fault->error, "%s answers SELECT 1 with something else", db_label(db));
    /* One that does not say who it is answers all the same. */
    if (db_value(db, "SELECT version()", 0, NULL, &version, &ignored) == 0 && version)
        name_server(db_driver(db), version, server);
    return 0;
}

#define STORE_STALL_US (8 * US_PER_SEC)

static bool first_is_enough(void *arg, const struct store_object *object)
{
    return false;
}

/* Listing takes what reading takes: the server, its certificate, the bucket, the key and its rights. */
static int probe_store(const struct job_store *from, struct db_fault *fault)
{
    struct store_fault why = {0};
    struct store_options options = store_of(from);
    _cleanup_(store_freep) struct store *store = NULL;
    options.retries = 1;
    options.stall_us = STORE_STALL_US;
    if (store_open(&options, &store, &why) == 0 &&
        store_list(store, "", NULL, first_is_enough, NULL, &why) == 0)
        return 0;
    fault->transient = why.transient;
    return error_set(&fault->error, "%s", why.error.text);
}

static int probe_database(const struct job_spec *spec, char server[WORDS_MAX], struct db_fault *fault)
{
    _cleanup_(db_closep) struct db *db = NULL;
    _cleanup_free_ char *name = xasprintf("ingestd job %s", spec->job);
    struct db_options options = {
        .password_file = spec->database.password_file,
        .application_name = name,
        .statement_timeout_us = spec->time_limit_us,
        .read_only = true,
    };
    return db_open(spec->database.url, &options, &db, fault) < 0 ? -1 : try_it(db, server, fault);
}

static int probe_run(const struct job_spec *spec, cJSON **ret_stats, struct db_fault *fault)
{
    int64_t began_us = clock_mono_us();
    char server[WORDS_MAX] = "", seconds[32];
    *fault = (struct db_fault){0};
    if ((spec->store.url ? probe_store(&spec->store, fault) : probe_database(spec, server, fault)) < 0)
        return -1;
    snprintf(seconds, sizeof(seconds), "%.6f", (double)(clock_mono_us() - began_us) / US_PER_SEC);
    cJSON *stats = cJSON_CreateObject();
    cJSON_AddStringToObject(stats, "server", server);
    cJSON_AddRawToObject(stats, "seconds", seconds);
    *ret_stats = stats;
    return 0;
}

const struct job_kind job_probe = {"probe", probe_run};
