/* store/early_calls.h: calls that came before the store's first contact with the database. Their
 * answers need the log's epoch: they wait for it, or fail when their deadline nears. Owned by main;
 * loop thread only. */
#ifndef PARLEY_STORE_EARLY_CALLS_H
#define PARLEY_STORE_EARLY_CALLS_H

#include "common/loop.h"
#include "store/database.h"
#include "store/handler.h"

typedef struct early_calls early_calls_t;

/* Borrows database. */
early_calls_t *early_calls_new(loop_t *loop, database_t *database);

/* Gives the call to fn(arg, call) once the epoch is known. */
void early_calls_add(early_calls_t *self, store_call_t *call, store_handler_fn fn, void *arg);

/* The epoch is known. */
void early_calls_serve(early_calls_t *self);

/* Fails the calls that wait, and all that come. Before endpoint and database go. */
void early_calls_stop(early_calls_t *self);
void early_calls_destroy(early_calls_t **self_p);

#endif
