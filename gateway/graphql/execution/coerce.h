/* gateway/graphql/execution/coerce.h: input values become JSON text for the services (GraphQL
 * 2025-09 3.*.* "Input Coercion", 6.1.2, 6.4.1). Loop thread only. */
#ifndef PARLEY_GATEWAY_GRAPHQL_EXECUTION_COERCE_H
#define PARLEY_GATEWAY_GRAPHQL_EXECUTION_COERCE_H

#include <jansson.h>

#include "common/arena.h"
#include "common/buffer.h"
#include "common/json.h"
#include "gateway/graphql/execution/field_errors.h"
#include "gateway/graphql/language/ast.h"
#include "gateway/graphql/language/errors.h"
#include "gateway/graphql/type/schema.h"

/* The coerced variables of one execution, by index of their definition. */
typedef struct {
    const ast_operation_t *operation;
    plan_scratch_t *scratch;
    const json_slice_t *values; /* JSON text; data is NULL where the variable has no value */
} variables_t;

/* Coerces the values of a request. `given` is a JSON map or NULL; suggestions says whether errors
 * may name what the schema has. Texts are in the arena. False if errors were added (BAD_USER_INPUT,
 * as graphql-js words them), or memory was out (errors->out_of_memory). */
bool variables_coerce(variables_t *self,
                      const schema_t *schema,
                      const ast_operation_t *operation,
                      plan_scratch_t *scratch,
                      const json_t *given,
                      bool suggestions,
                      arena_t *arena,
                      gql_errors_t *errors);

/* Text of a variable, or data NULL. */
json_slice_t variables_get(const variables_t *self, const name_t *name);

/* Appends a literal, coerced to a type, as JSON. False if it is not of that type; then what was
 * appended is to be thrown away. variables may be NULL for constant values. */
bool coerce_literal(const schema_ref_t *type,
                    const ast_value_t *value,
                    const variables_t *variables,
                    buffer_t *out);

/* Appends the arguments of a field as a JSON map in the order of the definition: what is absent and
 * has no default is left out. False, with one error added at the path, if one has no valid value.
 */
bool coerce_arguments(const schema_input_t *definitions,
                      uint32_t definition_count,
                      const ast_selection_t *node,
                      const variables_t *variables,
                      field_errors_t *errors,
                      const path_t *path,
                      buffer_t *out);

#endif
