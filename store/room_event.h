/* store/room_event.h: what happens in a room besides messages, as the log keeps it and as JSON.
 *
 * Changes of a private room's members are rows like a message's: type is the mutation's field name,
 * handle who did it, and body a JSON object with the rest of the payload, never empty. Rows of type
 * ROOM_REVOKE are events of kind revoke (proto/bus.md 7). Pure. */
#ifndef PARLEY_STORE_ROOM_EVENT_H
#define PARLEY_STORE_ROOM_EVENT_H

#include <stdbool.h>

#include "store/message.h"

#define ROOM_REVOKE "revoke"

/* Whose rights end: the body as it is. */
bool room_event_is_revoke(const char *type, size_t size);

/* Appends the payload of a row of any type; one that is nothing of these is like a message. */
void room_event_print(buffer_t *out,
                      const char *type,
                      size_t type_size,
                      const message_t *row,
                      const cursor_base_t *base);

#endif
