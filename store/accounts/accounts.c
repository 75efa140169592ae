#include "store/accounts/accounts.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/uuid.h"
#include "store/accounts/access_token.h"
#include "store/accounts/account_rules.h"
#include "store/accounts/account_tools.h"
#include "store/accounts/cognito.h"
#include "store/accounts/master_key.h"
#include "store/accounts/pool_sql.h"

enum { CLEANING_MS = 600000, CLEANING_TIMEOUT_MS = 30000, ROUTE_MAX = 256, HANDLERS_MAX = 16 };

/* A call on its way through hasher and database. Lives until its last callback. */
typedef struct task {
    accounts_t *owner;
    store_call_t *call; /* NULL: was failed by accounts_stop */
    struct task *previous, *next;
    parley_uuid_t account;
    parley_uuid_t session;
    attempt_t attempt;   /* a password that is being judged */
    char *key;           /* NAME_KEY; sign-up and sign-in only */
    char *password_hash; /* the one that was verified; sign-in only */
    bool has_verifier, is_confirmed;
    new_password_t *work;      /* what the hasher computes; the hasher's. Sign-up only */
    refresh_token_t presented; /* refreshSession only */
    refresh_token_t fresh;
} task_t;

struct accounts {
    account_tools_t tools;
    cognito_t *cognito;
    loop_timer_t *cleaning;
    task_t *tasks;
    metric_t *reuses;
    char jwks_route[ROUTE_MAX], discovery_route[ROUTE_MAX];
    store_handler_t handlers[HANDLERS_MAX];
};

/* ---- tasks ---- */

static task_t *s_task_new(accounts_t *self, store_call_t *call)
{
    task_t *task = calloc(1, sizeof *task);
    if (!task)
        abort();
    task->owner = self;
    task->call = call;
    task->next = self->tasks;
    if (task->next)
        task->next->previous = task;
    self->tasks = task;
    return task;
}

/* At its last callback, the call being answered. */
static void s_task_end(task_t *task)
{
    attempts_end(task->owner->tools.attempts, &task->attempt, ATTEMPT_UNJUDGED);
    if (task->next)
        task->next->previous = task->previous;
    if (task->previous)
        task->previous->next = task->next;
    else
        task->owner->tasks = task->next;
    free(task->key);
    free(task->password_hash);
    sodium_memzero(task, sizeof *task);
    free(task);
}

/* Answers for the task unless accounts_stop did, and ends it. */
static void s_task_fail(task_t *task, err_code_t code, const char *extensions, const char *message)
{
    if (task->call)
        store_call_fail(task->call, code, extensions, "%s", message);
    s_task_end(task);
}

/* Did the transaction commit? If not, the task is over. */
static bool s_committed(task_t *task, const pg_outcome_t *outcome)
{
    if (outcome->code == ERR_OK && task->call)
        return true;
    if (task->call)
        store_call_fail_database(task->call, outcome);
    s_task_end(task);
    return false;
}

static void s_fail_busy(store_call_t *call, err_code_t code, int64_t wait_ms, const char *message)
{
    char extensions[64];
    snprintf(extensions, sizeof extensions, "\"retryAfterMs\":%lld,\"outcome\":\"none\"",
             (long long)wait_ms);
    store_call_fail(call, code, extensions, "%s", message);
}

static void s_fail_rate_limited(store_call_t *call, int64_t wait_ms)
{
    s_fail_busy(call, ERR_RATE_LIMITED, wait_ms, "too many attempts, try again later");
}

static account_run_t s_run(task_t *task, pg_done_fn fn)
{
    return (account_run_t){.link = task->owner->tools.link,
                           .deadline_ms = task->call->deadline_ms,
                           .fn = fn,
                           .arg = task};
}

/* Can tokens be signed? If not, the call is failed. */
static bool s_is_open(accounts_t *self, store_call_t *call)
{
    if (!self->tools.is_stopped && signing_keys_are_ready(self->tools.keys, NULL, 0))
        return true;
    s_fail_busy(call, ERR_UNAVAILABLE, 1000, "sign-in is not available yet");
    return false;
}

