#include "store/accounts/cognito.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "store/accounts/access_token.h"
#include "store/accounts/account_rules.h"
#include "store/accounts/cognito_internal.h"

enum { HEADERS_SIZE = 256 };

struct cognito {
    account_tools_t *tools;
    op_t *ops;
    metric_t *outcomes[COGNITO_OPERATIONS + 1][COGNITO_ERRORS];
};

static const op_fn s_operations[COGNITO_OPERATIONS] = {
    [COGNITO_CHANGE_PASSWORD] = cognito_change_password,
    [COGNITO_CONFIRM_FORGOT_PASSWORD] = cognito_confirm_forgot_password,
    [COGNITO_CONFIRM_SIGN_UP] = cognito_confirm_sign_up,
    [COGNITO_DELETE_USER] = cognito_delete_user,
    [COGNITO_FORGOT_PASSWORD] = cognito_forgot_password,
    [COGNITO_GET_TOKENS_FROM_REFRESH_TOKEN] = cognito_get_tokens_from_refresh_token,
    [COGNITO_GET_USER] = cognito_get_user,
    [COGNITO_GET_USER_ATTRIBUTE_VERIFICATION_CODE] = cognito_get_user_attribute_verification_code,
    [COGNITO_GLOBAL_SIGN_OUT] = cognito_global_sign_out,
    [COGNITO_INITIATE_AUTH] = cognito_initiate_auth,
    [COGNITO_RESEND_CONFIRMATION_CODE] = cognito_resend_confirmation_code,
    [COGNITO_RESPOND_TO_AUTH_CHALLENGE] = cognito_respond_to_auth_challenge,
    [COGNITO_REVOKE_TOKEN] = cognito_revoke_token,
    [COGNITO_SIGN_UP] = cognito_sign_up,
    [COGNITO_UPDATE_USER_ATTRIBUTES] = cognito_update_user_attributes,
    [COGNITO_VERIFY_USER_ATTRIBUTE] = cognito_verify_user_attribute,
};

/* ---- life of an operation ---- */

static op_t *s_op_new(cognito_t *self, store_call_t *call)
{
    op_t *op = calloc(1, sizeof *op);
    if (!op)
        abort();
    op->owner = self;
    op->tools = self->tools;
    op->call = call;
    op->operation = COGNITO_OPERATIONS;
    op->next = self->ops;
    if (op->next)
        op->next->previous = op;
    self->ops = op;
    return op;
}

static void s_free_challenge(op_t *op)
{
    if (op->challenge)
        sodium_memzero(op->challenge, sizeof *op->challenge);
    free(op->challenge);
    free(op->block);
}

static void s_op_end(op_t *op)
{
    attempts_end(op->tools->attempts, &op->attempt, ATTEMPT_UNJUDGED);
    if (op->next)
        op->next->previous = op->previous;
    if (op->previous)
        op->previous->next = op->next;
    else
        op->owner->ops = op->next;
    json_decref(op->body);
    json_decref(op->wanted.others);
    free(op->key);
    free(op->handle);
    free(op->password_hash);
    free(op->email);
    free(op->attributes);
    s_free_challenge(op);
    sodium_memzero(op, sizeof *op);
    free(op);
}

/* ---- ends ---- */

static void s_count(op_t *op, cognito_error_t outcome)
{
    metric_t **series = &op->owner->outcomes[op->operation][outcome];
    if (!*series) {
        char labels[160];
        snprintf(labels, sizeof labels, "operation=\"%s\",outcome=\"%s\"",
                 op->operation == COGNITO_OPERATIONS ? "unknown"
                                                     : cognito_operation_name(op->operation),
                 outcome == COGNITO_OK ? "ok" : cognito_error_name(outcome));
        *series = metrics_counter("parley_cognito_requests_total",
                                  "Requests to the user pool by operation and outcome", labels);
    }
    metric_inc(*series);
}

