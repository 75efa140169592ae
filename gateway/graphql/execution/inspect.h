/* gateway/graphql/execution/inspect.h: values as error messages show them, like graphql-js
 * inspect(): { name: "x", list: [1, 2] }, three levels deep, ten items a list. Texts are in the
 * arena, cut at INSPECT_MAX bytes; if it is at its limit, "…" stands for the value. Pure; any
 * thread. */
#ifndef PARLEY_GATEWAY_GRAPHQL_EXECUTION_INSPECT_H
#define PARLEY_GATEWAY_GRAPHQL_EXECUTION_INSPECT_H

#include <jansson.h>

#include "common/arena.h"
#include "common/buffer.h"

enum { INSPECT_MAX = 1000 };

/* Valid JSON text from start to end. */
const char *inspect_text(arena_t *arena, const char *start, const char *end);

/* A value of more than 64 INSPECT_MAX bytes is shown as it is written in JSON. */
const char *inspect_value(arena_t *arena, const json_t *value);

/* A finite number as JavaScript prints it: 5, 0.1, 1e+21. */
void inspect_number(buffer_t *out, double number);

#endif
