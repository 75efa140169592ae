/* store/pg_dial.h: makes a connection to PostgreSQL without blocking the loop: host names are
 * resolved in uv's thread pool and given to libpq as addresses, so that it never resolves itself.
 * Loop thread only. */
#ifndef PARLEY_STORE_PG_DIAL_H
#define PARLEY_STORE_PG_DIAL_H

#include <libpq-fe.h>

#include "common/err.h"
#include "common/loop.h"

/* Where to connect, parsed once. */
typedef struct pg_target pg_target_t;

/* conninfo: a URI or keywords, as libpq has them; application goes into application_name. NULL and
 * ERR_CONFIG with one line, without the password, if it cannot be parsed. */
pg_target_t *pg_target_new(const char *conninfo, const char *application, err_t *err);
void pg_target_destroy(pg_target_t **self_p);

/* One attempt. */
typedef struct pg_dial pg_dial_t;

/* conn is taken by the callee (non-blocking, ready for queries), or NULL and reason says why. */
typedef void (*pg_dial_fn)(void *arg, PGconn *conn, const char *reason);

/* Starts an attempt that ends after timeout_ms at the latest; fn is called once, never from inside
 * this call. Of several hosts (or addresses of one name) it starts with the first-th modulo their
 * number, so that a host which swallows packets does not keep us from the others. target outlives
 * the attempt. */
pg_dial_t *pg_dial_start(loop_t *loop,
                         const pg_target_t *target,
                         unsigned first,
                         unsigned timeout_ms,
                         pg_dial_fn fn,
                         void *arg);

/* Gives the attempt up (or frees one that has ended; also from inside fn). */
void pg_dial_destroy(pg_dial_t **self_p);

#endif
