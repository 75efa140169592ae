/* store/pg_prepared.h: the statements that one connection to PostgreSQL has prepared, and how
 * transactions go out on it and are read back. Owned by a pg_link; never waits. */
#ifndef PARLEY_STORE_PG_PREPARED_H
#define PARLEY_STORE_PG_PREPARED_H

#include "store/pg_request.h"

enum { PG_PREPARED_MAX = 128 };

/* All zero for a new connection. */
typedef struct {
    const pg_statement_t *statements[PG_PREPARED_MAX];
    int count;
} pg_prepared_t;

/* What a result was to its transaction. */
typedef enum {
    PG_RESULT_MORE,  /* others follow */
    PG_RESULT_LAST,  /* its outcome is known; it can be finished */
    PG_RESULT_RESET, /* it failed in a way that wants a new connection; others follow */
} pg_result_kind_t;

/* Puts the transaction into the pipeline, with one Sync, behind a PREPARE for each statement that
 * the connection does not know. False: the connection is lost. */
bool pg_prepared_send(pg_prepared_t *self, PGconn *conn, pg_request_t *request);

/* The next result of the pipeline, for the oldest transaction that was sent. Takes result. */
pg_result_kind_t pg_prepared_receive(pg_prepared_t *self, pg_request_t *request, PGresult *result);

#endif
