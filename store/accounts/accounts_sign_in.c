#include <stdlib.h>
#include <string.h>

#include "store/accounts/account_rules.h"
#include "store/accounts/accounts_internal.h"

/* ---- Mutation.signIn ---- */

/* A password was compared. False: wrong, the task is over. Every guess comes by here. */
static bool s_judge_password(task_t *task, bool is_right)
{
    attempts_end(task->owner->tools.attempts, &task->attempt,
                 is_right ? ATTEMPT_RIGHT : ATTEMPT_WRONG);
    if (!is_right)
        task_fail(task, ERR_UNAUTHENTICATED, NULL, "wrong handle or password");
    return is_right;
}

static void s_on_signed_in(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (!task_committed(task, outcome))
        return;
    /* no row: the password was changed, or the account disabled, meanwhile */
    if (s_judge_password(task, PQntuples(outcome->results[0]) == 1))
        task_answer_session(task, outcome->results[0]);
}

/* An account that was made when no verifiers were kept gets one now. */
static void s_keep_verifier(task_t *task)
{
    size_t size;
    const char *password = accounts_argument(task->call, "password", &size);
    if (!task->has_verifier)
        account_add_verifier(&task->owner->tools, &task->account, task->key, password, size,
                             task->password_hash);
}

static void s_on_verified(void *arg, hasher_outcome_t verified)
{
    task_t *task = arg;
    if (!task_was_computed(task, verified) ||
        !s_judge_password(task, verified == HASHER_OK && task->password_hash))
        return;
    if (!task->is_confirmed) {
        task_fail(task, ERR_UNAUTHENTICATED, NULL, "the account waits for its confirmation code");
        return;
    }
    s_keep_verifier(task);
    session_row_t session;
    task_begin_session(task, &session);
    account_run_t run = task_run(task, s_on_signed_in);
    account_sql_sign_in(&run, &task->account, task->password_hash, &session);
}

/* Compares with the account's hash, or for as long with nobody's. */
static void s_verify(task_t *task)
{
    size_t size;
    const char *password = accounts_argument(task->call, "password", &size);
    if (!hasher_verify(task->owner->tools.hasher, task->password_hash, password, size,
                       task->call->deadline_ms, s_on_verified, task))
        task_refuse_flood(task);
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
    if (!task_committed(task, outcome))
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

void accounts_sign_in(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    size_t handle_size, password_size;
    const char *handle = accounts_required(call, "handle", &handle_size);
    const char *password = handle ? accounts_required(call, "password", &password_size) : NULL;
    if (!password)
        return;
    if (password_size > PASSWORD_BYTES_MAX) {
        store_call_reject(call, "password", "password must have at most %d bytes",
                          PASSWORD_BYTES_MAX);
        return;
    }
    if (!accounts_are_open(self, call))
        return;
    char folded[HANDLE_FOLDED_SIZE];
    bool is_handle = account_fold(handle, handle_size, folded);
    attempt_t attempt;
    int64_t wait_ms =
        attempts_begin(self->tools.attempts, ATTEMPT_PASSWORD, is_handle ? folded : handle,
                       is_handle ? strlen(folded) : handle_size, call->client, &attempt);
    if (wait_ms) {
        accounts_fail_rate_limited(call, wait_ms);
        return;
    }
    task_t *task = task_new(self, call);
    task->attempt = attempt;
    if (!is_handle) {
        s_verify(task);
        return;
    }
    account_run_t run = task_run(task, s_on_found);
    pool_sql_look_up(&run, folded);
}