/* proto/bus.md 4.3. Takes body. */
static void s_respond(store_call_t *call, cognito_error_t error, int64_t retry_ms, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);
    if (!text)
        abort();
    buffer_t *out = store_call_begin(call);
    buffer_printf(out,
                  "{\"status\":%d,\"headers\":{\"content-type\":\"application/x-amz-json-1.1\","
                  "\"cache-control\":\"no-store\"",
                  cognito_error_status(error));
    if (error != COGNITO_OK)
        buffer_printf(out, ",\"x-amzn-errortype\":\"%s\"", cognito_error_name(error));
    if (error == COGNITO_TOO_MANY_REQUESTS || error == COGNITO_SERVICE_UNAVAILABLE)
        buffer_printf(out, ",\"retry-after\":\"%lld\"", (long long)(retry_ms / 1000 + 1));
    buffer_put_str(out, "},\"body\":");
    buffer_put_json_string(out, text, strlen(text));
    buffer_put_char(out, '}');
    store_call_done(call);
    sodium_memzero(text, strlen(text));
    free(text);
    json_decref(body);
}

void op_answer(op_t *op, json_t *body)
{
    if (!body)
        abort();
    if (op->call) {
        s_count(op, COGNITO_OK);
        s_respond(op->call, COGNITO_OK, 0, body);
    } else {
        json_decref(body);
    }
    s_op_end(op);
}

void op_refuse_as(op_t *op, const cognito_refusal_t *refusal)
{
    if (op->call) {
        s_count(op, refusal->error);
        s_respond(op->call, refusal->error, op->retry_ms,
                  json_pack("{s:s, s:s}", "__type", cognito_error_name(refusal->error), "message",
                            refusal->message));
    }
    s_op_end(op);
}

void op_refuse(op_t *op, cognito_error_t error, const char *format, ...)
{
    cognito_refusal_t refusal = {.error = error};
    va_list args;
    va_start(args, format);
    vsnprintf(refusal.message, sizeof refusal.message, format, args);
    va_end(args);
    op_refuse_as(op, &refusal);
}

/* ---- steps ---- */

account_run_t op_run(op_t *op, pg_done_fn fn)
{
    return (account_run_t){
        .link = op->tools->link, .deadline_ms = op->call->deadline_ms, .fn = fn, .arg = op};
}

bool op_committed(op_t *op, const pg_outcome_t *outcome)
{
    if (outcome->code == ERR_OK && op->call)
        return true;
    if (outcome->code == ERR_INTERNAL)
        log_error("the database refused a statement",
                  log_str("operation", cognito_operation_name(op->operation)),
                  log_str("sqlstate", outcome->sqlstate), log_str("message", outcome->message),
                  LOG_END);
    if (outcome->code == ERR_INTERNAL)
        op_refuse(op, COGNITO_INTERNAL_ERROR, "Something went wrong.");
    else
        op_refuse(op, COGNITO_SERVICE_UNAVAILABLE, "The database is away, try again later.");
    return false;
}

bool op_compute(op_t *op,
                bool (*fn)(void *work),
                void *work,
                void (*free_work)(void *work),
                hasher_done_fn done)
{
    op->work = work;
    if (hasher_run(op->tools->hasher, fn, work, free_work, op->call->deadline_ms, done, op))
        return true;
    op_refuse(op, COGNITO_TOO_MANY_REQUESTS, "Too many sign-ins at once, try again later.");
    return false;
}

bool op_was_computed(op_t *op, hasher_outcome_t outcome)
{
    if (outcome == HASHER_OK || outcome == HASHER_MISMATCH)
        return true;
    if (outcome == HASHER_LATE)
        op_refuse(op, COGNITO_TOO_MANY_REQUESTS, "Too many sign-ins at once, try again later.");
    else
        op_refuse(op, COGNITO_SERVICE_UNAVAILABLE, "The store is stopping, try again later.");
    return false;
}

