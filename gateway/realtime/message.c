#include "gateway/realtime/message.h"

#include "gateway/realtime/conn.h"

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

const char *message_id(const json_t *message, size_t *size)
{
    const json_t *id = json_object_get(message, "id");
    *size = json_string_length(id);
    return json_is_string(id) && *size > 0 && *size <= SESSION_ID_MAX ? json_string_value(id)
                                                                      : NULL;
}

bool message_has_map(const json_t *message, const char *name)
{
    const json_t *value = json_object_get(message, name);
    return !value || json_is_object(value) || json_is_null(value);
}
