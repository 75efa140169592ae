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
#include "store/accounts/accounts_sql.h"
#include "store/accounts/attempts.h"
#include "store/accounts/hasher.h"
#include "store/accounts/master_key.h"
#include "store/accounts/refresh_token.h"
#include "store/accounts/signing_keys.h"

enum { CLEANING_MS = 600000, CLEANING_TIMEOUT_MS = 30000, ROUTE_MAX = 256, HANDLERS_MAX = 8 };

/* A call on its way through hasher and database. Lives until its last callback. */
typedef struct task {
    accounts_t *owner;
    store_call_t *call; /* NULL: was failed by accounts_stop */
    struct task *previous, *next;
    parley_uuid_t account;
    parley_uuid_t session;
    attempt_t attempt;         /* a password that is being judged */
    char *password_hash;       /* the one that was verified; sign-in only */
    refresh_token_t presented; /* refreshSession only */
    refresh_token_t fresh;
} task_t;

struct accounts {
    loop_t *loop;
    pg_link_t *link;
    char *issuer, *client_id;
    signing_keys_t *keys;
    refresh_keys_t refresh_keys;
    hasher_t *hasher;
    attempts_t *attempts;
    loop_timer_t *cleaning;
    task_t *tasks;
    metric_t *reuses;
    bool is_stopped;
    char pool_route[ROUTE_MAX];
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
    attempts_end(task->owner->attempts, &task->attempt, ATTEMPT_UNJUDGED);
    if (task->next)
        task->next->previous = task->previous;
    if (task->previous)
        task->previous->next = task->next;
    else
        task->owner->tasks = task->next;
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
    return (account_run_t){
        .link = task->owner->link, .deadline_ms = task->call->deadline_ms, .fn = fn, .arg = task};
}

/* Can tokens be signed? If not, the call is failed. */
static bool s_is_open(accounts_t *self, store_call_t *call)
{
    if (!self->is_stopped && signing_keys_are_ready(self->keys, NULL, 0))
        return true;
    s_fail_busy(call, ERR_UNAVAILABLE, 1000, "sign-in is not available yet");
    return false;
}

/* Was the password hashed or compared? If its turn never came, the task is over. */
static bool s_was_hashed(task_t *task, hasher_outcome_t outcome)
{
    if (outcome == HASHER_LATE)
        s_task_fail(task, ERR_TIMEOUT, "\"outcome\":\"none\"", "too many sign-ins at once");
    else if (outcome == HASHER_FAILED)
        s_task_fail(task, ERR_UNAVAILABLE, "\"retryAfterMs\":1000,\"outcome\":\"none\"",
                    "there is no memory for hashing passwords");
    else if (outcome == HASHER_STOPPED)
        s_task_fail(task, ERR_UNAVAILABLE, "\"retryAfterMs\":1000,\"outcome\":\"none\"",
                    "the store is stopping");
    else
        return true;
    return false;
}

