/*
 * What tests/integration/test_store.py drives lib/store with. Commands are lines of JSON on standard input, each an array:
 * a verb and its words; the answer to each is one line of JSON on standard output.
 *
 *   store_cat URL [NAME=VALUE …]   endpoint, region, virtual=1, credentials_file, ca_file, retries, retry_ms, stall_ms
 *
 *   ["list", PREFIX, AFTER, MAX]      {"keys": [[key, size, etag, modified_us], …]}   AFTER "": none; at most MAX of them
 *   ["count", PREFIX]                 {"n": n, "sorted": …, "peak_kb": n}
 *   ["head", KEY]                     {"size": n, "etag": …, "modified_us": n}
 *   ["get", KEY, MAX]                 {"text": …}
 *   ["get_file", KEY, ETAG, PATH]     {}                                              ETAG "": any
 *   ["put", KEY, TEXT], ["put_new", KEY, TEXT], ["put_file", KEY, PATH], ["remove", KEY]      {}
 *   ["path", KEY]                     {"path": … or null}
 *   ["fetch", FOLDER, THREADS, [[KEY, ETAG], …], LIMIT]   {"bytes": [n or fault, …]}  after LIMIT of them it is freed
 *
 *   {"fault": …, "status": n, "transient": …, "absent": …, "exists": …, "changed": …}
 */
#include "store/fetcher.h"
#include "util/buffer.h"

#include <cjson/cJSON.h>
#include <sys/stat.h>

static struct store_options options = {.path_style = true, .retries = -1};

static cJSON *fault_of(const struct store_fault *fault)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "fault", fault->error.text);
    cJSON_AddNumberToObject(o, "status", fault->status);
    cJSON_AddBoolToObject(o, "transient", fault->transient);
    cJSON_AddBoolToObject(o, "absent", fault->absent);
    cJSON_AddBoolToObject(o, "exists", fault->exists);
    cJSON_AddBoolToObject(o, "changed", fault->changed);
    return o;
}

static void print_line(cJSON *line)
{
    char *text = cJSON_PrintUnformatted(line);
    puts(text);
    fflush(stdout);
    cJSON_free(text);
    cJSON_Delete(line);
}

/* Not getrusage(): its maximum begins with that of whoever started us. */
static long peak_kb(void)
{
    _cleanup_fclose_ FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kb = 0;
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "VmHWM: %ld", &kb) == 1)
            break;
    return kb;
}

static const char *word(const cJSON *command, int i)
{
    const char *text = cJSON_GetStringValue(cJSON_GetArrayItem(command, i));
    return text ? text : "";
}

static int number(const cJSON *command, int i)
{
    return (int)cJSON_GetNumberValue(cJSON_GetArrayItem(command, i));
}

/* ---- lists ---- */

struct listing {
    cJSON *keys; /* or NULL: they are counted */
    int n, max;
    bool sorted;
    char last[1200];
};

static bool note(void *arg, const struct store_object *object)
{
    struct listing *l = arg;
    l->sorted = l->sorted && strcmp(l->last, object->key) < 0;
    snprintf(l->last, sizeof(l->last), "%s", object->key);
    l->n++;
    if (!l->keys)
        return true;
    cJSON *entry = cJSON_CreateArray();
    cJSON_AddItemToArray(entry, cJSON_CreateString(object->key));
    cJSON_AddItemToArray(entry, cJSON_CreateNumber((double)object->size));
    cJSON_AddItemToArray(entry, cJSON_CreateString(object->etag));
    cJSON_AddItemToArray(entry, cJSON_CreateNumber((double)object->modified_us));
    cJSON_AddItemToArray(l->keys, entry);
    return l->n < l->max;
}

static int list(struct store *s, const cJSON *command, cJSON *answer, struct store_fault *fault)
{
    struct listing l = {.max = number(command, 3), .sorted = true};
    l.keys = cJSON_AddArrayToObject(answer, "keys");
    return store_list(s, word(command, 1), *word(command, 2) ? word(command, 2) : NULL, note, &l, fault);
}

static int count(struct store *s, const cJSON *command, cJSON *answer, struct store_fault *fault)
{
    struct listing l = {.sorted = true};
    int rc = store_list(s, word(command, 1), NULL, note, &l, fault);
    cJSON_AddNumberToObject(answer, "n", l.n);
    cJSON_AddBoolToObject(answer, "sorted", l.sorted);
    cJSON_AddNumberToObject(answer, "peak_kb", (double)peak_kb());
    return rc;
}

/* ---- objects ---- */

static int head(struct store *s, const cJSON *command, cJSON *answer, struct store_fault *fault)
{
    struct store_object object;
    if (store_head(s, word(command, 1), &object, fault) < 0)
        return -1;
    cJSON_AddNumberToObject(answer, "size", (double)object.size);
    cJSON_AddStringToObject(answer, "etag", object.etag);
    cJSON_AddNumberToObject(answer, "modified_us", (double)object.modified_us);
    return 0;
}

static int get(struct store *s, const cJSON *command, cJSON *answer, struct store_fault *fault)
{
    _cleanup_free_ char *bytes = NULL;
    size_t n;
    if (store_get(s, word(command, 1), (size_t)number(command, 2), &bytes, &n, fault) < 0)
        return -1;
    cJSON_AddStringToObject(answer, "text", bytes);
    cJSON_AddNumberToObject(answer, "n", (double)n);
    return 0;
}

