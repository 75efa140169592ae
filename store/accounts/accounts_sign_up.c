#include <string.h>

#include "common/clock.h"
#include "store/accounts/account_rules.h"
#include "store/accounts/accounts_internal.h"

/* ---- Mutation.signUp ---- */

static void s_fail_taken(task_t *task)
{
    task_fail(task, ERR_CONFLICT, "\"argument\":\"handle\"", "handle is already taken");
}

static void s_on_signed_up(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    if (outcome->code == ERR_INTERNAL && strcmp(outcome->sqlstate, "23505") == 0 &&
        outcome->constraint && strcmp(outcome->constraint, ACCOUNT_HANDLE_CONSTRAINT) == 0)
        s_fail_taken(task);
    else if (task_committed(task, outcome))
        task_answer_session(task, outcome->results[0]);
}

static void s_on_sign_up_computed(void *arg, hasher_outcome_t computed)
{
    task_t *task = arg;
    accounts_t *self = task->owner;
    if (!task_has_hash(task, computed))
        return;
    size_t size, email_size;
    const char *handle = accounts_argument(task->call, "handle", &size);
    char folded[HANDLE_FOLDED_SIZE];
    uint8_t sealed[SRP_SEALED_SIZE];
    account_fold(handle, size, folded);
    task->account = uuid_v7(clock_unix_ms());
    account_row_t account = {
        .id = task->account,
        .handle = handle,
        .folded = folded,
        .email = accounts_argument(task->call, "email", &email_size),
        .password_hash = task->work->hash,
        .srp_verifier = account_seal_verifier(&self->tools, &task->account, task->work, sealed)};
    session_row_t session;
    task_begin_session(task, &session);
    account_run_t run = task_run(task, s_on_signed_up);
    account_sql_sign_up(&run, &account, &session);
}

/* Whether the name is free, and how SRP writes it, is known before the expensive part. */
static void s_on_sign_up_found(void *arg, const pg_outcome_t *outcome)
{
    task_t *task = arg;
    accounts_t *self = task->owner;
    if (!task_committed(task, outcome))
        return;
    const PGresult *row = outcome->results[0];
    if (!PQgetisnull(row, 0, NAME_ID)) {
        s_fail_taken(task);
        return;
    }
    size_t size;
    const char *password = accounts_argument(task->call, "password", &size);
    task->work = account_new_password(&self->tools, PQgetvalue(row, 0, NAME_KEY), password, size);
    if (!hasher_run(self->tools.hasher, new_password_compute, task->work, new_password_free,
                    task->call->deadline_ms, s_on_sign_up_computed, task))
        task_refuse_flood(task);
}

void accounts_sign_up(void *arg, store_call_t *call)
{
    accounts_t *self = arg;
    err_t err = ERR_INIT;
    size_t handle_size, password_size, email_size;
    const char *handle = accounts_required(call, "handle", &handle_size);
    const char *password = handle ? accounts_required(call, "password", &password_size) : NULL;
    if (!password)
        return;
    const char *email = accounts_argument(call, "email", &email_size);
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
    if (!accounts_are_open(self, call))
        return;
    int64_t wait_ms = attempts_sign_up(self->tools.attempts, call->client);
    if (wait_ms) {
        accounts_fail_rate_limited(call, wait_ms);
        return;
    }
    char folded[HANDLE_FOLDED_SIZE];
    account_fold(handle, handle_size, folded);
    account_run_t run = task_run(task_new(self, call), s_on_sign_up_found);
    pool_sql_look_up(&run, folded);
}
