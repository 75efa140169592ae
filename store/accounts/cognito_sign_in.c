/* Sessions: by SRP, by password, by refresh token, and their end. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "store/accounts/access_token.h"
#include "store/accounts/cognito_internal.h"

enum { CHALLENGE_LIFETIME_MS = 180000, TIMESTAMP_MAX = 64 };

/* ---- tokens ---- */

/* What a row says about the account of a session. */
typedef struct {
    const PGresult *row;
    int handle, groups, email, email_verified, attributes, created_at;
} columns_t;

static const char *s_text(const columns_t *columns, int column)
{
    return PQgetisnull(columns->row, 0, column) ? NULL : PQgetvalue(columns->row, 0, column);
}

/* {"AuthenticationResult"}; refresh: it says what to use next. NULL if nothing can be signed. */
static json_t *s_tokens(op_t *op, const columns_t *columns, bool refresh)
{
    account_tools_t *tools = op->tools;
    char sub[UUID_TEXT_SIZE], session[UUID_TEXT_SIZE], text[REFRESH_TEXT_SIZE];
    err_t err = ERR_INIT;
    uuid_print(&op->account, sub);
    uuid_print(&op->session, session);
    json_t *groups = json_loads(PQgetvalue(columns->row, 0, columns->groups), 0, NULL);
    access_token_spec_t spec = {
        .issuer = tools->issuer,
        .client_id = tools->client_id,
        .sub = sub,
        .username = s_text(columns, columns->handle),
        .session = session,
        .groups = groups,
        .auth_time_us = pg_unix_us(columns->row, 0, columns->created_at),
        .now_us = clock_unix_us(),
    };
    id_token_spec_t account = {
        .email = s_text(columns, columns->email),
        .email_verified = pg_bool(columns->row, 0, columns->email_verified),
        .attributes = s_text(columns, columns->attributes),
    };
    const signing_key_t *key = signing_keys_signer(tools->keys);
    int64_t expires_at_us;
    char *access = key ? access_token_issue(key, &spec, &expires_at_us, &err) : NULL;
    char *id = access ? id_token_issue(key, &spec, &account, &err) : NULL;
    json_t *result = NULL;
    json_decref(groups);
    if (id)
        result = json_pack("{s:s, s:i, s:s, s:s}", "AccessToken", access, "ExpiresIn",
                           ACCESS_TOKEN_LIFETIME_S, "IdToken", id, "TokenType", "Bearer");
    else
        log_error("tokens not signed", log_str("error", err.text), LOG_END);
    if (result && refresh) {
        refresh_token_print(&tools->refresh_keys, &op->fresh, text);
        json_object_set_new(result, "RefreshToken", json_string(text));
        sodium_memzero(text, sizeof text);
    }
    free(access);
    free(id);
    return result;
}

static void s_answer_tokens(op_t *op, const columns_t *columns, bool refresh)
{
    json_t *result = s_tokens(op, columns, refresh);
    if (result)
        op_answer(op,
                  json_pack("{s:{}, s:o}", "ChallengeParameters", "AuthenticationResult", result));
    else
        op_refuse(op, COGNITO_INTERNAL_ERROR, "The tokens could not be signed.");
}

/* ---- sessions that begin ---- */

static void s_on_signed_in(void *arg, const pg_outcome_t *outcome)
{
    op_t *op = arg;
    if (outcome->code == ERR_INTERNAL && strcmp(outcome->sqlstate, "23505") == 0 &&
        outcome->constraint && strcmp(outcome->constraint, SESSION_ID_CONSTRAINT) == 0) {
        op_refuse(op, COGNITO_NOT_AUTHORIZED, "Invalid session for the user.");
        return; /* the challenge was answered before */
    }
    if (!op_committed(op, outcome))
        return;
    columns_t columns = {.row = outcome->results[0],
                         .handle = POOL_SESSION_HANDLE,
                         .groups = POOL_SESSION_GROUPS,
                         .email = POOL_SESSION_EMAIL,
                         .email_verified = POOL_SESSION_EMAIL_VERIFIED,
                         .attributes = POOL_SESSION_ATTRIBUTES,
                         .created_at = POOL_SESSION_CREATED_AT};
    /* none: the password was changed, or the account disabled, meanwhile */
    if (op_judge_password(op, PQntuples(columns.row) == 1))
        s_answer_tokens(op, &columns, true);
}