/* Was the password compared, or tried to be hashed? If its turn never came, the task is over. */
static bool s_was_computed(task_t *task, hasher_outcome_t outcome)
{
    if (outcome == HASHER_LATE)
        s_task_fail(task, ERR_TIMEOUT, "\"outcome\":\"none\"", "too many sign-ins at once");
    else if (outcome == HASHER_STOPPED)
        s_task_fail(task, ERR_UNAVAILABLE, "\"retryAfterMs\":1000,\"outcome\":\"none\"",
                    "the store is stopping");
    else
        return true;
    return false;
}

/* Is the new password hashed? Else the task is over. */
static bool s_has_hash(task_t *task, hasher_outcome_t outcome)
{
    if (!s_was_computed(task, outcome))
        return false;
    if (outcome == HASHER_MISMATCH)
        s_task_fail(task, ERR_UNAVAILABLE, "\"retryAfterMs\":1000,\"outcome\":\"none\"",
                    "there is no memory for hashing passwords");
    return outcome == HASHER_OK;
}

static void s_refuse_flood(task_t *task)
{
    s_fail_busy(task->call, ERR_RATE_LIMITED, hasher_wait_ms(task->owner->tools.hasher),
                "too many sign-ins at once");
    s_task_end(task);
}

/* ---- arguments ---- */

/* A string argument; NULL if it is absent or null. */
static const char *s_argument(const store_call_t *call, const char *name, size_t *size)
{
    const json_t *value = json_object_get(call->args, name);
    *size = json_string_length(value);
    return json_string_value(value);
}

/* A required one; rejects the call if it is missing. */
static const char *s_required(store_call_t *call, const char *name, size_t *size)
{
    const char *value = s_argument(call, name, size);
    if (!value)
        store_call_reject(call, name, "%s must be a string", name);
    return value;
}

/* The caller's account, if this store's user pool made it. */
static bool s_caller(const store_call_t *call, parley_uuid_t *account)
{
    return call->provider && strcmp(call->provider, "user-pool") == 0 && call->sub &&
           uuid_parse_text(call->sub, strlen(call->sub), account);
}

/* ---- sessions as answers ---- */

/* Answers with a Session. created_at: the row's; fresh: what the client is to use next. */
static void s_answer_session(task_t *task, const PGresult *row)
{
    accounts_t *self = task->owner;
    char sub[UUID_TEXT_SIZE], session[UUID_TEXT_SIZE];
    uuid_print(&task->account, sub);
    uuid_print(&task->session, session);
    const signing_key_t *key = signing_keys_signer(self->tools.keys);
    json_t *groups = json_loads(PQgetvalue(row, 0, SESSION_GROUPS), 0, NULL);
    err_t err = ERR_INIT;
    access_token_spec_t spec = {
        .issuer = self->tools.issuer,
        .client_id = self->tools.client_id,
        .sub = sub,
        .username = PQgetvalue(row, 0, SESSION_HANDLE),
        .session = session,
        .groups = groups,
        .auth_time_us = pg_unix_us(row, 0, SESSION_CREATED_AT),
        .now_us = clock_unix_us(),
    };
    int64_t expires_at_us = 0;
    char *token = key ? access_token_issue(key, &spec, &expires_at_us, &err) : NULL;
    json_decref(groups);
    if (!token) {
        log_error("access token not signed", log_str("error", err.text), LOG_END);
        s_task_fail(task, ERR_INTERNAL, NULL, "the access token could not be signed");
        return;
    }
    char refresh[REFRESH_TEXT_SIZE], expires_at[CLOCK_ISO_SIZE];
    refresh_token_print(&self->tools.refresh_keys, &task->fresh, refresh);
    clock_iso(expires_at_us, expires_at);
    buffer_t *out = store_call_begin(task->call);
    buffer_printf(out, "{\"token\":\"%s\",\"refreshToken\":\"%s\",\"expiresAt\":\"%s\",\"handle\":",
                  token, refresh, expires_at);
    buffer_put_json_string(out, spec.username, strlen(spec.username));
    buffer_put_char(out, '}');
    store_call_done(task->call);
    free(token);
    sodium_memzero(refresh, sizeof refresh);
    s_task_end(task);
}