static void s_refuse_flood(task_t *task)
{
    s_fail_busy(task->call, ERR_RATE_LIMITED, hasher_wait_ms(task->owner->hasher),
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
    const char *provider = json_string_value(json_object_get(call->identity, "provider"));
    const json_t *sub = json_object_get(call->identity, "sub");
    return provider && strcmp(provider, "user-pool") == 0 && json_is_string(sub) &&
           uuid_parse_text(json_string_value(sub), json_string_length(sub), account);
}

/* ---- sessions as answers ---- */

/* Answers with a Session. created_at: the row's; fresh: what the client is to use next. */
static void s_answer_session(task_t *task, const PGresult *row)
{
    accounts_t *self = task->owner;
    char sub[UUID_TEXT_SIZE], session[UUID_TEXT_SIZE];
    uuid_print(&task->account, sub);
    uuid_print(&task->session, session);
    const signing_key_t *key = signing_keys_signer(self->keys);
    err_t err = ERR_INIT;
    access_token_spec_t spec = {
        .issuer = self->issuer,
        .client_id = self->client_id,
        .sub = sub,
        .username = PQgetvalue(row, 0, SESSION_HANDLE),
        .session = session,
        .auth_time_us = pg_unix_us(row, 0, SESSION_CREATED_AT),
        .now_us = clock_unix_us(),
    };
    int64_t expires_at_us = 0;
    char *token = key ? access_token_issue(key, &spec, &expires_at_us, &err) : NULL;
    if (!token) {
        log_error("access token not signed", log_str("error", err.text), LOG_END);
        s_task_fail(task, ERR_INTERNAL, NULL, "the access token could not be signed");
        return;
    }
    char refresh[REFRESH_TEXT_SIZE], expires_at[CLOCK_ISO_SIZE];
    refresh_token_print(&self->refresh_keys, &task->fresh, refresh);
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
    session->client_id = task->owner->client_id;
    refresh_token_hash(&task->fresh, session->token_hash);
}

/* ---- Mutation.signUp ---- */

static void s_on_signed_up(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (outcome->code == ERR_INTERNAL && strcmp(outcome->sqlstate, "23505") == 0 &&
        outcome->constraint && strcmp(outcome->constraint, ACCOUNT_HANDLE_CONSTRAINT) == 0)
        s_task_fail(task, ERR_CONFLICT, "\"argument\":\"handle\"", "handle is already taken");
    else if (s_committed(task, outcome))
        s_answer_session(task, outcome->results[0]);
}

static void s_on_sign_up_hashed(void *arg, hasher_outcome_t hashed, const char *password_hash)
{
    task_t *task = arg;
    if (!s_was_hashed(task, hashed))
        return;
    size_t size, email_size;
    const char *handle = s_argument(task->call, "handle", &size);
    char folded[HANDLE_FOLDED_SIZE];
    account_fold(handle, size, folded);
    task->account = uuid_v7(clock_unix_ms());
    account_row_t account = {.id = task->account,
                             .handle = handle,
                             .folded = folded,
                             .email = s_argument(task->call, "email", &email_size),
                             .password_hash = password_hash};
    session_row_t session;
    s_begin_session(task, &session);
    account_run_t run = s_run(task, s_on_signed_up);
    account_sql_sign_up(&run, &account, &session);
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
    int64_t wait_ms = attempts_sign_up(self->attempts, call->client);
    if (wait_ms) {
        s_fail_rate_limited(call, wait_ms);
        return;
    }
    task_t *task = s_task_new(self, call);
    if (!hasher_hash(self->hasher, password, password_size, call->deadline_ms, s_on_sign_up_hashed,
                     task))
        s_refuse_flood(task);
}

/* ---- Mutation.signIn ---- */

static void s_fail_sign_in(task_t *task)
{
    s_task_fail(task, ERR_UNAUTHENTICATED, NULL, "wrong handle or password");
}

static void s_on_signed_in(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!s_committed(task, outcome))
        return;
    if (PQntuples(outcome->results[0]) == 1)
        s_answer_session(task, outcome->results[0]);
    else
        s_fail_sign_in(task); /* the password was changed, or the account disabled, meanwhile */
}

static void s_on_verified(void *arg, hasher_outcome_t verified, const char *unused)
{
    (void)unused;
    task_t *task = arg;
    if (!s_was_hashed(task, verified))
        return;
    bool right = verified == HASHER_OK && task->password_hash;
    attempts_end(task->owner->attempts, &task->attempt, right ? ATTEMPT_RIGHT : ATTEMPT_WRONG);
    if (!right) {
        s_fail_sign_in(task);
        return;
    }
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
    if (!hasher_verify(task->owner->hasher, task->password_hash, password, size,
                       task->call->deadline_ms, s_on_verified, task))
        s_refuse_flood(task);
}

