/* store/message.h: a message of a room, and its JSON text, which is what answers and events carry.
 * Pure. */
#ifndef PARLEY_STORE_MESSAGE_H
#define PARLEY_STORE_MESSAGE_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/cursor.h"
#include "common/uuid.h"

/* Strings are borrowed. */
typedef struct {
    const char *room, *handle, *body; /* UTF-8, not NUL-terminated */
    size_t room_size, handle_size, body_size;
    parley_uuid_t id;
    uint64_t seq;
    int64_t created_us;
} message_t;

/* A room's stream is "room/" and its name. */
#define STREAM_PREFIX "room/"
enum {
    STREAM_PREFIX_SIZE = 5,
    ROOM_CHARS_MAX = 128,
    ROOM_BYTES_MAX = ROOM_CHARS_MAX * 4,
    STREAM_BYTES_MAX = STREAM_PREFIX_SIZE + ROOM_BYTES_MAX
};

/* What the cursors of a room's messages begin with. epoch: 16 hex digits. */
cursor_base_t message_cursor_base(const char *epoch, const char *room, size_t room_size);

/* Appends the Message object. */
void message_print(buffer_t *out, const message_t *message, const cursor_base_t *base);

/* The columns of every statement that returns messages, in binary: seq, id, handle, body,
 * created_at. */
#define MESSAGE_COLUMNS "seq, id, handle, body, created_at"
enum { MESSAGE_COLUMN_COUNT = 5 };

/* Reads them from a row, beginning at column; room stays what the caller sets. */
void message_from_row(message_t *message, const PGresult *result, int row, int column);

#endif
