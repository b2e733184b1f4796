#include "print.h"

#include "util/text.h"

bool print(cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    puts(text);
    fflush(stdout);
    free(text);
    cJSON_Delete(json);
    return true;
}

cJSON *value_json(const struct db_value *v)
{
    if (!v->p)
        return cJSON_CreateNull();
    _cleanup_buffer_ struct buffer text = {0};
    if (text_is_utf8(v->p, v->n) && !memchr(v->p, 0, v->n)) {
        buffer_put(&text, v->p, v->n);
        return cJSON_CreateString(buffer_string(&text));
    }
    for (size_t i = 0; i < v->n; i++)
        buffer_printf(&text, "%02x", (unsigned char)v->p[i]);
    cJSON *hex = cJSON_CreateObject();
    cJSON_AddStringToObject(hex, "hex", buffer_string(&text));
    return hex;
}

void print_fault(const struct db_fault *fault)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "fault", fault->error.text);
    cJSON_AddStringToObject(line, "sqlstate", fault->sqlstate);
    cJSON_AddBoolToObject(line, "transient", fault->transient);
    print(line);
}

void print_about(const struct db *db)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "driver", db_driver(db));
    cJSON_AddStringToObject(line, "label", db_label(db));
    print(line);
}

void print_peak(void)
{
    char text[256];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "re"); /* getrusage would tell of the parent that forked us, too */
    while (f && kb == 0 && fgets(text, sizeof(text), f))
        sscanf(text, "VmHWM: %ld", &kb);
    if (f)
        fclose(f);
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, "peak_kb", (double)kb);
    print(line);
}

void read_input(struct buffer *text)
{
    char some[4096];
    for (size_t n; (n = fread(some, 1, sizeof(some), stdin)) > 0;)
        buffer_put(text, some, n);
}