/* A new session with its first token. */
static void s_begin_session(task_t *task, session_row_t *session)
{
    task->session = uuid_v7(clock_unix_ms());
    refresh_token_make(&task->session, &task->fresh);
    session->id = task->session;
    session->client_id = task->owner->tools.client_id;
    refresh_token_hash(&task->fresh, session->token_hash);
}

/* ---- Mutation.signUp ---- */

static void s_fail_taken(task_t *task)
{
    s_task_fail(task, ERR_CONFLICT, "\"argument\":\"handle\"", "handle is already taken");
}

static void s_on_signed_up(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (outcome->code == ERR_INTERNAL && strcmp(outcome->sqlstate, "23505") == 0 &&
        outcome->constraint && strcmp(outcome->constraint, ACCOUNT_HANDLE_CONSTRAINT) == 0)
        s_fail_taken(task);
    else if (s_committed(task, outcome))
        s_answer_session(task, outcome->results[0]);
}

static void s_on_sign_up_computed(void *arg, hasher_outcome_t computed)
{
    task_t *task = arg;
    accounts_t *self = task->owner;
    if (!s_has_hash(task, computed))
        return;
    size_t size, email_size;
    const char *handle = s_argument(task->call, "handle", &size);
    char folded[HANDLE_FOLDED_SIZE];
    uint8_t sealed[SRP_SEALED_SIZE];
    account_fold(handle, size, folded);
    task->account = uuid_v7(clock_unix_ms());
    account_row_t account = {
        .id = task->account,
        .handle = handle,
        .folded = folded,
        .email = s_argument(task->call, "email", &email_size),
        .password_hash = task->work->hash,
        .srp_verifier = account_seal_verifier(&self->tools, &task->account, task->work, sealed)};
    session_row_t session;
    s_begin_session(task, &session);
    account_run_t run = s_run(task, s_on_signed_up);
    account_sql_sign_up(&run, &account, &session);
}

/* Whether the name is free, and how SRP writes it, is known before the expensive part. */
static void s_on_sign_up_found(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    accounts_t *self = task->owner;
    if (!s_committed(task, outcome))
        return;
    const PGresult *row = outcome->results[0];
    if (!PQgetisnull(row, 0, NAME_ID)) {
        s_fail_taken(task);
        return;
    }
    size_t size;
    const char *password = s_argument(task->call, "password", &size);
    task->work = account_new_password(&self->tools, PQgetvalue(row, 0, NAME_KEY), password, size);
    if (!hasher_run(self->tools.hasher, new_password_compute, task->work, new_password_free,
                    task->call->deadline_ms, s_on_sign_up_computed, task))
        s_refuse_flood(task);
}

static void s_sign_up_call(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    err_t err = ERR_INIT;
    size_t handle_size, password_size, email_size;
    const char *handle = s_required(call, "handle", &handle_size);
    const char *password = handle ? s_required(call, "password", &password_size) : NULL;
    if (!password)
        return;
    const char *email = s_argument(call, "email", &email_size);
    const char *wrong = NULL;
    if (account_check_handle(handle, handle_size, &err) != ERR_OK)
        wrong = "handle";
    else if (account_check_password(password, password_size, &err) != ERR_OK)
        wrong = "password";
    else if (email && account_check_email(email, email_size, &err) != ERR_OK)
        wrong = "email";
    if (wrong) {
        store_call_reject(call, wrong, "%s", err.text);
        return;
    }
    if (!s_is_open(self, call))
        return;
    int64_t wait_ms = attempts_sign_up(self->tools.attempts, call->client);
    if (wait_ms) {
        s_fail_rate_limited(call, wait_ms);
        return;
    }
    char folded[HANDLE_FOLDED_SIZE];
    account_fold(handle, handle_size, folded);
    account_run_t run = s_run(s_task_new(self, call), s_on_sign_up_found);
    pool_sql_look_up(&run, folded);
}

/* ---- Mutation.signIn ---- */

/* A password was compared. False: wrong, the task is over. Every guess comes by here. */
static bool s_judge_password(task_t *task, bool is_right)
{
    attempts_end(task->owner->tools.attempts, &task->attempt,
                 is_right ? ATTEMPT_RIGHT : ATTEMPT_WRONG);
    if (!is_right)
        s_task_fail(task, ERR_UNAUTHENTICATED, NULL, "wrong handle or password");
    return is_right;
}

