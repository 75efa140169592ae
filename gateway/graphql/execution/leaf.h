/* gateway/graphql/execution/leaf.h: results of scalars and enums, checked and put in their form
 * (GraphQL 2025-09 3.5, 3.9 "Result Coercion"; where it leaves a choice, graphql-js). Pure. */
#ifndef PARLEY_GATEWAY_GRAPHQL_EXECUTION_LEAF_H
#define PARLEY_GATEWAY_GRAPHQL_EXECUTION_LEAF_H

#include "common/arena.h"
#include "common/buffer.h"
#include "common/json.h"
#include "gateway/graphql/type/schema.h"

/* Appends a valid JSON value (not null) as a result of a scalar or enum type. False, and nothing
 * appended, if it is none, or if it holds escapes and the arena, where they are decoded, is at its
 * limit. */
bool leaf_complete(const schema_type_t *type, json_slice_t value, arena_t *arena, buffer_t *out);

/* Why leaf_complete refused the value: a sentence in the arena; NULL if that is at its limit. */
const char *leaf_complaint(const schema_type_t *type, json_slice_t value, arena_t *arena);

#endif
