/* store/accounts/codes.h: confirmation codes: how they are made, hashed, and what stands in for
 * them where a name has no account. No database, no clock. */
#ifndef PARLEY_STORE_ACCOUNTS_CODES_H
#define PARLEY_STORE_ACCOUNTS_CODES_H

#include <stddef.h>

#include "common/err.h"
#include "common/uuid.h"
#include "store/accounts/account_rules.h"
#include "store/accounts/master_key.h"

enum {
    CODE_BYTES_MAX = 32, /* of a fixed one; others have six digits */
    CODE_HASH_SIZE = 32,
    CODE_DESTINATION_SIZE = 16,
    CODE_TRIES = 5, /* for each code */
    CODES_AN_HOUR = 10,
};

typedef enum { CODE_SIGN_UP, CODE_PASSWORD, CODE_EMAIL } code_purpose_t;

typedef struct {
    uint8_t key[SUBKEY_SIZE];
    char fixed[CODE_BYTES_MAX + 1]; /* "": each code is random */
} codes_t;

/* fixed: every code, for development; NULL or "": none. ERR_CONFIG if it is too long or not
 * printable ASCII. */
err_code_t codes_init(codes_t *self, const master_key_t *master, const char *fixed, err_t *err);

/* "sign-up", "password" or "email", as the database says it. */
const char *code_purpose_name(code_purpose_t purpose);
/* How long a code of it works, in seconds. */
int code_lifetime_s(code_purpose_t purpose);

void code_make(const codes_t *self, char out[CODE_BYTES_MAX + 1]);

/* What is stored. Six digits are soon tried out, so the hash is keyed. */
void code_hash(const codes_t *self,
               const parley_uuid_t *account,
               code_purpose_t purpose,
               const char *code,
               size_t size,
               uint8_t out[CODE_HASH_SIZE]);

/* The id whose rows a name without an account writes: one of 256, always the same for the name. */
parley_uuid_t code_nobody(const codes_t *self, const char *user);

/* Where a code went, as anybody may see it: "a***@e***". email NULL: invented for the name. */
void code_destination(const codes_t *self,
                      const char *user,
                      const char *email,
                      char out[CODE_DESTINATION_SIZE]);

#endif
