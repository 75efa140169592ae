/* gateway/graphql/type/scalars.h: what the scalars that the gateway knows accept, as literal and as
 * text. Specified ones: GraphQL 2025-09 3.5; the AWS* ones as AWS AppSync documents them. Pure
 * functions; any thread. */
#ifndef PARLEY_GATEWAY_GRAPHQL_TYPE_SCALARS_H
#define PARLEY_GATEWAY_GRAPHQL_TYPE_SCALARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/graphql/language/ast.h"

typedef enum {
    SCALAR_CUSTOM, /* defined by a service: any value is let through */
    SCALAR_INT,
    SCALAR_FLOAT,
    SCALAR_STRING,
    SCALAR_BOOLEAN,
    SCALAR_ID,
    SCALAR_AWS_DATE,
    SCALAR_AWS_TIME,
    SCALAR_AWS_DATE_TIME,
    SCALAR_AWS_TIMESTAMP, /* an integer: seconds since 1970 */
    SCALAR_AWS_EMAIL,
    SCALAR_AWS_JSON,
    SCALAR_AWS_URL,
    SCALAR_AWS_PHONE,
    SCALAR_AWS_IP_ADDRESS,
} scalar_kind_t;

/* Is a string (decoded, UTF-8, not NUL-terminated) a value of this scalar? For SCALAR_AWS_DATE …
 * _IP_ADDRESS except _TIMESTAMP; String, ID and custom scalars take any text; the others none. */
bool scalar_accepts_text(scalar_kind_t kind, const char *data, size_t size);

/* Is this literal (no variable, not null) a value of this scalar (Input Coercion)? */
bool scalar_accepts_literal(scalar_kind_t kind, const ast_value_t *value);

/* Does a number fit: Int (32 bit), AWSTimestamp (53 bit)? `data` is a JSON or GraphQL number as
 * written. JSON's 1.0 and 1e2 are integers too where `json` is set. */
bool scalar_number_to_int(
    scalar_kind_t kind, const char *data, size_t size, bool json, int64_t *number);

/* What was expected, for a message: "a date such as 2026-01-31Z", or NULL for specified scalars. */
const char *scalar_expectation(scalar_kind_t kind);

#endif