static void s_on_signed_in(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!s_committed(task, outcome))
        return;
    /* no row: the password was changed, or the account disabled, meanwhile */
    if (s_judge_password(task, PQntuples(outcome->results[0]) == 1))
        s_answer_session(task, outcome->results[0]);
}

/* An account that was made when no verifiers were kept gets one now. */
static void s_keep_verifier(task_t *task)
{
    size_t size;
    const char *password = s_argument(task->call, "password", &size);
    if (!task->has_verifier)
        account_add_verifier(&task->owner->tools, &task->account, task->key, password, size,
                             task->password_hash);
}

static void s_on_verified(void *arg, hasher_outcome_t verified)
{
    task_t *task = arg;
    if (!s_was_computed(task, verified) ||
        !s_judge_password(task, verified == HASHER_OK && task->password_hash))
        return;
    if (!task->is_confirmed) {
        s_task_fail(task, ERR_UNAUTHENTICATED, NULL, "the account waits for its confirmation code");
        return;
    }
    s_keep_verifier(task);
    session_row_t session;
    s_begin_session(task, &session);
    account_run_t run = s_run(task, s_on_signed_in);
    account_sql_sign_in(&run, &task->account, task->password_hash, &session);
}

/* Compares with the account's hash, or for as long with nobody's. */
static void s_verify(task_t *task)
{
    size_t size;
    const char *password = s_argument(task->call, "password", &size);
    if (!hasher_verify(task->owner->tools.hasher, task->password_hash, password, size,
                       task->call->deadline_ms, s_on_verified, task))
        s_refuse_flood(task);
}

static char *s_column(const PGresult *row, int column)
{
    char *text = strdup(PQgetvalue(row, 0, column));
    if (!text)
        abort();
    return text;
}

static void s_on_found(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!s_committed(task, outcome))
        return;
    const PGresult *row = outcome->results[0];
    task->key = s_column(row, NAME_KEY);
    if (!PQgetisnull(row, 0, NAME_ID) && !pg_bool(row, 0, NAME_DISABLED)) {
        memcpy(task->account.bytes, PQgetvalue(row, 0, NAME_ID), 16);
        task->password_hash = s_column(row, NAME_PASSWORD_HASH);
        task->has_verifier = !PQgetisnull(row, 0, NAME_SRP_VERIFIER);
        task->is_confirmed = pg_bool(row, 0, NAME_CONFIRMED);
    }
    s_verify(task);
}

static void s_sign_in_call(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    size_t handle_size, password_size;
    const char *handle = s_required(call, "handle", &handle_size);
    const char *password = handle ? s_required(call, "password", &password_size) : NULL;
    if (!password)
        return;
    if (password_size > PASSWORD_BYTES_MAX) {
        store_call_reject(call, "password", "password must have at most %d bytes",
                          PASSWORD_BYTES_MAX);
        return;
    }
    if (!s_is_open(self, call))
        return;
    char folded[HANDLE_FOLDED_SIZE];
    bool is_handle = account_fold(handle, handle_size, folded);
    attempt_t attempt;
    int64_t wait_ms =
        attempts_begin(self->tools.attempts, ATTEMPT_PASSWORD, is_handle ? folded : handle,
                       is_handle ? strlen(folded) : handle_size, call->client, &attempt);
    if (wait_ms) {
        s_fail_rate_limited(call, wait_ms);
        return;
    }
    task_t *task = s_task_new(self, call);
    task->attempt = attempt;
    if (!is_handle) {
        s_verify(task);
        return;
    }
    account_run_t run = s_run(task, s_on_found);
    pool_sql_look_up(&run, folded);
}

/* ---- Mutation.refreshSession ---- */

static void s_end_reused(task_t *task, const PGresult *row)
{
    char session[UUID_TEXT_SIZE];
    uuid_print(&task->session, session);
    metric_inc(task->owner->reuses);
    log_warn("a replaced refresh token was used again, its session is ended",
             log_str("session", session), log_str("handle", PQgetvalue(row, 0, SESSION_HANDLE)),
             LOG_END);
    s_task_fail(task, ERR_UNAUTHENTICATED, NULL, "the session has ended, sign in again");
}

