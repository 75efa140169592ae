/* gateway/auth/verify_key.h: a public key that checks signatures, made from a JWK (RFC 7517). No
 * clock, no state; any thread.
 *
 * A key has exactly one algorithm (RFC 8725 3.1), which its type decides:
 *
 *     kty EC, crv P-256     ES256 (RFC 7518 3.4)
 *     kty RSA               RS256 (RFC 7518 3.3), 2048 to 8192 bits; PS256 (3.5) if its alg says so
 *     kty OKP, crv Ed25519  EdDSA (RFC 8037 3.1)
 *
 * Signatures are checked by OpenSSL on a key that was parsed once. libjwt 1.10 parses the PEM again
 * at each verification, for which a storm of reconnecting clients would wait, and knows no EdDSA.
 */
#ifndef PARLEY_GATEWAY_AUTH_VERIFY_KEY_H
#define PARLEY_GATEWAY_AUTH_VERIFY_KEY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum { VERIFY_KEY_KID_MAX = 256, VERIFY_SIGNATURE_MAX = 1024 };

typedef struct verify_key verify_key_t;

/* ERR_OK with *key: a key, or NULL for a JWK that is not for this purpose (another type, curve or
 * algorithm, for encryption) and is to be passed over (RFC 7517 5). ERR_CONFIG if it is broken, has
 * no kid, is too weak, or holds a private key. */
err_code_t verify_key_from_jwk(const json_t *jwk, verify_key_t **key, err_t *err);
void verify_key_destroy(verify_key_t **self_p);

const char *verify_key_kid(const verify_key_t *self);
/* A number that two keys have in common only if they are the same; never 0. */
uint64_t verify_key_print(const verify_key_t *self);
/* "ES256", "RS256", "PS256" or "EdDSA". */
const char *verify_key_algorithm(const verify_key_t *self);

/* Is this the key's signature of the data, in the form that a JWS has it? */
bool verify_key_check(const verify_key_t *self,
                      const void *data,
                      size_t data_size,
                      const uint8_t *signature,
                      size_t signature_size);

#endif
