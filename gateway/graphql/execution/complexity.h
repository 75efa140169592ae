/* gateway/graphql/execution/complexity.h: how much an operation asks for: one for each field, times
 * the list arguments (first, last, limit; their defaults too) of the fields around it. Fragments
 * count wherever they are spread; directives that leave fields out do not. Pure. */
#ifndef PARLEY_GATEWAY_GRAPHQL_EXECUTION_COMPLEXITY_H
#define PARLEY_GATEWAY_GRAPHQL_EXECUTION_COMPLEXITY_H

#include "common/arena.h"
#include "gateway/graphql/execution/coerce.h"

/* UINT64_MAX if it is that or more. *constant says whether no variable mattered. False if the arena
 * (for scratch) is at its limit. */
bool complexity_of(const ast_operation_t *operation,
                   const ast_document_t *document,
                   const variables_t *variables,
                   arena_t *arena,
                   uint64_t *complexity,
                   bool *constant);

#endif
