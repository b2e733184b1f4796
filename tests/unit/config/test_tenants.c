/* Tenants' files: what they make of their template, where a mistake is told, and what two may not share. */
#include "parse.h"

#include <sys/stat.h>

#define TEMPLATE                                                                                             \
    "postgres: {url: 'postgresql://u@${HOST}/${tenant}'}\n"                                                  \
    "stores: {drop: {url: 's3://drop/${tenant}'}, lake: {url: 's3://omop-${tenant}'}, own: {url: "           \
    "'s3://${BUCKET:-abc}'}}\n"                                                                              \
    "jobs: {q: {kind: query, sql: q.sql}}\n"

static char folder[FOLDER_MAX];

static void put(const char *name, const char *text)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", folder, name);
    _cleanup_fclose_ FILE *f = fopen(path, "w");
    ck_assert(f && fputs(text, f) >= 0);
}

static void make(void)
{
    new_folder(folder);
    _cleanup_free_ char *tenants = xasprintf("%s/tenants", folder);
    ck_assert(mkdir(tenants, 0700) == 0);
    put("clinic.yaml", TEMPLATE);
    setenv("OUTER", "outer", 1);
    unsetenv("BUCKET");
    unsetenv("HOST");
}

static void remove_all(void)
{
    remove_folder(folder);
}

