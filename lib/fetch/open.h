#pragma once
/* What fetch_list() needs beside the face. */
#include "fetch/target.h"

bool fetch_is_file(const char *url);
/* Where an HTTP fetch came from in the end; NULL of another. */
const struct target *fetch_target(const struct fetch *f);
/* The path of a file's URL, decoded; a new string. NULL when it has none. */
char *file_path(const char *url, struct fetch_fault *fault);
