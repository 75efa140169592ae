/* gateway/graphql/language/print_value.h: a value as GraphQL text, as graphql-js prints it. Pure.
 */
#ifndef PARLEY_GATEWAY_GRAPHQL_LANGUAGE_PRINT_VALUE_H
#define PARLEY_GATEWAY_GRAPHQL_LANGUAGE_PRINT_VALUE_H

#include "common/arena.h"
#include "common/buffer.h"
#include "gateway/graphql/language/ast.h"

/* Appends the value; lists and objects of more than 80 columns get a line for each item. */
void print_value(const ast_value_t *value, buffer_t *out);

/* Appends size bytes as a quoted GraphQL string (2.9.4). */
void print_string(const char *data, size_t size, buffer_t *out);

/* Appends size bytes as a block string in which each new line starts with `indent` spaces. */
void print_block_string(const char *data, size_t size, unsigned indent, buffer_t *out);

/* Would print_block_string be read back as the same bytes, and is it worth it? */
bool print_block_string_is_fit(const char *data, size_t size);

/* The value on one line for a message, cut when long; "" if the arena is at its limit. */
const char *print_value_short(arena_t *arena, const ast_value_t *value);

#endif
