/* store/pg_request.h: one transaction on its way through a pg_link: its statements and parameters,
 * what came back, how it failed. It belongs to the link, in one of whose lists it is. */
#ifndef PARLEY_STORE_PG_REQUEST_H
#define PARLEY_STORE_PG_REQUEST_H

#include "store/pg_link.h"

/* A transaction. Parameters lie behind it, in the same block. */
typedef struct pg_request {
    struct pg_request *prev, *next; /* of the list that it is in */
    pg_done_fn fn;
    void *arg;
    int64_t deadline_ms;
    int64_t given_us;
    bool repeatable;
    int count;
    const pg_statement_t *statements[PG_LINK_STEPS_MAX];
    pg_param_t *params[PG_LINK_STEPS_MAX];
    /* While it is sent: results that came, and PREPAREs (each with a Sync of its own) that go
     * before. */
    int prepares_left;
    const pg_statement_t *preparing[PG_LINK_STEPS_MAX];
    int prepares;
    int results_count;
    PGresult *results[PG_LINK_STEPS_MAX];
    /* How it failed. */
    err_code_t code;
    bool unknown;
    char sqlstate[6];
    char *message;
    char *constraint;
    int failed_step;
} pg_request_t;

/* Copies the parameters. */
pg_request_t *pg_request_new(const pg_step_t *steps, int count);

/* Forgets results and failure, so that it can be sent again. */
void pg_request_reset(pg_request_t *self);

/* It failed for a reason of ours; a message that is there already stays. */
void pg_request_fail(pg_request_t *self, err_code_t code, bool unknown, const char *message);

/* It failed as result, an error of PostgreSQL's, says; step: the statement's index, or -1. The
 * first failure is the cause and stays. True if the connection should begin anew: the server forgot
 * a statement, its plan does not fit any more, or it became a standby. */
bool pg_request_fail_by(pg_request_t *self, const PGresult *result, int step);

/* Tells the outcome and frees. It is in no list any more. */
void pg_request_finish(pg_request_t *self);

#endif
