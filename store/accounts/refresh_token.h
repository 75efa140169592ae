/* store/accounts/refresh_token.h: the codec of refresh tokens. No database, no clock.
 *
 * A token names its session and carries 32 random bytes:
 *
 *     version (1 byte, 01) ‖ session (16) ‖ secret (32) ‖ tag (16)      in base64url, no padding
 *
 * The tag is a keyed BLAKE2b of all before it. It tells a token that this store (or a sister) once
 * gave out from invented ones, so that only a real token that was already replaced ends a session,
 * and made-up ones never reach the database. */
#ifndef PARLEY_STORE_ACCOUNTS_REFRESH_TOKEN_H
#define PARLEY_STORE_ACCOUNTS_REFRESH_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/uuid.h"
#include "store/accounts/master_key.h"

enum {
    REFRESH_SECRET_SIZE = 32,
    REFRESH_TAG_SIZE = 16,
    REFRESH_HASH_SIZE = 32,
    REFRESH_TEXT_SIZE = 88,                              /* 87 characters and a NUL */
    REFRESH_SEALED_SIZE = 24 + 16 + REFRESH_SECRET_SIZE, /* nonce, tag, secret */
};

typedef struct {
    parley_uuid_t session;
    uint8_t secret[REFRESH_SECRET_SIZE];
} refresh_token_t;

/* The two derived keys. */
typedef struct {
    uint8_t tag[SUBKEY_SIZE];
    uint8_t seal[SUBKEY_SIZE];
} refresh_keys_t;

void refresh_keys_derive(const master_key_t *master, refresh_keys_t *keys);

/* A new random token of the session. */
void refresh_token_make(const parley_uuid_t *session, refresh_token_t *token);

void refresh_token_print(const refresh_keys_t *keys,
                         const refresh_token_t *token,
                         char out[REFRESH_TEXT_SIZE]);

/* False if it is no token that refresh_token_print made with these keys. */
bool refresh_token_parse(const refresh_keys_t *keys,
                         const char *text,
                         size_t size,
                         refresh_token_t *token);

/* What is stored: BLAKE2b of session and secret. The secret has 256 random bits, so a slow hash
 * would add nothing. */
void refresh_token_hash(const refresh_token_t *token, uint8_t out[REFRESH_HASH_SIZE]);

/* Seals the successor for whoever shows the token before it again: the key is made of that token
 * and of master.key, so neither the database nor the old token alone opens it. */
void refresh_token_seal(const refresh_keys_t *keys,
                        const refresh_token_t *token,
                        const refresh_token_t *successor,
                        uint8_t out[REFRESH_SEALED_SIZE]);
bool refresh_token_unseal(const refresh_keys_t *keys,
                          const refresh_token_t *token,
                          const void *sealed,
                          size_t size,
                          refresh_token_t *successor);

#endif