static void s_on_found(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!s_committed(task, outcome))
        return;
    const PGresult *row = outcome->results[0];
    if (PQntuples(row) == 1) {
        memcpy(task->account.bytes, PQgetvalue(row, 0, FOUND_ID), 16);
        task->password_hash = strdup(PQgetvalue(row, 0, FOUND_PASSWORD_HASH));
        if (!task->password_hash)
            abort();
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
        attempts_begin(self->attempts, ATTEMPT_PASSWORD, is_handle ? folded : handle,
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
    account_sql_find(&run, folded);
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
             !refresh_token_unseal(&task->owner->refresh_keys, &task->presented,
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
    if (!refresh_token_parse(&self->refresh_keys, text, size, &presented)) {
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
    refresh_token_seal(&self->refresh_keys, &presented, &task->fresh, refresh.successor);
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
    const json_t *claims = json_object_get(call->identity, "claims");
    const json_t *session = json_object_get(claims, "session");
    parley_uuid_t account, session_id;
    if (!s_caller(call, &account) || !json_is_string(session) ||
        !uuid_parse_text(json_string_value(session), json_string_length(session), &session_id)) {
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

/* ---- the HTTP routes of the key set ---- */

static void s_jwks_call(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    if (!s_is_open(self, call))
        return;
    json_t *jwks = signing_keys_jwks(self->keys);
    char *text = json_dumps(jwks, JSON_COMPACT);
    if (!text)
        abort();
    buffer_t *out = store_call_begin(call);
    buffer_put_str(out, "{\"status\":200,\"headers\":{\"content-type\":\"application/json\","
                        "\"cache-control\":\"public, max-age=60\"},\"body\":");
    buffer_put_json_string(out, text, strlen(text));
    buffer_put_char(out, '}');
    store_call_done(call);
    free(text);
    json_decref(jwks);
}

/* ---- life ---- */

static void s_on_cleaned(void *arg, const pg_outcome_t *outcome)
{
    (void)arg; /* whatever went wrong, the next time will do */
    if (outcome->code == ERR_INTERNAL)
        log_warn("ended sessions not deleted", log_str("error", outcome->message), LOG_END);
}

static void s_on_cleaning(void *arg)
{
    accounts_t *self = arg;
    account_run_t run = {.link = self->link,
                         .deadline_ms = clock_unix_ms() + CLEANING_TIMEOUT_MS,
                         .fn = s_on_cleaned};
    if (pg_link_is_up(self->link))
        account_sql_clean(&run);
}

static void s_fill_handlers(accounts_t *self, const char *pool_id)
{
    snprintf(self->pool_route, sizeof self->pool_route, "HTTP GET /%s/.well-known/jwks.json",
             pool_id);
    const store_handler_t handlers[HANDLERS_MAX] = {
        {"Mutation.signUp", s_sign_up_call},
        {"Mutation.signIn", s_sign_in_call},
        {"Mutation.refreshSession", s_refresh_call},
        {"Mutation.signOut", s_sign_out_call},
        {"Query.me", s_me_call},
        {"HTTP GET /.well-known/jwks.json", s_jwks_call},
        {self->pool_route, s_jwks_call},
        {NULL, NULL},
    };
    memcpy(self->handlers, handlers, sizeof handlers);
}

accounts_t *
accounts_new(loop_t *loop, pg_link_t *link, const accounts_options_t *options, err_t *err)
{
    if (strlen(options->pool_id) > 128) {
        err_set(err, ERR_CONFIG, "--pool-id must have at most 128 characters");
        return NULL;
    }
    master_key_t *master = master_key_read(options->keys_dir, err);
    if (!master)
        return NULL;
    accounts_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->loop = loop;
    self->link = link;
    self->issuer = strdup(options->issuer);
    self->client_id = strdup(options->client_id);
    if (!self->issuer || !self->client_id)
        abort();
    self->keys = signing_keys_new(loop, link, master);
    refresh_keys_derive(master, &self->refresh_keys);
    master_key_destroy(&master);
    self->hasher = hasher_new(loop);
    self->attempts = attempts_new(&options->attempts);
    self->cleaning = loop_timer_new(loop, s_on_cleaning, self);
    loop_timer_start(self->cleaning, CLEANING_MS, CLEANING_MS);
    self->reuses =
        metrics_counter("parley_refresh_token_reuses_total",
                        "Sessions ended because a replaced refresh token came again", NULL);
    s_fill_handlers(self, options->pool_id);
    return self;
}

const store_handler_t *accounts_handlers(const accounts_t *self)
{
    return self->handlers;
}

void accounts_on_database_ready(accounts_t *self)
{
    signing_keys_refresh(self->keys);
}

bool accounts_is_ready(const accounts_t *self, char *reason, size_t size)
{
    return signing_keys_are_ready(self->keys, reason, size);
}

void accounts_manifest_issuer(const accounts_t *self, json_t *manifest)
{
    if (!signing_keys_are_ready(self->keys, NULL, 0))
        return;
    json_object_set_new(manifest, "issuer",
                        json_pack("{s:s, s:s, s:o}", "iss", self->issuer, "clientId",
                                  self->client_id, "jwks", signing_keys_jwks(self->keys)));
}

void accounts_stop(accounts_t *self)
{
    self->is_stopped = true;
    hasher_stop(self->hasher); /* ends the tasks that wait for it */
    signing_keys_stop(self->keys);
    loop_timer_destroy(&self->cleaning);
    for (task_t *task = self->tasks; task; task = task->next) {
        if (task->call) /* with the database: nobody knows how it will end */
            store_call_fail(task->call, ERR_UNAVAILABLE,
                            "\"outcome\":\"unknown\",\"retryAfterMs\":1000",
                            "the store is stopping");
        task->call = NULL;
    }
}

void accounts_destroy(accounts_t **self_p)
{
    accounts_t *self = *self_p;
    if (!self)
        return;
    if (!self->is_stopped)
        accounts_stop(self);
    while (self->tasks)
        s_task_end(self->tasks);
    attempts_destroy(&self->attempts);
    hasher_destroy(&self->hasher);
    signing_keys_destroy(&self->keys);
    sodium_memzero(&self->refresh_keys, sizeof self->refresh_keys);
    free(self->issuer);
    free(self->client_id);
    free(self);
    *self_p = NULL;
}
