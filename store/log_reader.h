/* store/log_reader.h: REPLAY and HEADS (proto/bus.md 5, 6): the log as gateways see it. Everything
 * is read from the database and never from memory: another store may have written. Owned by main;
 * loop thread only. */
#ifndef PARLEY_STORE_LOG_READER_H
#define PARLEY_STORE_LOG_READER_H

#include "store/database.h"
#include "store/early_calls.h"
#include "store/handler.h"

typedef struct log_reader log_reader_t;

/* Borrows all. */
log_reader_t *log_reader_new(loop_t *loop, database_t *database, early_calls_t *early);
/* From now on nothing waits for a database that is away. Before the database goes. */
void log_reader_stop(log_reader_t *self);
/* After the database. */
void log_reader_destroy(log_reader_t **self_p);

/* Handlers of the two verbs; arg is the log_reader. */
void log_reader_replay(void *arg, store_call_t *call);
void log_reader_heads(void *arg, store_call_t *call);

#endif