static void s_on_refreshed(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!s_committed(task, outcome))
        return;
    const PGresult *row = outcome->results[0];
    if (PQntuples(row) == 0) {
        s_task_fail(task, ERR_UNAUTHENTICATED, NULL, "the session has ended, sign in again");
        return;
    }
    if (pg_bool(row, 0, REFRESH_ENDED)) {
        s_end_reused(task, row);
        return;
    }
    memcpy(task->account.bytes, PQgetvalue(row, 0, REFRESH_ACCOUNT), 16);
    if (!pg_bool(row, 0, REFRESH_ROTATES))
        task->fresh = task->presented;
    else if (!pg_bool(row, 0, REFRESH_ROTATED) &&
             !refresh_token_unseal(&task->owner->tools.refresh_keys, &task->presented,
                                   PQgetvalue(row, 0, REFRESH_SUCCESSOR),
                                   (size_t)PQgetlength(row, 0, REFRESH_SUCCESSOR), &task->fresh)) {
        s_task_fail(task, ERR_INTERNAL, NULL, "the session's next refresh token is unreadable");
        return;
    }
    s_answer_session(task, row);
}

static void s_refresh_call(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    size_t size;
    const char *text = s_required(call, "refreshToken", &size);
    if (!text || !s_is_open(self, call))
        return;
    refresh_token_t presented;
    if (!refresh_token_parse(&self->tools.refresh_keys, text, size, &presented)) {
        store_call_fail(call, ERR_UNAUTHENTICATED, NULL, "the refresh token is not valid");
        return;
    }
    task_t *task = s_task_new(self, call);
    task->presented = presented;
    task->session = presented.session;
    refresh_token_make(&task->session, &task->fresh);
    refresh_row_t refresh = {.session = task->session};
    refresh_token_hash(&presented, refresh.hash);
    refresh_token_hash(&task->fresh, refresh.successor_hash);
    refresh_token_seal(&self->tools.refresh_keys, &presented, &task->fresh, refresh.successor);
    account_run_t run = s_run(task, s_on_refreshed);
    account_sql_refresh(&run, &refresh);
}

/* ---- Mutation.signOut ---- */

static void s_on_signed_out(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!s_committed(task, outcome))
        return;
    store_call_answer(task->call, "true", 4);
    s_task_end(task);
}

static void s_sign_out_call(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    parley_uuid_t account, session_id;
    if (!s_caller(call, &account) || !call->session ||
        !uuid_parse_text(call->session, strlen(call->session), &session_id)) {
        store_call_answer(call, "false", 5); /* an API key has no session that could end */
        return;
    }
    account_run_t run = s_run(s_task_new(self, call), s_on_signed_out);
    account_sql_sign_out(&run, &session_id, &account);
}

/* ---- Query.me ---- */

static void s_on_me(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!s_committed(task, outcome))
        return;
    const PGresult *row = outcome->results[0];
    if (PQntuples(row) == 0) {
        s_task_fail(task, ERR_NOT_FOUND, NULL, "the account does not exist any more");
        return;
    }
    char created_at[CLOCK_ISO_SIZE];
    clock_iso(pg_unix_us(row, 0, ME_CREATED_AT), created_at);
    buffer_t *out = store_call_begin(task->call);
    buffer_put_str(out, "{\"handle\":");
    buffer_put_json_string(out, PQgetvalue(row, 0, ME_HANDLE),
                           (size_t)PQgetlength(row, 0, ME_HANDLE));
    buffer_put_str(out, ",\"email\":");
    if (PQgetisnull(row, 0, ME_EMAIL))
        buffer_put_str(out, "null");
    else
        buffer_put_json_string(out, PQgetvalue(row, 0, ME_EMAIL),
                               (size_t)PQgetlength(row, 0, ME_EMAIL));
    buffer_printf(out, ",\"createdAt\":\"%s\"}", created_at);
    store_call_done(task->call);
    s_task_end(task);
}

