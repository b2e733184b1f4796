#include "db/duckdb_library.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/resource.h>

#define LITTLE ((rlim_t)256 << 20)

static struct duck_library library;
static bool loaded;

static int find_functions(void *handle, struct db_fault *fault)
{
    static const char *const names[] = {
#define DUCK_NAME(name) "duckdb_" #name,
        DUCK_FUNCTIONS(DUCK_NAME)
#undef DUCK_NAME
    };
    /* The members stand in the order of the names, and POSIX has a function's address fit into a void pointer. */
    void **members = (void **)&library;
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        members[i] = dlsym(handle, names[i]);
        if (!members[i])
            return db_fault_set(fault, "", false,
                "the DuckDB library that was found is not the one this was built for: it has no %s. Install "
                "ingestd again, with its libduckdb.so",
                names[i]);
    }
    return 0;
}

/*
 * DuckDB's allocator (jemalloc) keeps what was freed mapped for a second and longer, and RLIMIT_DATA, which holds a worker to
 * its memory_max, counts what is mapped: with 128 MB a sort of twice its memory came to 122, and on a busy machine beyond. So
 * where there is little, what is freed goes back at once (102 MB, in the same time); where there is more that would only cost
 * time, a fifth of a harmonize. The options are jemalloc's (its manual, "TUNING"); whoever sets others is let.
 */
static void give_back_what_is_freed(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur < LITTLE)
        setenv("DUCKDB_JE_MALLOC_CONF", "retain:false,dirty_decay_ms:0,muzzy_decay_ms:0,narenas:1", 0);
}

const struct duck_library *duck_library(struct db_fault *fault)
{
    if (loaded)
        return &library;
    give_back_what_is_freed();
    void *handle = dlopen("libduckdb.so", RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle) {
        db_fault_set(fault, "", false,
            "DuckDB cannot be used: its library libduckdb.so cannot be loaded (%.200s). It belongs beside "
            "ingest-worker: install ingestd again",
            dlerror());
        return NULL;
    }
    if (find_functions(handle, fault) < 0)
        return NULL;
    library.instances = library.create_instance_cache();
    loaded = true;
    return &library;
}

const struct duck_library *duck_library_loaded(void)
{
    return &library;
}
