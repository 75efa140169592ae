/* store/rooms/room_lists.h: the queries about private rooms: myRooms, roomMembers. Owned by main;
 * loop thread only. */
#ifndef PARLEY_STORE_ROOMS_ROOM_LISTS_H
#define PARLEY_STORE_ROOMS_ROOM_LISTS_H

#include "store/database.h"
#include "store/early_calls.h"
#include "store/handler.h"

typedef struct room_lists room_lists_t;

/* Borrows both. */
room_lists_t *room_lists_new(database_t *database, early_calls_t *early);
/* After the database. */
void room_lists_destroy(room_lists_t **self_p);

/* arg is the room_lists. */
extern const store_handler_t room_lists_handlers[];

#endif
