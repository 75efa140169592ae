/* store/accounts/account_tools.h: what the operations on accounts share, whichever protocol they
 * came by (accounts.c: GraphQL fields; cognito.c: Cognito's). Owned by accounts_t; loop thread
 * only. */
#ifndef PARLEY_STORE_ACCOUNTS_ACCOUNT_TOOLS_H
#define PARLEY_STORE_ACCOUNTS_ACCOUNT_TOOLS_H

#include <stdbool.h>

#include "common/loop.h"
#include "store/accounts/attempts.h"
#include "store/accounts/codes.h"
#include "store/accounts/hasher.h"
#include "store/accounts/mailer.h"
#include "store/accounts/password_work.h"
#include "store/accounts/refresh_token.h"
#include "store/accounts/signing_keys.h"
#include "store/accounts/srp_secrets.h"
#include "store/pg_link.h"

typedef struct {
    loop_t *loop;
    pg_link_t *link; /* borrowed */
    signing_keys_t *keys;
    hasher_t *hasher;
    attempts_t *attempts;
    mailer_t *mailer; /* NULL: codes go to the log */
    refresh_keys_t refresh_keys;
    srp_keys_t srp_keys;
    codes_t codes;
    char *issuer, *client_id, *pool_id;
    const char *pool_name; /* of pool_id, behind its first "_": what SRP hashes */
    bool srp;              /* are verifiers kept? */
    bool is_stopped;
} account_tools_t;

/* Work for the hash and (with SRP) the verifier of a new password. key: NAME_KEY of pool_sql.h. */
new_password_t *account_new_password(const account_tools_t *self,
                                     const char *key,
                                     const char *password,
                                     size_t size);

/* The verifier of a computed work, sealed for the account; NULL if none is kept. */
const uint8_t *account_seal_verifier(const account_tools_t *self,
                                     const parley_uuid_t *account,
                                     const new_password_t *computed,
                                     uint8_t sealed[SRP_SEALED_SIZE]);

/* Adds the verifier of an account that has none, now that its password is known (it was compared
 * with password_hash): in the background, and nobody hears how it ends. */
void account_add_verifier(account_tools_t *self,
                          const parley_uuid_t *account,
                          const char *key,
                          const char *password,
                          size_t size,
                          const char *password_hash);

/* Sends a code to the address; without a mailer, or if email is NULL, it goes to the log, whose
 * reader may pass it on. */
void account_deliver_code(account_tools_t *self,
                          const char *handle,
                          const char *email,
                          code_purpose_t purpose,
                          const char *code);

#endif
