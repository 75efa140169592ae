/* store/writer.h: Mutation.createMessage by group commit. Calls that came while a batch was being
 * committed go into the next one: one statement, one transaction, one fsync. If they are many, half
 * of them wait for the one after it, so that the database and those whose messages are answered
 * work at the same time. A call is answered after its commit and never before; its event is
 * published after the commit, in seq order. Owned by main; loop thread only. */
#ifndef PARLEY_STORE_WRITER_H
#define PARLEY_STORE_WRITER_H

#include "common/loop.h"
#include "store/database.h"
#include "store/handler.h"
#include "store/publisher.h"
#include "store/tail_reader.h"

typedef struct writer writer_t;

/* Borrows all. */
writer_t *
writer_new(loop_t *loop, database_t *database, publisher_t *publisher, tail_reader_t *tails);

/* Mutation.createMessage; arg is the writer. */
extern const store_handler_t writer_handlers[];

/* The writer's connection came up: what waits is written. */
void writer_on_link_up(writer_t *self);

/* Fails what waits (UNAVAILABLE) and takes no more. Before endpoint and database go. */
void writer_stop(writer_t *self);
/* After the database. */
void writer_destroy(writer_t **self_p);

#endif
