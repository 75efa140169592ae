/* gateway/http/credential.h: the credentials of a request → an identity, the same for every front.
 * Loop thread. */
#ifndef PARLEY_GATEWAY_HTTP_CREDENTIAL_H
#define PARLEY_GATEWAY_HTTP_CREDENTIAL_H

#include "common/err.h"
#include "gateway/auth/auth.h"

/* memo: of the connection, or NULL. authorization: "Bearer x" or a bare token; api_key; both
 * NUL-terminated, NULL (or empty) if absent; authorization counts if both are there. ERR_OK with
 * *identity a reference for the caller, or NULL if there is no credential. ERR_UNAUTHENTICATED or
 * ERR_UNAVAILABLE with a reason (see auth.h). */
err_code_t credential_check(auth_t *auth,
                            token_memo_t *memo,
                            const char *authorization,
                            const char *api_key,
                            identity_t **identity,
                            err_t *err);

#endif
