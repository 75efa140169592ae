/* store/accounts/signing_keys.h: keeps the keyring like the table signing_keys. Loop thread only.
 *
 * The first store of a database makes the first key; stores that do so at the same time agree by
 * INSERT … ON CONFLICT DO NOTHING on generation 1. The table is read whenever it is said to have
 * changed, so a key which another process adds is published and used without a restart. */
#ifndef PARLEY_STORE_ACCOUNTS_SIGNING_KEYS_H
#define PARLEY_STORE_ACCOUNTS_SIGNING_KEYS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/loop.h"
#include "store/accounts/keyring.h"
#include "store/accounts/master_key.h"
#include "store/pg_link.h"

typedef struct signing_keys signing_keys_t;

/* Reads nothing yet. link is borrowed until signing_keys_stop. Never NULL. */
signing_keys_t *signing_keys_new(loop_t *loop, pg_link_t *link, const master_key_t *master);

/* Reads the table: the link came up, or the table changed. What fails is tried again. */
void signing_keys_refresh(signing_keys_t *self);

/* Is there a key to sign with? If not, why (reason may be NULL). */
bool signing_keys_are_ready(const signing_keys_t *self, char *reason, size_t size);

/* The key that signs now, or NULL; valid for this turn of the loop. */
const signing_key_t *signing_keys_signer(const signing_keys_t *self);

/* All keys, to verify with; valid for this turn of the loop. */
const keyring_t *signing_keys_ring(const signing_keys_t *self);

/* The public keys as a JWK set, a new reference. */
json_t *signing_keys_jwks(const signing_keys_t *self);

/* Reads no more. What the link still answers afterwards is ignored. */
void signing_keys_stop(signing_keys_t *self);

/* After the link is gone. */
void signing_keys_destroy(signing_keys_t **self_p);

#endif
