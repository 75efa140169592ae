/* Keys and tokens made for tests of gateway/auth, signed with OpenSSL, and what is said of them. */
#ifndef PARLEY_TESTS_TOKEN_MAKER_H
#define PARLEY_TESTS_TOKEN_MAKER_H

#include <jansson.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/auth/auth.h"

#define ISS "http://localhost:8080/local-1_chat"
#define CLIENT "chatclient"
#define HEADER "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"k1\"}"
#define NOW_S INT64_C(1800000000)

enum { TEXT_MAX = 20000 };

extern EVP_PKEY *maker_key, *maker_other_key, *maker_rsa_key, *maker_weak_rsa_key, *maker_ed_key;

/* Set-up and end of a group of tests; the clock stands at NOW_S. */
int maker_make_keys(void **state);
int maker_free_keys(void **state);

void maker_base64(const void *data, size_t size, char *out, size_t capacity);
/* The public key as a JWK, a new reference. */
json_t *maker_jwk(EVP_PKEY *key, const char *kid);
/* An issuer with these keys (taken; the second may be NULL), a new reference. */
json_t *maker_issuer(const char *iss, json_t *key, json_t *key_2);
/* header.payload.signature; key NULL leaves the signature empty. Valid until the next call. */
char *maker_craft(const char *header, const char *payload, EVP_PKEY *key);
/* The claims of a good token, with some replaced (null removes one); valid until the next call. */
const char *maker_claims(const char *changes);
char *maker_token(const char *changes);

/* Knows maker_key as k1 of the service "store". */
auth_t *maker_auth(const char *api_key, size_t cache_entries);
void maker_accept(auth_t *auth, const char *token);
void maker_refuse(auth_t *auth, const char *token, const char *reason);
void maker_refuse_sized(
    auth_t *auth, const char *token, size_t size, err_code_t code, const char *reason);
void maker_assert_json(json_slice_t text, const char *expected);

#endif
