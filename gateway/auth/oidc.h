/* gateway/auth/oidc.h: OpenID Connect issuers: finds their keys (OpenID Connect Discovery 1.0 4),
 * and keeps auth's up to date. An issuer that is away is asked again; until its keys are known its
 * tokens are ERR_UNAVAILABLE. Loop thread only. */
#ifndef PARLEY_GATEWAY_AUTH_OIDC_H
#define PARLEY_GATEWAY_AUTH_OIDC_H

#include "common/curl_loop.h"
#include "common/err.h"
#include "common/loop.h"
#include "gateway/auth/auth.h"

enum {
    OIDC_DOCUMENT_MAX = 256 * 1024, /* bytes of an answer */
    OIDC_TIMEOUT_MS = 10000,
    OIDC_REFRESH_S = 300,    /* keys that are known are looked at again */
    OIDC_REFETCH_MIN_S = 30, /* at most so often for the sake of an unknown key */
    OIDC_RETRY_MS = 500,
    OIDC_RETRY_MAX_MS = 30000,
};

typedef struct oidc oidc_t;

/* list: issuers, separated by semicolons or blanks, each "URL[,audience[,handle claim]]". The URL
 * is the token's claim iss, to the letter; https, or http to this machine. Without audience any is
 * taken. auth is told of the issuers at once. NULL and ERR_CONFIG with a sentence if the list is
 * wrong. */
oidc_t *oidc_new(loop_t *loop, auth_t *auth, const char *list, err_t *err);
/* Before auth. */
void oidc_destroy(oidc_t **self_p);

/* May keys be fetched from there: https, or http to a loopback address? */
bool oidc_url_is_safe(const char *url);

#endif