static void s_me_call(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    parley_uuid_t account;
    if (!s_caller(call, &account)) {
        store_call_fail(call, ERR_NOT_FOUND, NULL, "the caller has no account here");
        return;
    }
    account_run_t run = s_run(s_task_new(self, call), s_on_me);
    account_sql_me(&run, &account);
}

/* ---- the HTTP routes ---- */

/* Takes body. */
static void s_answer_json(store_call_t *call, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);
    if (!text)
        abort();
    buffer_t *out = store_call_begin(call);
    buffer_put_str(out, "{\"status\":200,\"headers\":{\"content-type\":\"application/json\","
                        "\"cache-control\":\"public, max-age=60\"},\"body\":");
    buffer_put_json_string(out, text, strlen(text));
    buffer_put_char(out, '}');
    store_call_done(call);
    free(text);
    json_decref(body);
}

static void s_jwks_call(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    if (s_is_open(self, call))
        s_answer_json(call, signing_keys_jwks(self->tools.keys));
}

/* OpenID Connect Discovery 1.0, 3: what there is of it in a user pool without pages of its own. */
static void s_discovery_call(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    const char *issuer = self->tools.issuer;
    json_t *body = json_pack("{s:s, s:o, s:[s], s:[s], s:[s]}", "issuer", issuer, "jwks_uri",
                             json_sprintf("%s/.well-known/jwks.json", issuer),
                             "response_types_supported", "token", "subject_types_supported",
                             "public", "id_token_signing_alg_values_supported", "ES256");
    s_answer_json(call, body);
}

/* ---- life ---- */

static void s_on_cleaned(void *arg, const pg_outcome_t *outcome)
{
    (void)arg; /* whatever went wrong, the next time will do */
    if (outcome->code == ERR_INTERNAL)
        log_warn("what has ended was not deleted", log_str("error", outcome->message), LOG_END);
}

static void s_on_cleaning(void *arg)
{
    accounts_t *self = arg;
    account_run_t run = {.link = self->tools.link,
                         .deadline_ms = clock_unix_ms() + CLEANING_TIMEOUT_MS,
                         .fn = s_on_cleaned};
    if (!pg_link_is_up(self->tools.link))
        return;
    account_sql_clean(&run);
    pool_sql_clean(&run);
}

/* Cognito's oldest clients know no path: they post to the root of a host of its own. */
static void s_cognito_call(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    cognito_call(self->cognito, call);
}

static void s_fill_handlers(accounts_t *self)
{
    snprintf(self->jwks_route, sizeof self->jwks_route, "HTTP GET /%s/.well-known/jwks.json",
             self->tools.pool_id);
    snprintf(self->discovery_route, sizeof self->discovery_route,
             "HTTP GET /%s/.well-known/openid-configuration", self->tools.pool_id);
    const store_handler_t handlers[HANDLERS_MAX] = {
        {"Mutation.signUp", s_sign_up_call},
        {"Mutation.signIn", s_sign_in_call},
        {"Mutation.refreshSession", s_refresh_call},
        {"Mutation.signOut", s_sign_out_call},
        {"Query.me", s_me_call},
        {"HTTP POST /cognito", s_cognito_call},
        {"HTTP POST /", s_cognito_call},
        {"HTTP GET /.well-known/jwks.json", s_jwks_call},
        {self->jwks_route, s_jwks_call},
        {self->discovery_route, s_discovery_call},
        {NULL, NULL},
    };
    memcpy(self->handlers, handlers, sizeof handlers);
}

