/* store/reader.h: Query.getMessages and Subscription.addMessage. Whether a cursor is one of the
 * future or of the past is decided from the database and never from memory: another store may have
 * written. Owned by main; loop thread only. */
#ifndef PARLEY_STORE_READER_H
#define PARLEY_STORE_READER_H

#include "store/database.h"
#include "store/early_calls.h"
#include "store/handler.h"
#include "store/starts.h"
#include "store/tail_reader.h"

typedef struct reader reader_t;

/* Borrows all of them. */
reader_t *
reader_new(database_t *database, early_calls_t *early, tail_reader_t *tails, starts_t *starts);
/* After the database. */
void reader_destroy(reader_t **self_p);

/* The two fields; arg is the reader. */
extern const store_handler_t reader_handlers[];

#endif
