/* store/reader.h: what is read from the log: Query.getMessages, Subscription.addMessage, REPLAY and
 * HEADS. Everything is decided from the database and never from memory: another store may have
 * written. Owned by main; loop thread only. */
#ifndef PARLEY_STORE_READER_H
#define PARLEY_STORE_READER_H

#include "common/loop.h"
#include "store/database.h"
#include "store/handler.h"

typedef struct reader reader_t;

/* Borrows database. */
reader_t *reader_new(database_t *database);
void reader_destroy(reader_t **self_p);

/* Query.getMessages and Subscription.addMessage; arg is the reader. */
extern const store_handler_t reader_handlers[];

/* The verbs REPLAY and HEADS (proto/bus.md 5, 6). */
void reader_replay(reader_t *self, store_call_t *call);
void reader_heads(reader_t *self, store_call_t *call);

#endif