const new_password_t *op_new_password(op_t *op, hasher_outcome_t outcome)
{
    if (!op_was_computed(op, outcome))
        return NULL;
    if (outcome == HASHER_OK)
        return op->work;
    op_refuse(op, COGNITO_SERVICE_UNAVAILABLE, "There is no memory for hashing passwords.");
    return NULL;
}

bool op_is_for_us(op_t *op)
{
    if (strcmp(cognito_string(op->body, "ClientId"), op->tools->client_id) == 0)
        return true;
    op_refuse(op, COGNITO_RESOURCE_NOT_FOUND, "User pool client does not exist.");
    return false;
}

static char *s_column(const PGresult *row, int column)
{
    if (PQgetisnull(row, 0, column))
        return NULL;
    char *text = strdup(PQgetvalue(row, 0, column));
    if (!text)
        abort();
    return text;
}

/* ---- names ---- */

static void s_take_account(op_t *op, const PGresult *row)
{
    memcpy(op->account.bytes, PQgetvalue(row, 0, NAME_ID), sizeof op->account.bytes);
    op->handle = s_column(row, NAME_HANDLE);
    op->password_hash = s_column(row, NAME_PASSWORD_HASH);
    op->email = s_column(row, NAME_EMAIL);
    op->is_confirmed = pg_bool(row, 0, NAME_CONFIRMED);
    op->has_verifier = PQgetlength(row, 0, NAME_SRP_VERIFIER) == SRP_SEALED_SIZE;
    if (op->has_verifier)
        memcpy(op->sealed_verifier, PQgetvalue(row, 0, NAME_SRP_VERIFIER), SRP_SEALED_SIZE);
}

static void s_on_looked_up(void *arg, const pg_outcome_t *outcome)
{
    op_t *op = arg;
    if (!op_committed(op, outcome))
        return;
    const PGresult *row = outcome->results[0];
    op->key = s_column(row, NAME_KEY);
    op->account = code_nobody(&op->tools->codes, op->key);
    op->is_disabled = pg_bool(row, 0, NAME_DISABLED);
    if (!PQgetisnull(row, 0, NAME_ID) && !op->is_disabled)
        s_take_account(op, row);
    op->then(op);
}

void op_look_up(op_t *op, const char *name, op_fn then)
{
    char folded[HANDLE_FOLDED_SIZE];
    op->then = then;
    account_fold(name, strlen(name), folded); /* "" if it can be nobody's: nobody's is it */
    account_run_t run = op_run(op, s_on_looked_up);
    pool_sql_look_up(&run, folded);
}

void op_look_up_key(op_t *op, const char *key, op_fn then)
{
    op->then = then;
    account_run_t run = op_run(op, s_on_looked_up);
    pool_sql_look_up_key(&run, key);
}

/* ---- access tokens ---- */

static void s_on_user(void *arg, const pg_outcome_t *outcome)
{
    op_t *op = arg;
    if (!op_committed(op, outcome))
        return;
    const PGresult *row = outcome->results[0];
    if (PQntuples(row) == 0) {
        op_refuse(op, COGNITO_USER_NOT_FOUND, "User does not exist.");
        return;
    }
    if (!pg_bool(row, 0, USER_IS_ALIVE)) {
        op_refuse(op, COGNITO_NOT_AUTHORIZED, "Access Token has been revoked");
        return;
    }
    op->key = s_column(row, USER_KEY);
    op->handle = s_column(row, USER_HANDLE);
    op->password_hash = s_column(row, USER_PASSWORD_HASH);
    op->email = s_column(row, USER_EMAIL);
    op->attributes = s_column(row, USER_ATTRIBUTES);
    op->is_email_verified = pg_bool(row, 0, USER_EMAIL_VERIFIED);
    op->is_confirmed = pg_bool(row, 0, USER_CONFIRMED);
    op->then(op);
}

