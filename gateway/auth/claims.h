/* gateway/auth/claims.h: what the claims of a token mean (RFC 7519 4.1, and Cognito's additions).
 * The signature was checked before. Pure functions; any thread. */
#ifndef PARLEY_GATEWAY_AUTH_CLAIMS_H
#define PARLEY_GATEWAY_AUTH_CLAIMS_H

#include <jansson.h>
#include <stdint.h>

#include "common/err.h"
#include "gateway/auth/identity.h"

/* May the token be used now, here? exp is required; exp, nbf and iat are compared with a leeway of
 * AUTH_LEEWAY_S; client_id, or aud without it, must be client_id; token_use, if it is there,
 * "access". ERR_OK or ERR_UNAUTHENTICATED with a reason. */
err_code_t claims_check(const json_t *claims, const char *client_id, int64_t now_us, err_t *err);

/* Who vouched for a token. */
typedef struct {
    identity_provider_t provider;
    const char *service;      /* who issued it, or NULL */
    const char *handle_claim; /* names the handle; NULL: the usual ones */
    uint64_t key;             /* verify_key_print */
} claims_source_t;

/* The same for a token of an OpenID Connect issuer: aud, or azp or client_id, must name the
 * audience (NULL: any); ID tokens are taken too. */
err_code_t
claims_check_oidc(const json_t *claims, const char *audience, int64_t now_us, err_t *err);

/* Whom the token names: sub; username or cognito:username (or, of an OpenID Connect issuer,
 * preferred_username, email or sub), or the handle claim; cognito:groups; with the claims that
 * are none of these. NULL and ERR_UNAUTHENTICATED if it names nobody. The claims must have passed
 * claims_check. */
identity_t *claims_identity(const json_t *claims, const claims_source_t *source, err_t *err);

#endif
