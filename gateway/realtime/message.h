/* gateway/realtime/message.h: what the messages of the WebSocket dialects have in common. Pure. */
#ifndef PARLEY_GATEWAY_REALTIME_MESSAGE_H
#define PARLEY_GATEWAY_REALTIME_MESSAGE_H

#include <jansson.h>

#include "common/buffer.h"
#include "gateway/realtime/session.h"

enum { MESSAGE_MAX_BYTES = 4 * 1024 * 1024 };

/* Appends {"id":"…","type":"…" without the closing brace. */
void message_put_head(buffer_t *out, const char *id, size_t id_size, const char *type);

/* Says {"id":"…","type":"…"}, or with a payload (JSON text) if there is one. */
void message_send(
    session_t *session, const char *id, size_t id_size, const char *type, json_slice_t payload);

/* The id of a message; NULL if it is no string of 1 to SESSION_ID_MAX bytes. */
const char *message_id(const json_t *message, size_t *size);

/* Is the member a map, null or absent? */
bool message_has_map(const json_t *message, const char *name);

#endif
