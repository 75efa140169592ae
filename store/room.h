/* store/room.h: rooms with doors. A room whose name begins with ROOM_PRIVATE belongs to its
 * members; everybody else is refused with the same words, whether it exists or not.
 *
 * Who is a member is known in the table room_members, which changes only under the lock of the
 * room's row and together with an event. So it is asked in the very statement that reads the log,
 * or under that lock: an answer that was made elsewhere or earlier would prove nothing. Loop
 * thread. */
#ifndef PARLEY_STORE_ROOM_H
#define PARLEY_STORE_ROOM_H

#include <stdbool.h>
#include <stddef.h>

#include "store/handler.h"

#define ROOM_PRIVATE "private/"

bool room_is_private(const char *room, size_t size);

/* What the caller's handle is bound to: sub of his account of the user pool; "" for other
 * identities, which are known by their handle, and for nobody. Lives as long as the call. */
const char *room_caller_account(const store_call_t *call);

/* Fails the call: FORBIDDEN, in the words that all outsiders hear. */
void room_refuse(store_call_t *call);

/* SQL: true if that identity is a member of that room, else null. All three are expressions. A
 * scalar subquery, which unlike EXISTS is never turned into a hash of the whole table. */
#define ROOM_MEMBER_SQL(room, handle, account)                                                     \
    "(SELECT true FROM room_members b WHERE b.acts_as=" handle " AND b.account=" account           \
    " AND b.room=" room ")"

#endif
