#include "store/accounts/pool_sql.h"

#include <stdio.h>

static pg_param_t s_uuid(const parley_uuid_t *uuid)
{
    return PG_BINARY(uuid->bytes, sizeof uuid->bytes);
}

static pg_param_t s_text(const char *text)
{
    return text ? PG_TEXT(text) : PG_NULL;
}

static pg_param_t s_sealed(const uint8_t *verifier)
{
    return verifier ? PG_BINARY(verifier, SRP_SEALED_SIZE) : PG_NULL;
}

/* ---- names ---- */

#define LOOK_UP(key)                                                                               \
    "SELECT k.key, a.id, a.handle, a.password_hash, a.srp_verifier, a.confirmed, a.email,"         \
    " a.disabled_at IS NOT NULL FROM (SELECT " key " AS key) k"                                    \
    " LEFT JOIN accounts a ON a.handle_key = k.key"

static const Oid s_look_up_types[] = {PG_TEXT_TYPE};
static const pg_statement_t s_look_up = {
    .name = "pool_look_up",
    .sql = LOOK_UP("account_handle_key($1)"),
    .param_count = 1,
    .types = s_look_up_types,
    .binary_results = true,
};
static const pg_statement_t s_look_up_key = {
    .name = "pool_look_up_key",
    .sql = LOOK_UP("$1"),
    .param_count = 1,
    .types = s_look_up_types,
    .binary_results = true,
};

void pool_sql_look_up(const account_run_t *run, const char *folded)
{
    const pg_param_t params[] = {PG_TEXT(folded)};
    account_read(run, &s_look_up, params);
}

void pool_sql_look_up_key(const account_run_t *run, const char *key)
{
    const pg_param_t params[] = {PG_TEXT(key)};
    account_read(run, &s_look_up_key, params);
}

static const Oid s_sign_up_types[] = {PG_UUID,      PG_TEXT_TYPE, PG_TEXT_TYPE, PG_TEXT_TYPE,
                                      PG_TEXT_TYPE, PG_BYTEA,     PG_TEXT_TYPE, PG_TEXT_TYPE,
                                      PG_BYTEA,     PG_TEXT_TYPE, PG_TEXT_TYPE};
static const pg_statement_t s_sign_up = {
    .name = "pool_sign_up",
    .sql = "WITH a AS (INSERT INTO accounts"
           " (id, handle, handle_key, email, password_hash, srp_verifier, attributes, confirmed)"
           " VALUES ($1, $2, account_handle_key($3), $4, $5, $6, $7::jsonb, false) RETURNING id)"
           " INSERT INTO account_codes"
           " (account_id, purpose, code_hash, tries_left, expires_at, sent_count)"
           " SELECT a.id, $8, $9, $10::integer, clock_timestamp() + $11::interval, 1 FROM a",
    .param_count = 11,
    .types = s_sign_up_types,
};

/* Texts of a code's numbers. */
typedef struct {
    char tries[16];
    char lifetime[32];
} code_limits_t;

static void s_limits(code_purpose_t purpose, code_limits_t *limits)
{
    snprintf(limits->tries, sizeof limits->tries, "%d", CODE_TRIES);
    snprintf(limits->lifetime, sizeof limits->lifetime, "%d seconds", code_lifetime_s(purpose));
}

void pool_sql_sign_up(const account_run_t *run,
                      const account_row_t *account,
                      const char *attributes,
                      const code_row_t *code)
{
    code_limits_t limits;
    s_limits(code->purpose, &limits);
    const pg_param_t params[] = {
        s_uuid(&account->id),
        PG_TEXT(account->handle),
        PG_TEXT(account->folded),
        s_text(account->email),
        PG_TEXT(account->password_hash),
        s_sealed(account->srp_verifier),
        PG_TEXT(attributes),
        PG_TEXT(code_purpose_name(code->purpose)),
        PG_BINARY(code->hash, sizeof code->hash),
        PG_TEXT(limits.tries),
        PG_TEXT(limits.lifetime),
    };
    account_write(run, &s_sign_up, params);
}

/* ---- codes ---- */

#define HOUR_IS_OVER "c.sent_from < clock_timestamp() - interval '1 hour'"
#define MAY_SEND "(c.sent_count < $6::integer OR " HOUR_IS_OVER ")"

