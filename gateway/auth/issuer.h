/* gateway/auth/issuer.h: one who issues tokens: his name, whom he issues them to, and his keys. No
 * clock; loop thread only. */
#ifndef PARLEY_GATEWAY_AUTH_ISSUER_H
#define PARLEY_GATEWAY_AUTH_ISSUER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "gateway/auth/identity.h"
#include "gateway/auth/verify_key.h"

typedef struct issuer issuer_t;

/* From {"iss", "clientId", "jwks"} (proto/bus.md 3), which the service announced. NULL and
 * ERR_CONFIG with a sentence if it is broken, has two keys of one name or more than
 * AUTH_KEYS_PER_ISSUER. */
issuer_t *issuer_new(const char *service, const json_t *spec, err_t *err);
/* An OpenID Connect issuer. jwks: a JWK set, or NULL while it is not known; keys that are broken
 * are passed over (RFC 7517 5): they are not ours to mend. audience and handle_claim may be NULL.
 * NULL and ERR_CONFIG if it is no JWK set. */
issuer_t *issuer_new_oidc(const char *iss,
                          const char *audience,
                          const char *handle_claim,
                          const json_t *jwks,
                          err_t *err);
void issuer_destroy(issuer_t **self_p);

/* "" for an OpenID Connect issuer. */
const char *issuer_service(const issuer_t *self);
const char *issuer_iss(const issuer_t *self);
/* The audience, of an OpenID Connect issuer; NULL: any. */
const char *issuer_client_id(const issuer_t *self);
/* NULL: the usual ones (claims_identity). */
const char *issuer_handle_claim(const issuer_t *self);
identity_provider_t issuer_provider(const issuer_t *self);

/* NULL if he has none of that name. */
const verify_key_t *issuer_key(const issuer_t *self, const char *kid);
/* Has he still the key with that verify_key_print? */
bool issuer_has_key(const issuer_t *self, uint64_t print);
size_t issuer_key_count(const issuer_t *self);

/* Was it made of the same? */
bool issuer_is(const issuer_t *self, const json_t *spec);

/* Does every token that `before` vouched for stand under self too: the same names, and all its keys
 * are still there? */
bool issuer_keeps(const issuer_t *self, const issuer_t *before);

#endif
