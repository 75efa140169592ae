/* gateway/realtime/message.h: what the messages of the WebSocket dialects have in common. They are
 * read where they lie, without a tree: a message lives as long as its text, and what is decoded of
 * it until the next message_read. Loop thread. */
#ifndef PARLEY_GATEWAY_REALTIME_MESSAGE_H
#define PARLEY_GATEWAY_REALTIME_MESSAGE_H

#include "common/buffer.h"
#include "common/json.h"
#include "gateway/realtime/session.h"

enum {
    MESSAGE_MAX_BYTES = 4 * 1024 * 1024,
    MESSAGE_DEPTH_MAX = 2048, /* what is in it has limits of its own */
};

/* ---- in ---- */

/* The members as they stand in the text, empty if absent; of several with one name the last. */
typedef struct {
    arena_t *arena; /* for what is decoded */
    json_slice_t type, id, payload;
} message_t;

/* False if text is no JSON map with a string as its type. */
bool message_read(message_t *self, session_t *session, const char *text, size_t size);
bool message_is(const message_t *self, const char *type);

/* The id, decoded; NULL if it is no string of 1 to SESSION_ID_MAX bytes. */
const char *message_id(const message_t *self, size_t *size);

/* Is the value a map, null or absent? */
bool message_may_be_map(json_slice_t value);

/* ---- out ---- */

/* Appends {"id":"…","type":"…" without the closing brace. */
void message_put_head(buffer_t *out, const char *id, size_t id_size, const char *type);

/* Says {"id":"…","type":"…"}, or with a payload (JSON text) if there is one. */
void message_send(
    session_t *session, const char *id, size_t id_size, const char *type, json_slice_t payload);

#endif
