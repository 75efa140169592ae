#include "store/accounts/access_token.h"

#include <jwt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/uuid.h"

static bool s_add_claims(jwt_t *jwt, const access_token_spec_t *spec, int64_t iat_s, int64_t exp_s)
{
    char jti[UUID_TEXT_SIZE];
    parley_uuid_t id = uuid_v7(spec->now_us / 1000);
    uuid_print(&id, jti);
    return jwt_add_grant(jwt, "iss", spec->issuer) == 0 &&
           jwt_add_grant(jwt, "sub", spec->sub) == 0 &&
           jwt_add_grant(jwt, "username", spec->username) == 0 &&
           jwt_add_grant(jwt, "token_use", "access") == 0 &&
           jwt_add_grant(jwt, "client_id", spec->client_id) == 0 &&
           jwt_add_grant(jwt, "session", spec->session) == 0 &&
           jwt_add_grant(jwt, "jti", jti) == 0 && jwt_add_grant_int(jwt, "iat", iat_s) == 0 &&
           jwt_add_grant_int(jwt, "exp", exp_s) == 0 &&
           jwt_add_grant_int(jwt, "auth_time", spec->auth_time_us / 1000000) == 0;
}

char *access_token_issue(const signing_key_t *key,
                         const access_token_spec_t *spec,
                         int64_t *expires_at_us,
                         err_t *err)
{
    int64_t iat_s = spec->now_us / 1000000;
    int64_t exp_s = iat_s + ACCESS_TOKEN_LIFETIME_S;
    char *token = NULL;
    jwt_t *jwt = NULL;
    if (jwt_new(&jwt) == 0 && s_add_claims(jwt, spec, iat_s, exp_s) &&
        jwt_add_header(jwt, "kid", key->kid) == 0 &&
        jwt_set_alg(jwt, JWT_ALG_ES256, (const unsigned char *)key->pem, (int)strlen(key->pem)) ==
            0)
        token = jwt_encode_str(jwt);
    jwt_free(jwt);
    if (!token)
        err_set(err, ERR_INTERNAL, "the access token could not be signed");
    *expires_at_us = exp_s * 1000000;
    return token;
}
