/* gateway/graphql/type/builtins.h: what every schema has without saying so, as SDL. */
#ifndef PARLEY_GATEWAY_GRAPHQL_TYPE_BUILTINS_H
#define PARLEY_GATEWAY_GRAPHQL_TYPE_BUILTINS_H

#include "gateway/graphql/type/scalars.h"

/* Scalars (3.5), directives (3.13) and introspection types (4) of the specification, in
 * graphql-js's order, and the meta fields as fields of a type `__Meta`, which no schema contains.
 */
enum { BUILTIN_SPECIFIED_PARTS = 3 };
extern const char *const BUILTIN_SPECIFIED_SDL[BUILTIN_SPECIFIED_PARTS];

/* AWS scalars and the directives that the gateway knows. Services may declare them again. */
extern const char BUILTIN_GATEWAY_SDL[];

/* The kind of a built-in scalar, or SCALAR_CUSTOM. */
scalar_kind_t builtin_scalar(const char *name);

#endif
