#include "store/accounts/accounts_sql.h"

#include "store/accounts/srp_secrets.h"

static const Oid s_sign_up_types[] = {PG_UUID,      PG_TEXT_TYPE, PG_TEXT_TYPE,
                                      PG_TEXT_TYPE, PG_TEXT_TYPE, PG_UUID,
                                      PG_TEXT_TYPE, PG_BYTEA,     PG_BYTEA};
static const pg_statement_t s_sign_up = {
    .name = "account_sign_up",
    .sql = "WITH a AS (INSERT INTO accounts (id, handle, handle_key, email, password_hash,"
           " srp_verifier) VALUES ($1, $2, account_handle_key($3), $4, $5, $9) RETURNING id)"
           " INSERT INTO sessions (id, account_id, client_id, token_hash, expires_at)"
           " SELECT $6, a.id, $7, $8, clock_timestamp() + interval '30 days' FROM a RETURNING "
           "created_at, $2, '[]'::text",
    .param_count = 9,
    .types = s_sign_up_types,
    .binary_results = true,
};

void account_sql_sign_up(const account_run_t *run,
                         const account_row_t *account,
                         const session_row_t *session)
{
    const pg_param_t params[] = {
        PG_BINARY(account->id.bytes, sizeof account->id.bytes),
        PG_TEXT(account->handle),
        PG_TEXT(account->folded),
        account->email ? PG_TEXT(account->email) : PG_NULL,
        PG_TEXT(account->password_hash),
        PG_BINARY(session->id.bytes, sizeof session->id.bytes),
        PG_TEXT(session->client_id),
        PG_BINARY(session->token_hash, sizeof session->token_hash),
        account->srp_verifier ? PG_BINARY(account->srp_verifier, SRP_SEALED_SIZE) : PG_NULL,
    };
    account_write(run, &s_sign_up, params);
}

static const Oid s_sign_in_types[] = {PG_UUID, PG_TEXT_TYPE, PG_UUID, PG_TEXT_TYPE, PG_BYTEA};
static const pg_statement_t s_sign_in = {
    .name = "account_sign_in",
    .sql = "WITH a AS (SELECT id, handle, groups FROM accounts"
           " WHERE id = $1 AND password_hash = $2 AND confirmed AND disabled_at IS NULL FOR SHARE),"
           " s AS (INSERT INTO sessions (id, account_id, client_id, token_hash, expires_at)"
           " SELECT $3, a.id, $4, $5, clock_timestamp() + interval '30 days' FROM a RETURNING "
           "created_at)"
           " SELECT s.created_at, a.handle, array_to_json(a.groups)::text FROM s, a",
    .param_count = 5,
    .types = s_sign_in_types,
    .binary_results = true,
};

void account_sql_sign_in(const account_run_t *run,
                         const parley_uuid_t *account,
                         const char *password_hash,
                         const session_row_t *session)
{
    const pg_param_t params[] = {
        PG_BINARY(account->bytes, sizeof account->bytes),           PG_TEXT(password_hash),
        PG_BINARY(session->id.bytes, sizeof session->id.bytes),     PG_TEXT(session->client_id),
        PG_BINARY(session->token_hash, sizeof session->token_hash),
    };
    account_write(run, &s_sign_in, params);
}

