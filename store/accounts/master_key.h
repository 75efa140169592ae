/* store/accounts/master_key.h: the one secret that is not in the database, and the keys derived
 * from it (libsodium crypto_kdf), one for each purpose. All stores of a database have the same. */
#ifndef PARLEY_STORE_ACCOUNTS_MASTER_KEY_H
#define PARLEY_STORE_ACCOUNTS_MASTER_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum { MASTER_KEY_SIZE = 32, SUBKEY_SIZE = 32 };

/* What a derived key is for. The numbers are part of what is stored: never change or reuse one. */
typedef enum {
    SUBKEY_SIGNING_KEYS = 1,   /* seals private signing keys */
    SUBKEY_REFRESH_TAG = 2,    /* authenticates refresh tokens */
    SUBKEY_REFRESH_SEAL = 3,   /* seals a refresh token's successor */
    SUBKEY_SRP_SALT = 10,      /* makes SRP's salts of names */
    SUBKEY_SRP_VERIFIER = 11,  /* seals SRP's verifiers */
    SUBKEY_SRP_CHALLENGE = 12, /* seals challenges that clients carry */
    SUBKEY_CODES = 13,         /* hashes confirmation codes; invents what unknown names need */
} subkey_t;

typedef struct master_key master_key_t;

/* Reads keys_dir/master.key: 32 bytes, or the same as 64 hex digits. NULL and ERR_CONFIG with the
 * path named. */
master_key_t *master_key_read(const char *keys_dir, err_t *err);
/* The same of bytes. Never NULL. */
master_key_t *master_key_new(const uint8_t bytes[MASTER_KEY_SIZE]);
/* Wipes it. */
void master_key_destroy(master_key_t **self_p);

void master_key_derive(const master_key_t *self, subkey_t purpose, uint8_t out[SUBKEY_SIZE]);

#endif
