/* store/database.h: the store's connections to PostgreSQL and what they share: the schema is
 * brought up to date and the epoch is known before anything else runs, at start and whenever the
 * connections come back. Owned by main; loop thread only.
 *
 * control    migrations and epoch; afterwards HEADS that wait for locks
 * writer     group commits, nothing else
 * readers    pages, REPLAY, heads; pipelined
 * filters    pages with a filter, which may scan a room: few, one statement at a time, a short
 * statement_timeout accounts   everything of store/accounts/ */
#ifndef PARLEY_STORE_DATABASE_H
#define PARLEY_STORE_DATABASE_H

#include <stdbool.h>

#include "common/cursor.h"
#include "common/err.h"
#include "common/loop.h"
#include "store/pg_link.h"

typedef struct {
    const char *url; /* borrowed for the call */
    int readers;     /* 1 … 64 */
    /* The database is usable again: epoch and schema are known. Links come up around the same time.
     */
    void (*on_ready)(void *arg);
    /* The writer's connection came up (after on_ready of its epoch). */
    void (*on_writer_up)(void *arg);
    void (*on_accounts_up)(void *arg);
    /* Somebody changed a table that others follow (migration 006), or a stream grew by what no
     * store publishes (migration 007): what is the name of that. What happened while the accounts'
     * connection was away is not told. */
    void (*on_change)(void *arg, const char *what);
    /* The schema was refused (it is newer than this program): one line for people. */
    void (*on_refused)(void *arg, const char *reason);
    void *arg;
} database_options_t;

typedef struct database database_t;

/* NULL and ERR_CONFIG if the URL cannot be parsed. Nothing is connected before database_open. */
database_t *database_new(loop_t *loop, const database_options_t *options, err_t *err);
void database_open(database_t *self);
void database_destroy(database_t **self_p);

/* Are schema and epoch known and do writer and a reader stand? If not, why, into reason (may be
 * NULL). */
bool database_is_ready(const database_t *self, char *reason, size_t size);

/* 16 hex digits, or NULL while unknown: then cursors can neither be made nor read. */
const char *database_epoch(const database_t *self);

pg_link_t *database_control(database_t *self);
pg_link_t *database_writer(database_t *self);
pg_link_t *database_accounts(database_t *self);
/* The one with the least to do, of those that are up. */
pg_link_t *database_reader(database_t *self);
pg_link_t *database_filter(database_t *self);

#endif
