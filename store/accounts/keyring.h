/* store/accounts/keyring.h: the keys that sign access tokens, as they lie in the table
 * signing_keys. No database: rows in, keys out. Loop thread only.
 *
 * All stores of a database share the keys. Each is an EC P-256 key for ES256, sealed with
 * master.key (libsodium secretbox); its kid is its RFC 7638 thumbprint, which is checked after
 * unsealing, so that no row can stand in for another. The newest generation that is due signs;
 * every key whose verifies_until has not passed is published, also one that is not due yet: so
 * gateways know a new key before its first token. */
#ifndef PARLEY_STORE_ACCOUNTS_KEYRING_H
#define PARLEY_STORE_ACCOUNTS_KEYRING_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "store/accounts/master_key.h"

enum {
    KID_SIZE = 44, /* 43 characters and a NUL */
    SEALED_KEY_MAX = 1024,
    KEYRING_MAX = 16, /* keys at a time */
};

/* A row of signing_keys; borrowed for the call. */
typedef struct {
    int32_t generation;
    const char *kid;
    const char *alg;
    const void *sealed;
    size_t sealed_size;
    int64_t signs_from_us;
    int64_t verifies_until_us; /* 0: no end is known */
} keyring_row_t;

/* A key as it is used. Lives until the next keyring_load. */
typedef struct {
    int32_t generation;
    char kid[KID_SIZE];
    const char *pem; /* the private key, NUL-terminated */
    int64_t signs_from_us;
    int64_t verifies_until_us;
} signing_key_t;

/* A new key, ready for the table. */
typedef struct {
    char kid[KID_SIZE];
    const char *alg;
    uint8_t sealed[SEALED_KEY_MAX];
    size_t sealed_size;
} new_signing_key_t;

typedef struct keyring keyring_t;

/* An empty keyring; keeps only what it derives from master. Never NULL. */
keyring_t *keyring_new(const master_key_t *master);
void keyring_destroy(keyring_t **self_p);

/* Makes a key and seals it; the keyring itself does not change. ERR_SYSTEM if OpenSSL cannot. */
err_code_t keyring_generate(const keyring_t *self, new_signing_key_t *key, err_t *err);

/* Takes these rows for all there is. ERR_CONFIG if master.key does not open one of them, ERR_SYSTEM
 * if a row is broken: the keyring stays as it was. */
err_code_t keyring_load(keyring_t *self, const keyring_row_t *rows, size_t count, err_t *err);

/* The key that signs at this time, or NULL while there is none. */
const signing_key_t *keyring_signer(const keyring_t *self, int64_t now_us);

/* The key of that name, if what it signed still counts at this time; else NULL. */
const signing_key_t *keyring_find(const keyring_t *self, const char *kid, int64_t now_us);

/* The public keys as a JWK set (RFC 7517), a new reference. */
json_t *keyring_jwks(const keyring_t *self, int64_t now_us);

#endif
