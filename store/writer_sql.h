/* store/writer_sql.h: the statements of a group commit, and their parameters. The rules they rest
 * on:
 *
 * - A room's row is its lock and its counter: whoever commits a change to the room takes the next
 * numbers from it and holds it until commit, so commit order is seq order and there are no holes.
 * - Rooms are locked in byte order, always by the same upsert; any other way of locking them
 * deadlocks with it.
 * - FAST looks for no duplicates: a repeated (room, id) violates messages_room_id_key and the whole
 * batch rolls back. Then CAREFUL: it takes the locks first, in a statement of its own, so that the
 * second statement's snapshot sees all that was committed under them; a duplicate check in FAST's
 * single statement would miss what a concurrent writer commits while it waits, and leave holes. */
#ifndef PARLEY_STORE_WRITER_SQL_H
#define PARLEY_STORE_WRITER_SQL_H

#include "store/batch.h"
#include "store/pg_link.h"

enum { WRITER_FAST_ROWS = 0, WRITER_CAREFUL_NEW = 1, WRITER_CAREFUL_ALL = 2 };

/* One statement (of a simpler kind if the batch is one message). Its rows: room, seq of the room's
 * last message, created_at of all of the batch's in it; the others' seqs are so much smaller as
 * their `back`. Guarded rooms are not among them: their messages were not inserted, leave no hole,
 * and have to go by CAREFUL. */
void writer_sql_fast(
    pg_link_t *link, const batch_t *batch, int64_t deadline_ms, pg_done_fn fn, void *arg);

/* Three statements in one transaction: locks; insert what is new and may be there (rows as above,
 * result WRITER_CAREFUL_NEW); and all messages of the batch that are there, new or not (result
 * WRITER_CAREFUL_ALL: room, id, seq, created_at, handle, body, whether the sender may know of it).
 * An id that the log uses for something else comes with an empty handle.
 *
 * Guarded rooms. Whether the sender is a member is asked under the room's lock, which who removes
 * him holds too, and after the look-up of duplicates: a message that another store committed before
 * the removal is answered as stored and not as refused. Rooms of which a sender is no member are
 * not locked for his sake: a room that is busy would answer an outsider later than one that is not
 * there. That is no loss: if by the first statement's snapshot he is no member and the message is
 * not stored, then a removal was committed before it, and the message neither before that nor,
 * unless he is invited again, after it. */
void writer_sql_careful(
    pg_link_t *link, const batch_t *batch, int64_t deadline_ms, pg_done_fn fn, void *arg);

#endif
