/* gateway/graphql/language/parser.h: text → tree (GraphQL 2025-09 2, appendix B). Recursive
 * descent, bounded by max_depth before it recurses and by max_tokens before it allocates. Stops at
 * the first error. Pure; any thread. */
#ifndef PARLEY_GATEWAY_GRAPHQL_LANGUAGE_PARSER_H
#define PARLEY_GATEWAY_GRAPHQL_LANGUAGE_PARSER_H

#include "common/arena.h"
#include "gateway/graphql/language/ast.h"
#include "gateway/graphql/language/errors.h"
#include "gateway/graphql/language/names.h"

typedef struct {
    uint32_t
        max_depth; /* nesting of selection sets, values and types; 0 and more than 500 mean 500 */
    uint32_t max_tokens; /* 0: no limit */
} parser_limits_t;

/* Parses size bytes of text (borrowed for the call; need be neither NUL-terminated nor valid
 * UTF-8). Names are interned in `names`, everything else comes from `arena`. NULL with one error
 * added to `errors` (GRAPHQL_PARSE_FAILED, or LIMIT_EXCEEDED). */
ast_document_t *parser_parse_document(arena_t *arena,
                                      names_t *names,
                                      const char *text,
                                      size_t size,
                                      const parser_limits_t *limits,
                                      gql_errors_t *errors);

/* Parses a single value (variables allowed unless constant). */
ast_value_t *parser_parse_value(arena_t *arena,
                                names_t *names,
                                const char *text,
                                size_t size,
                                bool constant,
                                gql_errors_t *errors);

#endif
