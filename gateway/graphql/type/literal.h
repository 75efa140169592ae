/* gateway/graphql/type/literal.h: does a literal fit an input type (GraphQL 2025-09 3, Input
 * Coercion; 5.6)? Variables inside are taken for right: where they may stand is checked elsewhere.
 * Pure. */
#ifndef PARLEY_GATEWAY_GRAPHQL_TYPE_LITERAL_H
#define PARLEY_GATEWAY_GRAPHQL_TYPE_LITERAL_H

#include "common/arena.h"
#include "gateway/graphql/type/schema.h"

typedef struct {
    arena_t *arena;   /* for messages */
    bool suggestions; /* "Did you mean" */
    /* Told of each misfit, with the place of the value (or of the unknown field) in its text;
     * the message is empty if the arena is at its limit. False: that is enough. */
    bool (*report)(void *arg, ast_loc_t loc, const char *message);
    void *arg;
    bool stopped; /* after report gave false */
} literal_check_t;

/* True if nothing was reported. */
bool literal_check(literal_check_t *self, const ast_value_t *value, const schema_ref_t *type);

#endif
