#include "store/message.h"

#include <assert.h>
#include <string.h>

#include "common/clock.h"
#include "store/pg_link.h"

cursor_base_t message_cursor_base(const char *epoch, const char *room, size_t room_size)
{
    char stream[STREAM_BYTES_MAX];
    assert(room_size <= ROOM_BYTES_MAX);
    memcpy(stream, STREAM_PREFIX, STREAM_PREFIX_SIZE);
    memcpy(stream + STREAM_PREFIX_SIZE, room, room_size);
    cursor_base_t base;
    err_code_t code = cursor_base(&base, epoch, stream, STREAM_PREFIX_SIZE + room_size);
    assert(code == ERR_OK);
    (void)code;
    return base;
}

void message_print(buffer_t *out, const message_t *message, const cursor_base_t *base)
{
    char id[UUID_TEXT_SIZE], created_at[CLOCK_ISO_SIZE], cursor[CURSOR_SIZE];
    uuid_print(&message->id, id);
    clock_iso(message->created_us, created_at);
    cursor_print(base, message->seq, cursor);
    buffer_put_str(out, "{\"messageId\":\"");
    buffer_put(out, id, UUID_TEXT_SIZE - 1);
    buffer_put_str(out, "\",\"body\":");
    buffer_put_json_string(out, message->body, message->body_size);
    buffer_put_str(out, ",\"createdAt\":\"");
    buffer_put(out, created_at, CLOCK_ISO_SIZE - 1);
    buffer_put_str(out, "\",\"handle\":");
    buffer_put_json_string(out, message->handle, message->handle_size);
    buffer_put_str(out, ",\"room\":");
    buffer_put_json_string(out, message->room, message->room_size);
    buffer_put_str(out, ",\"cursor\":\"");
    buffer_put(out, cursor, CURSOR_SIZE - 1);
    buffer_put_str(out, "\"}");
}

void message_from_row(message_t *message, const PGresult *result, int row, int column)
{
    message->seq = (uint64_t)pg_bigint(result, row, column);
    memcpy(message->id.bytes, PQgetvalue(result, row, column + 1), sizeof message->id.bytes);
    message->handle = PQgetvalue(result, row, column + 2);
    message->handle_size = (size_t)PQgetlength(result, row, column + 2);
    message->body = PQgetvalue(result, row, column + 3);
    message->body_size = (size_t)PQgetlength(result, row, column + 3);
    message->created_us = pg_unix_us(result, row, column + 4);
}