void op_authenticate(op_t *op, op_fn then)
{
    size_t size;
    const char *token = cognito_sized_string(op->body, "AccessToken", &size);
    access_claims_t claims;
    err_t err = ERR_INIT;
    if (access_token_read(signing_keys_ring(op->tools->keys), op->tools->issuer,
                          op->tools->client_id, token, size, clock_unix_us(), &claims,
                          &err) != ERR_OK) {
        op_refuse(op, COGNITO_NOT_AUTHORIZED, "%s", err.text);
        return;
    }
    op->account = claims.account;
    op->session = claims.session;
    op->then = then;
    account_run_t run = op_run(op, s_on_user);
    pool_sql_user(&run, &op->account, &op->session);
}

/* ---- judgements ---- */

bool op_may_try(op_t *op, attempt_kind_t kind, const char *name)
{
    char folded[HANDLE_FOLDED_SIZE];
    const char *text = account_fold(name, strlen(name), folded) ? folded : name;
    op->retry_ms = attempts_begin(op->tools->attempts, kind, text, strlen(text), op->call->client,
                                  &op->attempt);
    if (!op->retry_ms)
        return true;
    op_refuse(op, COGNITO_TOO_MANY_REQUESTS, "Attempt limit exceeded, please try after some time.");
    return false;
}

static void s_judge(op_t *op, bool is_right)
{
    attempts_end(op->tools->attempts, &op->attempt, is_right ? ATTEMPT_RIGHT : ATTEMPT_WRONG);
}

bool op_judge_password(op_t *op, bool is_right)
{
    s_judge(op, is_right);
    if (!is_right)
        op_refuse(op, COGNITO_NOT_AUTHORIZED, "Incorrect username or password.");
    return is_right;
}

bool op_judge_code(op_t *op, const PGresult *row)
{
    bool is_right = pg_bool(row, 0, CODE_IS_RIGHT);
    s_judge(op, is_right);
    if (!is_right && pg_bool(row, 0, CODE_IS_LATE))
        op_refuse(op, COGNITO_EXPIRED_CODE, "Invalid code provided, please request a code again.");
    else if (!is_right)
        op_refuse(op, COGNITO_CODE_MISMATCH,
                  "Invalid verification code provided, please try again.");
    return is_right;
}

/* ---- requests ---- */

static bool s_is_open(op_t *op)
{
    if (!op->tools->is_stopped && signing_keys_are_ready(op->tools->keys, NULL, 0))
        return true;
    op_refuse(op, COGNITO_SERVICE_UNAVAILABLE, "The user pool is not available yet.");
    return false;
}

void cognito_call(void *arg, store_call_t *call)
{
    op_t *op = s_op_new(arg, call);
    const json_t *headers = json_object_get(call->args, "headers");
    const char *target = cognito_string(headers, "x-amz-target");
    size_t size;
    const char *body = cognito_sized_string(call->args, "body", &size);
    cognito_request_t request;
    cognito_refusal_t refusal;
    if (!cognito_request_read(target, body ? body : "", size, &request, &refusal)) {
        op->operation = request.operation;
        op_refuse_as(op, &refusal);
        return;
    }
    op->operation = request.operation;
    op->body = request.body;
    if (s_is_open(op))
        s_operations[op->operation](op);
}

/* ---- life ---- */

cognito_t *cognito_new(account_tools_t *tools)
{
    cognito_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->tools = tools;
    return self;
}

void cognito_stop(cognito_t *self)
{
    for (op_t *op = self->ops; op; op = op->next) {
        if (op->call)
            s_respond(op->call, COGNITO_SERVICE_UNAVAILABLE, 0,
                      json_pack("{s:s, s:s}", "__type",
                                cognito_error_name(COGNITO_SERVICE_UNAVAILABLE), "message",
                                "The store is stopping, try again later."));
        op->call = NULL;
    }
}

void cognito_destroy(cognito_t **self_p)
{
    cognito_t *self = *self_p;
    if (!self)
        return;
    while (self->ops)
        s_op_end(self->ops);
    free(self);
    *self_p = NULL;
}
