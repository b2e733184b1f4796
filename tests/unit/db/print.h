#pragma once
/* How the programs of the integration tests say what they see of a database: one JSON object a line. */
#include "db/db.h"
#include "util/buffer.h"

#include <cjson/cJSON.h>

/* Prints and frees it; true. */
bool print(cJSON *json);
/* Text as it is, bytes as {"hex": "…"}. */
cJSON *value_json(const struct db_value *v);
void print_fault(const struct db_fault *fault);
/* The driver and the label. */
void print_about(const struct db *db);
/* The most memory that the process had. */
void print_peak(void);
/* All of standard input. */
void read_input(struct buffer *text);
