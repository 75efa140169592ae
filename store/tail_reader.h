/* store/tail_reader.h: pages of a room's newest messages from memory.
 *
 * A tail is fed by this store's own commits, but other stores write too, and a read must see all
 * that was acknowledged before it. So all reads of one turn of the loop share one statement, sent
 * after they arrived, which proves their rooms' tails and repairs them: it returns what the log has
 * beyond their ends. What was committed before the statement began is in its snapshot. Reads that
 * come while it is under way wait for the next one. Owned by main; loop thread only. */
#ifndef PARLEY_STORE_TAIL_READER_H
#define PARLEY_STORE_TAIL_READER_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "common/loop.h"
#include "store/arguments.h"
#include "store/database.h"
#include "store/handler.h"

typedef struct tail_reader tail_reader_t;

/* Borrows database. */
tail_reader_t *tail_reader_new(loop_t *loop, database_t *database);

/* Answers the call with the newest limit messages of the room if it has them; else returns false,
 * and the caller is to read them and give them to tail_reader_load. room is borrowed as long as the
 * call lives. If the tail turns out to be too old, again(arg, call) gets the call back. */
bool tail_reader_take(tail_reader_t *self,
                      store_call_t *call,
                      text_t room,
                      int limit,
                      store_handler_fn again,
                      void *arg);

/* rows: the newest messages of the room (MESSAGE_COLUMNS, newest first), as one snapshot of epoch's
 * log had them; limit: how many were asked for. */
void tail_reader_load(
    tail_reader_t *self, const char *epoch, text_t room, const PGresult *rows, int limit);

/* This store committed a message: its number and JSON text. */
void tail_reader_append(tail_reader_t *self,
                        const char *epoch,
                        const char *room,
                        size_t room_size,
                        uint64_t seq,
                        const char *json,
                        size_t size);

/* Fails what waits. Before endpoint and database go. */
void tail_reader_stop(tail_reader_t *self);
/* After the database. */
void tail_reader_destroy(tail_reader_t **self_p);

#endif
