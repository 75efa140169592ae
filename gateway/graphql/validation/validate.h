/* gateway/graphql/validation/validate.h: is a document valid against a schema (GraphQL 2025-09 5)?
 * Pure; any thread. */
#ifndef PARLEY_GATEWAY_GRAPHQL_VALIDATION_VALIDATE_H
#define PARLEY_GATEWAY_GRAPHQL_VALIDATION_VALIDATE_H

#include "common/arena.h"
#include "gateway/graphql/language/ast.h"
#include "gateway/graphql/language/errors.h"
#include "gateway/graphql/type/schema.h"

typedef struct {
    uint32_t max_depth; /* nesting of selection sets, through fragments; 0: no limit, as below */
    uint32_t max_root_fields; /* of each operation, through fragments */
    uint32_t max_aliases;     /* in the document */
    uint32_t max_directives;  /* in the document */
    bool introspection;       /* false refuses __schema and __type, and gives no suggestions */
} validate_options_t;

/* Runs every rule, binds the tree to the schema (members marked "bound" in ast.h) and adds what is
 * wrong to `errors` (GRAPHQL_VALIDATION_FAILED, or LIMIT_EXCEEDED; at most errors->limit). True if
 * nothing was added: only then all members are bound and the document may be executed. `scratch` is
 * used during the call only. */
bool validate_document(const schema_t *schema,
                       ast_document_t *document,
                       const validate_options_t *options,
                       arena_t *scratch,
                       gql_errors_t *errors);

#endif
