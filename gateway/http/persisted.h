/* gateway/http/persisted.h: documents by the SHA-256 of their text: those that clients registered
 * themselves (Apollo's automatic persisted queries), least recently used ones forgotten first, and
 * those that the operator trusts, kept for good. The runner's; loop thread only. */
#ifndef PARLEY_GATEWAY_HTTP_PERSISTED_H
#define PARLEY_GATEWAY_HTTP_PERSISTED_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "gateway/http/graphql_request.h"

typedef struct {
    size_t max_bytes;  /* of texts that clients registered; 0: they cannot */
    bool only_trusted; /* everything that is not trusted is refused */
} persisted_options_t;

typedef struct persisted persisted_t;
persisted_t *persisted_new(const persisted_options_t *options);
void persisted_destroy(persisted_t **self_p);

/* Trusts every file *.graphql or *.gql of the folder; the id of each is the SHA-256 of its bytes.
 * ERR_CONFIG with folder or file named. */
err_code_t persisted_load(persisted_t *self, const char *dir, err_t *err);

/* What the request is to run: *text (borrowed until the next call) and *size. ERR_OK;
 * ERR_PERSISTED_QUERY_NOT_FOUND: the client is to send the text too;
 * ERR_PERSISTED_QUERY_NOT_SUPPORTED; ERR_BAD_USER_INPUT if the hash is not that of the text;
 * ERR_FORBIDDEN if it is not trusted. */
err_code_t persisted_resolve(persisted_t *self,
                             const graphql_request_t *request,
                             const char **text,
                             size_t *size,
                             err_t *err);

#endif
