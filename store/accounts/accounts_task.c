#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "store/accounts/access_token.h"
#include "store/accounts/accounts_internal.h"

/* ---- tasks ---- */

task_t *task_new(accounts_t *self, store_call_t *call)
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

void task_end(task_t *task)
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

void task_fail(task_t *task, err_code_t code, const char *extensions, const char *message)
{
    if (task->call)
        store_call_fail(task->call, code, extensions, "%s", message);
    task_end(task);
}

bool task_committed(task_t *task, const pg_outcome_t *outcome)
{
    if (outcome->code == ERR_OK && task->call)
        return true;
    if (task->call)
        store_call_fail_database(task->call, outcome);
    task_end(task);
    return false;
}

static void s_fail_busy(store_call_t *call, err_code_t code, int64_t wait_ms, const char *message)
{
    char extensions[64];
    snprintf(extensions, sizeof extensions, "\"retryAfterMs\":%lld,\"outcome\":\"none\"",
             (long long)wait_ms);
    store_call_fail(call, code, extensions, "%s", message);
}

void accounts_fail_rate_limited(store_call_t *call, int64_t wait_ms)
{
    s_fail_busy(call, ERR_RATE_LIMITED, wait_ms, "too many attempts, try again later");
}

account_run_t task_run(task_t *task, pg_done_fn fn)
{
    return (account_run_t){.link = task->owner->tools.link,
                           .deadline_ms = task->call->deadline_ms,
                           .fn = fn,
                           .arg = task};
}

bool accounts_are_open(accounts_t *self, store_call_t *call)
{
    if (!self->tools.is_stopped && signing_keys_are_ready(self->tools.keys, NULL, 0))
        return true;
    s_fail_busy(call, ERR_UNAVAILABLE, 1000, "sign-in is not available yet");
    return false;
}

bool task_was_computed(task_t *task, hasher_outcome_t outcome)
{
    if (outcome == HASHER_LATE)
        task_fail(task, ERR_TIMEOUT, "\"outcome\":\"none\"", "too many sign-ins at once");
    else if (outcome == HASHER_STOPPED)
        task_fail(task, ERR_UNAVAILABLE, "\"retryAfterMs\":1000,\"outcome\":\"none\"",
                  "the store is stopping");
    else
        return true;
    return false;
}

bool task_has_hash(task_t *task, hasher_outcome_t outcome)
{
    if (!task_was_computed(task, outcome))
        return false;
    if (outcome == HASHER_MISMATCH)
        task_fail(task, ERR_UNAVAILABLE, "\"retryAfterMs\":1000,\"outcome\":\"none\"",
                  "there is no memory for hashing passwords");
    return outcome == HASHER_OK;
}

void task_refuse_flood(task_t *task)
{
    s_fail_busy(task->call, ERR_RATE_LIMITED, hasher_wait_ms(task->owner->tools.hasher),
                "too many sign-ins at once");
    task_end(task);
}

/* ---- arguments ---- */

const char *accounts_argument(const store_call_t *call, const char *name, size_t *size)
{
    const json_t *value = json_object_get(call->args, name);
    *size = json_string_length(value);
    return json_string_value(value);
}

const char *accounts_required(store_call_t *call, const char *name, size_t *size)
{
    const char *value = accounts_argument(call, name, size);
    if (!value)
        store_call_reject(call, name, "%s must be a string", name);
    return value;
}

bool accounts_caller(const store_call_t *call, parley_uuid_t *account)
{
    return call->provider && strcmp(call->provider, "user-pool") == 0 && call->sub &&
           uuid_parse_text(call->sub, strlen(call->sub), account);
}

/* ---- sessions as answers ---- */

void task_answer_session(task_t *task, const PGresult *row)
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
        task_fail(task, ERR_INTERNAL, NULL, "the access token could not be signed");
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
    task_end(task);
}

void task_begin_session(task_t *task, session_row_t *session)
{
    task->session = uuid_v7(clock_unix_ms());
    refresh_token_make(&task->session, &task->fresh);
    session->id = task->session;
    session->client_id = task->owner->tools.client_id;
    refresh_token_hash(&task->fresh, session->token_hash);
}
