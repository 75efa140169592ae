/* gateway/graphql/introspection/introspect.h: __schema and __type, answered from the schema
 * (GraphQL 2025-09 4). Loop thread only. */
#ifndef PARLEY_GATEWAY_GRAPHQL_INTROSPECTION_INTROSPECT_H
#define PARLEY_GATEWAY_GRAPHQL_INTROSPECTION_INTROSPECT_H

#include "common/buffer.h"
#include "gateway/graphql/execution/coerce.h"
#include "gateway/graphql/execution/field_errors.h"
#include "gateway/graphql/execution/plan.h"

typedef struct {
    arena_t *arena;
    plan_t *plan;
    const variables_t *variables;
    field_errors_t *errors;
    buffer_t *out;
    size_t limit_bytes; /* of the response, for messages */
    bool *is_full;      /* a value found no room: those behind it are not begun */
} introspection_t;

/* Appends the value of a root field __schema or __type (without its key). False if null has to go
 * on to the position above: the error is added. */
bool introspect(introspection_t *self, plan_field_t *field, const path_t *path);

#endif
