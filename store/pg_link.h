/* store/pg_link.h: one connection to PostgreSQL that repairs itself, spoken to without ever
 * blocking.
 *
 * Work is given as transactions: one or more prepared statements in one pipeline with one Sync,
 * which PostgreSQL commits together and answers in one round trip. Transactions are pipelined
 * behind each other and answered in order. A transaction that cannot be sent yet (connection away,
 * pipeline full) waits in a bounded queue until its deadline nears. Loop thread only; callbacks
 * never come from inside a call of this class. */
#ifndef PARLEY_STORE_PG_LINK_H
#define PARLEY_STORE_PG_LINK_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/loop.h"
#include "store/pg_value.h"

/* A statement, prepared on each connection at its first use. Give it static storage. */
typedef struct {
    const char *name;    /* unique among all statements of the process */
    const char *sql;     /* one statement with $1 … */
    int param_count;     /* 0 … PG_LINK_PARAMS_MAX */
    const Oid *types;    /* of the parameters, param_count of them; NULL: PostgreSQL infers them */
    bool binary_results; /* result columns in binary (else text) */
} pg_statement_t;

enum { PG_LINK_PARAMS_MAX = 16, PG_LINK_STEPS_MAX = 8 };

/* One parameter. Text: size < 0, data is NUL-terminated. Binary: size bytes in the type's binary
 * form. data NULL: SQL's null. */
typedef struct {
    const void *data;
    int size;
} pg_param_t;

#define PG_TEXT(string) ((pg_param_t){.data = (string), .size = -1})
#define PG_BINARY(bytes, length) ((pg_param_t){.data = (bytes), .size = (int)(length)})
#define PG_NULL ((pg_param_t){.data = NULL, .size = -1})

typedef struct {
    const pg_statement_t *statement;
    const pg_param_t *params; /* statement->param_count of them */
} pg_step_t;

/* How a transaction ended; borrowed during the callback. */
typedef struct {
    /* ERR_OK: committed. ERR_UNAVAILABLE: no connection, or it was lost. ERR_TIMEOUT:
     * statement_timeout cancelled it. ERR_LIMIT_EXCEEDED: the queue was full. ERR_INTERNAL:
     * PostgreSQL refused a statement (sqlstate says why). */
    err_code_t code;
    bool unknown;     /* it was sent and may have been committed; false: certainly not executed */
    char sqlstate[6]; /* "23505"; "" if PostgreSQL did not say one */
    const char
        *message; /* PostgreSQL's, for logs and never for clients: it may quote data. Not NULL */
    const char *constraint; /* name of the violated one, or NULL */
    int failed_step;        /* index of the refused statement, -1 if none is */
    int count;              /* of results: all steps if code is ERR_OK, else 0 */
    PGresult *const *results;
} pg_outcome_t;

typedef void (*pg_done_fn)(void *arg, const pg_outcome_t *outcome);

typedef struct {
    const char *conninfo; /* a URI or keyword string; several hosts and target_session_attrs work */
    const char *name;     /* for logs, metrics and application_name ("writer") */
    unsigned statement_timeout_ms; /* 0: none. Bounds what an orphaned statement can do */
    bool quiet; /* losses are logged at level debug: another link of the same database says so */
    unsigned pipeline_max; /* transactions sent and not answered yet; 0: 1 */
    unsigned queue_max;    /* transactions that wait for being sent; 0: 1000 */
    const char *settings;  /* SQL run on every new connection ("SET enable_seqscan=off"), or NULL */
    /* A query (text results, may be several statements separated by ';'; the last one's result
     * counts) run on every new connection before all else, and what judges its result: false closes
     * the connection, and it is tried again later. May be NULL. */
    const char *check_sql;
    bool (*check)(void *arg, const PGresult *result);
    unsigned setup_timeout_ms; /* for settings and check_sql together; 0: 5 s. They run without
                                  statement_timeout */
    /* settings or check_sql failed; may be NULL. It is tried again later all the same. */
    void (*on_setup_error)(void *arg, const char *sqlstate, const char *message);
    void (*on_state)(void *arg, bool up); /* the connection came or went; may be NULL */
    /* A notification came, of a channel that settings listen to; may be NULL. What is notified
     * while there is no connection is lost: look when on_state says that it came. */
    void (*on_notify)(void *arg, const char *payload);
    void *arg;
} pg_link_options_t;

typedef struct pg_link pg_link_t;

/* A link that is not connected; it starts at pg_link_open. Copies the options' strings. NULL and
 * ERR_CONFIG with one line if conninfo cannot be parsed. */
pg_link_t *pg_link_new(loop_t *loop, const pg_link_options_t *options, err_t *err);

/* Connects, and connects again whenever the connection is lost: with back-off (50 ms … 2 s) and
 * jitter; host names are resolved in uv's thread pool. Logs a line when the reason of the failure
 * changes. */
void pg_link_open(pg_link_t *self);

/* Connects, and waits for pg_link_open before it asks the database for anything: so that the
 * connection is there by then. No failure is worth a line in the log meanwhile. */
void pg_link_prepare(pg_link_t *self);

bool pg_link_is_up(const pg_link_t *self);
/* Why not, for people; "" while it is up. Never holds a password. */
const char *pg_link_reason(const pg_link_t *self);
/* Transactions given and not answered yet. */
size_t pg_link_load(const pg_link_t *self);

/* Runs count (1 … PG_LINK_STEPS_MAX) statements as one transaction. Parameters are copied. fn is
 * called exactly once, after the commit (or its failure) was confirmed. deadline_ms (Unix time; 0:
 * none): if it was not sent by shortly before then, it ends as ERR_UNAVAILABLE, not unknown. */
void pg_link_run(pg_link_t *self,
                 const pg_step_t *steps,
                 int count,
                 int64_t deadline_ms,
                 pg_done_fn fn,
                 void *arg);

/* The same for one statement that only reads: if the connection is lost it is sent again on the
 * next one until the deadline nears, so the outcome is never unknown. */
void pg_link_read(pg_link_t *self,
                  const pg_statement_t *statement,
                  const pg_param_t *params,
                  int64_t deadline_ms,
                  pg_done_fn fn,
                  void *arg);

/* The same for several statements (of which none writes anything that is to stay) in one
 * transaction. */
void pg_link_read_steps(pg_link_t *self,
                        const pg_step_t *steps,
                        int count,
                        int64_t deadline_ms,
                        pg_done_fn fn,
                        void *arg);

/* Drops the connection (it comes back by itself), as if the network had. */
void pg_link_reset(pg_link_t *self);

/* Closes. What is unanswered ends as ERR_UNAVAILABLE, from inside this call. */
void pg_link_destroy(pg_link_t **self_p);

#endif