static char *path_of(const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

static struct config *read_good(const char *name)
{
    struct config *c = NULL;
    struct config_problems problems = {0};
    _cleanup_free_ char *path = path_of(name);
    int r = config_read(path, &c, &problems);
    ck_assert_msg(r == 0, "%s", problems.n ? problems.list[0].text : "");
    config_problems_done(&problems);
    return c;
}

/* What is told of the file, the folder's name left out. */
static char *mistakes_in(const char *name)
{
    struct config *c = NULL;
    struct config_problems problems = {0};
    _cleanup_free_ char *path = path_of(name);
    int r = config_read(path, &c, &problems);
    ck_assert(r == (problems.n ? -1 : 0) && !c == (r < 0));
    config_free(c);
    char *words = config_problems_to_string(path, &problems);
    config_problems_done(&problems);
    size_t n = strlen(folder) + 1;
    for (char *at; (at = strstr(words, folder));)
        memmove(at, at + n, strlen(at + n) + 1);
    return words;
}

/* The one mistake of tenants/north.yaml, as "FILE:LINE:COLUMN: words…" */
static void expect_wrong(const char *text, const char *begin, const char *words)
{
    put("tenants/north.yaml", text);
    _cleanup_free_ char *found = mistakes_in("tenants/north.yaml");
    ck_assert_msg(strncmp(found, begin, strlen(begin)) == 0 && strstr(found, words), "%s", found);
    ck_assert_msg(strchr(found, '\n')[1] == '\0', "more than one: %s", found);
}

START_TEST(a_tenant_is_its_template_with_its_values)
{
    put("tenants/north.yaml",
        "template: ../clinic.yaml\nvalues:\n  HOST: 'db.north'\n  BUCKET: ${OUTER}-${tenant}\n");
    _cleanup_(config_freep) struct config *c = read_good("tenants/north.yaml");
    ck_assert_str_eq(c->tenant, "north");
    ck_assert_str_eq(c->name, "north");
    ck_assert_str_eq(c->control, "/run/ingestd-tenants/north/control");
    ck_assert_str_eq(c->state_dir, "/var/lib/ingestd-tenants/north");
    ck_assert_str_eq(c->postgres.url, "postgresql://u@db.north/north");
    ck_assert_str_eq(c->stores[0].url, "s3://drop/north");
    ck_assert_str_eq(c->stores[2].url, "s3://outer-north");
    ck_assert(c->stores[0].of_tenant && c->stores[1].of_tenant && c->stores[2].of_tenant);
    put("tenants/south.yaml", "template: ../clinic.yaml\nvalues: {HOST: h}\n");
    _cleanup_(config_freep) struct config *other = read_good("tenants/south.yaml");
    ck_assert(other->stores[0].of_tenant && !other->stores[2].of_tenant); /* it has its default */
    /* What is relative begins at the template. */
    _cleanup_free_ char *sql = path_of("q.sql");
    ck_assert_str_eq(c->jobs[0].sql, sql);
    _cleanup_free_ char *path = path_of("tenants/north.yaml");
    ck_assert_str_eq(c->path, path);
}
END_TEST

START_TEST(what_the_template_says_is_taken)
{
    put("clinic.yaml", TEMPLATE "name: x-${tenant}\ncontrol: /c/${tenant}\nstate_dir: /s/${tenant}\n");
    put("tenants/south-2.yaml", "values: {HOST: h}\ntemplate: ../clinic.yaml\n");
    _cleanup_(config_freep) struct config *c = read_good("tenants/south-2.yaml");
    ck_assert_str_eq(c->name, "x-south-2");
    ck_assert_str_eq(c->control, "/c/south-2");
    ck_assert_str_eq(c->state_dir, "/s/south-2");
}
END_TEST

START_TEST(values_come_before_the_environment)
{
    setenv("HOST", "environment", 1);
    put("tenants/north.yaml", "template: ../clinic.yaml\nvalues: {HOST: value}\n");
    _cleanup_(config_freep) struct config *c = read_good("tenants/north.yaml");
    ck_assert_str_eq(c->postgres.url, "postgresql://u@value/north");
    put("tenants/north.yaml", "template: ../clinic.yaml\n");
    _cleanup_(config_freep) struct config *other = read_good("tenants/north.yaml");
    ck_assert_str_eq(other->postgres.url, "postgresql://u@environment/north");
}
END_TEST

/* A value is no YAML. */
START_TEST(a_value_stays_in_its_place)
{
    put("tenants/north.yaml", "template: ../clinic.yaml\nvalues: {HOST: \"h', schema: 'x\"}\n");
    _cleanup_(config_freep) struct config *c = read_good("tenants/north.yaml");
    ck_assert_str_eq(c->postgres.url, "postgresql://u@h', schema: 'x/north");
    ck_assert_str_eq(c->postgres.schema, "ingest");
}
END_TEST

START_TEST(mistakes_in_the_tenants_file)
{
#define T "template: ../clinic.yaml\n"
#define N "tenants/north.yaml"
    expect_wrong(
        T, "clinic.yaml:1:17: postgres.url: HOST is neither among the values: of " N, "${HOST:-default}");
    expect_wrong(
        T "values: {HOST: h, HOTS: h}\n", N ":2:19: values: nothing in clinic.yaml asks for ${HOTS}", "");
    expect_wrong(
        T "values: {HOST: h, HOST: i}\n", N ":2:19: values: HOST is given twice, first on line 2", "");
    expect_wrong(T "values: {HOST: [h]}\n", N ":2:16: HOST: a single value is expected here", "");
    expect_wrong(T "values: {HOST: }\n", N ":2:16: HOST: the value is missing", "");
    expect_wrong(T "values: {HOST: '${NOBODY}'}\n", N ":2:16: HOST: NOBODY is neither among", "");
    expect_wrong(T "values: {HOST: '${BUCKET}', BUCKET: b}\n", N ":2:16: HOST: BUCKET is neither among", "");
    expect_wrong(T "values: {H-T: h}\n", N ":2:10: values: \"H-T\" is no variable's name", "");
    expect_wrong(T "values: {tenant: h}\n", N ":2:10: values: tenant is there without", "");
    expect_wrong(T "values: h\n", N ":2:9: values: a mapping of names to values", "");
    expect_wrong(T "values: {HOST: h}\nvalues: {}\n", N ":3:1: values: the key is given twice", "");
    expect_wrong(T T, N ":2:1: template: the key is given twice", "");
    expect_wrong(T "vaules: {HOST: h}\n", N ":2:1: the key \"vaules\" is not known", "did you mean values?");
    expect_wrong(T "postgres: {}\n", N ":2:1: the key \"postgres\" is not known", "goes into the template");
    expect_wrong("template: ../nobody.yaml\n", N ": template: nobody.yaml: the file cannot be read", "");
    expect_wrong("template: ..\n", N ": template: ", "this is a folder");
    expect_wrong("template: [x]\n", N ":1:11: template: a single value", "");
    expect_wrong("template: north.yaml\n", N ": this is a tenant's file, and no template", "");
    expect_wrong("template: ''\n", N ":1:11: template: the value is missing", "");
}
END_TEST

START_TEST(mistakes_in_the_template)
{
    put("tenants/north.yaml", "template: ../clinic.yaml\nvalues: {HOST: h, X: y}\n");
    put("clinic.yaml", "postgres: {url: '${HOST}'}\nworkrs: 3\n");
    _cleanup_free_ char *two = mistakes_in("tenants/north.yaml");
    ck_assert_msg(
        strstr(two, "clinic.yaml:1:17: postgres.url: this is not a Postgres database") &&
            strstr(two, "clinic.yaml:2:1: the key \"workrs\" is not known; did you mean workers?") &&
            !strstr(two, "tenants"),
        "%s", two);
    put("clinic.yaml", "postgres: [\n");
    _cleanup_free_ char *broken = mistakes_in("tenants/north.yaml");
    ck_assert_msg(strncmp(broken, "clinic.yaml:2:1: this is not YAML", 33) == 0, "%s", broken);
    put("clinic.yaml", "");
    _cleanup_free_ char *empty = mistakes_in("tenants/north.yaml");
    ck_assert_msg(strncmp(empty, "clinic.yaml: the file is empty", 30) == 0, "%s", empty);
}
END_TEST

START_TEST(a_template_alone_is_no_configuration)
{
    setenv("HOST", "h", 1);
    setenv("tenant", "north", 1);
    _cleanup_free_ char *words = mistakes_in("clinic.yaml");
    ck_assert_msg(strstr(words, "clinic.yaml:1:17: postgres.url: ${tenant} is the name of a tenant's file") &&
                      strstr(words, "/etc/ingestd/tenants/north.yaml with template:"),
        "%s", words);
    unsetenv("tenant");
    put("clinic.yaml", "postgres: {url: 'postgresql://h/${tenant:-nobody}'}\n");
    _cleanup_(config_freep) struct config *c = read_good("clinic.yaml");
    ck_assert_str_eq(c->postgres.url, "postgresql://h/nobody");
    ck_assert(!c->tenant);
    ck_assert_str_eq(c->name, "ingestd");
}
END_TEST

START_TEST(names_of_tenants)
{
    static const char *const bad[] = {"tenants/North.yaml", "tenants/a b.yaml", "tenants/-a.yaml",
        "tenants/abcdefghijklmnopqrstuvwx.yaml", "tenants/north.yml", "tenants/.yaml", "tenants/a.b.yaml"};
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        put(bad[i], "template: ../clinic.yaml\nvalues: {HOST: h}\n");
        _cleanup_free_ char *words = mistakes_in(bad[i]);
        ck_assert_msg(strstr(words, "a tenant's file is called NAME.yaml"), "%s: %s", bad[i], words);
    }
    put("tenants/abcdefghijklmnopqrstuvw.yaml", "template: ../clinic.yaml\nvalues: {HOST: h}\n");
    config_free(read_good("tenants/abcdefghijklmnopqrstuvw.yaml"));
    put("tenants/b.yaml", "");
    put("tenants/.hidden.yaml", "");
    put("tenants/b.yaml~", "");
    struct error err;
    struct config_tenants t = {0};
    struct config_problems problems = {0};
    _cleanup_free_ char *tenants = path_of("tenants");
    ck_assert(config_list_tenants(tenants, &t, &problems, &err) == 0);
    ck_assert_uint_eq(t.n, 2);
    ck_assert_str_eq(t.names[0], "abcdefghijklmnopqrstuvw");
    ck_assert_str_eq(t.names[1], "b");
    ck_assert(strstr(t.paths[1], "/tenants/b.yaml"));
    ck_assert_uint_eq(problems.n, N_ELEMENTS(bad) - 1); /* .yaml is hidden */
    config_tenants_done(&t);
    config_problems_done(&problems);
    ck_assert(config_list_tenants("/nowhere/x", &t, &problems, &err) < 0);
    ck_assert_msg(strstr(err.text, "--tenants DIR"), "%s", err.text);
    ck_assert_ptr_null(config_tenant_path(tenants, "../etc", &err));
    ck_assert_msg(strstr(err.text, "is no tenant's name"), "%s", err.text);
}
END_TEST

