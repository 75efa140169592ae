/* gateway/graphql/type/build_schema.h: SDL of several services → one schema (GraphQL 2025-09 3).
 * Root types are merged by field, everything else has one service; `extend` works across services.
 * Added: specified scalars and directives, introspection types, AWS scalars (as far as they are
 * used) and the directives that the gateway knows: @public, @resolve(needs: [String!]),
 * @aws_subscribe, @aws_auth, @aws_api_key, @aws_oidc, @aws_iam,
 * @aws_lambda, @aws_cognito_user_pools. Conventional AppSync SDL, which declares those itself, is
 * accepted. */
#ifndef PARLEY_GATEWAY_GRAPHQL_TYPE_BUILD_SCHEMA_H
#define PARLEY_GATEWAY_GRAPHQL_TYPE_BUILD_SCHEMA_H

#include "common/err.h"
#include "gateway/graphql/type/schema.h"

/* Layout as gql_source_t of the facade. All borrowed for the call. */
typedef struct {
    const char *service;
    const char *sdl;
    size_t size;
} schema_source_t;

/* NULL, and a sentence with service, line and column of the first error in *err
 * (ERR_BAD_USER_INPUT), if the sources make no valid schema. The caller owns the result. */
schema_t *schema_build(const schema_source_t *sources, size_t count, err_t *err);

#endif
