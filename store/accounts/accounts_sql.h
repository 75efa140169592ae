/* store/accounts/accounts_sql.h: the statements of accounts and sessions, and their parameters.
 * Each changes what it changes in one statement, so that stores that serve the same account at the
 * same time cannot come between its look and its change; all times are the database's, so that
 * their clocks do not matter. */
#ifndef PARLEY_STORE_ACCOUNTS_ACCOUNTS_SQL_H
#define PARLEY_STORE_ACCOUNTS_ACCOUNTS_SQL_H

#include "common/uuid.h"
#include "store/accounts/account_run.h"
#include "store/accounts/refresh_token.h"

/* Result columns. */
/* Of sign_up, sign_in and refresh, which has more; groups as a JSON list. */
enum { SESSION_CREATED_AT, SESSION_HANDLE, SESSION_GROUPS };
enum {
    REFRESH_ACCOUNT = SESSION_GROUPS + 1,
    REFRESH_ROTATED,
    REFRESH_ENDED,
    REFRESH_ROTATES,
    REFRESH_SUCCESSOR,
    REFRESH_EMAIL,
    REFRESH_EMAIL_VERIFIED,
    REFRESH_ATTRIBUTES
};
enum { ME_CREATED_AT, ME_HANDLE, ME_EMAIL };

/* A session that begins. */
typedef struct {
    parley_uuid_t id;
    const char *client_id;
    uint8_t token_hash[REFRESH_HASH_SIZE];
} session_row_t;

/* An account that begins. */
typedef struct {
    parley_uuid_t id;
    const char *handle;
    const char *folded; /* account_fold */
    const char *email;  /* NULL: none */
    const char *password_hash;
    const uint8_t *srp_verifier; /* sealed (srp_secrets.h), NULL: none */
} account_row_t;

/* Makes both; one row. A handle that somebody has violates this constraint. */
#define ACCOUNT_HANDLE_CONSTRAINT "accounts_handle_is_taken"
void account_sql_sign_up(const account_run_t *run,
                         const account_row_t *account,
                         const session_row_t *session);

/* Makes the session, if the account is confirmed and not disabled and its password is still the one
 * whose hash was compared: one row, else none. */
void account_sql_sign_in(const account_run_t *run,
                         const parley_uuid_t *account,
                         const char *password_hash,
                         const session_row_t *session);

/* What a refresh token's use leads to. */
typedef struct {
    parley_uuid_t session;
    uint8_t hash[REFRESH_HASH_SIZE];           /* of the token that was shown */
    uint8_t successor_hash[REFRESH_HASH_SIZE]; /* of the one that is to replace it */
    uint8_t successor[REFRESH_SEALED_SIZE];
} refresh_row_t;

/* One row if the session lived until now, else none. REFRESH_ROTATED: the successor is the token
 * now. REFRESH_ENDED: the shown token is neither the session's nor, within its minute, the one
 * before; somebody has a copy, and the session has ended. Neither of them: it was the one before,
 * and REFRESH_SUCCESSOR is what it was replaced with; or the session does not rotate
 * (REFRESH_ROTATES is false). When two show the same token, the second waits for the first's row
 * and is judged by what it left. */
void account_sql_refresh(const account_run_t *run, const refresh_row_t *refresh);

/* Ends the session if it is the account's and lives. */
void account_sql_sign_out(const account_run_t *run,
                          const parley_uuid_t *session,
                          const parley_uuid_t *account);

/* Ends all sessions of the account. Whatever ends a session, here or elsewhere, tells gateways: a
 * trigger does, so that its tokens are refused and what is open ends (auth_changes.h). */
void account_sql_end_sessions(const account_run_t *run,
                              const parley_uuid_t *account,
                              const char *reason);

/* The account: one row, or none. */
void account_sql_me(const account_run_t *run, const parley_uuid_t *account);

/* Deletes up to a thousand sessions that expired or ended a day ago. */
void account_sql_clean(const account_run_t *run);

#endif