static int get_file(struct store *s, const cJSON *command, cJSON *answer, struct store_fault *fault)
{
    const char *etag = *word(command, 2) ? word(command, 2) : NULL;
    return store_get_file(s, word(command, 1), etag, word(command, 3), fault);
}

static int put(struct store *s, const cJSON *command, cJSON *answer, struct store_fault *fault)
{
    return store_put(s, word(command, 1), word(command, 2), strlen(word(command, 2)), fault);
}

static int put_new(struct store *s, const cJSON *command, cJSON *answer, struct store_fault *fault)
{
    return store_put_new(s, word(command, 1), word(command, 2), strlen(word(command, 2)), fault);
}

static int put_file(struct store *s, const cJSON *command, cJSON *answer, struct store_fault *fault)
{
    return store_put_file(s, word(command, 1), word(command, 2), fault);
}

static int remove_one(struct store *s, const cJSON *command, cJSON *answer, struct store_fault *fault)
{
    return store_remove(s, word(command, 1), fault);
}

static int path(struct store *s, const cJSON *command, cJSON *answer, struct store_fault *fault)
{
    _cleanup_free_ char *found = store_path(s, word(command, 1));
    cJSON_AddItemToObject(answer, "path", found ? cJSON_CreateString(found) : cJSON_CreateNull());
    return 0;
}

/* ---- many ---- */

static int wanted(void *arg, const char **ret_key, const char **ret_etag, struct store_fault *fault)
{
    const cJSON **next = arg;
    if (!*next)
        return 0;
    *ret_key = word(*next, 0);
    *ret_etag = *word(*next, 1) ? word(*next, 1) : NULL;
    *next = (*next)->next;
    if (strcmp(*ret_key, "(fault)") == 0)
        return store_fault_set(fault, false, "there is no more, for a reason");
    return 1;
}

static int fetch(struct store *s, const cJSON *command, cJSON *answer, struct store_fault *fault)
{
    const cJSON *next = cJSON_GetArrayItem(command, 3)->child;
    struct fetcher_options o = {
        .store = options, .folder = word(command, 1), .threads = number(command, 2), .ahead = 8};
    _cleanup_(fetcher_freep) struct fetcher *f = NULL;
    cJSON *bytes = cJSON_AddArrayToObject(answer, "bytes");
    int limit = number(command, 4), rc = 1;
    if (fetcher_start(&o, wanted, &next, &f, fault) < 0)
        return -1;
    for (int i = 0; i < limit; i++) {
        const char *file = NULL;
        struct store_fault why = {0};
        struct stat st;
        rc = fetcher_next(f, &file, &why);
        if (rc == 0)
            break;
        cJSON_AddItemToArray(bytes, rc < 0                ? fault_of(&why)
                                    : stat(file, &st) < 0 ? cJSON_CreateNull()
                                                          : cJSON_CreateNumber((double)st.st_size));
    }
    return 0;
}

/* ---- the program ---- */

static const struct {
    const char *verb;
    int (*fn)(struct store *s, const cJSON *command, cJSON *answer, struct store_fault *fault);
} verbs[] = {{"list", list}, {"count", count}, {"head", head}, {"get", get}, {"get_file", get_file},
    {"put", put}, {"put_new", put_new}, {"put_file", put_file}, {"remove", remove_one}, {"path", path},
    {"fetch", fetch}};

static void obey(struct store *s, const cJSON *command)
{
    cJSON *answer = cJSON_CreateObject();
    struct store_fault fault = {0};
    int rc = -1;
    for (size_t i = 0; i < N_ELEMENTS(verbs); i++)
        if (strcmp(word(command, 0), verbs[i].verb) == 0)
            rc = verbs[i].fn(s, command, answer, &fault);
    if (rc < 0) {
        cJSON_Delete(answer);
        answer = fault_of(&fault);
    }
    print_line(answer);
}

static int take_option(char *argument)
{
    char *value = strchr(argument, '=');
    if (!value)
        return -1;
    *value++ = '\0';
    static const struct {
        const char *name;
        const char **where;
    } texts[] = {{"endpoint", &options.endpoint}, {"region", &options.region},
        {"credentials_file", &options.credentials_file}, {"ca_file", &options.ca_file}};
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        if (strcmp(argument, texts[i].name) == 0) {
            *texts[i].where = value;
            return 0;
        }
    if (strcmp(argument, "virtual") == 0)
        options.path_style = false;
    else if (strcmp(argument, "retries") == 0)
        options.retries = atoi(value);
    else if (strcmp(argument, "retry_ms") == 0)
        options.retry_after_us = atoi(value) * INT64_C(1000);
    else if (strcmp(argument, "stall_ms") == 0)
        options.stall_us = atoi(value) * INT64_C(1000);
    else
        return -1;
    return 0;
}

int main(int argc, char **argv)
{
    _cleanup_(store_freep) struct store *s = NULL;
    _cleanup_free_ char *line = NULL;
    struct store_fault fault;
    size_t cap = 0;
    options.url = argc > 1 ? argv[1] : "";
    for (int i = 2; i < argc; i++)
        if (take_option(argv[i]) < 0)
            return 2;
    if (store_open(&options, &s, &fault) < 0) {
        print_line(fault_of(&fault));
        return 1;
    }
    while (getline(&line, &cap, stdin) > 0) {
        cJSON *command = cJSON_Parse(line);
        obey(s, command);
        cJSON_Delete(command);
    }
    return 0;
}
