#include <string.h>

#include "gateway/realtime/conn.h"
#include "gateway/realtime/dialects.h"
#include "gateway/realtime/message.h"

/* The protocol of subscriptions-transport-ws (its PROTOCOL.md, "GraphQL over WebSocket"), which old
 * Apollo clients speak. */

static const json_slice_t nothing = {.data = ""};

static void s_put_prefix(buffer_t *out, const char *id, size_t id_size)
{
    message_put_head(out, id, id_size, "data");
    buffer_put_str(out, ",\"payload\":");
}

static void s_send_error(session_t *session, const char *id, size_t id_size, json_slice_t response)
{
    message_send(session, id, id_size, "error", response);
}

static void s_send_complete(session_t *session, const char *id, size_t id_size)
{
    message_send(session, id, id_size, "complete", nothing);
}

static void s_on_beat(session_t *session)
{
    static const char text[] = "{\"type\":\"ka\"}";
    if (session->initialised)
        conn_send(conn_of(session), text, sizeof text - 1);
}

static void s_send_connection_error(session_t *session, const char *reason)
{
    buffer_t text = BUFFER_INIT(MESSAGE_MAX_BYTES);
    buffer_put_str(&text, "{\"type\":\"connection_error\",\"payload\":{\"message\":");
    buffer_put_json_string(&text, reason, strlen(reason));
    buffer_put_str(&text, "}}");
    conn_send_buffer(conn_of(session), &text);
}

/* False after refusing who he says he is. */
static bool s_introduce(session_t *session, json_slice_t payload)
{
    err_t err = ERR_INIT;
    err_code_t code = session_authenticate(session, payload, &err);
    session->initialised = !code;
    if (!code)
        return true;
    s_send_connection_error(session, err.text);
    bool later = code == ERR_UNAVAILABLE || code == ERR_RATE_LIMITED;
    conn_close(conn_of(session), later ? WS_CLOSE_TRY_AGAIN_LATER : WS_CLOSE_INTERNAL, err.text);
    return false;
}

static const char ack[] = "{\"type\":\"connection_ack\"}";

/* It may bring a new token. */
static void s_on_second_init(session_t *session, json_slice_t payload)
{
    err_t err = ERR_INIT;
    err_code_t code = session_renew(session, payload, &err);
    if (code == ERR_OK)
        conn_send(conn_of(session), ack, sizeof ack - 1);
    else if (code != ERR_UNAVAILABLE && code != ERR_RATE_LIMITED)
        s_send_connection_error(session, err.text);
}

static void s_on_init(session_t *session, const message_t *message)
{
    if (session->initialised) {
        s_on_second_init(session, message->payload);
        return;
    }
    if (!s_introduce(session, message->payload))
        return;
    conn_send(conn_of(session), ack, sizeof ack - 1);
    s_on_beat(session);
}

static void s_on_start(session_t *session, const message_t *message)
{
    size_t id_size;
    const char *id = message_id(message, &id_size);
    if (!id) {
        conn_close(conn_of(session), WS_CLOSE_PROTOCOL_ERROR, "start: \"id\" must be a string");
        return;
    }
    if (!session->initialised && !s_introduce(session, nothing))
        return;
    stream_t *same = session_find(session, id, id_size);
    if (same)
        session_stop(same); /* the new one takes its place */
    if (json_kind(message->payload) == JSON_MAP)
        session_start(session, id, id_size, message->payload, session->identity, nothing);
    else
        session_refuse(session, id, id_size, ERR_BAD_USER_INPUT,
                       "start: \"payload\" must be a map");
}

static void s_on_stop(session_t *session, const message_t *message)
{
    size_t id_size;
    const char *id = message_id(message, &id_size);
    stream_t *stream = id ? session_find(session, id, id_size) : NULL;
    if (!stream)
        return;
    session_stop(stream);
    s_send_complete(session, id, id_size);
}

static void s_on_message(session_t *session, const char *text, size_t size)
{
    message_t message;
    if (!message_read(&message, session, text, size))
        conn_close(conn_of(session), WS_CLOSE_PROTOCOL_ERROR, "a message must be JSON with a type");
    else if (message_is(&message, "start"))
        s_on_start(session, &message);
    else if (message_is(&message, "stop"))
        s_on_stop(session, &message);
    else if (message_is(&message, "connection_init"))
        s_on_init(session, &message);
    else if (message_is(&message, "connection_terminate"))
        conn_close(conn_of(session), WS_CLOSE_NORMAL, "terminated");
    else
        s_send_connection_error(session, "unknown type of message");
}

const dialect_t DIALECT_GRAPHQL_WS = {
    .name = "graphql-ws",
    .suffix = "}",
    .on_message = s_on_message,
    .on_beat = s_on_beat,
    .put_prefix = s_put_prefix,
    .send_error = s_send_error,
    .send_complete = s_send_complete,
    .code_init_timeout = 4408,
    .reason_init_timeout = "Connection initialisation timeout",
};
