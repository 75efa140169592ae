/* gateway/auth/access.h: what an identity may, by the rules of a schema (the directives @aws_…).
 * Pure functions; loop thread only. */
#ifndef PARLEY_GATEWAY_AUTH_ACCESS_H
#define PARLEY_GATEWAY_AUTH_ACCESS_H

#include "gateway/auth/identity.h"
#include "gateway/graphql/graphql.h"

/* For an execution on behalf of the identity, which is borrowed as long as the result is used; NULL
 * stands for nobody, whom no rule lets in. */
gql_access_t access_of(identity_t *identity);

#endif
