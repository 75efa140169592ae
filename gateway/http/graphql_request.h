/* gateway/http/graphql_request.h: what a client asks for, out of JSON or a query string (GraphQL
 * over HTTP, "Request"). Pure; a request owns its JSON tree and everything points into that, or
 * into the arena. */
#ifndef PARLEY_GATEWAY_HTTP_GRAPHQL_REQUEST_H
#define PARLEY_GATEWAY_HTTP_GRAPHQL_REQUEST_H

#include <jansson.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/err.h"
#include "gateway/http/target.h"

enum { GRAPHQL_REQUEST_DEPTH_MAX = 128 };

typedef struct {
    json_t *root, *other;       /* owned trees that the maps are in; NULL in an empty request */
    const char *query;          /* UTF-8, NUL-terminated, no NUL inside; NULL if only its hash is
                                   named, see persisted.h */
    size_t query_size;          /* bytes */
    const char *operation_name; /* NULL if absent */
    const json_t *variables;    /* a map, or NULL */
    size_t variables_size;      /* bytes of its text; 0 if it did not come as text of its own */
    const json_t *extensions;   /* a map, or NULL */
} graphql_request_t;

#define GRAPHQL_REQUEST_INIT                                                                       \
    {                                                                                              \
        .root = NULL                                                                               \
    }

/* Reads the members query, operationName, variables and extensions of a JSON map. Takes root, also
 * on failure. ERR_BAD_USER_INPUT with a sentence that names the member and the rule. */
err_code_t graphql_request_read(graphql_request_t *self, json_t *root, err_t *err);

/* The same from JSON text (not NUL-terminated). Strings live in the arena or in the trees. */
err_code_t graphql_request_parse(
    graphql_request_t *self, arena_t *arena, const char *text, size_t size, err_t *err);

/* The same from the parameters of a GET: variables and extensions are JSON text there. Strings live
 * in the arena. */
err_code_t graphql_request_from_target(graphql_request_t *self,
                                       arena_t *arena,
                                       const http_target_t *target,
                                       err_t *err);

/* Frees the tree; the request is empty afterwards. */
void graphql_request_clear(graphql_request_t *self);

#endif
