#pragma once
/* A store of the job, as the room store wants to be told of it. Its strings stay the job's. */
#include "job/spec.h"
#include "store/store.h"

static inline struct store_options store_of(const struct job_store *from)
{
    return (struct store_options){
        .url = from->url,
        .endpoint = from->endpoint,
        .region = from->region,
        .path_style = from->path_style,
        .credentials_file = from->credentials_file,
        .ca_file = from->ca_file,
        .retries = -1,
    };
}
