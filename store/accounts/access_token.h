/* store/accounts/access_token.h: signs access and ID tokens (RFC 7519, ES256), and reads the access
 * tokens that come back in the bodies of Cognito's operations. No database. */
#ifndef PARLEY_STORE_ACCOUNTS_ACCESS_TOKEN_H
#define PARLEY_STORE_ACCOUNTS_ACCESS_TOKEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/uuid.h"
#include "store/accounts/keyring.h"

enum { ACCESS_TOKEN_LIFETIME_S = 3600 };

/* All borrowed for the call. */
typedef struct {
    const char *issuer;
    const char *client_id;
    const char *sub;
    const char *username; /* the handle as registered */
    const char *session;
    const json_t *groups; /* list of names: claim cognito:groups; NULL or empty: none */
    int64_t auth_time_us; /* when the password was given */
    int64_t now_us;
} access_token_spec_t;

/* What only an ID token says about the account. Borrowed. */
typedef struct {
    const char *email;      /* NULL: none */
    const char *attributes; /* JSON map of strings, each a claim ("name", "phone_number") */
    bool email_verified;
} id_token_spec_t;

/* The token, to be freed with free(); *expires_at_us is its claim exp. NULL and ERR_INTERNAL if it
 * cannot be signed. Claims: iss sub username token_use=access client_id iat exp auth_time jti
 * session origin_jti; header: alg, typ, kid. */
char *access_token_issue(const signing_key_t *key,
                         const access_token_spec_t *spec,
                         int64_t *expires_at_us,
                         err_t *err);

/* The ID token beside it, as Cognito's: iss sub aud cognito:username cognito:groups email
 * email_verified token_use=id iat exp auth_time jti session origin_jti and the attributes. Else as
 * above. */
char *id_token_issue(const signing_key_t *key,
                     const access_token_spec_t *spec,
                     const id_token_spec_t *account,
                     err_t *err);

/* Whose access token it is. */
typedef struct {
    parley_uuid_t account;
    parley_uuid_t session;
} access_claims_t;

enum { ACCESS_TOKEN_TEXT_MAX = 8192 };

/* Reads a token that was signed with a key of this ring and has not expired by now_us (leeway 30
 * s). ERR_UNAUTHENTICATED with Cognito's sentence if it is none. Whether its session still lives
 * is the database's to say. */
err_code_t access_token_read(const keyring_t *keys,
                             const char *issuer,
                             const char *client_id,
                             const char *token,
                             size_t size,
                             int64_t now_us,
                             access_claims_t *claims,
                             err_t *err);

#endif