/* The password is right; by_verifier: SRP proved it. */
static void s_begin_session(op_t *op, const parley_uuid_t *id, bool by_verifier)
{
    if (!op->is_confirmed) {
        op_refuse(op, COGNITO_USER_NOT_CONFIRMED, "User is not confirmed.");
        return;
    }
    op->session = *id;
    refresh_token_make(&op->session, &op->fresh);
    session_row_t session = {.id = op->session, .client_id = op->tools->client_id};
    refresh_token_hash(&op->fresh, session.token_hash);
    account_run_t run = op_run(op, s_on_signed_in);
    pool_sql_sign_in(&run, &op->account, by_verifier ? NULL : op->password_hash,
                     by_verifier ? op->sealed_verifier : NULL, &session);
}

/* ---- InitiateAuth: USER_PASSWORD_AUTH ---- */

static const json_t *s_parameters(const op_t *op)
{
    return json_object_get(op->body, op->operation == COGNITO_INITIATE_AUTH ? "AuthParameters"
                                                                            : "ChallengeResponses");
}

/* A parameter that must be there; if not, the operation is over and this NULL. */
static const char *s_parameter(op_t *op, const char *name)
{
    const char *text = cognito_string(s_parameters(op), name);
    if (text && *text)
        return text;
    op_refuse(op, COGNITO_INVALID_PARAMETER, "Missing required parameter %s", name);
    return NULL;
}

static void s_on_verified(void *arg, hasher_outcome_t outcome)
{
    op_t *op = arg;
    if (!op_was_computed(op, outcome) || !op_judge_password(op, outcome == HASHER_OK && op->handle))
        return;
    const char *password = cognito_string(s_parameters(op), "PASSWORD");
    if (!op->has_verifier)
        account_add_verifier(op->tools, &op->account, op->key, password, strlen(password),
                             op->password_hash);
    parley_uuid_t session = uuid_v7(clock_unix_ms());
    s_begin_session(op, &session, false);
}

static void s_password_known(op_t *op)
{
    const char *password = cognito_string(s_parameters(op), "PASSWORD");
    if (!hasher_verify(op->tools->hasher, op->password_hash, password, strlen(password),
                       op->call->deadline_ms, s_on_verified, op))
        op_refuse(op, COGNITO_TOO_MANY_REQUESTS, "Too many sign-ins at once, try again later.");
}

static void s_password_auth(op_t *op)
{
    const char *name = s_parameter(op, "USERNAME");
    const char *password = name ? s_parameter(op, "PASSWORD") : NULL;
    if (!password)
        return;
    if (strlen(password) > PASSWORD_BYTES_MAX)
        op_refuse(op, COGNITO_INVALID_PARAMETER, "PASSWORD must have at most %d bytes",
                  PASSWORD_BYTES_MAX);
    else if (op_may_try(op, ATTEMPT_PASSWORD, name))
        op_look_up(op, name, s_password_known);
}

/* ---- InitiateAuth: USER_SRP_AUTH ---- */

/* The account's verifier, or what a name without one has instead; true for the former. */
static bool s_verifier(const op_t *op, uint8_t verifier[SRP_NUMBER_SIZE])
{
    srp_invent_verifier(&op->tools->srp_keys, op->key, verifier);
    return op->has_verifier && srp_open_verifier(&op->tools->srp_keys, &op->account,
                                                 op->sealed_verifier, SRP_SEALED_SIZE, verifier);
}

static void s_on_public(void *arg, hasher_outcome_t outcome)
{
    op_t *op = arg;
    if (!op_was_computed(op, outcome))
        return;
    const srp_step_t *step = op->work;
    uint8_t salt[SRP_SALT_SIZE];
    char salt_hex[2 * SRP_SALT_SIZE + 1], public_hex[SRP_HEX_SIZE];
    srp_salt(&op->tools->srp_keys, op->key, salt);
    sodium_bin2hex(salt_hex, sizeof salt_hex, salt, sizeof salt);
    srp_print(step->server_public, public_hex);
    char *block = srp_challenge_seal(&op->tools->srp_keys, op->challenge);
    json_t *parameters =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "SALT", salt_hex, "SECRET_BLOCK", block, "SRP_B",
                  public_hex, "USERNAME", op->key, "USER_ID_FOR_SRP", op->key);
    free(block);
    op_answer(op, json_pack("{s:s, s:o}", "ChallengeName", "PASSWORD_VERIFIER",
                            "ChallengeParameters", parameters));
}

static void s_srp_known(op_t *op)
{
    srp_challenge_t *challenge = op->challenge;
    if (strlen(op->key) > SRP_USER_MAX) {
        op_refuse(op, COGNITO_INVALID_PARAMETER, "USERNAME is too long");
        return;
    }
    strcpy(challenge->user, op->key);
    challenge->session = uuid_v7(clock_unix_ms());
    challenge->made_ms = clock_unix_ms();
    randombytes_buf(challenge->secret, sizeof challenge->secret);
    srp_step_t *step = srp_step_new();
    s_verifier(op, step->verifier);
    memcpy(step->secret, challenge->secret, sizeof step->secret);
    op_compute(op, srp_step_public, step, srp_step_free, s_on_public);
}