static const Oid s_put_code_types[] = {PG_UUID,      PG_TEXT_TYPE, PG_BYTEA,
                                       PG_TEXT_TYPE, PG_TEXT_TYPE, PG_TEXT_TYPE};
static const pg_statement_t s_put_code = {
    .name = "pool_put_code",
    .sql = "INSERT INTO account_codes AS c"
           " (account_id, purpose, code_hash, tries_left, expires_at, sent_count)"
           " VALUES ($1, $2, $3, $4::integer, clock_timestamp() + $5::interval, 1)"
           " ON CONFLICT (account_id, purpose) DO UPDATE SET"
           " code_hash = CASE WHEN " MAY_SEND " THEN excluded.code_hash ELSE c.code_hash END,"
           " tries_left = CASE WHEN " MAY_SEND " THEN excluded.tries_left ELSE c.tries_left END,"
           " expires_at = CASE WHEN " MAY_SEND " THEN excluded.expires_at ELSE c.expires_at END,"
           " sent_count = CASE WHEN " HOUR_IS_OVER " THEN 1 ELSE c.sent_count + 1 END,"
           " sent_from = CASE WHEN " HOUR_IS_OVER " THEN clock_timestamp() ELSE c.sent_from END"
           " RETURNING c.sent_count <= $6::integer",
    .param_count = 6,
    .types = s_put_code_types,
    .binary_results = true,
};

void pool_sql_put_code(const account_run_t *run, const code_row_t *code)
{
    code_limits_t limits;
    char an_hour[16];
    s_limits(code->purpose, &limits);
    snprintf(an_hour, sizeof an_hour, "%d", CODES_AN_HOUR);
    const pg_param_t params[] = {
        s_uuid(&code->account),
        PG_TEXT(code_purpose_name(code->purpose)),
        PG_BINARY(code->hash, sizeof code->hash),
        PG_TEXT(limits.tries),
        PG_TEXT(limits.lifetime),
        PG_TEXT(an_hour),
    };
    account_write(run, &s_put_code, params);
}

/* Takes a try of the code $3 of account $1 for purpose $2. A row is written in any case, so that
 * all answers take as long. tries_left afterwards: -2: it was right, and is used up; -1: there was
 * none, or no try was left. */
#define JUDGE                                                                                      \
    "WITH c AS (INSERT INTO account_codes AS c (account_id, purpose, tries_left)"                  \
    " VALUES ($1, $2, -1)"                                                                         \
    " ON CONFLICT (account_id, purpose) DO UPDATE SET"                                             \
    " tries_left = CASE WHEN c.code_hash = $3 AND c.tries_left > 0"                                \
    " AND c.expires_at > clock_timestamp() THEN -2 ELSE greatest(c.tries_left - 1, -1) END"        \
    " RETURNING c.tries_left = -2 AS is_right, coalesce(c.code_hash = $3 AND c.tries_left >= 0,"   \
    " false) AS is_late)"

static const Oid s_judge_types[] = {PG_UUID, PG_TEXT_TYPE, PG_BYTEA};
static const pg_statement_t s_confirm = {
    .name = "pool_confirm",
    .sql = JUDGE ", a AS (UPDATE accounts SET confirmed = true, email_verified = true"
                 " WHERE id = $1 AND (SELECT is_right FROM c))"
                 " SELECT is_right, is_late FROM c",
    .param_count = 3,
    .types = s_judge_types,
    .binary_results = true,
};

void pool_sql_confirm(const account_run_t *run, const code_row_t *code)
{
    const pg_param_t params[] = {
        s_uuid(&code->account),
        PG_TEXT(code_purpose_name(code->purpose)),
        PG_BINARY(code->hash, sizeof code->hash),
    };
    account_write(run, &s_confirm, params);
}

static const Oid s_reset_types[] = {PG_UUID, PG_TEXT_TYPE, PG_BYTEA, PG_TEXT_TYPE, PG_BYTEA};
static const pg_statement_t s_reset_password = {
    .name = "pool_reset_password",
    .sql = JUDGE ", a AS (UPDATE accounts SET confirmed = true, email_verified = true,"
                 " password_hash = $4, srp_verifier = $5"
                 " WHERE id = $1 AND (SELECT is_right FROM c))"
                 " SELECT is_right, is_late FROM c",
    .param_count = 5,
    .types = s_reset_types,
    .binary_results = true,
};

