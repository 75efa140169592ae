/* gateway/http/graphql_error.h: responses that are only errors (GraphQL 2025-09 7.1), as the fronts
 * make them themselves. Pure. */
#ifndef PARLEY_GATEWAY_HTTP_GRAPHQL_ERROR_H
#define PARLEY_GATEWAY_HTTP_GRAPHQL_ERROR_H

#include "common/buffer.h"
#include "common/err.h"
#include "common/json.h"

/* Appends {"errors":[{"message":…,"extensions":{"code":…,…}}]}. code: a name of the closed list;
 * message: UTF-8; extensions: a JSON map whose members (other than code) are added, or empty. */
void graphql_error_write(buffer_t *out,
                         const char *code,
                         const char *message,
                         json_slice_t extensions);

/* The same from an err_t. */
void graphql_error_write_err(buffer_t *out, const err_t *err);

/* The list below "errors" of a whole response; "[]" if it has none. */
json_slice_t graphql_error_list(json_slice_t response);

/* extensions.code of its first error; ERR_OK if there is none, ERR_INTERNAL if it has no code. */
err_code_t graphql_error_code(json_slice_t response);

#endif