static srp_challenge_t *s_new_challenge(void)
{
    srp_challenge_t *challenge = calloc(1, sizeof *challenge);
    if (!challenge)
        abort();
    return challenge;
}

static void s_srp_auth(op_t *op)
{
    if (!op->tools->srp) {
        op_refuse(op, COGNITO_INVALID_PARAMETER, "USER_SRP_AUTH is not enabled for the client.");
        return;
    }
    const char *name = s_parameter(op, "USERNAME");
    const char *client_public = name ? s_parameter(op, "SRP_A") : NULL;
    if (!client_public)
        return;
    op->challenge = s_new_challenge();
    if (srp_parse_public(client_public, strlen(client_public), op->challenge->client_public))
        op_look_up(op, name, s_srp_known);
    else
        op_refuse(op, COGNITO_INVALID_PARAMETER, "SRP_A is not a number below the group's prime");
}

/* ---- RespondToAuthChallenge ---- */

static bool s_proves(const op_t *op, const srp_step_t *step)
{
    const json_t *responses = s_parameters(op);
    const char *given = cognito_string(responses, "PASSWORD_CLAIM_SIGNATURE");
    const char *timestamp = cognito_string(responses, "TIMESTAMP");
    uint8_t signature[SRP_SIGNATURE_SIZE], wanted[SRP_SIGNATURE_SIZE];
    size_t size = 0;
    srp_name_t name = {.pool = op->tools->pool_name, .user = op->challenge->user};
    srp_signature(step->key, &name, op->block, op->block_size, timestamp, strlen(timestamp),
                  wanted);
    return sodium_base642bin(signature, sizeof signature, given, strlen(given), NULL, &size, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           size == sizeof signature && sodium_memcmp(signature, wanted, sizeof wanted) == 0;
}

static void s_on_key(void *arg, hasher_outcome_t outcome)
{
    op_t *op = arg;
    if (!op_was_computed(op, outcome))
        return;
    uint8_t verifier[SRP_NUMBER_SIZE];
    bool is_right = s_proves(op, op->work) && outcome == HASHER_OK && s_verifier(op, verifier);
    sodium_memzero(verifier, sizeof verifier);
    if (op_judge_password(op, is_right))
        s_begin_session(op, &op->challenge->session, true);
}

static void s_response_known(op_t *op)
{
    srp_step_t *step = srp_step_new();
    s_verifier(op, step->verifier);
    memcpy(step->secret, op->challenge->secret, sizeof step->secret);
    memcpy(step->client_public, op->challenge->client_public, sizeof step->client_public);
    op_compute(op, srp_step_key, step, srp_step_free, s_on_key);
}

void cognito_respond_to_auth_challenge(op_t *op)
{
    const char *block, *timestamp;
    if (!op_is_for_us(op))
        return;
    if (strcmp(cognito_string(op->body, "ChallengeName"), "PASSWORD_VERIFIER") != 0) {
        op_refuse(op, COGNITO_INVALID_PARAMETER, "ChallengeName must be PASSWORD_VERIFIER");
        return;
    }
    if (!s_parameter(op, "USERNAME") || !s_parameter(op, "PASSWORD_CLAIM_SIGNATURE") ||
        !(timestamp = s_parameter(op, "TIMESTAMP")) ||
        !(block = s_parameter(op, "PASSWORD_CLAIM_SECRET_BLOCK")))
        return;
    op->challenge = s_new_challenge();
    if (!op->tools->srp || strlen(timestamp) > TIMESTAMP_MAX ||
        !srp_challenge_open(&op->tools->srp_keys, block, strlen(block), op->challenge, &op->block,
                            &op->block_size))
        op_refuse(op, COGNITO_NOT_AUTHORIZED, "Invalid session for the user.");
    else if (clock_unix_ms() > op->challenge->made_ms + CHALLENGE_LIFETIME_MS)
        op_refuse(op, COGNITO_NOT_AUTHORIZED, "Invalid session for the user, session is expired.");
    else if (op_may_try(op, ATTEMPT_PASSWORD, op->challenge->user))
        op_look_up_key(op, op->challenge->user, s_response_known);
}

/* ---- refresh tokens ---- */

static void s_refuse_refresh(op_t *op)
{
    op_refuse(op, COGNITO_NOT_AUTHORIZED, "Invalid Refresh Token");
}

static void s_on_refreshed(void *arg, const pg_outcome_t *outcome)
{
    op_t *op = arg;
    if (!op_committed(op, outcome))
        return;
    columns_t columns = {.row = outcome->results[0],
                         .handle = SESSION_HANDLE,
                         .groups = SESSION_GROUPS,
                         .email = REFRESH_EMAIL,
                         .email_verified = REFRESH_EMAIL_VERIFIED,
                         .attributes = REFRESH_ATTRIBUTES,
                         .created_at = SESSION_CREATED_AT};
    const PGresult *row = columns.row;
    if (PQntuples(row) == 0) {
        s_refuse_refresh(op);
        return;
    }
    if (pg_bool(row, 0, REFRESH_ENDED)) {
        op_refuse(op, COGNITO_REFRESH_TOKEN_REUSE, "Refresh token has been invalidated");
        return;
    }
    memcpy(op->account.bytes, PQgetvalue(row, 0, REFRESH_ACCOUNT), sizeof op->account.bytes);
    bool rotates = pg_bool(row, 0, REFRESH_ROTATES); /* it began as a GraphQL session */
    if (rotates && !pg_bool(row, 0, REFRESH_ROTATED) &&
        !refresh_token_unseal(&op->tools->refresh_keys, &op->presented,
                              PQgetvalue(row, 0, REFRESH_SUCCESSOR),
                              (size_t)PQgetlength(row, 0, REFRESH_SUCCESSOR), &op->fresh))
        op_refuse(op, COGNITO_INTERNAL_ERROR, "The next refresh token is unreadable.");
    else
        s_answer_tokens(op, &columns, rotates);
}

/* Reads a refresh token; if it is none that was ever given out, the operation is over. */
static bool s_present(op_t *op, const char *text)
{
    if (!refresh_token_parse(&op->tools->refresh_keys, text, strlen(text), &op->presented)) {
        s_refuse_refresh(op);
        return false;
    }
    op->session = op->presented.session;
    return true;
}

static void s_refresh(op_t *op, const char *text)
{
    if (!text || !s_present(op, text))
        return;
    refresh_row_t refresh = {.session = op->session};
    refresh_token_make(&op->session, &op->fresh);
    refresh_token_hash(&op->presented, refresh.hash);
    refresh_token_hash(&op->fresh, refresh.successor_hash);
    refresh_token_seal(&op->tools->refresh_keys, &op->presented, &op->fresh, refresh.successor);
    account_run_t run = op_run(op, s_on_refreshed);
    account_sql_refresh(&run, &refresh);
}

void cognito_get_tokens_from_refresh_token(op_t *op)
{
    if (op_is_for_us(op))
        s_refresh(op, cognito_string(op->body, "RefreshToken"));
}

void cognito_initiate_auth(op_t *op)
{
    const char *flow = cognito_string(op->body, "AuthFlow");
    if (!op_is_for_us(op))
        return;
    if (strcmp(flow, "USER_SRP_AUTH") == 0)
        s_srp_auth(op);
    else if (strcmp(flow, "USER_PASSWORD_AUTH") == 0)
        s_password_auth(op);
    else if (strcmp(flow, "REFRESH_TOKEN_AUTH") == 0 || strcmp(flow, "REFRESH_TOKEN") == 0)
        s_refresh(op, s_parameter(op, "REFRESH_TOKEN"));
    else
        op_refuse(op, COGNITO_INVALID_PARAMETER,
                  "AuthFlow must be USER_SRP_AUTH, USER_PASSWORD_AUTH or REFRESH_TOKEN_AUTH");
}

/* ---- RevokeToken ---- */

static void s_on_revoked(void *arg, const pg_outcome_t *outcome)
{
    op_t *op = arg;
    if (op_committed(op, outcome))
        op_answer(op, json_object());
}

/* RFC 7009 2.2: a token that is not valid is revoked already. */
void cognito_revoke_token(op_t *op)
{
    const char *text = cognito_string(op->body, "Token");
    if (!op_is_for_us(op))
        return;
    if (strchr(text, '.')) {
        op_refuse(op, COGNITO_UNSUPPORTED_TOKEN_TYPE,
                  "Unsupported token type: this is no "
                  "refresh token");
        return;
    }
    if (!refresh_token_parse(&op->tools->refresh_keys, text, strlen(text), &op->presented)) {
        op_answer(op, json_object());
        return;
    }
    uint8_t hash[REFRESH_HASH_SIZE];
    refresh_token_hash(&op->presented, hash);
    account_run_t run = op_run(op, s_on_revoked);
    pool_sql_revoke(&run, &op->presented.session, hash);
}