/* A statement of its own sees the sessions of sign-ins that the first one waited for. */
static const Oid s_end_reset_types[] = {PG_UUID, PG_TEXT_TYPE};
static const pg_statement_t s_end_reset = {
    .name = "pool_end_reset",
    .sql = "SELECT account_end_sessions($1, 'reset') FROM account_codes"
           " WHERE account_id = $1 AND purpose = $2 AND tries_left = -2",
    .param_count = 2,
    .types = s_end_reset_types,
};

void pool_sql_reset_password(const account_run_t *run,
                             const code_row_t *code,
                             const char *password_hash,
                             const uint8_t *srp_verifier)
{
    const pg_param_t params[] = {
        s_uuid(&code->account),
        PG_TEXT(code_purpose_name(code->purpose)),
        PG_BINARY(code->hash, sizeof code->hash),
        PG_TEXT(password_hash),
        s_sealed(srp_verifier),
    };
    const pg_step_t steps[] = {{.statement = &s_reset_password, .params = params},
                               {.statement = &s_end_reset, .params = params}};
    pg_link_run(run->link, steps, 2, run->deadline_ms, run->fn, run->arg);
}

/* ---- sessions ---- */

static const Oid s_sign_in_types[] = {PG_UUID, PG_TEXT_TYPE, PG_BYTEA,
                                      PG_UUID, PG_TEXT_TYPE, PG_BYTEA};
static const pg_statement_t s_sign_in = {
    .name = "pool_sign_in",
    .sql =
        "WITH a AS (SELECT id, handle, groups, email, email_verified, attributes FROM accounts"
        " WHERE id = $1 AND confirmed AND disabled_at IS NULL"
        " AND (password_hash = $2 OR srp_verifier = $3) FOR SHARE),"
        " s AS (INSERT INTO sessions (id, account_id, client_id, token_hash, expires_at, rotates)"
        " SELECT $4, a.id, $5, $6, clock_timestamp() + interval '30 days', false FROM a"
        " RETURNING created_at)"
        " SELECT s.created_at, a.handle, array_to_json(a.groups)::text, a.email, a.email_verified,"
        " a.attributes::text FROM s, a",
    .param_count = 6,
    .types = s_sign_in_types,
    .binary_results = true,
};

void pool_sql_sign_in(const account_run_t *run,
                      const parley_uuid_t *account,
                      const char *password_hash,
                      const uint8_t *srp_verifier,
                      const session_row_t *session)
{
    const pg_param_t params[] = {
        s_uuid(account),
        s_text(password_hash),
        s_sealed(srp_verifier),
        s_uuid(&session->id),
        PG_TEXT(session->client_id),
        PG_BINARY(session->token_hash, sizeof session->token_hash),
    };
    account_write(run, &s_sign_in, params);
}

static const Oid s_add_verifier_types[] = {PG_UUID, PG_TEXT_TYPE, PG_BYTEA};
static const pg_statement_t s_add_verifier = {
    .name = "pool_add_verifier",
    .sql = "UPDATE accounts SET srp_verifier = $3"
           " WHERE id = $1 AND password_hash = $2 AND srp_verifier IS NULL",
    .param_count = 3,
    .types = s_add_verifier_types,
};

void pool_sql_add_verifier(const account_run_t *run,
                           const parley_uuid_t *account,
                           const char *password_hash,
                           const uint8_t *srp_verifier)
{
    const pg_param_t params[] = {s_uuid(account), PG_TEXT(password_hash), s_sealed(srp_verifier)};
    account_write(run, &s_add_verifier, params);
}

static const Oid s_revoke_types[] = {PG_UUID, PG_BYTEA};
static const pg_statement_t s_revoke = {
    .name = "pool_revoke",
    .sql = "UPDATE sessions SET ended_at = clock_timestamp(), ended_by = 'revoked'"
           " WHERE id = $1 AND (token_hash = $2 OR previous_hash = $2) AND ended_at IS NULL",
    .param_count = 2,
    .types = s_revoke_types,
};

