/* gateway/graphql/type/print_schema.h: a schema as SDL, in the order and form of graphql-js
 * printSchema. Pure. */
#ifndef PARLEY_GATEWAY_GRAPHQL_TYPE_PRINT_SCHEMA_H
#define PARLEY_GATEWAY_GRAPHQL_TYPE_PRINT_SCHEMA_H

#include "common/buffer.h"
#include "gateway/graphql/type/schema.h"

/* Appends everything but built-in types and directives. */
void schema_print(const schema_t *self, buffer_t *out);

/* Appends a constant value as GraphQL text, as graphql-js print does: for introspection's
 * defaultValue. */
void schema_print_value(const ast_value_t *value, buffer_t *out);

#endif
