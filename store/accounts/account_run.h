/* store/accounts/account_run.h: one statement, run for whoever waits for its outcome. */
#ifndef PARLEY_STORE_ACCOUNTS_ACCOUNT_RUN_H
#define PARLEY_STORE_ACCOUNTS_ACCOUNT_RUN_H

#include "store/pg_link.h"

/* How it is to be run, and who is told. */
typedef struct {
    pg_link_t *link;
    int64_t deadline_ms;
    pg_done_fn fn;
    void *arg;
} account_run_t;

/* A transaction of its own that changes something; params may be NULL. */
static inline void
account_write(const account_run_t *run, const pg_statement_t *statement, const pg_param_t *params)
{
    pg_step_t step = {.statement = statement, .params = params};
    pg_link_run(run->link, &step, 1, run->deadline_ms, run->fn, run->arg);
}

/* The same for what only reads. */
static inline void
account_read(const account_run_t *run, const pg_statement_t *statement, const pg_param_t *params)
{
    pg_link_read(run->link, statement, params, run->deadline_ms, run->fn, run->arg);
}

#endif
