#include "gateway/realtime/message.h"

#include <string.h>

#include "gateway/realtime/conn.h"
#include "gateway/realtime/realtime_private.h"

bool message_read(message_t *self, session_t *session, const char *text, size_t size)
{
    arena_t *arena = session->realtime->arena;
    json_slice_t map = json_trim((json_slice_t){.data = text, .size = size});
    json_slice_t key, value;
    arena_reset(arena);
    *self = (message_t){.arena = arena};
    if (json_kind(map) != JSON_MAP || !json_validate(text, size, MESSAGE_DEPTH_MAX, NULL))
        return false;
    for (json_walk_t walk = json_walk(map); json_walk_member(&walk, &key, &value);) {
        if (json_key_is(key, "type", 4))
            self->type = value;
        else if (json_key_is(key, "id", 2))
            self->id = value;
        else if (json_key_is(key, "payload", 7))
            self->payload = value;
    }
    return json_kind(self->type) == JSON_STRING_VALUE;
}

bool message_is(const message_t *self, const char *type)
{
    json_slice_t text = {.data = self->type.data + 1, .size = self->type.size - 2};
    return json_key_is(text, type, strlen(type));
}

const char *message_id(const message_t *self, size_t *size)
{
    *size = 0;
    const char *id = json_string_decode(self->arena, self->id, size);
    return id && *size > 0 && *size <= SESSION_ID_MAX ? id : NULL;
}

bool message_may_be_map(json_slice_t value)
{
    json_kind_t kind = json_kind(value);
    return kind == JSON_MAP || kind == JSON_NULL_VALUE || kind == JSON_NONE;
}

void message_put_head(buffer_t *out, const char *id, size_t id_size, const char *type)
{
    buffer_put_str(out, "{\"id\":");
    buffer_put_json_string(out, id, id_size);
    buffer_put_str(out, ",\"type\":\"");
    buffer_put_str(out, type);
    buffer_put_char(out, '"');
}

void message_send(
    session_t *session, const char *id, size_t id_size, const char *type, json_slice_t payload)
{
    buffer_t text = BUFFER_INIT(MESSAGE_MAX_BYTES);
    message_put_head(&text, id, id_size, type);
    if (payload.size) {
        buffer_put_str(&text, ",\"payload\":");
        buffer_put(&text, payload.data, payload.size);
    }
    buffer_put_char(&text, '}');
    conn_send_buffer(conn_of(session), &text);
}