START_TEST(what_two_share)
{
    static const struct {
        const char *a, *b, *words;
    } list[] = {
        {"", "", "the control socket /run/ingestd/control"},
        {"control: /a", "control: /b", "the state_dir /var/lib/ingestd"},
        {"control: /a\nstate_dir: /s/a", "control: /b\nstate_dir: /s/a/", "the state_dir /s/a"},
        {"control: /a\nstate_dir: /s", "control: /b\nstate_dir: /s/a", "the state_dir /s"},
#define A "control: /a\nstate_dir: /s/a\n"
#define B "control: /b\nstate_dir: /s/b\n"
        {A, B, "the schema ingest of one database"},
        {A "postgres: {url: 'host=db dbname=office'}", B, "the schema ingest of one database"},
        {A "postgres: {url: 'postgresql://x:y@db:5432/office', schema: a}", B, NULL},
        {A "postgres: {url: 'postgresql://db/a'}", B, NULL},
        {A "postgres: {url: 'postgresql://db:5433/office'}", B, NULL},
        {A "postgres: {url: 'postgresql://b:5432/office'}", B, NULL},
#define C A "postgres: {url: 'postgresql://db/a'}\n"
        {C "http: 127.0.0.1:9000", B "http: 127.0.0.1:9000", "the address 127.0.0.1:9000"},
        {C "http: 127.0.0.1:9001", B "http: 127.0.0.1:9000", NULL},
        {C "stores: {x: {url: 's3://abc'}}", B "stores: {y: {url: 's3://abc/n'}}", "the store x (s3://abc)"},
        {C "stores: {x: {url: 's3://abc/n'}}", B "stores: {y: {url: 's3://abc'}}",
            "the store x (s3://abc/n)"},
        {C "stores: {x: {url: 's3://abc/n'}}", B "stores: {y: {url: 's3://abc/no'}}", NULL},
        {C "streams: {x: {source: 'redis://h/0/k', table: t, columns: {a: a}}}",
            B "streams: {y: {source: 'redis://h:6379/0/k', table: t, columns: {a: a}}}",
            "the source of the stream x"},
        {C "streams: {x: {source: 'redis://h/0/k', group: g, table: t, columns: {a: a}}}",
            B "streams: {y: {source: 'redis://h:6379/0/k', table: t, columns: {a: a}}}", NULL},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        const char *base = "postgres: {url: 'postgresql://db/office'}\n";
        _cleanup_free_ char *x = xasprintf("%s%s", strstr(list[i].a, "postgres:") ? "" : base, list[i].a);
        _cleanup_free_ char *y = xasprintf("%s%s", base, list[i].b);
        _cleanup_(config_freep) struct config *a = parse_good(x), *b = parse_good(y);
        _cleanup_free_ char *words = config_shared(a, b);
        ck_assert_msg(list[i].words ? words && strstr(words, list[i].words) : !words, "%zu: %s", i,
            words ? words : "nothing");
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_tenant_is_its_template_with_its_values, what_the_template_says_is_taken,
        values_come_before_the_environment, a_value_stays_in_its_place, mistakes_in_the_tenants_file,
        mistakes_in_the_template, a_template_alone_is_no_configuration, names_of_tenants, what_two_share};
    return run_staged("config-tenants", make, remove_all, tests, N_ELEMENTS(tests));
}
