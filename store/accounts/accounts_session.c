#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "store/accounts/accounts_internal.h"

/* ---- Mutation.refreshSession ---- */

static void s_end_reused(task_t *task, const PGresult *row)
{
    char session[UUID_TEXT_SIZE];
    uuid_print(&task->session, session);
    metric_inc(task->owner->reuses);
    log_warn("a replaced refresh token was used again, its session is ended",
             log_str("session", session), log_str("handle", PQgetvalue(row, 0, SESSION_HANDLE)),
             LOG_END);
    task_fail(task, ERR_UNAUTHENTICATED, NULL, "the session has ended, sign in again");
}

static void s_on_refreshed(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!task_committed(task, outcome))
        return;
    const PGresult *row = outcome->results[0];
    if (PQntuples(row) == 0) {
        task_fail(task, ERR_UNAUTHENTICATED, NULL, "the session has ended, sign in again");
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
        task_fail(task, ERR_INTERNAL, NULL, "the session's next refresh token is unreadable");
        return;
    }
    task_answer_session(task, row);
}

void accounts_refresh(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    size_t size;
    const char *text = accounts_required(call, "refreshToken", &size);
    if (!text || !accounts_are_open(self, call))
        return;
    refresh_token_t presented;
    if (!refresh_token_parse(&self->tools.refresh_keys, text, size, &presented)) {
        store_call_fail(call, ERR_UNAUTHENTICATED, NULL, "the refresh token is not valid");
        return;
    }
    task_t *task = task_new(self, call);
    task->presented = presented;
    task->session = presented.session;
    refresh_token_make(&task->session, &task->fresh);
    refresh_row_t refresh = {.session = task->session};
    refresh_token_hash(&presented, refresh.hash);
    refresh_token_hash(&task->fresh, refresh.successor_hash);
    refresh_token_seal(&self->tools.refresh_keys, &presented, &task->fresh, refresh.successor);
    account_run_t run = task_run(task, s_on_refreshed);
    account_sql_refresh(&run, &refresh);
}

/* ---- Mutation.signOut ---- */

static void s_on_signed_out(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!task_committed(task, outcome))
        return;
    store_call_answer(task->call, "true", 4);
    task_end(task);
}

void accounts_sign_out(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    parley_uuid_t account, session_id;
    if (!accounts_caller(call, &account) || !call->session ||
        !uuid_parse_text(call->session, strlen(call->session), &session_id)) {
        store_call_answer(call, "false", 5); /* an API key has no session that could end */
        return;
    }
    account_run_t run = task_run(task_new(self, call), s_on_signed_out);
    account_sql_sign_out(&run, &session_id, &account);
}

/* ---- Query.me ---- */

static void s_on_me(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!task_committed(task, outcome))
        return;
    const PGresult *row = outcome->results[0];
    if (PQntuples(row) == 0) {
        task_fail(task, ERR_NOT_FOUND, NULL, "the account does not exist any more");
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
    task_end(task);
}

void accounts_me(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    parley_uuid_t account;
    if (!accounts_caller(call, &account)) {
        store_call_fail(call, ERR_NOT_FOUND, NULL, "the caller has no account here");
        return;
    }
    account_run_t run = task_run(task_new(self, call), s_on_me);
    account_sql_me(&run, &account);
}
