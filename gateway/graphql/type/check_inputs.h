/* gateway/graphql/type/check_inputs.h: the circles that a schema must not have. Private to this
 * folder. */
#ifndef PARLEY_GATEWAY_GRAPHQL_TYPE_CHECK_INPUTS_H
#define PARLEY_GATEWAY_GRAPHQL_TYPE_CHECK_INPUTS_H

#include "gateway/graphql/type/builder.h"

/* 3.10: each input object can be given a finite value: no circle of non-null fields, no oneOf that
 * only leads into one. */
bool check_inputs_are_finite(builder_t *self);

/* 3.10 InputObjectDefaultValueHasCycle. */
bool check_inputs_default_cycles(builder_t *self);

/* 3.13: no directive is used within its own definition, or by what that refers to. */
bool check_directive_cycles(builder_t *self);

#endif
