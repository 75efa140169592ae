/* store/accounts/srp_secrets.h: what SRP keeps, under keys that are not in the database: salts,
 * sealed verifiers, and challenges that a client carries instead of the store's memory (so that any
 * store may judge the answer). No database, no clock.
 *
 * A salt is a keyed hash of the name: an account has the same one as the same name without an
 * account, before, while and after it exists. */
#ifndef PARLEY_STORE_ACCOUNTS_SRP_SECRETS_H
#define PARLEY_STORE_ACCOUNTS_SRP_SECRETS_H

#include "common/uuid.h"
#include "store/accounts/master_key.h"
#include "store/accounts/srp.h"

enum {
    SRP_SEALED_SIZE = 24 + 16 + SRP_NUMBER_SIZE, /* nonce, tag, verifier */
    SRP_USER_MAX = 4096,                         /* bytes of a user's name */
    SRP_BLOCK_TEXT_MAX = 8192,                   /* base64 of a challenge */
};

typedef struct {
    uint8_t salt[SUBKEY_SIZE];
    uint8_t seal[SUBKEY_SIZE];
    uint8_t block[SUBKEY_SIZE];
} srp_keys_t;

void srp_keys_derive(const master_key_t *master, srp_keys_t *keys);

void srp_salt(const srp_keys_t *keys, const char *user, uint8_t salt[SRP_SALT_SIZE]);

/* A number that stands in for the verifier of a name without an account; always the same. */
void srp_invent_verifier(const srp_keys_t *keys,
                         const char *user,
                         uint8_t verifier[SRP_NUMBER_SIZE]);

/* The account's id is bound into it: a row copied to another account does not open. */
void srp_seal_verifier(const srp_keys_t *keys,
                       const parley_uuid_t *account,
                       const uint8_t verifier[SRP_NUMBER_SIZE],
                       uint8_t sealed[SRP_SEALED_SIZE]);
bool srp_open_verifier(const srp_keys_t *keys,
                       const parley_uuid_t *account,
                       const void *sealed,
                       size_t size,
                       uint8_t verifier[SRP_NUMBER_SIZE]);

/* A challenge under way. session: the id of the session it may become; its row is unique, so a
 * challenge is answered once. */
typedef struct {
    parley_uuid_t session;
    int64_t made_ms;
    uint8_t secret[SRP_SECRET_SIZE];
    uint8_t client_public[SRP_NUMBER_SIZE];
    char user[SRP_USER_MAX + 1];
} srp_challenge_t;

/* As base64 with padding, to be freed with free(). user has at most SRP_USER_MAX bytes. */
char *srp_challenge_seal(const srp_keys_t *keys, const srp_challenge_t *challenge);

/* False if it is no challenge of these keys. *block (to be freed with free()) and *block_size are
 * the bytes that the signature covers. */
bool srp_challenge_open(const srp_keys_t *keys,
                        const char *text,
                        size_t size,
                        srp_challenge_t *challenge,
                        uint8_t **block,
                        size_t *block_size);

#endif