void pool_sql_revoke(const account_run_t *run,
                     const parley_uuid_t *session,
                     const uint8_t token_hash[REFRESH_HASH_SIZE])
{
    const pg_param_t params[] = {s_uuid(session), PG_BINARY(token_hash, REFRESH_HASH_SIZE)};
    account_write(run, &s_revoke, params);
}

static const Oid s_account_types[] = {PG_UUID};

/* ---- the caller's account ---- */

static const Oid s_user_types[] = {PG_UUID, PG_UUID};
static const pg_statement_t s_user = {
    .name = "pool_user",
    .sql = "SELECT a.handle_key, a.handle, a.password_hash, a.email, a.email_verified,"
           " a.attributes::text, a.confirmed,"
           " a.disabled_at IS NULL AND s.id IS NOT NULL AND s.ended_at IS NULL"
           " FROM accounts a LEFT JOIN sessions s ON s.id = $2 AND s.account_id = a.id"
           " WHERE a.id = $1",
    .param_count = 2,
    .types = s_user_types,
    .binary_results = true,
};

void pool_sql_user(const account_run_t *run,
                   const parley_uuid_t *account,
                   const parley_uuid_t *session)
{
    const pg_param_t params[] = {s_uuid(account), s_uuid(session)};
    account_read(run, &s_user, params);
}

static const Oid s_change_types[] = {PG_UUID, PG_TEXT_TYPE, PG_TEXT_TYPE, PG_BYTEA};
static const pg_statement_t s_change_password = {
    .name = "pool_change_password",
    .sql = "UPDATE accounts SET password_hash = $3, srp_verifier = $4"
           " WHERE id = $1 AND password_hash = $2 AND disabled_at IS NULL RETURNING id",
    .param_count = 4,
    .types = s_change_types,
    .binary_results = true,
};

void pool_sql_change_password(const account_run_t *run,
                              const parley_uuid_t *account,
                              const char *old_hash,
                              const char *new_hash,
                              const uint8_t *srp_verifier)
{
    const pg_param_t params[] = {s_uuid(account), PG_TEXT(old_hash), PG_TEXT(new_hash),
                                 s_sealed(srp_verifier)};
    account_write(run, &s_change_password, params);
}

static const Oid s_update_types[] = {PG_UUID, PG_TEXT_TYPE, PG_TEXT_TYPE, PG_TEXT_TYPE};
static const pg_statement_t s_update = {
    .name = "pool_update",
    .sql = "UPDATE accounts SET attributes = jsonb_strip_nulls(attributes || $2::jsonb),"
           " email_verified = email_verified AND NOT ($3::boolean AND email IS DISTINCT FROM $4),"
           " email = CASE WHEN $3::boolean THEN $4 ELSE email END WHERE id = $1",
    .param_count = 4,
    .types = s_update_types,
};

void pool_sql_update(const account_run_t *run,
                     const parley_uuid_t *account,
                     const char *patch,
                     bool changes_email,
                     const char *email)
{
    const pg_param_t params[] = {s_uuid(account), PG_TEXT(patch),
                                 PG_TEXT(changes_email ? "true" : "false"), s_text(email)};
    account_write(run, &s_update, params);
}

static const pg_statement_t s_delete = {
    .name = "pool_delete",
    .sql = "WITH c AS (DELETE FROM account_codes WHERE account_id = $1)"
           " DELETE FROM accounts WHERE id = $1",
    .param_count = 1,
    .types = s_account_types,
};

void pool_sql_delete(const account_run_t *run, const parley_uuid_t *account)
{
    const pg_param_t params[] = {s_uuid(account)};
    account_write(run, &s_delete, params);
}

static const pg_statement_t s_clean = {
    .name = "pool_clean",
    .sql = "DELETE FROM account_codes WHERE (account_id, purpose) IN (SELECT account_id, purpose"
           " FROM account_codes WHERE expires_at < clock_timestamp() - interval '1 hour'"
           " AND sent_from < clock_timestamp() - interval '1 hour' LIMIT 1000)",
};

void pool_sql_clean(const account_run_t *run)
{
    account_write(run, &s_clean, NULL);
}
