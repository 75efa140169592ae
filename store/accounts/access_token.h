/* store/accounts/access_token.h: signs access tokens (RFC 7519, ES256). No database. */
#ifndef PARLEY_STORE_ACCOUNTS_ACCESS_TOKEN_H
#define PARLEY_STORE_ACCOUNTS_ACCESS_TOKEN_H

#include <stdint.h>

#include "common/err.h"
#include "store/accounts/keyring.h"

enum { ACCESS_TOKEN_LIFETIME_S = 3600 };

/* All borrowed for the call. */
typedef struct {
    const char *issuer;
    const char *client_id;
    const char *sub;
    const char *username; /* the handle as registered */
    const char *session;
    int64_t auth_time_us; /* when the password was given */
    int64_t now_us;
} access_token_spec_t;

/* The token, to be freed with free(); *expires_at_us is its claim exp. NULL and ERR_INTERNAL if it
 * cannot be signed. Claims: iss sub username token_use=access client_id iat exp auth_time jti
 * session; header: alg, typ, kid. */
char *access_token_issue(const signing_key_t *key,
                         const access_token_spec_t *spec,
                         int64_t *expires_at_us,
                         err_t *err);

#endif
