/* store/rooms/room_changes.h: the mutations about private rooms: createRoom, inviteToRoom,
 * setRoomRole, removeFromRoom, leaveRoom.
 *
 * Each is one transaction on the writer's connection, so its events are published in seq order with
 * those of the writer. Its event carries the call's id, and with it the first result: who repeats a
 * call, here or in another store, gets that (proto/bus.md 4). So after a failure with unknown
 * outcome it is simply tried again, until the call's deadline. Owned by main; loop thread only. */
#ifndef PARLEY_STORE_ROOMS_ROOM_CHANGES_H
#define PARLEY_STORE_ROOMS_ROOM_CHANGES_H

#include "common/loop.h"
#include "store/database.h"
#include "store/handler.h"
#include "store/publisher.h"

typedef struct room_changes room_changes_t;

/* Borrows all. */
room_changes_t *room_changes_new(loop_t *loop, database_t *database, publisher_t *publisher);

/* arg is the room_changes. */
extern const store_handler_t room_changes_handlers[];

/* Fails what waits (UNAVAILABLE) and takes no more. Before endpoint and database go. */
void room_changes_stop(room_changes_t *self);
/* After the database. */
void room_changes_destroy(room_changes_t **self_p);

#endif