static char *s_copy(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

static err_code_t s_check_options(const accounts_options_t *options, err_t *err)
{
    const char *name = strchr(options->pool_id, '_');
    if (strlen(options->pool_id) > 128)
        return err_set(err, ERR_CONFIG, "--pool-id must have at most 128 characters");
    if (!name || !name[1])
        return err_set(err, ERR_CONFIG,
                       "--pool-id must look like local-1_chat: clients compute "
                       "with the part behind the _");
    return ERR_OK;
}

static void s_fill_tools(account_tools_t *tools,
                         loop_t *loop,
                         pg_link_t *link,
                         const accounts_options_t *options,
                         const master_key_t *master)
{
    tools->loop = loop;
    tools->link = link;
    tools->issuer = s_copy(options->issuer);
    tools->client_id = s_copy(options->client_id);
    tools->pool_id = s_copy(options->pool_id);
    tools->pool_name = strchr(tools->pool_id, '_') + 1;
    tools->srp = !options->no_srp;
    tools->keys = signing_keys_new(loop, link, master);
    tools->hasher = hasher_new(loop);
    tools->attempts = attempts_new(&options->attempts);
    refresh_keys_derive(master, &tools->refresh_keys);
    srp_keys_derive(master, &tools->srp_keys);
}

accounts_t *
accounts_new(loop_t *loop, pg_link_t *link, const accounts_options_t *options, err_t *err)
{
    codes_t codes;
    master_key_t *master = NULL;
    if (s_check_options(options, err) != ERR_OK ||
        !(master = master_key_read(options->keys_dir, err)))
        return NULL;
    mailer_t *mailer = NULL;
    if (codes_init(&codes, master, options->fixed_code, err) != ERR_OK ||
        (options->smtp_url && *options->smtp_url &&
         !(mailer = mailer_new(loop, options->smtp_url, options->smtp_from, err)))) {
        master_key_destroy(&master);
        return NULL;
    }
    accounts_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->tools.codes = codes;
    self->tools.mailer = mailer;
    s_fill_tools(&self->tools, loop, link, options, master);
    master_key_destroy(&master);
    self->cognito = cognito_new(&self->tools);
    if (codes.fixed[0])
        log_warn("PARLEY_FIXED_CODE is set: every confirmation code is the same, anybody can "
                 "confirm and take over every account",
                 LOG_END);
    self->cleaning = loop_timer_new(loop, s_on_cleaning, self);
    loop_timer_start(self->cleaning, CLEANING_MS, CLEANING_MS);
    self->reuses =
        metrics_counter("parley_refresh_token_reuses_total",
                        "Sessions ended because a replaced refresh token came again", NULL);
    s_fill_handlers(self);
    return self;
}

const store_handler_t *accounts_handlers(const accounts_t *self)
{
    return self->handlers;
}

void accounts_on_database_ready(accounts_t *self)
{
    signing_keys_refresh(self->tools.keys);
}

void accounts_on_keys_changed(accounts_t *self)
{
    signing_keys_refresh(self->tools.keys);
}

bool accounts_is_ready(const accounts_t *self, char *reason, size_t size)
{
    return signing_keys_are_ready(self->tools.keys, reason, size);
}

void accounts_manifest_issuer(const accounts_t *self, json_t *manifest)
{
    if (!signing_keys_are_ready(self->tools.keys, NULL, 0))
        return;
    json_object_set_new(manifest, "issuer",
                        json_pack("{s:s, s:s, s:o}", "iss", self->tools.issuer, "clientId",
                                  self->tools.client_id, "jwks",
                                  signing_keys_jwks(self->tools.keys)));
}

void accounts_stop(accounts_t *self)
{
    self->tools.is_stopped = true;
    hasher_stop(self->tools.hasher); /* ends the tasks that wait for it */
    signing_keys_stop(self->tools.keys);
    loop_timer_destroy(&self->cleaning);
    for (task_t *task = self->tasks; task; task = task->next) {
        if (task->call) /* with the database: nobody knows how it will end */
            store_call_fail(task->call, ERR_UNAVAILABLE,
                            "\"outcome\":\"unknown\",\"retryAfterMs\":1000",
                            "the store is stopping");
        task->call = NULL;
    }
    cognito_stop(self->cognito);
    mailer_destroy(&self->tools.mailer);
}

void accounts_destroy(accounts_t **self_p)
{
    accounts_t *self = *self_p;
    if (!self)
        return;
    if (!self->tools.is_stopped)
        accounts_stop(self);
    while (self->tasks)
        s_task_end(self->tasks);
    cognito_destroy(&self->cognito);
    attempts_destroy(&self->tools.attempts);
    hasher_destroy(&self->tools.hasher);
    signing_keys_destroy(&self->tools.keys);
    free(self->tools.issuer);
    free(self->tools.client_id);
    free(self->tools.pool_id);
    sodium_memzero(&self->tools, sizeof self->tools);
    free(self);
    *self_p = NULL;
}