/* $2 is the hash of the token that was shown, $3 that of its successor, $4 the successor sealed. */
static const Oid s_refresh_types[] = {PG_UUID, PG_BYTEA, PG_BYTEA, PG_BYTEA};
static const pg_statement_t s_refresh = {
    .name = "account_refresh",
    .sql = "UPDATE sessions s SET refreshed_at = clock_timestamp(),"
           " token_hash = CASE WHEN s.rotates AND s.token_hash = $2"
           " THEN $3 ELSE s.token_hash END,"
           " previous_hash = CASE WHEN s.rotates AND s.token_hash = $2"
           " THEN $2 ELSE s.previous_hash END,"
           " previous_until = CASE WHEN s.rotates AND s.token_hash = $2"
           " THEN clock_timestamp() + interval '60 seconds' ELSE s.previous_until END,"
           " successor = CASE WHEN s.rotates AND s.token_hash = $2"
           " THEN $4 ELSE s.successor END,"
           " expires_at = CASE WHEN s.rotates AND s.token_hash = $2"
           " THEN clock_timestamp() + interval '30 days' ELSE s.expires_at END,"
           " ended_at = CASE WHEN s.token_hash = $2"
           " OR (s.previous_hash = $2 AND s.previous_until > clock_timestamp())"
           " THEN NULL ELSE clock_timestamp() END,"
           " ended_by = CASE WHEN s.token_hash = $2"
           " OR (s.previous_hash = $2 AND s.previous_until > clock_timestamp())"
           " THEN NULL ELSE 'reuse' END"
           " FROM accounts a WHERE s.id = $1 AND s.ended_at IS NULL"
           " AND s.expires_at > clock_timestamp()"
           " AND a.id = s.account_id AND a.disabled_at IS NULL"
           " RETURNING s.created_at, a.handle, array_to_json(a.groups)::text, a.id,"
           " s.token_hash = $3, s.ended_at IS NOT NULL, s.rotates, s.successor, a.email,"
           " a.email_verified, a.attributes::text",
    .param_count = 4,
    .types = s_refresh_types,
    .binary_results = true,
};

void account_sql_refresh(const account_run_t *run, const refresh_row_t *refresh)
{
    const pg_param_t params[] = {
        PG_BINARY(refresh->session.bytes, sizeof refresh->session.bytes),
        PG_BINARY(refresh->hash, sizeof refresh->hash),
        PG_BINARY(refresh->successor_hash, sizeof refresh->successor_hash),
        PG_BINARY(refresh->successor, sizeof refresh->successor),
    };
    account_write(run, &s_refresh, params);
}

static const Oid s_sign_out_types[] = {PG_UUID, PG_UUID};
static const pg_statement_t s_sign_out = {
    .name = "account_sign_out",
    .sql = "UPDATE sessions SET ended_at = clock_timestamp(), ended_by = 'sign-out'"
           " WHERE id = $1 AND account_id = $2 AND ended_at IS NULL",
    .param_count = 2,
    .types = s_sign_out_types,
};

void account_sql_sign_out(const account_run_t *run,
                          const parley_uuid_t *session,
                          const parley_uuid_t *account)
{
    const pg_param_t params[] = {
        PG_BINARY(session->bytes, sizeof session->bytes),
        PG_BINARY(account->bytes, sizeof account->bytes),
    };
    account_write(run, &s_sign_out, params);
}

static const Oid s_end_sessions_types[] = {PG_UUID, PG_TEXT_TYPE};
static const pg_statement_t s_end_sessions = {
    .name = "account_end_sessions",
    .sql = "SELECT account_end_sessions($1, $2)",
    .param_count = 2,
    .types = s_end_sessions_types,
};

void account_sql_end_sessions(const account_run_t *run,
                              const parley_uuid_t *account,
                              const char *reason)
{
    const pg_param_t params[] = {
        PG_BINARY(account->bytes, sizeof account->bytes),
        PG_TEXT(reason),
    };
    account_write(run, &s_end_sessions, params);
}

static const Oid s_me_types[] = {PG_UUID};
static const pg_statement_t s_me = {
    .name = "account_me",
    .sql = "SELECT created_at, handle, email FROM accounts WHERE id = $1",
    .param_count = 1,
    .types = s_me_types,
    .binary_results = true,
};

void account_sql_me(const account_run_t *run, const parley_uuid_t *account)
{
    const pg_param_t params[] = {PG_BINARY(account->bytes, sizeof account->bytes)};
    account_read(run, &s_me, params);
}

static const pg_statement_t s_clean = {
    .name = "account_clean",
    .sql = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions"
           " WHERE expires_at < clock_timestamp() - interval '1 day'"
           " OR ended_at < clock_timestamp() - interval '1 day' LIMIT 1000)",
};

void account_sql_clean(const account_run_t *run)
{
    account_write(run, &s_clean, NULL);
}
