/* store/accounts/pool_sql.h: the statements of the user pool's operations. As in accounts_sql.h:
 * one statement for each change, all times are the database's. */
#ifndef PARLEY_STORE_ACCOUNTS_POOL_SQL_H
#define PARLEY_STORE_ACCOUNTS_POOL_SQL_H

#include <stdbool.h>

#include "store/accounts/accounts_sql.h"
#include "store/accounts/codes.h"
#include "store/accounts/srp_secrets.h"

/* ---- names ---- */

enum {
    NAME_KEY, /* how the name is told from others; what SRP hashes */
    NAME_ID,  /* NULL here and below: no account */
    NAME_HANDLE,
    NAME_PASSWORD_HASH,
    NAME_SRP_VERIFIER,
    NAME_CONFIRMED,
    NAME_EMAIL,
    NAME_DISABLED
};
/* One row, whether the name (account_fold) has an account or not. */
void pool_sql_look_up(const account_run_t *run, const char *folded);
/* The same by a NAME_KEY. */
void pool_sql_look_up_key(const account_run_t *run, const char *key);

/* A code that was made. */
typedef struct {
    parley_uuid_t account;
    code_purpose_t purpose;
    uint8_t hash[CODE_HASH_SIZE];
} code_row_t;

/* An account that waits for its code; attributes: JSON. No row. A handle that somebody has violates
 * ACCOUNT_HANDLE_CONSTRAINT. */
void pool_sql_sign_up(const account_run_t *run,
                      const account_row_t *account,
                      const char *attributes,
                      const code_row_t *code);

/* ---- codes ---- */

/* Replaces the code. One row; CODE_SENT false: too many were sent this hour, the old one stays. */
enum { CODE_SENT };
void pool_sql_put_code(const account_run_t *run, const code_row_t *code);

/* Takes one try. One row: CODE_IS_RIGHT (and then it works no more), or CODE_IS_LATE: it would have
 * been, some time ago. Right: the account is confirmed, and its e-mail address (if the code went
 * there) verified. */
enum { CODE_IS_RIGHT, CODE_IS_LATE };
void pool_sql_confirm(const account_run_t *run, const code_row_t *code);

/* The same; right: the password is the new one, and all sessions end. srp_verifier may be NULL. */
void pool_sql_reset_password(const account_run_t *run,
                             const code_row_t *code,
                             const char *password_hash,
                             const uint8_t *srp_verifier);

/* ---- sessions ---- */

enum {
    POOL_SESSION_CREATED_AT, /* as SESSION_CREATED_AT and SESSION_HANDLE */
    POOL_SESSION_HANDLE,
    POOL_SESSION_GROUPS,
    POOL_SESSION_EMAIL,
    POOL_SESSION_EMAIL_VERIFIED,
    POOL_SESSION_ATTRIBUTES
};
/* A session whose refresh token does not rotate, if the account is confirmed and not disabled and
 * what was compared is still the account's: one of password_hash and srp_verifier (sealed), the
 * other NULL. One row, else none. An id that there is already violates sessions_pkey. */
#define SESSION_ID_CONSTRAINT "sessions_pkey"
void pool_sql_sign_in(const account_run_t *run,
                      const parley_uuid_t *account,
                      const char *password_hash,
                      const uint8_t *srp_verifier,
                      const session_row_t *session);

/* Keeps the verifier of an account that had none, if the password is still the one of the hash. */
void pool_sql_add_verifier(const account_run_t *run,
                           const parley_uuid_t *account,
                           const char *password_hash,
                           const uint8_t *srp_verifier);

/* Ends the session if the token is (or was last) its refresh token. */
void pool_sql_revoke(const account_run_t *run,
                     const parley_uuid_t *session,
                     const uint8_t token_hash[REFRESH_HASH_SIZE]);

/* ---- the caller's account ---- */

enum {
    USER_KEY,
    USER_HANDLE,
    USER_PASSWORD_HASH,
    USER_EMAIL,
    USER_EMAIL_VERIFIED,
    USER_ATTRIBUTES,
    USER_CONFIRMED,
    USER_IS_ALIVE /* its session has not ended and it is not disabled */
};
/* One row, or none: the account is gone. */
void pool_sql_user(const account_run_t *run,
                   const parley_uuid_t *account,
                   const parley_uuid_t *session);

/* One row if the password was still the one of old_hash, else none. */
void pool_sql_change_password(const account_run_t *run,
                              const parley_uuid_t *account,
                              const char *old_hash,
                              const char *new_hash,
                              const uint8_t *srp_verifier);

/* patch: JSON map of attributes, null removes. changes_email: to email (NULL: none), which is not
 * verified then. */
void pool_sql_update(const account_run_t *run,
                     const parley_uuid_t *account,
                     const char *patch,
                     bool changes_email,
                     const char *email);

/* Deletes account, sessions and codes. */
void pool_sql_delete(const account_run_t *run, const parley_uuid_t *account);

/* Deletes up to a thousand codes that expired an hour ago. */
void pool_sql_clean(const account_run_t *run);

#endif
