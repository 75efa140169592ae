/* store/accounts/password_work.h: what passwords and SRP cost in computing, as work for the
 * hasher's threads (hasher_run). A work holds copies of all that it needs and is wiped when it is
 * freed. */
#ifndef PARLEY_STORE_ACCOUNTS_PASSWORD_WORK_H
#define PARLEY_STORE_ACCOUNTS_PASSWORD_WORK_H

#include <stdbool.h>
#include <stddef.h>

#include "store/accounts/hasher.h"
#include "store/accounts/srp.h"

/* A new password: its Argon2id hash and, if SRP is in use, its verifier. */
typedef struct {
    char hash[PASSWORD_HASH_SIZE];     /* result */
    uint8_t verifier[SRP_NUMBER_SIZE]; /* result */
    bool wants_hash, wants_verifier;
    uint8_t salt[SRP_SALT_SIZE];
    char *pool, *user, *password;
    size_t size;
} new_password_t;

/* Copies. user: the name as SRP hashes it. Never NULL. */
new_password_t *
new_password_new(const char *pool, const char *user, const char *password, size_t size);
/* For hasher_run: false without memory for the hash. */
bool new_password_compute(void *work);
void new_password_free(void *work);

/* One step of the server's side. */
typedef struct {
    uint8_t verifier[SRP_NUMBER_SIZE];
    uint8_t secret[SRP_SECRET_SIZE];
    uint8_t client_public[SRP_NUMBER_SIZE]; /* srp_step_key only */
    uint8_t server_public[SRP_NUMBER_SIZE]; /* result of srp_step_public */
    uint8_t key[SRP_KEY_SIZE];              /* result of srp_step_key */
} srp_step_t;

/* Filled with zeros. Never NULL. */
srp_step_t *srp_step_new(void);
/* For hasher_run. */
bool srp_step_public(void *work);
bool srp_step_key(void *work);
void srp_step_free(void *work);

#endif
