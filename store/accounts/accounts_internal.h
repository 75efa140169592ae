/* store/accounts/accounts_internal.h: a call of a GraphQL field on its way through hasher and
 * database. Private to accounts*.c. */
#ifndef PARLEY_STORE_ACCOUNTS_ACCOUNTS_INTERNAL_H
#define PARLEY_STORE_ACCOUNTS_ACCOUNTS_INTERNAL_H

#include "common/metrics.h"
#include "store/accounts/account_tools.h"
#include "store/accounts/accounts.h"
#include "store/accounts/cognito.h"
#include "store/accounts/pool_sql.h"

enum { ACCOUNTS_ROUTE_MAX = 256, ACCOUNTS_HANDLERS_MAX = 16 };

/* Lives until its last callback. */
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
    char jwks_route[ACCOUNTS_ROUTE_MAX], discovery_route[ACCOUNTS_ROUTE_MAX];
    store_handler_t handlers[ACCOUNTS_HANDLERS_MAX];
};

/* ---- before there is a task ---- */

/* A string argument; NULL if it is absent or null. */
const char *accounts_argument(const store_call_t *call, const char *name, size_t *size);
/* A required one; rejects the call if it is missing. */
const char *accounts_required(store_call_t *call, const char *name, size_t *size);
/* The caller's account, if this store's user pool made it. */
bool accounts_caller(const store_call_t *call, parley_uuid_t *account);
/* Can tokens be signed? If not, the call is failed. */
bool accounts_are_open(accounts_t *self, store_call_t *call);
void accounts_fail_rate_limited(store_call_t *call, int64_t wait_ms);

/* ---- beginning and end ---- */

task_t *task_new(accounts_t *self, store_call_t *call);
/* At its last callback, the call being answered. */
void task_end(task_t *task);
/* Answers for the task unless accounts_stop did, and ends it. */
void task_fail(task_t *task, err_code_t code, const char *extensions, const char *message);

/* ---- steps ---- */

/* How a transaction of the task is run. */
account_run_t task_run(task_t *task, pg_done_fn fn);
/* Did the transaction commit? If not, the task is over. */
bool task_committed(task_t *task, const pg_outcome_t *outcome);
/* The hasher takes no more; the task is over. */
void task_refuse_flood(task_t *task);
/* Was the password compared, or tried to be hashed? If its turn never came, the task is over. */
bool task_was_computed(task_t *task, hasher_outcome_t outcome);
/* Is the new password hashed? Else the task is over. */
bool task_has_hash(task_t *task, hasher_outcome_t outcome);
/* A new session with its first token. */
void task_begin_session(task_t *task, session_row_t *session);
/* Answers with a Session, which a row of accounts_sql.h describes, and ends the task. */
void task_answer_session(task_t *task, const PGresult *row);

/* ---- fields: handlers, whose arg is the accounts_t ---- */

void accounts_sign_up(void *arg, store_call_t *call);
void accounts_sign_in(void *arg, store_call_t *call);
void accounts_refresh(void *arg, store_call_t *call);
void accounts_sign_out(void *arg, store_call_t *call);
void accounts_me(void *arg, store_call_t *call);

#endif
